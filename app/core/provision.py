"""Bare board → board that runs this firmware with these settings, proven by its own words."""

from __future__ import annotations

from collections.abc import Callable

from app.core.bundle import Bundle, FlashPart
from app.core.events import Boot, FlashStage, Stage, Tell
from app.core.faults import NoAnswer, WrongBoard
from app.core.language import tr
from app.core.ports import BoardPort

# Measured by nobody yet: an S3 with 8 MB PSRAM boots in some 2 s, Windows needs up to 5 s to bring
# a USB-Serial-JTAG port back.
BOOT_WITHIN_S = 15.0


async def install(
    board: BoardPort,
    bundle: Bundle,
    cfg: bytes,
    tell: Tell,
    clock: Callable[[], float],
    *,
    cfg_id: str,
    within_s: float = BOOT_WITHIN_S,
) -> Boot:
    """Flashes firmware and settings, restarts the board, and returns what it says of itself.

    `cfg` is the image of the settings' partition, whole; `cfg_id` the id that is in it. Raises
    Fault: the board's own, NoAnswer when something else runs than what was written, WrongBoard when
    the bundle was not made for the board that answers.
    """
    if len(cfg) != bundle.cfg_bytes:
        raise ValueError(f"cfg image of {len(cfg)} bytes for {bundle.cfg_bytes}")
    parts = (*bundle.parts, FlashPart("cfg", bundle.cfg_offset, cfg))
    tell(FlashStage(clock(), Stage.CONNECT, bundle.name))
    await board.flash(parts, chip=bundle.chip, virtual=bundle.virtual)
    tell(FlashStage(clock(), Stage.RESTART, bundle.version))
    boot = await board.boot(within_s=within_s)
    _prove(boot, bundle, cfg_id)
    tell(FlashStage(clock(), Stage.PROVE, f"{boot.version} {boot.build}"))
    return boot


def _prove(boot: Boot, bundle: Bundle, cfg_id: str) -> None:
    if boot.board not in bundle.boards:
        raise WrongBoard(
            tr("This firmware is not for this board."),
            tr("Choose the firmware for {board}, then install again.", board=boot.board),
            f"board {boot.board!r}, firmware for {', '.join(bundle.boards)}",
        )
    if (boot.version, boot.build) != (bundle.version, bundle.build):
        raise NoAnswer(
            tr("The board runs another firmware than the one just installed."),
            tr("Unplug the board and plug it in again, then install once more."),
            f"installed {bundle.version} {bundle.build}, runs {boot.version} {boot.build}",
        )
    if boot.cfg_id != cfg_id:
        raise NoAnswer(
            tr("The board does not use the settings just installed."),
            tr("Install once more."),
            f"installed settings {cfg_id!r}, uses {boot.cfg_id!r}",
        )
