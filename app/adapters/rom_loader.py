"""The chip's loader through esptool 5.6: connect, compare, write, verify, and its errors as Faults.

esptool reports through a process-wide logger whose interface moved during 5.x, hence the pinned
minor version; this is the only file to change with it. Its progress counts bytes on the wire, that
is of the *compressed* image, so it is scaled to bytes of the part. Parts are written one call
each: its progress does not say which one it is at.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import serial
from esp_pylib.logger import EspLog, EspLogBase
from esptool import cmds
from esptool.loader import DEFAULT_TIMEOUT, ESPLoader
from esptool.util import FatalError, flash_size_bytes

from app.core.bundle import FlashPart
from app.core.events import ChipIs, Event, FlashStage, FlashWrote, Stage
from app.core.faults import Fault, NoAnswer, PortGone, WrongBoard
from app.core.language import tr

VIRTUAL_MAC = (0x02, 0x50, 0x41)
"""First bytes of a virtual board's address: locally administered, `PA` (`app.sim`)."""

_CONNECT_ATTEMPTS = 4  # each of esptool's reset sequences once
_LINES_KEPT = 20
_TELL_EVERY_S = 0.02
_ALIGN_BYTES = 4  # esptool pads every image to it


class Job(Protocol):
    """What to install where; `tell` and `check` are called in the thread of `install`."""

    @property
    def port(self) -> str: ...
    @property
    def parts(self) -> tuple[FlashPart, ...]: ...
    @property
    def chip(self) -> str: ...
    @property
    def virtual(self) -> bool: ...
    @property
    def baud(self) -> int: ...

    def tell(self, event: Event) -> None: ...

    def check(self) -> None:
        """Raises when the job was cancelled."""


class _Listener(EspLogBase):
    """esptool's logger while we install: keeps its last lines, tells progress, stops when asked."""

    def __init__(self, job: Job) -> None:
        self.lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self.part: FlashPart | None = None
        self.is_last = False
        self._job = job
        self._told_at = 0.0

    def progress_bar(
        self,
        cur_iter: int,
        total_iters: int,
        prefix: str = "",
        suffix: str = "",
        bar_length: int = 30,
    ) -> None:
        self._job.check()
        part, now = self.part, time.monotonic()
        whole = cur_iter >= total_iters
        if part is None or not (whole or now - self._told_at >= _TELL_EVERY_S):
            return
        self._told_at = now
        size = len(part.data)
        done = size if whole else size * cur_iter // total_iters
        self._job.tell(FlashWrote(now, part.name, done, size))
        if whole and self.is_last:
            self._job.tell(FlashStage(now, Stage.VERIFY))

    def _keep(self, *words: Any) -> None:
        self._job.check()
        text = " ".join(str(word) for word in words).strip()
        if text.strip("."):
            self.lines.append(text)

    def print(self, *args: Any, **kwargs: Any) -> None:
        self._keep(*args)

    def err(self, *args: Any, suggestion: str | None = None) -> None:
        self._keep("error:", *args)

    def warn(self, *args: Any, suggestion: str | None = None) -> None:
        self._keep("warning:", *args)

    def note(self, *args: Any) -> None:
        self._keep(*args)

    def hint(self, *args: Any) -> None:
        self._keep(*args)

    def debug(self, *args: Any) -> None:
        self._keep(*args)

    # esptool still says these in a few places.
    warning = warn
    error = err

    def set_verbosity(self, mode: int | str) -> None:
        """Not ours to change."""


@contextmanager
def _listening(job: Job) -> Iterator[_Listener]:
    listener, before = _Listener(job), EspLog.instance
    EspLog.instance = listener
    try:
        yield listener
    finally:
        EspLog.instance = before


class _Progress:
    """How far an installation came, for the words of its failure."""

    def __init__(self) -> None:
        self.stage = Stage.CONNECT
        self.began_to_write = False


def install(job: Job, port: serial.Serial) -> ChipIs:
    """Do it on the open `port`; the chip stays in its loader. Blocks. Raises Fault."""
    progress = _Progress()
    with _listening(job) as listener:
        try:
            job.tell(FlashStage(time.monotonic(), Stage.CONNECT))
            # esptool sets the timeout of each command where the port has another one, which
            # takes a system call on a tty.
            port.timeout = DEFAULT_TIMEOUT
            esp = _connect(job, port)
            chip = _identify(job, esp)
            esp = _speed_up(job, esp, port)
            cmds.attach_flash(esp)
            # On the first sign of a lost board esptool would wait 7 s for it to come back.
            esp.WRITE_FLASH_ATTEMPTS = 1
            chip = _with_flash(chip, esp)
            job.tell(chip)
            _check_size(job, chip)
            _write(job, esp, listener, progress)
            _forget_download_mode(esp)
        except (FatalError, OSError, struct.error) as error:
            job.check()  # a woken read fails too
            raise _fault_of(error, progress, list(listener.lines)) from error
    return chip


def _connect(job: Job, port: serial.Serial) -> Any:
    if not port.is_open:  # esptool closes it when it gives up
        port.open()
    return cmds.detect_chip(
        port,
        ESPLoader.ESP_ROM_BAUD,
        _connect_mode(job.port, port),
        connect_attempts=_CONNECT_ATTEMPTS,
    )


def _connect_mode(name: str, port: serial.Serial) -> str:
    """esptool's default sequence moves both lines in one ioctl, which only a real port has."""
    if name.startswith("rfc2217:"):
        return "default-reset"
    try:
        port.fileno()
    except (OSError, AttributeError):  # io.UnsupportedOperation is an OSError
        return "usb-reset"
    return "default-reset"


