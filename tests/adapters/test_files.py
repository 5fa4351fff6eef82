"""Files of the user: settings whole or not at all, without secrets; bundles with clear faults."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from app.adapters import files
from app.core.faults import Fault
from app.core.secret import Secret


def test_settings_come_back(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet" / "settings.json"
    assert files.load_settings(path) == {}
    values = {"port": "/dev/ttyACM0", "voice": "marin", "size": [800, 600], "lang": "中文"}
    files.save_settings(path, values)
    assert files.load_settings(path) == values
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 or os.name == "nt"
    assert os.listdir(path.parent) == ["settings.json"]


@pytest.mark.parametrize("key", ["api_key", "wifi_psw"])
def test_secrets_are_refused(tmp_path: Path, key: str) -> None:
    path = tmp_path / "settings.json"
    for value in (Secret("marked"), "marked"):
        with pytest.raises(ValueError, match=key) as caught:
            files.save_settings(path, {key: value})
        assert "marked" not in str(caught.value)
    with pytest.raises(ValueError, match="other"):
        files.save_settings(path, {"other": Secret("marked")})
    assert not path.exists()


@pytest.mark.parametrize("damage", [b"{", b"[1]", b"\xff\xfe\x00", b"", b"null"])
def test_a_damaged_settings_file_is_put_aside(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(damage)
    assert files.load_settings(path) == {}
    assert (tmp_path / "settings.json.damaged").read_bytes() == damage
    files.save_settings(path, {"a": 1})
    assert files.load_settings(path) == {"a": 1}


def test_a_failing_disk_leaves_the_old_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings.json"
    files.save_settings(path, {"a": 1})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.adapters.files.os.fsync", full)
    with pytest.raises(Fault, match="could not be saved"):
        files.save_settings(path, {"a": 2})
    assert files.load_settings(path) == {"a": 1}
    assert os.listdir(tmp_path) == ["settings.json"]


def test_unreadable_settings_and_folders_are_faults(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="cannot be read"):
        files.load_settings(tmp_path)
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(Fault, match="could not be saved"):
        files.save_settings(blocked / "settings.json", {})


def test_bundles_are_read_as_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "firmware.zip"
    path.write_bytes(b"PK\3\4")
    assert files.read_bundle(path) == b"PK\3\4"
    with pytest.raises(Fault, match="is not there"):
        files.read_bundle(tmp_path / "missing.zip")
    with pytest.raises(Fault, match="cannot be read"):
        files.read_bundle(tmp_path)
    monkeypatch.setattr(files, "BUNDLE_MOST_BYTES", 3)
    with pytest.raises(Fault, match="no firmware file"):
        files.read_bundle(path)


def test_folders_follow_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert files.settings_path().name == "settings.json"
    assert "Parley" in str(files.settings_path())
    assert files.log_directory() != files.config_directory()
