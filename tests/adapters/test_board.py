"""One board adapter on the virtual board: console, installation, reset, loss and return."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tty import setraw
from typing import TypeVar

import pytest
from flash_rig import firmware, no_thread_left, virtual_board
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from app.adapters.board import Board
from app.core.bundle import FlashPart
from app.core.events import (
    Boot,
    ConsoleLine,
    Event,
    FlashWrote,
    GiveToken,
    LinkClosed,
    LinkOpened,
    Reboot,
    Scan,
    SetVolume,
    ShowSettings,
    Start,
    Typed,
    WireGarbled,
)
from app.core.faults import Fault, NoAnswer, PortBusy, PortGone
from app.core.ports import BoardPort
from app.core.secret import Secret
from app.sim.board import VirtualBoard

PORT = "sim://adapters"
Kind = TypeVar("Kind", bound=Event)


class Told:
    """What the board told, and a way to wait for more."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.news = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self.news.set()

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type[Kind], count: int = 1, within_s: float = 5.0) -> Kind:
        async with asyncio.timeout(within_s):
            while len(self.of(kind)) < count:
                self.news.clear()
                await self.news.wait()
        return self.of(kind)[count - 1]


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
def desk(core: Path) -> Iterator[VirtualBoard]:
    with virtual_board(core) as made:
        yield made


@pytest.fixture
def parts(core: Path) -> tuple[FlashPart, ...]:
    return firmware(core)


@pytest.fixture
def loaded(core: Path, parts: tuple[FlashPart, ...]) -> Iterator[VirtualBoard]:
    """A board that was installed before and runs."""
    with virtual_board(core, installed=parts) as made:
        yield made


async def running(told: Told) -> Board:
    """An open board that said hello after it got power."""
    board = Board(told)
    await board.open(PORT)
    await told.until(Boot)
    return board


async def test_blank_to_talking(desk: VirtualBoard, parts: tuple[FlashPart, ...]) -> None:
    told = Told()
    board: BoardPort = Board(told)
    assert isinstance(board, Board)
    await board.open(PORT)
    chip = await board.flash(parts, chip="esp32s3", virtual=True)
    assert chip.virtual
    assert board.is_open
    boot = await board.boot(within_s=5.0)
    assert (boot.version, boot.board) == ("1.0.0", "korvo2")
    assert boot in told.events
    assert await board.send(Start()) == "start"
    assert await board.send(SetVolume(7)) == "vol 7"
    await board.close()
    assert [event.reason for event in told.of(LinkClosed)] == ["", ""]
    assert len(told.of(LinkOpened)) == 2
    assert all(event.port == PORT for event in told.of(LinkOpened))


async def test_blank_to_talking_over_the_chips_own_usb(
    core: Path, parts: tuple[FlashPart, ...]
) -> None:
    with virtual_board(core, "atoms3r"):
        told = Told()
        board = Board(told)
        await board.open(PORT)
        await board.flash(parts, chip="esp32s3", virtual=True)
        assert (await board.boot(within_s=5.0)).board == "atoms3r"
        assert (await board.boot(within_s=5.0)).reset == "usb"
        await board.restart()
        await told.until(Boot, 3)
        assert await board.send(Start()) == "start"
        assert {event.reason for event in told.of(LinkClosed)} == {""}
        await board.close()


@pytest.fixture
def late_core(tmp_path: Path) -> Path:
    path = tmp_path / "late.so"
    path.write_bytes(b"late: what it says first is lost")
    return path


@pytest.fixture
def old_core(tmp_path: Path) -> Path:
    path = tmp_path / "old.so"
    path.write_bytes(b"late and old: it says that it has run for an hour")
    return path


async def test_a_board_that_said_hello_before_its_port_was_open_again(late_core: Path) -> None:
    with virtual_board(late_core, "atoms3r", installed=firmware(late_core)):
        told = Told()
        board = Board(told)
        await board.open(PORT)
        boot = await board.boot(within_s=5.0)
        assert (boot.repeated, boot.reset) == (True, "usb")
        assert await board.send(Start()) == "start"
        await board.close()


async def test_an_old_boot_is_not_taken_for_the_new_one(old_core: Path) -> None:
    with virtual_board(old_core, "atoms3r", installed=firmware(old_core)):
        told = Told()
        board = Board(told)
        await board.open(PORT)
        with pytest.raises(NoAnswer):
            await board.boot(within_s=2.0)
        assert told.of(Boot)
        await board.close()


async def test_opening_does_not_reset(loaded: VirtualBoard) -> None:
    told = Told()
    board = await running(told)
    for _ in range(3):
        await board.close()
        await board.open(PORT)
        await board.open(PORT)
        assert await board.send(Start()) == "start"
    assert len(told.of(Boot)) == 1
    await board.close()


