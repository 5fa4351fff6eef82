"""`sim://NAME` for pyserial: a serial port whose other end is a virtual board in this process.

pyserial finds handlers by module name in the packages it knows; importing this module makes it
known. Errors have the numbers and the form that pyserial uses on Linux.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import serial
from serial.serialutil import PortNotOpenError, SerialBase, SerialException

from app.sim.board import VirtualBoard
from app.sim.cable import Port

if TYPE_CHECKING:
    from typing_extensions import Buffer

SCHEME = "sim://"

boards: dict[str, VirtualBoard] = {}
"""The boards on this desk by name. Whoever makes a board puts it here and takes it away."""

if "app.sim" not in serial.protocol_handler_packages:
    serial.protocol_handler_packages.append("app.sim")


class Serial(SerialBase):
    """A port on a virtual board. Thread-safe as far as pyserial's own ports are."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._end: Port | None = None
        super().__init__(*args, **kwargs)

    def open(self) -> None:
        """Raises SerialException: 2 no such board or not plugged in, 11 in use."""
        if self.is_open:
            raise SerialException("Port is already open.")
        url = str(self.port)
        board = boards.get(url.removeprefix(SCHEME).rstrip("/"))
        try:
            if board is None:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory")
            self._end = board.open()
        except FileNotFoundError as why:
            raise SerialException(why.errno, f"could not open port {url}: {why}: {url!r}") from why
        except BlockingIOError as why:
            text = f"Could not exclusively lock port {url}: {why}"
            raise SerialException(why.errno, text) from why
        self.is_open = True
        self._end.set_lines(dtr=bool(self.dtr), rts=False)
        self._update_rts_state()

    def close(self) -> None:
        self.is_open = False
        end, self._end = self._end, None
        if end is not None:
            end.close()

    def fileno(self) -> int:
        """There is none: OSError (ENOTTY), the answer of a port that cannot switch both lines.

        esptool takes that answer, and reaches the loader with its third attempt; with
        `usb-reset` it does so at once.
        """
        raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")

    @property
    def in_waiting(self) -> int:
        end = self._opened()
        try:
            return end.waiting
        except OSError as why:
            raise gone("read", why) from why

    def read(self, size: int = 1) -> bytes:
        end = self._opened()
        try:
            return end.read(size, self.timeout)
        except OSError as why:
            raise gone("read", why) from why

    def write(self, data: Buffer, /) -> int:
        """Never blocks, so `write_timeout` is kept and never reached."""
        end = self._opened()
        sent = bytes(data)
        try:
            end.write(sent)
        except OSError as why:
            raise gone("write", why) from why
        return len(sent)

    def flush(self) -> None:
        """Everything written is at the board already."""
        self._opened()

    def reset_input_buffer(self) -> None:
        end = self._opened()
        try:
            end.drop_unread()
        except OSError as why:
            raise gone("read", why) from why

    def reset_output_buffer(self) -> None:
        self._opened()

    @property
    def out_waiting(self) -> int:
        self._opened()
        return 0

    def cancel_read(self) -> None:
        """A `read` in another thread returns what it has."""
        if self._end is not None:
            self._end.cancel_read()

    def cancel_write(self) -> None:
        """Writing never waits."""

    @property
    def cts(self) -> bool:
        return bool(self.rts)

    @property
    def dsr(self) -> bool:
        return bool(self.dtr)

    @property
    def ri(self) -> bool:
        return False

    @property
    def cd(self) -> bool:
        return self.is_open

    def _update_dtr_state(self) -> None:
        self._move_lines()

    def _update_rts_state(self) -> None:
        self._move_lines()

    def _move_lines(self) -> None:
        self._opened().set_lines(dtr=bool(self.dtr), rts=bool(self.rts))

    def _update_break_state(self) -> None:
        """The board does not listen for a break."""

    def _reconfigure_port(self) -> None:
        """Any rate and any frame will do; the ROM finds the rate by itself."""
        if self._end is not None:
            self._end.baud = int(self.baudrate or 0)

    def _opened(self) -> Port:
        if self._end is None:
            raise PortNotOpenError
        return self._end


def gone(verb: str, why: OSError) -> SerialException:
    return SerialException(why.errno, f"{verb} failed: {why}")
