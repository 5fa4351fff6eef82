"""A virtual ESP32-S3 board: power, reset, flash, console, in a thread with its own event loop.

Everything the chip does happens on that loop; users of the serial port reach it through `Cable`.
A reset ends one life and begins another: each life has a number, and what an ended firmware still
wants to print or restart is recognised by the number and dropped.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Literal

import numpy as np

from app.sim import boot, registers
from app.sim.cable import Cable, Port
from app.sim.chip import FRAME, Chip, Network, Pcm, Program, Room
from app.sim.lines import Bridge, ResetLines, Step, UsbSerialJtag
from app.sim.loader import Leave
from app.sim.nvs import NvsStore
from app.sim.rom import Rom
from app.sim.spi_flash import SpiFlash

log = logging.getLogger("sim.board")

BoardKind = Literal["korvo2", "atoms3r"]
NAMESPACE = "parley"
COMPLAINT_S = 0.5
LEAVES_BUS_S = 0.02
"""USB-Serial-JTAG answers the request that resets it before it goes."""
REAPPEAR_S = 0.1
STOP_S = 5.0
PSRAM_BYTES = 8 << 20
VIRTUAL_MAC_START = b"\x02PA"
"""Locally administered (IEEE 802): no real board has it."""

RESET_CODES = {
    "power_on": "0x1 (POWERON)",
    "usb": "0x15 (USB_UART_CHIP_RESET)",
    "pin": "0x1 (POWERON)",
    "software": "0xc (RTC_SW_CPU_RST)",
    "watchdog": "0x10 (RTCWDT_RTC_RST)",
}


@dataclass(frozen=True, slots=True)
class Make:
    """What differs between the boards."""

    flash_bytes: int
    package: int
    flash_in_package: bool
    lines: Callable[[], ResetLines]
    usb_in_chip: bool


MAKES: dict[BoardKind, Make] = {
    "korvo2": Make(16 << 20, 0, False, Bridge, False),
    "atoms3r": Make(8 << 20, 1, True, UsbSerialJtag, True),
}


class Quiet:
    """A room in which nothing happens."""

    def hear(self) -> Pcm:
        return np.zeros(FRAME, np.int16)

    def play(self, frame: Pcm) -> None:
        """Nobody listens."""


def real_firmware(core: Path, chip: Chip) -> Program:
    """The firmware core in `core`; imported here because it brings aiortc with it.

    That takes a second, so a board that is switched on imports it ahead, in a thread.
    """
    from app.sim.firmware import Firmware

    return Firmware(core, chip)


class VirtualBoard:
    """A board on the desk, off at first. All public methods may be called from any thread.

    `flash` is used in place and blank (0xFF) when not given; ValueError on an impossible size.
    `cores` are the host libraries that a flashed image may name. Without `stub` the chip's loader
    takes no flasher stub, like one that only knows its ROM.
    """

    def __init__(
        self,
        name: str,
        kind: BoardKind = "korvo2",
        *,
        flash: bytearray | None = None,
        cores: Sequence[Path] = (),
        networks: tuple[Network, ...] = (),
        room: Room | None = None,
        mac: bytes | None = None,
        program: Callable[[Path, Chip], Program] = real_firmware,
        stub: bool = True,
    ) -> None:
        self.name = name
        self.kind = kind
        self.make = MAKES[kind]
        self.mac = VIRTUAL_MAC_START + bytes([0, 0, 1]) if mac is None else mac
        self.flash = SpiFlash.blank(self.make.flash_bytes) if flash is None else SpiFlash(flash)
        self.cable = Cable(self)
        self.cores = cores
        self._networks = networks
        self._room: Room = Quiet() if room is None else room
        self._make_program = program
        self._takes_stub = stub
        self._switch = threading.Lock()
        self._plug = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._plugged = True
        self._begin(self.make.lines())

    def _begin(self, lines: ResetLines) -> None:
        self._lines = lines
        self._settling: asyncio.TimerHandle | None = None
        self._life = 0
        self._booting: asyncio.Task[None] | None = None
        self._importing: asyncio.Future[ModuleType] | None = None
        self._rom: Rom | None = None
        self._program: Program | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._port_open = asyncio.Event()
        self._off = asyncio.Event()

    # power and plug

    def power_on(self) -> None:
        """Start from flash; returns when the port is there. Does nothing when already on."""
        with self._switch:
            if self._thread is not None:
                return
            started = threading.Event()
            self._thread = threading.Thread(
                target=lambda: asyncio.run(self._live(started)), name=f"board {self.name}"
            )
            self._thread.start()
            started.wait()

    def power_off(self) -> None:
        """Everything stops and the port is gone; returns when the thread has ended."""
        with self._switch:
            if self._thread is None:
                return
            self._call(lambda: self._off.set())
            self._thread.join()
            self._thread = None

    def unplug(self) -> None:
        """Pull the cable out, at any moment. A board without a bridge loses its power with it."""
        with self._plug:
            self._plugged = False
            self.cable.vanish()
        self._call(self._unplugged)

    def plug(self) -> None:
        """Put the cable back; a board without a bridge starts from flash."""
        with self._plug:
            if self._plugged:
                return
            self._plugged = True
            if self._loop is not None:
                self.cable.appear(self._loop.call_soon_threadsafe)
        if self.make.usb_in_chip:
            self._call(lambda: self._start(Step.FLASH, "power_on"))

    def open(self) -> Port:
        """The computer's end of the cable; see `Cable.open`."""
        return self.cable.open()

    def set_lines(self, dtr: bool, rts: bool) -> None:
        """Move both lines at once without a port, as a bench tool on the header would."""
        at_s = time.monotonic()
        self._call(lambda: self.lines_moved(dtr, rts, at_s))

    def _call(self, action: Callable[[], None]) -> None:
        """Onto the loop; nothing when the board is off."""
        with self._plug:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(action)

    async def _live(self, started: threading.Event) -> None:
        self._begin(self.make.lines())
        if self._make_program is real_firmware:
            self._importing = asyncio.get_running_loop().run_in_executor(
                None, import_module, "app.sim.firmware"
            )
        with self._plug:
            self._loop = asyncio.get_running_loop()
            if self._plugged:
                self.cable.appear(self._loop.call_soon_threadsafe)
            powered = self._plugged or not self.make.usb_in_chip
        if powered:
            self._start(Step.FLASH, "power_on")
        started.set()
        await self._off.wait()
        with self._plug:
            self._loop = None
            self.cable.vanish()
        self._hold()
        await asyncio.gather(*self._endings)

    def _unplugged(self) -> None:
        self._lines = self.make.lines()
        if self.make.usb_in_chip:
            self._hold()

    # the computer's doings, on the loop

    def bytes_arrived(self, data: bytes) -> None:
        if self._program is not None:
            self._program.console_in(data)
        elif self._rom is not None:
            for answer in self._rom.receive(data):
                match answer:
                    case bytes():
                        self.cable.send(answer)
                    case Leave():
                        self._leave_loader(answer)

    def lines_moved(self, dtr: bool, rts: bool, at_s: float) -> None:
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        self._take(self._lines.move(dtr, rts, at_s))
        if self._lines.settles_s is not None:
            loop = asyncio.get_running_loop()
            self._settling = loop.call_later(self._lines.settles_s, self._settled)

    def port_opened(self, is_open: bool) -> None:
        if is_open:
            self._port_open.set()
        else:
            self._port_open.clear()

    def _settled(self) -> None:
        self._settling = None
        self._take(self._lines.settle())

    def _take(self, step: Step | None) -> None:
        match step:
            case Step.HELD:
                self._hold()
            case Step.FLASH | Step.LOADER:
                self._start(step, "usb")

    # lives

    def _hold(self) -> None:
        """Reset: nothing runs. Firmware that ran is stopped in the background."""
        self._life += 1
        if self._booting is not None:
            self._booting.cancel()
            self._booting = None
        self._rom = None
        program, self._program = self._program, None
        if program is not None:
            ending = asyncio.get_running_loop().create_task(self._end(program))
            self._endings.add(ending)
            ending.add_done_callback(self._ended)

    async def _end(self, program: Program) -> None:
        try:
            await asyncio.wait_for(program.stop(), STOP_S)
        except TimeoutError:
            log.error("the firmware on %s did not stop within %g s", self.name, STOP_S)

    def _ended(self, ending: asyncio.Task[None]) -> None:
        self._endings.discard(ending)

    def _start(self, step: Step, reset: str) -> None:
        self._hold()
        self.cable.forget_unopened()
        if step is Step.LOADER:
            self._print(boot.loader_text(self._reset_code(reset)))
            fuses = registers.efuses(
                self.mac,
                package=self.make.package,
                flash_in_package=self.make.flash_in_package,
            )
            chip = registers.Registers(self.flash, fuses)
            self._rom = Rom(self.flash, chip, takes_stub=self._takes_stub)
        else:
            self._booting = asyncio.get_running_loop().create_task(self._boot(reset))
            self._booting.add_done_callback(self._booted)

    def _booted(self, booting: asyncio.Task[None]) -> None:
        if not booting.cancelled() and (why := booting.exception()) is not None:
            booting.get_loop().call_exception_handler(
                {"message": f"the firmware on {self.name} did not start", "exception": why}
            )

    def _leave_loader(self, leave: Leave) -> None:
        if not leave.watchdog:
            self._rom = None
        reset = "watchdog" if leave.watchdog else "software"
        asyncio.get_running_loop().call_later(leave.after_s, self._restart, self._life, reset)

    def _restart(self, life: int, reset: str) -> None:
        if life == self._life:
            self._start(Step.FLASH, reset)

    def _reset_code(self, reset: str) -> str:
        by_pin = reset == "usb" and not self.make.usb_in_chip
        return RESET_CODES["pin" if by_pin else reset]

    async def _boot(self, reset: str) -> None:
        if self.make.usb_in_chip and reset in ("usb", "watchdog"):
            await self._leave_bus()
        if self._endings:  # the same firmware must not run twice
            await asyncio.wait(set(self._endings))
        found = boot.examine(self.flash, self.cores, self._reset_code(reset))
        self._print(found.text)
        match found:
            case boot.Ready():
                if self._importing is not None:
                    await asyncio.shield(self._importing)  # a reset ends the boot, not the import
                self._run(found, reset)
            case boot.Stuck(again=again) if again:
                await self._complain(again)

    async def _leave_bus(self) -> None:
        await asyncio.sleep(LEAVES_BUS_S)
        self.cable.vanish()
        self._lines = self.make.lines()
        await asyncio.sleep(REAPPEAR_S)
        with self._plug:
            if self._loop is not None and self._plugged:
                self.cable.appear(self._loop.call_soon_threadsafe)

    async def _complain(self, text: str) -> None:
        while True:
            await asyncio.sleep(COMPLAINT_S)
            await self._port_open.wait()
            self._print(text)

    def _run(self, found: boot.Ready, reset: str) -> None:
        life = self._life
        loop = asyncio.get_running_loop()

        def write(data: bytes) -> None:
            if life == self._life:
                self.cable.send(data)

        def restart() -> None:
            loop.call_soon(self._restart, life, "software")

        chip = Chip(
            board=self.kind,
            build=found.description.elf_sha256[:16],
            reset=reset,
            psram_bytes=PSRAM_BYTES,
            flash_bytes=self.flash.size,
            write_console=write,
            store=self._store(found),
            restart=restart,
            networks=self._networks,
            room=self._room,
        )
        self._program = self._make_program(found.core, chip)
        self._program.start()

    def _store(self, found: boot.Ready) -> NvsStore:
        if found.config is None:
            self._print("W (73) nvs: partition 'cfg' not found, nothing will be kept\n")
            return NvsStore(SpiFlash.blank(0x4000), 0, 0x4000, NAMESPACE)
        return NvsStore(self.flash, found.config.offset, found.config.size, NAMESPACE)

    def _print(self, text: str) -> None:
        self.cable.send(text.replace("\n", "\r\n").encode())
