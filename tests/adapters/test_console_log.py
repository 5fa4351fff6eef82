"""The console's log: pieces, masking, a disk that refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.adapters import journal
from app.adapters.console_log import PIECES_KEPT, ConsoleLog
from app.core.faults import Fault
from app.core.secret import Secret


def no_failure(reason: str) -> None:
    pytest.fail(reason)


def test_lines_in_order_appended_and_masked(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("before\n")
    log = ConsoleLog(path, no_failure)
    journal.hide(Secret("swordfish"))
    for number in range(1000):
        log.write(f"line {number} 漢")
    log.write("the word is swordfish")
    log.close()
    log.close()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "before"
    assert lines[1:-1] == [f"line {number} 漢" for number in range(1000)]
    assert lines[-1] == "the word is •••"


def test_pieces_are_kept_and_old_ones_go(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = ConsoleLog(path, no_failure, piece_most_bytes=100)
    for number in range(200):
        log.write(f"line {number:03} of many")
    log.close()
    pieces = sorted(file.name for file in tmp_path.iterdir())
    assert pieces == ["a.log", *(f"a.log.{number}" for number in range(1, PIECES_KEPT + 1))]
    kept = "".join(
        (tmp_path / name).read_text() for name in [*reversed(pieces[1:]), "a.log"]
    ).splitlines()
    numbers = [int(line.split()[1]) for line in kept]
    assert numbers == list(range(numbers[0], 200))


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="could not be saved"):
        ConsoleLog(tmp_path / "missing" / "a.log", no_failure)


def test_a_disk_that_refuses_later_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    told: list[str] = []
    log = ConsoleLog(path, told.append, piece_most_bytes=10)
    path.with_name("a.log.1").mkdir()
    (tmp_path / "a.log.2").mkdir()
    (tmp_path / "a.log.2" / "x").touch()
    for _ in range(50):
        log.write("much too long for a piece")
    log.close()
    assert len(told) == 1


def test_a_recording_is_one_new_file_that_ends_when_it_is_full(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("before\n")
    told: list[str] = []
    log = ConsoleLog(path, told.append, piece_most_bytes=60, pieces_kept=0)
    for number in range(20):
        log.write(f"line {number:03} of many")
    log.close()
    assert path.read_text().splitlines() == [f"line 00{number} of many" for number in range(4)]
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"]
    assert told == ["It is full."]
