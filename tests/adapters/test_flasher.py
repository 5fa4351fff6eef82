"""esptool, unmodified, on the virtual board: written, verified, told, refused, cancelled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from esp_pylib.logger import EspLog
from flash_rig import firmware, no_thread_left, virtual_board
from serial import rfc2217

from app.adapters import rom_loader
from app.adapters.flasher import flash
from app.core.bundle import FlashPart
from app.core.events import ChipIs, Event, FlashStage, FlashWrote, Stage
from app.core.faults import NoAnswer, PortBusy, PortGone, WrongBoard
from app.sim.board import VirtualBoard
from app.sim.serve import serve_rfc2217

PORT = "sim://adapters"


@pytest.fixture
def core(tmp_path: Path) -> Path:
    path = tmp_path / "libcore.so"
    path.write_bytes(b"stands for the program")
    return path


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    with no_thread_left():
        yield


@pytest.fixture
def board(core: Path) -> Iterator[VirtualBoard]:
    with virtual_board(core) as made:
        yield made


@pytest.fixture
def parts(core: Path) -> tuple[FlashPart, ...]:
    return firmware(core)


async def install(
    parts: tuple[FlashPart, ...], told: list[Event], *, virtual: bool = True, chip: str = "esp32s3"
) -> ChipIs:
    return await flash(PORT, parts, chip=chip, virtual=virtual, tell=told.append)


def stages(told: list[Event]) -> list[Stage]:
    found = [event.stage for event in told if isinstance(event, FlashStage)]
    return [stage for at, stage in enumerate(found) if at == 0 or stage != found[at - 1]]


def in_flash(board: VirtualBoard, part: FlashPart) -> bytes:
    return bytes(board.flash.view(part.offset, len(part.data)))


async def test_everything_is_written_verified_and_told(
    board: VirtualBoard, parts: tuple[FlashPart, ...]
) -> None:
    told: list[Event] = []
    chip = await install(parts, told)
    assert all(in_flash(board, part) == part.data for part in parts)
    assert (chip.chip, chip.flash_bytes, chip.virtual) == ("ESP32-S3", 16 << 20, True)
    assert chip.mac == "02:50:41:00:00:01"
    assert chip in told
    assert stages(told) == [Stage.CONNECT, Stage.COMPARE, Stage.WRITE, Stage.VERIFY]
    for part in parts:
        steps = [event for event in told if isinstance(event, FlashWrote)]
        steps = [step for step in steps if step.part == part.name]
        assert (steps[0].done, steps[-1].done) == (0, len(part.data))
        assert {step.total for step in steps} == {len(part.data)}
        assert all(first.done <= second.done for first, second in pairwise(steps))


async def test_what_is_there_is_not_written_again(
    board: VirtualBoard, parts: tuple[FlashPart, ...]
) -> None:
    await install(parts, [])
    told: list[Event] = []
    await install(parts, told)
    assert Stage.WRITE not in stages(told)
    done = {event.part: event.done for event in told if isinstance(event, FlashWrote)}
    assert done == {part.name: len(part.data) for part in parts}
    changed = FlashPart("cfg", 0x10000, b"\xfe" * 0x6000)
    told.clear()
    await install((*parts, changed), told)
    assert in_flash(board, changed) == changed.data
    written = {e.text for e in told if isinstance(e, FlashStage) and e.stage is Stage.WRITE}
    assert written == {"cfg"}


async def test_esptools_own_logger_returns_and_nothing_is_printed(
    board: VirtualBoard, parts: tuple[FlashPart, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    before = EspLog.instance
    await install(parts, [])
    assert EspLog.instance is before
    with pytest.raises(WrongBoard):
        await install(parts, [], virtual=False)
    assert EspLog.instance is before
    assert capfd.readouterr() == ("", "")


async def test_firmware_for_another_board_is_refused_before_a_byte(
    board: VirtualBoard, parts: tuple[FlashPart, ...]
) -> None:
    with pytest.raises(WrongBoard, match="real board"):
        await install(parts, [], virtual=False)
    with pytest.raises(WrongBoard, match=r"ESP32-S3.*ESP32C6"):
        await install(parts, [], chip="esp32c6")
    assert bytes(board.flash.view(0, 0x40000)) == b"\xff" * 0x40000


async def test_virtual_firmware_is_refused_by_a_board_with_a_real_address(
    core: Path, parts: tuple[FlashPart, ...]
) -> None:
    with virtual_board(core, mac=bytes.fromhex("f412fa010203")), pytest.raises(WrongBoard) as no:
        await install(parts, [])
    assert "f4:12:fa:01:02:03" in no.value.detail


async def test_a_chip_that_refuses_the_stub_is_written_by_its_rom(
    core: Path, parts: tuple[FlashPart, ...]
) -> None:
    with virtual_board(core, stub=False) as board:
        await install(parts, [])
        assert all(in_flash(board, part) == part.data for part in parts)


async def test_firmware_for_a_real_board_goes_to_a_real_address(
    core: Path, parts: tuple[FlashPart, ...]
) -> None:
    with virtual_board(core, mac=bytes.fromhex("f412fa010203")) as board:
        chip = await install(parts, [], virtual=False)
        assert not chip.virtual
        assert all(in_flash(board, part) == part.data for part in parts)


async def test_a_usb_board_that_leaves_the_bus_is_written_too(
    core: Path, parts: tuple[FlashPart, ...]
) -> None:
    with virtual_board(core, "atoms3r") as board:
        chip = await install(parts, [])
        assert chip.flash_bytes == 8 << 20
        assert all(in_flash(board, part) == part.data for part in parts)


async def test_a_port_in_use_is_busy(board: VirtualBoard, parts: tuple[FlashPart, ...]) -> None:
    other = board.open()
    with pytest.raises(PortBusy):
        await install(parts, [])
    other.close()
    await install(parts, [])


async def test_a_port_that_is_not_there_is_gone(parts: tuple[FlashPart, ...]) -> None:
    with pytest.raises(PortGone):
        await install(parts, [])


async def test_firmware_too_large_for_the_flash_is_refused_before_a_byte(
    board: VirtualBoard, parts: tuple[FlashPart, ...]
) -> None:
    told: list[Event] = []
    with pytest.raises(WrongBoard, match="too large"):
        await install((*parts, FlashPart("far", (16 << 20) - 0x1000, bytes(0x1001))), told)
    assert Stage.WRITE not in stages(told)


async def test_firmware_for_another_chip_in_the_image_is_refused_before_a_byte(
    board: VirtualBoard, parts: tuple[FlashPart, ...]
) -> None:
    """The bundle says ESP32-S3, the bootloader's header says ESP32-C6 (13)."""
    loader = bytearray(parts[0].data)
    loader[12] = 13
    with pytest.raises(WrongBoard, match="not made for this board"):
        await install((FlashPart("bootloader", 0, bytes(loader)),), [])
    assert bytes(board.flash.view(0, 0x1000)) == b"\xff" * 0x1000


