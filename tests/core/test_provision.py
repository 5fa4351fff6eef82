"""Installing: what is flashed, in which order things are told, what counts as proof."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.bundle import Bundle, FlashPart
from app.core.events import Boot, ChipIs, Command, Event, FlashStage, Stage
from app.core.faults import NoAnswer, PortGone, WrongBoard
from app.core.provision import install

BUNDLE = Bundle(
    name="demo",
    version="0.1.0",
    build="0123456789abcdef",
    chip="esp32s3",
    boards=("korvo2",),
    virtual=True,
    flash_bytes=8 << 20,
    parts=(FlashPart("app", 0x20000, b"app"),),
    cfg_offset=0x10000,
    cfg_bytes=0x1000,
)
BOOT = Boot(1.0, "0.1.0", "0123456789abcdef", "korvo2", "host", "usb", 1, "id-1", 0, 8 << 20)


class Board:
    """A board in the world: it keeps what is flashed, and boots as it likes."""

    def __init__(self, boots: Boot) -> None:
        self.flashed: tuple[FlashPart, ...] = ()
        self.asked: tuple[str, bool] | None = None
        self._boots = boots

    async def flash(self, parts: tuple[FlashPart, ...], *, chip: str, virtual: bool) -> ChipIs:
        self.flashed, self.asked = parts, (chip, virtual)
        return ChipIs(1.0, chip, "v0.2", "00:00:00:00:00:01", 8 << 20, virtual)

    async def boot(self, *, within_s: float) -> Boot:
        if not self.flashed or within_s <= 0:
            raise PortGone("The board is gone.", "Plug it in.")
        return self._boots

    async def send(self, command: Command) -> str:
        raise AssertionError(command)


async def run(boots: Boot, cfg: bytes = bytes(0x1000)) -> tuple[Board, list[Event], Boot]:
    told: list[Event] = []
    board = Board(boots)
    boot = await install(board, BUNDLE, cfg, told.append, lambda: 5.0, cfg_id="id-1")
    return board, told, boot


async def test_parts_and_settings_are_flashed_and_proven():
    board, told, boot = await run(BOOT)
    assert boot == BOOT
    assert board.flashed == (*BUNDLE.parts, FlashPart("cfg", 0x10000, bytes(0x1000)))
    assert board.asked == ("esp32s3", True)
    stages = [event.stage for event in told if isinstance(event, FlashStage)]
    assert stages == [Stage.CONNECT, Stage.RESTART, Stage.PROVE]


@pytest.mark.parametrize(
    ("change", "fault", "words"),
    [
        ({"version": "0.0.9"}, NoAnswer, "another firmware"),
        ({"build": "f" * 16}, NoAnswer, "another firmware"),
        ({"cfg_id": "id-0"}, NoAnswer, "does not use the settings"),
        ({"board": "atoms3r"}, WrongBoard, "not for this board"),
    ],
)
async def test_what_proves_nothing(change, fault, words):
    with pytest.raises(fault, match=words) as told:
        await run(replace(BOOT, **change))
    assert told.value.remedy
    assert told.value.detail


async def test_settings_of_another_size_are_our_mistake():
    with pytest.raises(ValueError, match="cfg image of 7 bytes"):
        await run(BOOT, bytes(7))