async def test_refusals_and_silence_are_faults(
    loaded: VirtualBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.adapters.board.REPLY_WITHIN_S", 0.2)
    board = await running(Told())
    with pytest.raises(Fault, match="0 to 100"):
        await board.send(SetVolume(101))
    with pytest.raises(NoAnswer):
        await board.send(Scan())
    assert await board.send(Start()) == "start"
    await board.close()


async def test_answers_find_their_commands(loaded: VirtualBoard) -> None:
    board = await running(Told())
    replies = await asyncio.gather(*(board.send(SetVolume(level)) for level in range(50)))
    assert replies == [f"vol {level}" for level in range(50)]
    await board.close()


async def test_typed_lines_go_out_as_they_are(loaded: VirtualBoard) -> None:
    told = Told()
    board = await running(told)
    assert await board.send(Typed("anything at all")) == ""
    async with asyncio.timeout(5.0):
        while "typed: anything at all" not in [line.text for line in told.of(ConsoleLine)]:
            told.news.clear()
            await told.news.wait()
    await board.close()


async def test_garbage_is_told_and_harms_nothing(loaded: VirtualBoard) -> None:
    told = Told()
    board = await running(told)
    assert await board.send(ShowSettings()) == "volume 60"
    assert told.of(WireGarbled)
    assert await board.send(Start()) == "start"
    await board.close()


async def test_a_secret_is_in_no_fault(
    loaded: VirtualBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.adapters.board.REPLY_WITHIN_S", 0.1)
    board = await running(Told())
    loaded.power_off()
    with pytest.raises(Fault) as caught:
        await board.send(GiveToken(Secret("ek_verysecret")))
    fault = caught.value
    assert "verysecret" not in f"{fault!r} {fault} {fault.detail}"
    await board.close()


async def test_unplugged_and_plugged_in_again(loaded: VirtualBoard) -> None:
    told = Told()
    board = await running(told)
    loaded.unplug()
    assert (await told.until(LinkClosed)).reason
    with pytest.raises(PortGone):
        await board.send(Start())
    loaded.plug()
    await told.until(LinkOpened, 2)
    assert await board.send(Start()) == "start"
    await board.close()
    assert len(told.of(LinkClosed)) == 2


async def test_closing_ends_the_search_for_a_vanished_board(loaded: VirtualBoard) -> None:
    told = Told()
    board = await running(told)
    loaded.unplug()
    await told.until(LinkClosed)
    await board.close()
    await board.close()
    loaded.plug()
    await asyncio.sleep(0.05)
    assert not board.is_open
    loaded.open().close()


async def test_a_command_under_way_fails_when_the_board_goes(loaded: VirtualBoard) -> None:
    told = Told()
    board = await running(told)
    asking = asyncio.create_task(board.send(Scan()))
    await asyncio.sleep(0.05)
    loaded.unplug()
    with pytest.raises(PortGone):
        await asyncio.wait_for(asking, 1.0)
    await board.close()


async def test_reboot_by_command_is_seen(loaded: VirtualBoard) -> None:
    told = Told()
    board = await running(told)
    assert await board.send(Reboot()) == ""
    assert (await told.until(Boot, 2)).reset == "software"
    await board.close()


async def test_busy_missing_and_not_chosen(desk: VirtualBoard) -> None:
    board = Board(Told())
    other = desk.open()
    with pytest.raises(PortBusy):
        await board.open(PORT)
    other.close()
    with pytest.raises(PortGone):
        await board.open("sim://elsewhere")
    not_chosen: list[Callable[[], Awaitable[object]]] = [
        lambda: board.send(Start()),
        lambda: board.boot(within_s=0.1),
        lambda: board.flash((), chip="esp32s3", virtual=True),
        board.restart,
    ]
    for ask in not_chosen:
        with pytest.raises(PortGone):
            await ask()
    assert not board.port


async def test_a_board_that_does_not_start(desk: VirtualBoard) -> None:
    board = Board(Told())
    await board.open(PORT)
    with pytest.raises(NoAnswer) as caught:
        await board.boot(within_s=0.7)
    assert "invalid header: 0xffffffff" in caught.value.detail
    await board.close()


async def test_a_board_that_never_comes_back(core: Path, parts: tuple[FlashPart, ...]) -> None:
    with virtual_board(core, "atoms3r", installed=parts) as desk:
        told = Told()
        board = await running(told)
        desk.unplug()
        await told.until(LinkClosed, len(told.of(LinkClosed)) + 1)
        with pytest.raises(PortGone):
            await board.boot(within_s=0.4)
        await board.close()


async def test_vanish_while_flashing_then_flash_again(desk: VirtualBoard, core: Path) -> None:
    parts = firmware(core, filler_bytes=400_000)
    told = Told()

    def tell(event: Event) -> None:
        told(event)
        if isinstance(event, FlashWrote) and event.part == "app" and event.done:
            desk.unplug()

    board = Board(tell)
    await board.open(PORT)
    with pytest.raises(PortGone, match="incomplete"):
        await board.flash(parts, chip="esp32s3", virtual=True)
    assert not board.is_open
    board._tell = told
    desk.plug()
    await told.until(LinkOpened, 2)
    await board.flash(parts, chip="esp32s3", virtual=True)
    assert (await board.boot(within_s=5.0)).version == "1.0.0"
    await board.close()


async def test_cancelled_installation_opens_the_console_again(
    desk: VirtualBoard, core: Path
) -> None:
    parts = firmware(core, filler_bytes=400_000)
    told = Told()
    board = Board(told)
    await board.open(PORT)
    work = asyncio.create_task(board.flash(parts, chip="esp32s3", virtual=True))
    await told.until(FlashWrote, 8)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert board.is_open
    await board.flash(parts, chip="esp32s3", virtual=True)
    await board.boot(within_s=5.0)
    await board.close()


async def test_closed_while_it_waits_for_a_boot(desk: VirtualBoard) -> None:
    board = Board(Told())
    await board.open(PORT)
    booting = asyncio.create_task(board.boot(within_s=5.0))
    await asyncio.sleep(0.3)
    await board.close()
    with pytest.raises(PortGone):
        await asyncio.wait_for(booting, 1.0)


async def test_a_loss_after_a_restart_that_worked_has_a_reason(loaded: VirtualBoard) -> None:
    told = Told()
    board = await running(told)
    await board.boot(within_s=5.0)
    loaded.unplug()
    assert (await told.until(LinkClosed)).reason
    await board.close()


@pytest.fixture
def tty() -> Iterator[tuple[int, str]]:
    """A real terminal device: its far end and its name."""
    far, near = os.openpty()
    setraw(near)
    yield far, os.ttyname(near)
    os.close(near)
    with suppress(OSError):
        os.close(far)


async def test_a_prompt_without_a_newline_is_shown(tty: tuple[int, str]) -> None:
    told = Told()
    board = Board(told)
    await board.open(tty[1])
    os.write(tty[0], b"esp> ")
    assert (await told.until(ConsoleLine, within_s=1.0)).text == "esp> "
    await board.close()


async def test_half_a_record_at_the_end_is_told(tty: tuple[int, str]) -> None:
    told = Told()
    board = Board(told)
    await board.open(tty[1])
    os.write(tty[0], b"first\n\x1e{half")
    await told.until(ConsoleLine)
    await board.close()
    assert told.of(WireGarbled)[0].raw == b"{half"
    assert isinstance(told.events[-1], LinkClosed)


async def test_closed_while_it_opens(tty: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> None:
    may_go_on = threading.Event()
    real = os.open

    def slow(path: str, flags: int) -> int:
        may_go_on.wait(5.0)
        return real(path, flags)

    monkeypatch.setattr("serial.serialposix.os.open", slow)
    told = Told()
    board = Board(told)
    opening = asyncio.create_task(board.open(tty[1]))
    await asyncio.sleep(0.02)
    await board.close()
    may_go_on.set()
    await asyncio.wait_for(opening, 2.0)
    assert not board.is_open
    assert told.events == []
    assert [task for task in asyncio.all_tasks() if task.get_name() == "board"] == []
    monkeypatch.undo()
    await board.open(tty[1])
    await board.close()


async def test_a_board_that_returns_under_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux numbers USB ports anew; the serial number tells that it is the same board."""
    first, near_first = os.openpty()
    second, near_second = os.openpty()
    ports = [ListPortInfo(os.ttyname(near_first))]

    def comports() -> list[ListPortInfo]:
        for port in ports:
            port.vid, port.pid, port.serial_number = 0x303A, 0x1001, "F4:12:FA:01:02:03"
        return list(ports)

    monkeypatch.setattr(list_ports, "comports", comports)
    told = Told()
    board = Board(told)
    await board.open(os.ttyname(near_first))
    ports[:] = [ListPortInfo(os.ttyname(near_second))]
    os.close(near_first)
    os.close(first)
    await told.until(LinkOpened, 2)
    assert told.of(LinkOpened)[1].port == board.port == os.ttyname(near_second)
    os.write(second, b"here again\n")
    assert (await told.until(ConsoleLine)).text == "here again"
    await board.close()
    os.close(near_second)
    os.close(second)


async def test_a_megabyte_of_noise_on_a_real_tty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random bytes through a pty: nothing raises, the link stays, closing works."""
    far, near = os.openpty()
    told = Told()
    board = Board(told)
    await board.open(os.ttyname(near))
    os.close(near)
    noise = memoryview(os.urandom(1 << 20))

    def pour() -> None:
        at = 0
        while at < len(noise):
            at += os.write(far, noise[at : at + 4096])
        os.write(far, b"\nI (1) tag: the end\n")

    await asyncio.get_running_loop().run_in_executor(None, pour)
    async with asyncio.timeout(10.0):
        while not any(line.text.endswith("the end") for line in told.of(ConsoleLine)):
            told.news.clear()
            await told.news.wait()
    assert board.is_open
    os.close(far)
    closed = await told.until(LinkClosed)
    assert closed.reason
    await board.close()
