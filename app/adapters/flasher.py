"""Writing a board's flash: esptool as a library, in a thread of its own.

esptool has one logger for the whole process and no way to stop, so there is one installation at a
time, and stopping is an exception out of that logger. esptool itself stays in `rom_loader`, which
is imported in the thread: it takes a third of a second.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import serial

from app.adapters.serial_link import CONSOLE_BAUD, open_port
from app.core.bundle import FlashPart
from app.core.events import ChipIs, Event, Tell

FAST_BAUD = 921_600
_one_at_a_time = threading.Lock()


class Stopped(Exception):  # noqa: N818  what the user wanted is no error
    """The installation was cancelled."""


@dataclass(slots=True)
class Flashing:
    """One installation. `run` is for the worker thread, `stop` for any other."""

    port: str
    parts: tuple[FlashPart, ...]
    chip: str
    virtual: bool
    baud: int
    loop: asyncio.AbstractEventLoop
    told: Tell
    _stopped: threading.Event = field(default_factory=threading.Event)
    _serial: serial.Serial | None = None

    def run(self) -> ChipIs:
        """Raises Fault, or Stopped after `stop`."""
        while not _one_at_a_time.acquire(timeout=0.05):
            self.check()
        try:
            from app.adapters import rom_loader

            self.check()
            self._serial = open_port(self.port, baud=CONSOLE_BAUD)
            try:
                return rom_loader.install(self, self._serial)
            finally:
                with suppress(OSError):
                    self._serial.close()
        finally:
            _one_at_a_time.release()

    def stop(self) -> None:
        """Let `run` end soon: at esptool's next word, or at once where a read can be woken."""
        self._stopped.set()
        with suppress(OSError, TypeError):  # it may be closing at this moment
            getattr(self._serial, "cancel_read", lambda: None)()

    def tell(self, event: Event) -> None:
        """Tell it on the loop."""
        self.loop.call_soon_threadsafe(self.told, event)

    def check(self) -> None:
        """Raises Stopped after `stop`."""
        if self._stopped.is_set():
            raise Stopped


async def flash(
    port: str,
    parts: tuple[FlashPart, ...],
    *,
    chip: str,
    virtual: bool,
    tell: Tell,
    baud: int = FAST_BAUD,
) -> ChipIs:
    """Write `parts` that differ, verify them by MD5, leave the chip in its loader.

    `chip` as bundles name it (`esp32s3`); `virtual`: the firmware is for a virtual board. Told:
    FlashStage, ChipIs, FlashWrote per part in bytes of its image. Raises WrongBoard, NoAnswer,
    PortGone, PortBusy, Fault. Cancelling ends the work and gives the port back before it returns.
    """
    loop = asyncio.get_running_loop()
    work = Flashing(port, parts, chip, virtual, baud, loop, tell)
    executor = ThreadPoolExecutor(1, thread_name_prefix="parley-flash")
    try:
        running = loop.run_in_executor(executor, work.run)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            work.stop()
            await asyncio.wait({running})
            running.exception()  # it ended, as was asked; how does not matter
            raise
    finally:
        executor.shutdown(wait=False)
