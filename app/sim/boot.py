"""From reset to the first instruction of the firmware: what the chip checks, and what it prints.

`examine` is the ROM and the second-stage bootloader in one: it looks at the flash and says either
what to run or how the chip complains. It has no clock; the board repeats complaints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.sim.flash_layout import (
    APP,
    DATA,
    FACTORY,
    NVS,
    TABLE_AT,
    TABLE_BYTES,
    Partition,
    TableError,
    read_partitions,
)
from app.sim.image import (
    Description,
    Image,
    ImageError,
    core_digest,
    find_core,
    read_description,
    read_image,
)
from app.sim.spi_flash import SpiFlash

CONFIG_LABEL = "cfg"


@dataclass(frozen=True, slots=True)
class Ready:
    """The firmware can start: which host library, who it is, and where its settings are."""

    text: str
    core: Path
    description: Description
    config: Partition | None


@dataclass(frozen=True, slots=True)
class Stuck:
    """Nothing to run. `again` is what the chip prints over and over, empty when it falls silent."""

    text: str
    again: str


def banner(reset_code: str, boot_mode: str) -> str:
    return f"ESP-ROM:esp32s3-20210327\nBuild:Mar 27 2021\nrst:{reset_code},boot:{boot_mode}\n"


def loader_text(reset_code: str) -> str:
    return banner(reset_code, "0x0 (DOWNLOAD(USB/UART0))") + "waiting for download\n"


def examine(flash: SpiFlash, cores: Sequence[Path], reset_code: str) -> Ready | Stuck:
    """Everything between reset and app_main."""
    text = banner(reset_code, "0x8 (SPI_FAST_FLASH_BOOT)")
    word = int.from_bytes(flash.read(0, 4), "little")
    if word & 0xFF != 0xE9:
        again = f"invalid header: {word:#010x}\n"
        return Stuck(text + again, again)
    try:
        loader = read_image(flash.view(0, TABLE_AT), digest_needed=False)
    except ImageError as why:
        again = f"{why}\nets_main.c 371\n"
        return Stuck(text + again, again)
    text += "SPIWP:0xee\nmode:DIO, clock div:1\n" + _loads(loader)
    return _second_stage(flash, cores, text)


def _loads(loader: Image) -> str:
    loads = [f"load:{part.address:#010x},len:{part.size:#x}\n" for part in loader.segments]
    return "".join(loads) + f"entry {loader.entry:#010x}\n"


def _second_stage(flash: SpiFlash, cores: Sequence[Path], text: str) -> Ready | Stuck:
    try:
        partitions = read_partitions(bytes(flash.view(TABLE_AT, TABLE_BYTES)), flash.size)
    except TableError as why:
        return _stuck(text, f"flash_parts: {why}", "boot: Failed to verify partition table")
    text += _table(partitions)
    apps = [part for part in partitions if part.kind == APP and part.subkind == FACTORY]
    if not apps:
        return _stuck(text, "boot: No bootable app partitions in the partition table")
    app = apps[0]
    try:
        image = read_image(flash.view(app.offset, app.size), digest_needed=True)
        description = read_description(image)
    except ImageError as why:
        return _stuck(
            text,
            f"esp_image: image at {app.offset:#x}: {why}",
            "boot: Factory app partition is not bootable",
            "boot: No bootable app partitions in the partition table",
        )
    text += f"I (60) boot: Loaded app from partition at offset {app.offset:#x}\n"
    text += (
        f"I (70) app_init: Project name:     {description.project}\n"
        f"I (70) app_init: App version:      {description.version}\n"
        f"I (70) app_init: Compile time:     {description.date} {description.time}\n"
        f"I (71) app_init: ELF file SHA256:  {description.elf_sha256[:16]}\n"
        f"I (71) app_init: ESP-IDF:          {description.idf}\n"
    )
    return _with_core(image, description, cores, text, _config(partitions))


def _with_core(
    image: Image,
    description: Description,
    cores: Sequence[Path],
    text: str,
    config: Partition | None,
) -> Ready | Stuck:
    digest = core_digest(image)
    if digest is None:
        error = "E (72) virtual_board: this firmware is made for a real chip\n"
        return Stuck(text + error, "")
    core = find_core(digest, cores)
    if core is None:
        error = f"E (72) virtual_board: no firmware core with SHA-256 {digest.hex()}\n"
        return Stuck(text + error, "")
    return Ready(text, core, description, config)


def _config(partitions: Sequence[Partition]) -> Partition | None:
    for part in partitions:
        if part.kind == DATA and part.subkind == NVS and part.label == CONFIG_LABEL:
            return part
    return None


def _table(partitions: Sequence[Partition]) -> str:
    rows = [
        f"I (40) boot: {number:2d} {part.label:<16} {part.kind:02x} {part.subkind:02x} "
        f"{part.offset:08x} {part.size:08x}\n"
        for number, part in enumerate(partitions)
    ]
    head = "I (38) boot: Partition Table:\nI (39) boot: ## Label            Ty ST Offset   Length\n"
    return head + "".join(rows) + "I (45) boot: End of partition table\n"


def _stuck(text: str, *errors: str) -> Stuck:
    again = "".join(f"E (50) {error}\n" for error in errors)
    return Stuck(text + again, again)
