"""Files of this user on this computer: the settings, the log folder, a firmware bundle to read.

No secret is ever written here: a value of type Secret or a key the schema calls secret is refused.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from app.core.faults import Fault
from app.core.language import tr
from app.core.schema import BY_KEY
from app.core.secret import Secret

_log = logging.getLogger(__name__)
BUNDLE_MOST_BYTES = 64 * 1024 * 1024
LINE_MOST_CHARACTERS = 2_000_000


def config_directory() -> Path:
    """Where settings live. Not made here."""
    return platformdirs.user_config_path("Parley", appauthor=False)


def log_directory() -> Path:
    """Where the journal goes. Not made here."""
    return platformdirs.user_log_path("Parley", appauthor=False)


def settings_path() -> Path:
    """The settings file."""
    return config_directory() / "settings.json"


def load_settings(path: Path) -> dict[str, Any]:
    """What was saved; empty when there is nothing. Raises Fault when it cannot be read.

    A damaged file is put aside as `….damaged` and counts as nothing: it must not keep the program
    from starting.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        text = ""
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if isinstance(values, dict):
        return values
    _log.warning("settings file is damaged, put aside: %s", path)
    with suppress(OSError):
        path.replace(path.with_name(path.name + ".damaged"))
    return {}


def save_settings(path: Path, values: Mapping[str, Any]) -> None:
    """Replace the file by `values` as JSON, whole or not at all, readable by this user only.

    Raises Fault when the disk refuses, ValueError for a secret.
    """
    for key, value in values.items():
        if isinstance(value, Secret) or ((known := BY_KEY.get(key)) and known.secret and value):
            raise ValueError(f"{key} is a secret and is not written to a file")
    text = json.dumps(values, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text.encode())
    except OSError as error:
        raise Fault(
            tr("The settings could not be saved."),
            tr("Check that there is room on the disk and that you may write to {path}.", path=path),
            repr(error),
        ) from error


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a text file, one by one; bytes that are no text are replaced. Raises Fault."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            while line := file.readline(LINE_MOST_CHARACTERS):
                yield line
    except OSError as error:
        raise _unreadable(path, error) from error


def save(path: Path, content: bytes) -> None:
    """Write a file the user asked for, whole or not at all. Raises Fault when the disk refuses."""
    try:
        _replace(path, content)
    except OSError as error:
        raise Fault(
            tr("The file could not be saved."),
            tr("Check that there is room on the disk and that you may write to {path}.", path=path),
            repr(error),
        ) from error


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_bundle(path: Path) -> bytes:
    """The bytes of a firmware bundle. Raises Fault when missing, unreadable or far too large."""
    try:
        if path.stat().st_size > BUNDLE_MOST_BYTES:
            raise Fault(
                tr("{path} is no firmware file.", path=path),
                tr("Choose a file made by Parley; it ends in .zip."),
                f"{path.stat().st_size} bytes",
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise Fault(
            tr("The firmware file {path} is not there.", path=path),
            tr("Check the name, or choose another file."),
            repr(error),
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def write_bundle(path: Path, content: bytes) -> None:
    """Write a firmware bundle, whole or not at all. Raises Fault when the disk refuses."""
    try:
        _replace(path, content)
    except OSError as error:
        raise Fault(
            tr("The firmware file {path} could not be written.", path=path),
            tr("Check that there is room on the disk and that you may write to {path}.", path=path),
            repr(error),
        ) from error


def _unreadable(path: Path, error: OSError) -> Fault:
    return Fault(
        tr("The file {path} cannot be read.", path=path),
        tr("Check that it is a file and that you may read it."),
        repr(error),
    )
