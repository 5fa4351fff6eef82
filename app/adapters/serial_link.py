"""A serial port as a stream of bytes, opened without resetting the board behind it.

pyserial blocks, so one thread reads and one writes; both end in `close`, and all they find out
crosses to the loop in their last line. The lines DTR and RTS are the board's BOOT and RESET, on a
UART bridge through two transistors, on the ESP32-S3's own USB inside the chip: RTS asserted while
DTR is idle means reset on both, every other pair means run (Espressif, boot mode selection).
"""

from __future__ import annotations

import asyncio
import errno
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import serial

from app.adapters.threads import in_thread
from app.core.faults import Fault, NoAnswer, PortBusy, PortGone
from app.core.language import tr

if sys.platform != "win32":
    import grp
    import pwd
    import termios

CONSOLE_BAUD = 115_200
RESET_HOLD_S = 0.1
_READ_WAIT_S = 0.1  # only ports without cancel_read wait it out when closing
_WRITE_WAIT_S = 2.0
_READ_MOST_BYTES = 65_536
_END_WITHIN_S = 3.0
_NO_LINES = (errno.ENOTTY, errno.EINVAL)


def open_port(name: str, *, baud: int = CONSOLE_BAUD) -> serial.Serial:
    """The port or URL `name`, open, ours alone, lines idle. Raises PortBusy, PortGone, Fault."""
    try:
        port = _closed_port(name)
        port.baudrate, port.timeout, port.exclusive = baud, _READ_WAIT_S, True
        # Opening a tty on Linux asserts both lines at once. pyserial then lets go of DTR first,
        # which for a moment is the pair that means reset; with DTR kept it lets go of RTS first.
        kept = "://" not in name and sys.platform != "win32"
        port.dtr = kept
        port.rts = False
        port.open()
    except (OSError, ValueError) as error:
        raise _fault_of_opening(error, name) from error
    if kept:
        _let_go_of_dtr(port)
        # The lock only keeps out programs that ask for it, and two readers share the bytes.
        if holder_of(name):
            port.close()
            raise _busy(name, name)
    try:
        port.write_timeout = _WRITE_WAIT_S
    except NotImplementedError:
        port.write_timeout = None  # rfc2217 knows none, and would refuse every later setting too
    return port


def _closed_port(name: str) -> serial.Serial:
    if name.startswith("rfc2217://"):
        from app.adapters.remote_port import RemotePort

        port = cast("serial.Serial", RemotePort())  # has all of it but a file descriptor
        port.port = name
        return port
    return serial.serial_for_url(name, do_not_open=True)


def _let_go_of_dtr(port: serial.Serial) -> None:
    if sys.platform != "win32":
        try:
            port.dtr = False
        except OSError as error:
            if error.errno not in _NO_LINES:  # a pty has no lines
                port.close()
                raise PortGone(*_gone(), repr(error)) from error
        # The board must not notice that we leave either.
        with suppress(termios.error, OSError):
            settings = termios.tcgetattr(port.fileno())
            settings[2] &= ~termios.HUPCL
            termios.tcsetattr(port.fileno(), termios.TCSANOW, settings)


def _gone() -> tuple[str, str]:
    return (
        tr("The board is not there."),
        tr("Check that its cable is plugged in and carries data, then try again."),
    )


def _fault_of_opening(error: OSError | ValueError, name: str) -> Fault:
    detail = f"{name}: {error!r}"
    number = error.errno if isinstance(error, OSError) else None
    # Windows has no errno here, only the text of the exception below.
    if number in (errno.EBUSY, errno.EAGAIN) or (
        sys.platform == "win32" and "PermissionError" in str(error)
    ):
        return _busy(name, detail)
    if number in (errno.EACCES, errno.EPERM):
        return _not_allowed(name, detail)
    return PortGone(*_gone(), detail)


def _busy(name: str, detail: str) -> PortBusy:
    holder = holder_of(name)
    if not holder:
        return PortBusy(
            tr("Another program is using this board."),
            tr("Close its serial monitor, then try again."),
            detail,
        )
    return PortBusy(
        tr("The program {holder} is using this board.", holder=holder),
        tr("Close it, then try again."),
        detail,
    )


def holder_of(name: str) -> str:
    """Name and process number of another program that has the port open; empty: cannot tell.

    Linux only, and only for processes this user may look into. psutil's open_files would not do:
    it leaves out everything that is no regular file.
    """
    if not sys.platform.startswith("linux") or not name.startswith("/"):
        return ""
    wanted = os.path.realpath(name)
    for process in filter(str.isdigit, os.listdir("/proc")):
        if int(process) == os.getpid():
            continue
        with suppress(OSError):
            folder = f"/proc/{process}/fd"
            if any(os.readlink(f"{folder}/{fd}") == wanted for fd in os.listdir(folder)):
                with open(f"/proc/{process}/comm", encoding="utf-8", errors="replace") as comm:
                    return f"{comm.read().strip()} ({process})"
    return ""


