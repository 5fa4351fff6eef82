"""Files that grow line by line: the console's log, and the recording of a session.

The log goes on in pieces: FILE, and the older FILE.1 to FILE.5, 10 MB each. A recording is one new
file, which ends where it is full. A thread writes, so that a slow disk stops nobody; what it cannot
keep up with is counted and let go. Secrets are masked as in the journal.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path

from app.adapters.journal import masked
from app.core.faults import Fault
from app.core.language import tr

PIECE_MOST_BYTES = 10_000_000
PIECES_KEPT = 5
MOST_WAITING = 50_000
RECORDING_MOST_BYTES = 500_000_000


class ConsoleLog:
    """An open log; `write` from any thread, `close` ends it."""

    def __init__(
        self,
        path: Path,
        failed: Callable[[str], None],
        *,
        piece_most_bytes: int = PIECE_MOST_BYTES,
        pieces_kept: int = PIECES_KEPT,
    ) -> None:
        """Opens `path` for appending, or anew where no older pieces are kept. Raises Fault.

        `failed` is called once, in the log's thread, when the disk refuses later or the one piece
        is full; nothing is written after that.
        """
        self.path = path
        self._failed = failed
        self._most = piece_most_bytes
        self._pieces_kept = pieces_kept
        self._lines: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._dropped = 0
        try:
            self._file = self._open()
        except OSError as error:
            raise Fault(
                tr("The file could not be saved."),
                tr(
                    "Check that there is room on the disk and that you may write to {path}.",
                    path=path,
                ),
                repr(error),
            ) from error
        self._thread = threading.Thread(target=self._run, name="parley-console-log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """One line, without its end. Never waits."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what waits, then close the file. Again: nothing."""
        if self._thread.is_alive():
            self._lines.put(None)
            self._thread.join()

    def _open(self) -> TextIOWrapper:
        anew = os.O_APPEND if self._pieces_kept else os.O_TRUNC
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | anew, 0o600)
        return os.fdopen(handle, "a", encoding="utf-8", errors="replace", newline="\n")

    def _run(self) -> None:
        try:
            size = self.path.stat().st_size
            while (line := self._lines.get()) is not None:
                if self._dropped:
                    if self._pieces_kept:
                        line = f"!! {self._dropped} lines were not written\n{line}"
                    self._dropped = 0
                size += self._file.write(f"{masked(line)}\n")
                if self._lines.empty():
                    self._file.flush()
                if size >= self._most:
                    self._file.close()
                    if not self._pieces_kept:
                        self._failed(tr("It is full."))
                        self._drain()
                        return
                    self._rotate()
                    self._file = self._open()
                    size = 0
            self._file.close()
        except OSError as error:
            self._failed(error.strerror or type(error).__name__)
            self._drain()

    def _drain(self) -> None:
        while self._lines.get() is not None:
            pass

    def _rotate(self) -> None:
        for number in range(self._pieces_kept, 0, -1):
            older = self._piece(number - 1)
            if older.exists():
                older.replace(self._piece(number))

    def _piece(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path
