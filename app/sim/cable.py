"""The cable between a computer and the virtual board: the only place where threads meet.

Any thread may use the computer's end (`Cable.open`, `Port`). What it sends reaches the board on the
board's own loop, in order; what the board sends waits here until somebody reads it. Errors are the
operating system's own: FileNotFoundError, BlockingIOError (busy), OSError with EIO (pulled out).
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from threading import Condition
from typing import Protocol

UNREAD_LIMIT_BYTES = 1 << 18
"""About what a serial driver keeps for a program that is slow to read."""

UNOPENED_LIMIT_BYTES = 1 << 14
"""What is kept while nobody has the port open. Kinder than a bridge, which keeps nothing: the
virtual chip boots at once, a real one only after a program has had time to open the port."""


class BoardEnd(Protocol):
    """What the board does about the computer; called on the board's loop."""

    def bytes_arrived(self, data: bytes) -> None: ...

    def lines_moved(self, dtr: bool, rts: bool, at_s: float) -> None: ...

    def port_opened(self, is_open: bool) -> None: ...


class Cable:
    """Not plugged in at first; `appear` plugs it in."""

    def __init__(self, end: BoardEnd) -> None:
        self._end = end
        self._changed = Condition()
        self._post: Callable[..., object] | None = None
        self._port: Port | None = None
        self._unread = bytearray()

    # the board's side

    def appear(self, post: Callable[..., object]) -> None:
        """Plugged in; `post(f, *args)` runs `f` on the board's loop and never blocks."""
        with self._changed:
            self._post = post
            self._changed.notify_all()

    def vanish(self) -> None:
        """Pulled out: whoever has the port open now holds a dead one. Unread bytes are lost."""
        with self._changed:
            if self._port is not None and self._post is not None:
                self._post(self._end.port_opened, False)
            self._post = self._port = None
            self._unread.clear()
            self._changed.notify_all()

    def send(self, data: bytes) -> None:
        """To the computer; the oldest bytes go when too many are unread."""
        with self._changed:
            self._unread += data
            limit = UNOPENED_LIMIT_BYTES if self._port is None else UNREAD_LIMIT_BYTES
            if len(self._unread) > limit:
                del self._unread[:-limit]
            self._changed.notify_all()

    def forget_unopened(self) -> None:
        """The chip's own FIFO is emptied by a reset; what a driver has taken stays."""
        with self._changed:
            if self._port is None:
                self._unread.clear()

    # the computer's side

    @property
    def present(self) -> bool:
        return self._post is not None

    def wait_present(self, within_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._post is not None, within_s)

    def open(self) -> Port:
        """One program at a time. Raises FileNotFoundError or BlockingIOError."""
        with self._changed:
            if self._post is None:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory")
            if self._port is not None:
                raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
            self._port = Port(self)
            self._post(self._end.port_opened, True)
            return self._port

    def close(self, port: Port) -> None:
        with self._changed:
            if self._port is port and self._post is not None:
                self._port = None
                del self._unread[:-UNOPENED_LIMIT_BYTES]
                self._post(self._end.lines_moved, False, False, time.monotonic())
                self._post(self._end.port_opened, False)
            self._changed.notify_all()

    def write(self, port: Port, data: bytes) -> None:
        with self._changed:
            self._alive(port)(self._end.bytes_arrived, data)

    def move_lines(self, port: Port, dtr: bool, rts: bool) -> None:
        """Ignored on a dead port: a driver too takes it without a word."""
        with self._changed:
            if self._port is port and self._post is not None:
                self._post(self._end.lines_moved, dtr, rts, time.monotonic())

    def waiting(self, port: Port) -> int:
        with self._changed:
            self._alive(port)
            return len(self._unread)

    def drop_unread(self, port: Port) -> None:
        with self._changed:
            self._alive(port)
            self._unread.clear()

    def read(self, port: Port, size: int, timeout_s: float | None) -> bytes:
        """`size` bytes, or what came before the timeout, `cancel_read` or `close`."""
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        got = bytearray()
        with self._changed:
            while len(got) < size:
                if port.closed or port.cancelled:
                    port.cancelled = False
                    break
                self._alive(port)
                piece = self._unread[: size - len(got)]
                del self._unread[: len(piece)]
                got += piece
                left_s = None if deadline_s is None else deadline_s - time.monotonic()
                if len(got) == size or (left_s is not None and left_s <= 0):
                    break
                self._changed.wait(left_s)
        return bytes(got)

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _alive(self, port: Port) -> Callable[..., object]:
        if self._port is not port or self._post is None:
            raise OSError(errno.EIO, "Input/output error")
        return self._post


class Port:
    """An open serial port. Any thread; methods raise OSError (EIO) once the cable is out."""

    def __init__(self, cable: Cable) -> None:
        self._cable = cable
        self.closed = False
        self.cancelled = False
        self.baud = 115_200  # remembered; a virtual wire has no speed

    def read(self, size: int, timeout_s: float | None) -> bytes:
        return self._cable.read(self, size, timeout_s)

    def write(self, data: bytes) -> None:
        self._cable.write(self, data)

    def set_lines(self, *, dtr: bool, rts: bool) -> None:
        self._cable.move_lines(self, dtr, rts)

    @property
    def waiting(self) -> int:
        return self._cable.waiting(self)

    def drop_unread(self) -> None:
        self._cable.drop_unread(self)

    def cancel_read(self) -> None:
        self.cancelled = True
        self._cable.wake()

    def close(self) -> None:
        """Both lines go idle, as when a driver hangs up. Closing twice is harmless."""
        self.closed = True
        self._cable.close(self)