def _identify(job: Job, esp: Any) -> ChipIs:
    if esp.secure_download_mode:
        raise WrongBoard(
            tr("This board is locked: its chip takes firmware from its maker only."),
            tr("Choose another board."),
            "secure download mode",
        )
    found = str(esp.CHIP_NAME)
    if _plain(found) != _plain(job.chip):
        raise WrongBoard(
            tr(
                "This board has an {found}, and the firmware is for an {wanted}.",
                found=found,
                wanted=job.chip.upper(),
            ),
            tr("Choose another board or another firmware."),
        )
    mac = tuple(esp.read_mac())
    is_virtual = mac[:3] == VIRTUAL_MAC
    if is_virtual != job.virtual:
        raise WrongBoard(
            tr("This firmware is for a real board, and this is the virtual board.")
            if is_virtual
            else tr("This firmware is for the virtual board, and this is a real board."),
            tr("Choose another board or another firmware."),
            f"MAC {_spelled(mac)}",
        )
    revision = f"v{esp.get_major_chip_version()}.{esp.get_minor_chip_version()}"
    return ChipIs(time.monotonic(), found, revision, _spelled(mac), 0, is_virtual)


def _plain(chip: str) -> str:
    return chip.lower().replace("-", "")


def _spelled(mac: tuple[int, ...]) -> str:
    return ":".join(f"{byte:02x}" for byte in mac)


def _speed_up(job: Job, esp: Any, port: serial.Serial) -> Any:
    """With Espressif's own flasher in the chip's RAM where that runs, and at the higher baud."""
    try:
        esp = cmds.run_stub(esp)
    except FatalError:
        job.check()
        esp = _connect(job, port)
    if job.baud > ESPLoader.ESP_ROM_BAUD:
        esp.change_baud(job.baud)
    return esp


def _with_flash(chip: ChipIs, esp: Any) -> ChipIs:
    size = cmds.detect_flash_size(esp)
    return ChipIs(
        chip.at,
        chip.chip,
        chip.revision,
        chip.mac,
        flash_size_bytes(size) if size else 0,
        chip.virtual,
    )


def _check_size(job: Job, chip: ChipIs) -> None:
    end = max((part.end for part in job.parts), default=0)
    if chip.flash_bytes and end > chip.flash_bytes:
        raise WrongBoard(
            tr("The firmware is too large for this board."),
            tr("Choose another board or another firmware."),
            f"ends at {end:#x}, the flash at {chip.flash_bytes:#x}",
        )


def _write(job: Job, esp: Any, listener: _Listener, progress: _Progress) -> None:
    progress.stage = Stage.COMPARE
    changed = []
    for part in job.parts:
        job.check()
        job.tell(FlashStage(time.monotonic(), Stage.COMPARE, part.name))
        if _is_there(esp, part):
            size = len(part.data)
            job.tell(FlashWrote(time.monotonic(), part.name, size, size))
        else:
            changed.append(part)
    progress.stage = Stage.WRITE
    for part in changed:
        job.check()
        listener.part, listener.is_last = part, part is changed[-1]
        job.tell(FlashStage(time.monotonic(), Stage.WRITE, part.name))
        job.tell(FlashWrote(time.monotonic(), part.name, 0, len(part.data)))
        progress.began_to_write = True
        # Ends with the MD5 of the flash, compared by esptool.
        cmds.write_flash(esp, [(part.offset, part.data)], compress=True)
    if not changed:
        job.tell(FlashStage(time.monotonic(), Stage.VERIFY))


def _is_there(esp: Any, part: FlashPart) -> bool:
    image = part.data + b"\xff" * (-len(part.data) % _ALIGN_BYTES)
    wanted = hashlib.md5(image, usedforsecurity=False).hexdigest()
    return bool(esp.flash_md5sum(part.offset, len(image)) == wanted)


def _forget_download_mode(esp: Any) -> None:
    """An ESP32-S3 told over USB to stay in its loader would come back to it after the reset."""
    if hasattr(esp, "RTC_CNTL_OPTION1_REG"):
        with suppress(FatalError):
            esp.write_reg(esp.RTC_CNTL_OPTION1_REG, 0, esp.RTC_CNTL_FORCE_DOWNLOAD_BOOT_MASK)


def _fault_of(error: Exception, progress: _Progress, lines: list[str]) -> Fault:
    detail = "\n".join([*lines, repr(error)])
    incomplete = progress.began_to_write
    if isinstance(error, OSError):
        if incomplete:
            return PortGone(
                tr("The board went away while it was written; its firmware is now incomplete."),
                tr("Plug it in again and install again. That repairs it."),
                detail,
            )
        return PortGone(
            tr("The board went away."), tr("Check its cable, then install again."), detail
        )
    if progress.stage is Stage.CONNECT:
        return NoAnswer(
            tr("The board does not answer."),
            tr(
                "Put it into download mode: keep BOOT pressed, press RESET, let go of BOOT; on an "
                "AtomS3R keep its reset button pressed until the green light is on. Then install "
                "again."
            ),
            detail,
        )
    if "--force" in str(error):  # esptool's check of chip and revision in the image's header
        return WrongBoard(
            tr("This firmware is not made for this board."),
            tr("Choose another board or another firmware."),
            detail,
        )
    if incomplete and "MD5" in str(error):
        return NoAnswer(
            tr("The board does not hold what was written to it."),
            tr("Try another cable or another USB socket, then install again."),
            detail,
        )
    if incomplete:
        return NoAnswer(
            tr("The board stopped answering; its firmware is now incomplete."),
            tr("Unplug it, plug it in and install again. That repairs it."),
            detail,
        )
    return NoAnswer(
        tr("The board stopped answering."),
        tr("Unplug it, plug it in and install again."),
        detail,
    )