def _not_allowed(name: str, detail: str) -> Fault:
    what = tr("This user may not open {port}.", port=name)
    if not sys.platform.startswith("linux"):
        return Fault(what, tr("Allow it in the system's settings, then try again."), detail)
    group, user = "", str(os.getuid())
    with suppress(OSError, KeyError):
        user = pwd.getpwuid(os.getuid()).pw_name
        group = grp.getgrgid(os.stat(name).st_gid).gr_name
    if group in ("", "root"):
        rule = 'SUBSYSTEM=="tty", ATTRS{{idVendor}}=="{vid}", TAG+="uaccess"'
        return Fault(
            what,
            tr(
                "Put this line into /etc/udev/rules.d/70-parley.rules and plug the board in "
                "again: {rule}",
                rule=rule.format(vid="303a"),
            ),
            detail,
        )
    if user in grp.getgrnam(group).gr_mem:
        return Fault(what, tr("Log out and in again, then try again."), detail)
    return Fault(
        what,
        tr(
            "Run this in a terminal, then log out and in again: sudo usermod -aG {group} {user}",
            group=group,
            user=user,
        ),
        detail,
    )


class SerialLink:
    """One open port. All methods are for the loop's thread, and the callbacks come on it.

    `on_bytes(data, at)` gets what arrives; `on_lost(reason)` comes at most once, when the device
    vanished; the owner then still calls `close`. Neither comes after `close` was called.
    """

    def __init__(
        self,
        port: str,
        on_bytes: Callable[[bytes, float], None],
        on_lost: Callable[[str], None],
        loop: asyncio.AbstractEventLoop,
        *,
        baud: int = CONSOLE_BAUD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = port
        self._on_bytes = on_bytes
        self._on_lost = on_lost
        self._loop = loop
        self._baud = baud
        self._clock = clock
        self._port: serial.Serial | None = None
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._silent = False
        self._threads: tuple[threading.Thread, ...] = ()

    @property
    def port(self) -> str:
        return self._name

    async def open(self) -> None:
        """Open the port and start reading. Once. Raises PortBusy, PortGone, Fault."""
        try:
            port = await in_thread(self._open_it, name="open")
        except asyncio.CancelledError:
            self._ending.set()
            if self._port is not None:
                self._port.close()
            raise
        self._threads = (
            threading.Thread(target=self._read, args=(port,), name="parley-read", daemon=True),
            threading.Thread(target=self._write, args=(port,), name="parley-write", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def _open_it(self) -> serial.Serial:
        port = open_port(self._name, baud=self._baud)
        self._port = port
        if self._ending.is_set():  # nobody waits for it any more
            port.close()
        return port

    def write(self, data: bytes) -> None:
        """Send in order, in the background; what the device does not take in 2 s is dropped."""
        self._outbox.put(data)

    async def hold_reset(self) -> None:
        """Stop the chip until `release_reset`. Raises NoAnswer when this port has no lines."""
        await self._set_reset(True)

    async def release_reset(self) -> None:
        """Let the chip start from flash."""
        await self._set_reset(False)

    async def pulse_reset(self) -> None:
        """Restart the chip from flash. Raises NoAnswer when this port has no lines."""
        await self.hold_reset()
        await asyncio.sleep(RESET_HOLD_S)
        await self.release_reset()

    async def _set_reset(self, held: bool) -> None:
        port = self._port
        if port is not None:
            await in_thread(lambda: _set_reset_lines(port, held), name="reset")

    async def close(self) -> None:
        """End both threads and give the port back; works also when the device vanished."""
        self._silent = True
        self._ending.set()
        port, self._port = self._port, None
        if port is not None:
            await in_thread(lambda: self._end(port), name="close")

    def _end(self, port: serial.Serial) -> None:
        self._outbox.put(None)
        for wake in ("cancel_read", "cancel_write"):
            with suppress(OSError):
                getattr(port, wake, lambda: None)()
        for thread in self._threads:
            thread.join(_END_WITHIN_S)
        if sys.platform != "win32":
            # Linux waits up to 30 s in close() for bytes a stuck device does not take.
            with suppress(termios.error, OSError):
                termios.tcflush(port.fileno(), termios.TCOFLUSH)
        with suppress(OSError):
            port.close()

    def _arrived(self, data: bytes, at: float) -> None:
        if not self._silent:
            self._on_bytes(data, at)

    def _lost(self, reason: str) -> None:
        if not self._silent:
            self._silent = True
            self._on_lost(reason)

    # ---- the threads

    def _read(self, port: serial.Serial) -> None:
        arrived, lost = self._arrived, self._lost
        while not self._ending.is_set():
            try:
                data = port.read(min(port.in_waiting or 1, _READ_MOST_BYTES))
            except OSError as error:
                self._loop.call_soon_threadsafe(lost, str(error))
                return
            if data:
                self._loop.call_soon_threadsafe(arrived, data, self._clock())

    def _write(self, port: serial.Serial) -> None:
        while (data := self._outbox.get()) is not None and not self._ending.is_set():
            try:
                port.write(data)
            except serial.SerialTimeoutException:
                continue  # the board does not listen; whoever waits for its answer will say so
            except OSError as error:
                self._loop.call_soon_threadsafe(self._lost, str(error))
                return


def _set_reset_lines(port: serial.Serial, held: bool) -> None:
    try:
        port.dtr = False
        port.rts = held
        # Windows' usbser.sys passes RTS on only when DTR is written after it.
        port.dtr = False
    except OSError as error:
        if error.errno in _NO_LINES:
            raise NoAnswer(
                tr("The board cannot be restarted through this port."),
                tr("Press its reset button."),
                repr(error),
            ) from error
        # The ESP32-S3's own USB leaves the bus when it is reset; the reader tells of it.
