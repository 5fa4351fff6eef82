"""The log file: rotating, private, and without secrets whatever the call site does."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters import journal
from app.core.secret import Secret

log = logging.getLogger("tests.journal")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[journal.Journal]:
    with journal.start(tmp_path / "logs", logging.DEBUG) as made:
        yield made


def test_what_is_logged_is_in_the_file(started: journal.Journal) -> None:
    log.info("flashed %s in %.1f s", "app", 2.25)
    text = started.path.read_text(encoding="utf-8")
    assert "INFO    tests.journal: flashed app in 2.2 s\n" in text
    assert stat.S_IMODE(started.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "secret", ["correct horse", 'qu"ote\\slash', "pässwörd ☕", "a/b?c=d&e", "sk-not1like2keys"]
)
def test_registered_secrets_are_masked_in_every_spelling(
    started: journal.Journal, secret: str
) -> None:
    journal.hide(Secret(secret))
    journal.hide(Secret(""))
    log.info("plain %s", secret)
    log.info("repr %r", {"psw": secret})
    log.info("bytes-like %s", __import__("json").dumps([secret]))
    log.info("url %s", __import__("urllib.parse").parse.quote(secret, safe=""))
    try:
        raise RuntimeError(f"refused {secret}")
    except RuntimeError:
        log.exception("broke")
    text = started.path.read_text(encoding="utf-8")
    assert secret not in text
    for spelled in (repr(secret)[1:-1], __import__("json").dumps(secret)[1:-1]):
        assert spelled not in text
    assert text.count(journal.MASK) >= 5
    assert "RuntimeError" in text


def test_keys_of_the_service_are_masked_unasked(started: journal.Journal) -> None:
    log.warning("Authorization: Bearer sk-proj-ABC_def-123, ek_68af00, task-force and desk-top")
    text = started.path.read_text(encoding="utf-8")
    assert "ABC_def" not in text
    assert "68af00" not in text
    assert "task-force and desk-top" in text


def test_the_file_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FILE_MOST_BYTES", 2000)
    with journal.start(tmp_path) as made:
        for number in range(200):
            log.info("line %d", number)
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "parley.log",
            "parley.log.1",
            "parley.log.2",
            "parley.log.3",
        ]
        assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
        assert "line 199" in made.path.read_text(encoding="utf-8")


def test_closing_detaches(tmp_path: Path) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    made = journal.start(tmp_path, logging.DEBUG)
    made.close()
    made.close()
    log.error("too late")
    assert made.path.read_text(encoding="utf-8") == ""
    assert (root.handlers, root.level) == (handlers, level)
