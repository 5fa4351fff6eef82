"""The virtual board behind its serial port, with unmodified esptool as the tool."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import firmware_images as made
import pytest
import serial
from esptool import cmds
from esptool.util import FatalError
from serial import SerialException

from app.sim.board import VirtualBoard
from app.sim.chip import Chip
from app.sim.protocol_sim import Serial, boards

CORE = b"\x7fELF the core" * 500
SOON_S = 3.0


class Echo:
    """Firmware that greets, repeats what it is told, and restarts when asked."""

    running = 0
    started = threading.Event()
    chips: list[Chip] = []  # noqa: RUF012 - reset by the fixture

    def __init__(self, core: Path, chip: Chip) -> None:
        self.core, self.chip = core, chip
        Echo.chips.append(chip)

    def start(self) -> None:
        assert Echo.running == 0, "two lives at once"
        Echo.running += 1
        self.chip.write_console(f"hello from {self.core.name} ({self.chip.reset})\n".encode())
        Echo.started.set()

    def console_in(self, data: bytes) -> None:
        if data == b"reboot\n":
            self.chip.restart()
        elif data == b"flood\n":
            self.chip.write_console(b"x" * 1_000_000 + b"end\n")
        else:
            self.chip.write_console(data)

    async def stop(self) -> None:
        Echo.running -= 1
        self.chip.write_console(b"late words of a firmware that was reset\n")


@pytest.fixture
def core(tmp_path: Path) -> Path:
    path = tmp_path / "libcore.so"
    path.write_bytes(CORE)
    return path


@pytest.fixture
def make(core: Path) -> Iterator[Callable[..., VirtualBoard]]:
    Echo.running = 0
    Echo.started.clear()
    Echo.chips = []
    created: list[VirtualBoard] = []

    def build(kind: str = "korvo2", **about: object) -> VirtualBoard:
        about = {"cores": [core], "program": Echo} | about
        board = boards["desk"] = VirtualBoard("desk", kind, **about)
        created.append(board)
        board.power_on()
        return board

    yield build
    for board in created:
        board.power_off()
    boards.pop("desk", None)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("board")]
    assert Echo.running == 0


def console() -> Serial:
    port = serial.serial_for_url("sim://desk", do_not_open=True, timeout=SOON_S)
    assert isinstance(port, Serial)
    port.dtr = port.rts = False
    port.open()
    return port


def reset_to_run(port: Serial) -> None:
    port.rts = True
    port.rts = False


def text_until(port: Serial, words: bytes) -> bytes:
    got = port.read_until(words)
    assert got.endswith(words), got
    return got


def connect():
    return cmds.detect_chip("sim://desk", 115200, "usb-reset", connect_attempts=2)


def flash_everything(**about: str) -> None:
    with connect() as esp:
        cmds.attach_flash(esp)
        cmds.write_flash(esp, made.parts(CORE, **about))
        cmds.reset_chip(esp, "hard-reset")


@pytest.mark.parametrize(
    ("kind", "name", "size"),
    [("korvo2", "ESP32-S3 (QFN56)", "16MB"), ("atoms3r", "ESP32-S3-PICO-1 (LGA56)", "8MB")],
)
def test_esptool_does_its_work(make, kind, name, size):
    board = make(kind)
    with connect() as esp:
        assert esp.get_chip_description() == f"{name} (revision v0.2)"
        assert bytes(esp.read_mac()) == board.mac
        assert board.mac[:3] == bytes([0x02, 0x50, 0x41])
        cmds.attach_flash(esp)
        assert cmds.detect_flash_size(esp) == size

        data = os.urandom(20_000) + bytes(5_001)
        cmds.write_flash(esp, [(0x20000, data), (0x40000, data)])
        cmds.write_flash(esp, [(0x60000, data)], compress=True)
        cmds.write_flash(esp, [(0x60000, data)], compress=True, skip_flashed=True)
        for offset in (0x20000, 0x40000, 0x60000):
            assert board.flash.read(offset, len(data)) == data
        assert cmds.read_flash(esp, 0x20000, 999) == data[:999]
        cmds.verify_flash(esp, [(0x20000, data)])

        cmds.erase_region(esp, 0x20000, 0x1000)
        assert board.flash.read(0x20000, 0x1001) == b"\xff" * 0x1000 + data[0x1000:0x1001]
        # The last sector is within reach once esptool has told the ROM the size.
        cmds.write_flash(esp, [(board.flash.size - 4096, data[:4096])])
        assert board.flash.read(board.flash.size - 4096, 4096) == data[:4096]
        esp.change_baud(921600)
        assert esp.flash_md5sum(0x60000, 5) == hashlib.md5(data[:5]).hexdigest()


@pytest.mark.parametrize("kind", ["korvo2", "atoms3r"])
def test_esptool_does_its_work_with_its_stub(make, kind):
    board = make(kind)
    with connect() as rom:
        esp = cmds.run_stub(rom)
        assert esp.IS_STUB
        esp.change_baud(921600)
        cmds.attach_flash(esp)
        data = os.urandom(40_000) + b"\xc0\xdb" * 2_500 + bytes(5_001)
        cmds.write_flash(esp, [(0x20000, data), (0x40000, data)], compress=False)
        cmds.write_flash(esp, [(0x60000, data)], compress=True)
        for offset in (0x20000, 0x40000, 0x60000):
            assert board.flash.read(offset, len(data)) == data
        assert cmds.read_flash(esp, 0x20003, 9_999) == data[3:10_002]
        cmds.erase_region(esp, 0x20000, 0x1000)
        assert board.flash.read(0x20000, 0x1001) == b"\xff" * 0x1000 + data[0x1000:0x1001]
        cmds.write_flash(esp, [(board.flash.size - 4096, data[:4096])], compress=False)
        assert board.flash.read(board.flash.size - 4096, 4096) == data[:4096]
        cmds.erase_flash(esp)
        assert board.flash.view() == b"\xff" * board.flash.size


def test_a_stub_that_still_runs_is_found_and_used(make):
    make()
    with connect() as esp:
        cmds.reset_chip(cmds.run_stub(esp), "no-reset-stub")
    with cmds.detect_chip("sim://desk", 115200, "no-reset") as esp:
        assert esp.IS_STUB
        assert esp.sync_stub_detected
        esp = cmds.run_stub(esp)
        cmds.write_flash(esp, [(0, b"abcd")])
        cmds.verify_flash(esp, [(0, b"abcd")])


def test_the_stub_is_refused_and_the_rom_goes_on(make):
    board = make(stub=False)
    with connect() as esp:
        with pytest.raises(FatalError, match="RAM download"):
            cmds.run_stub(esp)
        cmds.attach_flash(esp)
        cmds.write_flash(esp, [(0, b"abcd")])
        with pytest.raises(FatalError, match="ROM does not support"):
            cmds.erase_flash(esp)
    assert board.flash.read(0, 4) == b"abcd"


def test_esptools_default_mode_finds_the_loader_too(make):
    make()
    with cmds.detect_chip("sim://desk", 115200, "default-reset", connect_attempts=4) as esp:
        assert esp.CHIP_NAME == "ESP32-S3"


@pytest.mark.parametrize("kind", ["korvo2", "atoms3r"])
def test_flashed_firmware_runs_after_the_reset(make, core, kind):
    board = make(kind)
    flash_everything()
    assert Echo.started.wait(SOON_S)  # a board on USB leaves the bus first
    with console() as port:
        said = text_until(port, b"(usb)\n")
        assert b"boot:0x8 (SPI_FAST_FLASH_BOOT)" in said
        assert b"App version:      1.2.3" in said
        assert b"hello from libcore.so (usb)" in said
        port.write(b"hi\n")
        assert port.read(3) == b"hi\n"
    (chip,) = Echo.chips
    assert (chip.board, chip.build) == (kind, "0001020304050607")
    assert (chip.flash_bytes, chip.psram_bytes) == (board.flash.size, 8 << 20)
    assert chip.room.hear().shape == (960,)
    with pytest.raises(KeyError):
        chip.store.get("volume", "u8")


@pytest.mark.parametrize(
    "leave", [lambda esp: cmds.reset_chip(esp, "watchdog-reset"), lambda esp: esp.run()]
)
def test_other_ways_out_of_the_loader(make, leave):
    make(flash=made.flash(CORE))
    with connect() as esp:
        leave(esp)
        esp._port.timeout = SOON_S
        text_until(esp._port, b"hello from")


def test_power_on_runs_the_flash_at_once_and_restart_begins_anew(make):
    make(flash=made.flash(CORE))
    with console() as port:
        text_until(port, b"(power_on)\n")
        port.write(b"reboot\n")
        said = text_until(port, b"(software)\n")
        assert b"rst:0xc (RTC_SW_CPU_RST)" in said
        reset_to_run(port)
        said = text_until(port, b"(usb)\n")
        assert b"late words" not in said
    assert len(Echo.chips) == 3


def test_the_chip_answers_while_its_firmware_is_still_imported(make, monkeypatch):
    imported = threading.Event()
    monkeypatch.setattr("app.sim.board.real_firmware", Echo)
    monkeypatch.setattr("app.sim.board.import_module", lambda _: imported.wait(SOON_S))
    make(flash=made.flash(CORE))
    with console() as port:
        text_until(port, b"ESP-IDF:")
        reset_to_run(port)
        text_until(port, b"ESP-IDF:")
        assert not Echo.chips
        imported.set()
        text_until(port, b"(usb)\n")
    assert len(Echo.chips) == 1


def test_settings_are_in_flash_after_a_restart(make):
    board = make(flash=made.flash(CORE))
    with console() as port:
        text_until(port, b"(power_on)\n")
        Echo.chips[0].store.set("volume", "u8", 61)
        port.write(b"reboot\n")
        text_until(port, b"(software)\n")
    assert Echo.chips[1].store.get("volume", "u8") == 61
    assert board.flash.read(0x10000, 4) != b"\xff" * 4


def test_power_can_be_switched_twice_and_again(make):
    board = make(flash=made.flash(CORE))
    board.power_on()
    board.power_off()
    board.power_off()
    with pytest.raises(SerialException, match="Errno 2"):
        console()
    board.power_on()
    with console() as port:
        text_until(port, b"(power_on)\n")


def test_a_blank_board_complains_again_and_again_while_somebody_listens(make):
    make()
    with console() as port:
        started = time.monotonic()
        for _ in range(3):
            text_until(port, b"invalid header: 0xffffffff\r\n")
        assert time.monotonic() - started > 0.5


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (0x8000, b"Failed to verify partition table"),
        (0x20000, b"invalid magic byte"),
        (0x20000 + 2000, b"Checksum failed"),
        (0x20000 + len(made.app(CORE)) - 5, b"Image hash failed"),
    ],
)
def test_a_damaged_flash_is_named(make, at, words):
    cells = made.flash(CORE)
    cells[at] ^= 0xA5
    make(flash=cells)
    with console() as port:
        text_until(port, words)
    assert not Echo.chips


def test_another_core_than_the_image_names_does_not_run(make, core):
    make(flash=made.flash(b"another core"))
    with console() as port:
        text_until(port, hashlib.sha256(b"another core").hexdigest().encode())
        port.timeout = 0.7
        assert port.read(100) == b"\r\n"
    assert not Echo.chips


def test_a_port_has_one_user(make):
    make()
    with console() as port:
        with pytest.raises(SerialException, match="exclusively lock") as busy:
            console()
        assert busy.value.errno == 11
        with pytest.raises(SerialException):
            port.open()
        with pytest.raises(FatalError, match="busy"):
            connect()
    console().close()


def test_unknown_boards_and_urls():
    with pytest.raises(SerialException, match="nowhere"):
        serial.serial_for_url("sim://nowhere")
    with pytest.raises(SerialException, match="not open"):
        Serial().read()


def test_a_closed_port_says_so(make):
    make()
    port = console()
    port.close()
    port.close()
    for use in (port.read, lambda: port.write(b"x"), lambda: port.in_waiting):
        with pytest.raises(SerialException):
            use()


def test_reading_wakes_at_once_and_gives_up_in_time(make):
    make(flash=made.flash(CORE))
    with console() as port:
        text_until(port, b"(power_on)\n")
        port.timeout = 0.05
        started = time.monotonic()
        assert port.read(10) == b""
        assert time.monotonic() - started >= 0.05
        port.timeout = 0
        assert port.read(10) == b""
        port.timeout = None
        waker = threading.Timer(0.05, port.cancel_read)
        waker.start()
        assert port.read(10) == b""
        waker.join()
        closer = threading.Timer(0.05, port.close)
        closer.start()
        assert port.read(10) == b""
        closer.join()


def test_output_that_nobody_reads_is_bounded(make):
    make(flash=made.flash(CORE))
    with console() as port:
        text_until(port, b"(power_on)\n")
        port.write(b"flood\n")
        got = text_until(port, b"end\n")
        assert len(got) <= 1 << 18
        port.write(b"x" * 10)
        assert port.read(10) == b"x" * 10
        port.reset_input_buffer()
        assert port.in_waiting == 0


@pytest.mark.parametrize("kind", ["korvo2", "atoms3r"])
def test_the_cable_is_pulled_while_flashing_and_flashing_again_works(make, kind):
    board = make(kind)
    with connect() as esp:
        cmds.attach_flash(esp)
        esp.WRITE_FLASH_ATTEMPTS = 1
        written = esp.flash_block

        def pulling(data, seq, **about):
            if seq == 3:
                board.unplug()
            written(data, seq, **about)

        esp.flash_block = pulling
        with pytest.raises(SerialException):
            cmds.write_flash(esp, [(0x20000, bytes(20_000))])
    with pytest.raises(SerialException, match="Errno 2"):
        console()
    board.plug()
    flash_everything()
    assert board.flash.read(0x20000, 4)[0] == 0xE9


@pytest.mark.parametrize("kind", ["korvo2", "atoms3r"])
def test_a_pulled_cable_wakes_the_reader(make, kind):
    board = make(kind, flash=made.flash(CORE))
    port = console()
    text_until(port, b"(power_on)\n")
    puller = threading.Timer(0.05, board.unplug)
    puller.start()
    with pytest.raises(SerialException, match="Errno 5"):
        port.read(1)
    puller.join()
    for use in (lambda: port.write(b"x"), lambda: port.in_waiting, port.reset_input_buffer):
        with pytest.raises(SerialException):
            use()
    port.rts = True  # a driver takes it without a word
    port.close()
    board.plug()
    with console() as port:
        if kind == "atoms3r":
            text_until(port, b"(power_on)\n")  # the cable was its power
        port.write(b"still here\n")
        text_until(port, b"still here\n")
    assert len(Echo.chips) == (2 if kind == "atoms3r" else 1)


def test_a_usb_board_leaves_the_bus_when_it_is_reset(make):
    board = make("atoms3r", flash=made.flash(CORE))
    port = console()
    text_until(port, b"(power_on)\n")
    reset_to_run(port)
    with pytest.raises(SerialException):
        port.read(1_000_000)
    port.close()
    assert board.cable.wait_present(SOON_S)
    with console() as port:
        assert b"0x15 (USB_UART_CHIP_RESET)" in text_until(port, b"(usb)\n")


def test_lines_can_be_moved_without_a_port(make):
    board = make(flash=made.flash(CORE))
    with console() as port:
        text_until(port, b"(power_on)\n")
        board.set_lines(False, True)
        board.set_lines(True, False)
        text_until(port, b"waiting for download\r\n")
    deadline = time.monotonic() + SOON_S  # the board's own thread ends it, and tells nobody
    while Echo.running and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert Echo.running == 0


def test_a_slow_firmware_is_stopped_before_the_next_one_starts(make):
    class Slow(Echo):
        async def stop(self) -> None:
            import asyncio

            await asyncio.sleep(0.2)
            await super().stop()

    make(flash=made.flash(CORE), program=Slow)
    with console() as port:
        text_until(port, b"(power_on)\n")
        for _ in range(3):
            reset_to_run(port)
        text_until(port, b"(usb)\n")


def test_a_flash_of_an_odd_size_is_refused():
    with pytest.raises(ValueError, match="no flash"):
        VirtualBoard("desk", flash=bytearray(1000))
