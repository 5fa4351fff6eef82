"""The log file: rotating, in the user's log folder, and blind to secrets.

Masking happens on the finished text of each record, tracebacks included, so that no call site
can get it wrong.
"""

from __future__ import annotations

import json
import logging
import os
import re
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from app.core.secret import Secret

FILE_NAME = "parley.log"
FILE_MOST_BYTES = 1_000_000
FILES_KEPT = 3
MASK = "•••"

_KEYS = re.compile(r"\b(?:sk-|ek_)[A-Za-z0-9_\-]{4,}")
# At DEBUG these write bodies and headers; our own modules say what matters.
_CHATTY = ("aioice", "aiortc", "aiohttp", "asyncio", "keyring", "qasync")

_hidden: set[str] = set()


def hide(secret: Secret) -> None:
    """Mask this text in the journal from now on, also escaped as Python, JSON or a URL does."""
    if secret:
        text = secret.reveal()
        _hidden.update({text, repr(text)[1:-1], json.dumps(text)[1:-1], quote(text, safe="")})


def masked(text: str) -> str:
    """`text` with everything secret in it replaced by dots."""
    for secret in sorted(_hidden, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _KEYS.sub(MASK, text)


class _Masking(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class Journal:
    """The open log file; `close` detaches it. Also a context manager."""

    def __init__(self, path: Path, handler: logging.Handler, before: int) -> None:
        self.path = path
        self._handler = handler
        self._level_before = before

    def close(self) -> None:
        """Detach and close the file. Again: nothing."""
        root = logging.getLogger()
        if self._handler in root.handlers:
            root.removeHandler(self._handler)
            root.setLevel(self._level_before)
        self._handler.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _PrivateFile(RotatingFileHandler):
    def _open(self):  # type: ignore[no-untyped-def]  # its type is a private one of typeshed
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=_private)


def start(directory: Path, level: int = logging.INFO) -> Journal:
    """Log from `level` on into `directory` until the journal is closed. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / FILE_NAME
    handler = _PrivateFile(path, maxBytes=FILE_MOST_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    handler.setFormatter(_Masking("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    return Journal(path, handler, before)