async def test_a_silent_board_gets_the_download_mode_remedy(
    parts: tuple[FlashPart, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rom_loader, "_CONNECT_ATTEMPTS", 1)
    with pytest.raises(NoAnswer) as caught:
        await flash("loop://", parts, chip="esp32s3", virtual=False, tell=lambda _: None)
    assert "BOOT" in caught.value.remedy
    assert "FatalError" in caught.value.detail


async def test_unplugged_while_writing_then_again(board: VirtualBoard, core: Path) -> None:
    parts = firmware(core, filler_bytes=400_000)
    unplugged = False

    def tell(event: Event) -> None:
        nonlocal unplugged
        if isinstance(event, FlashWrote) and event.part == "app" and event.done and not unplugged:
            unplugged = True
            board.unplug()

    started = time.monotonic()
    with pytest.raises(PortGone) as caught:
        await flash(PORT, parts, chip="esp32s3", virtual=True, tell=tell)
    assert "incomplete" in caught.value.what
    assert time.monotonic() - started < 5.0
    board.plug()
    await install(parts, [])
    assert all(in_flash(board, part) == part.data for part in parts)


async def test_cancelled_while_writing_gives_the_port_back(board: VirtualBoard, core: Path) -> None:
    parts = firmware(core, filler_bytes=400_000)
    writing = asyncio.Event()

    def tell(event: Event) -> None:
        if isinstance(event, FlashWrote) and event.part == "app" and event.done:
            writing.set()

    work = asyncio.create_task(flash(PORT, parts, chip="esp32s3", virtual=True, tell=tell))
    await asyncio.wait_for(writing.wait(), 10.0)
    started = time.monotonic()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert time.monotonic() - started < 1.0
    board.open().close()
    await install(parts, [])
    assert all(in_flash(board, part) == part.data for part in parts)


async def test_cancelled_while_connecting_ends_soon(parts: tuple[FlashPart, ...]) -> None:
    connecting = asyncio.Event()
    work = asyncio.create_task(
        flash(
            "loop://",
            parts,
            chip="esp32s3",
            virtual=False,
            tell=lambda _: connecting.set(),
        )
    )
    await asyncio.wait_for(connecting.wait(), 5.0)
    started = time.monotonic()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert time.monotonic() - started < 1.5


async def test_two_at_once_wait_for_each_other(core: Path, parts: tuple[FlashPart, ...]) -> None:
    with virtual_board(core, name="one") as one, virtual_board(core, name="two") as two:
        await asyncio.gather(
            *(
                flash(f"sim://{name}", parts, chip="esp32s3", virtual=True, tell=lambda _: None)
                for name in ("one", "two")
            )
        )
        for board in (one, two):
            assert all(in_flash(board, part) == part.data for part in parts)


async def test_cancelled_while_another_installation_runs(board: VirtualBoard, core: Path) -> None:
    parts = firmware(core, filler_bytes=400_000)
    writing = asyncio.Event()

    def tell(event: Event) -> None:
        if isinstance(event, FlashWrote):
            writing.set()

    first = asyncio.create_task(flash(PORT, parts, chip="esp32s3", virtual=True, tell=tell))
    await asyncio.wait_for(writing.wait(), 10.0)
    second = asyncio.create_task(install(parts, []))
    await asyncio.sleep(0.02)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert (await first).virtual


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial 3.5's own
async def test_over_rfc2217_the_port_is_set_up_a_few_times_only(
    board: VirtualBoard, core: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time takes 0.1 s there, and esptool alone would do it twice a block."""
    parts = firmware(core, filler_bytes=100_000)
    set_up = 0
    real = rfc2217.Serial._reconfigure_port

    def count(port: rfc2217.Serial) -> None:
        nonlocal set_up
        set_up += port.write_timeout is None  # anything else is refused at once
        real(port)

    monkeypatch.setattr(rfc2217.Serial, "_reconfigure_port", count)
    with serve_rfc2217(board) as served:
        await flash(served.url, parts, chip="esp32s3", virtual=True, tell=lambda _: None)
    assert all(in_flash(board, part) == part.data for part in parts)
    assert set_up == 2  # opening, and the higher baud
