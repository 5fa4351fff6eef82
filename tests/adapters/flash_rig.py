"""A virtual board to install on: firmware images made by hand, and a fake program that runs there.

The program is the world's side of the console: it says hello with a `boot` record and answers
commands, so that the board adapter needs no firmware core.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.bundle import FlashPart
from app.sim import protocol_sim
from app.sim.board import BoardKind, VirtualBoard
from app.sim.chip import Chip

CFG_AT, CFG_BYTES = 0x10000, 0x6000
APP_AT = 0x20000


def image(segments: list[tuple[int, bytes]]) -> bytes:
    """An ESP32-S3 image with checksum and appended SHA-256 (ESP-IDF, app image format)."""
    out = bytearray(struct.pack("<BBBBI", 0xE9, len(segments), 0, 0x4F, 0x40374000))
    out += struct.pack("<BBBBHBHH4sB", 0xEE, 0, 0, 0, 9, 0, 0, 0xFFFF, bytes(4), 1)
    checksum = 0xEF
    for address, data in segments:
        out += struct.pack("<II", address, len(data)) + data
        for byte in data:
            checksum ^= byte
    out += bytes(15 - len(out) % 16) + bytes([checksum])
    return bytes(out) + hashlib.sha256(out).digest()


def partition_table() -> bytes:
    rows = [
        (1, 2, 0x9000, 0x6000, "nvs"),
        (1, 2, CFG_AT, CFG_BYTES, "cfg"),
        (0, 0, APP_AT, 0x400000, "factory"),
    ]
    table = b"".join(
        struct.pack("<HBBII16sI", 0x50AA, kind, sub, at, size, name.encode(), 0)
        for kind, sub, at, size, name in rows
    )
    table += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table).digest()
    return table.ljust(0xC00, b"\xff")


def firmware(
    core: Path, *, filler_bytes: int = 40_000, version: str = "1.0.0"
) -> tuple[FlashPart, ...]:
    """Parts that a virtual board starts; `core` is a file that stands for the program."""
    elf = hashlib.sha256(version.encode()).digest()
    description = struct.pack(
        "<II8x32s32s16s16s32s32s80x",
        0xABCD5432,
        0,
        version.encode(),
        b"parley",
        b"12:00:00",
        b"Jan  1 2026",
        b"v5.5",
        elf,
    )
    filler = random.Random(7).randbytes(filler_bytes // 2) + bytes(filler_bytes // 2)
    app = image(
        [
            (0x3C000020, description.ljust(256, b"\0") + filler),
            (0x3C100000, b"PARLEYHC" + hashlib.sha256(core.read_bytes()).digest()),
        ]
    )
    return (
        FlashPart("bootloader", 0x0, image([(0x3FCE3818, bytes(3000))])),
        FlashPart("partitions", 0x8000, partition_table()),
        FlashPart("app", APP_AT, app),
    )


class FakeProgram:
    """Says hello, answers every numbered command; `mute` answers nothing, `late` says hello only
    when it is asked, as a board whose port was not open yet; `old` has run for an hour then."""

    def __init__(self, core: Path, chip: Chip) -> None:
        self.chip = chip
        kind = core.read_bytes()
        self.quiet = b"mute" in kind
        self.late = b"late" in kind
        self.age_ms = 3_600_000 if b"old" in kind else 0
        self.number = 0
        self.line = bytearray()

    def start(self) -> None:
        self.chip.write_console(b"I (80) main: hello\r\n")
        if not self.quiet and not self.late:
            self.say_hello()

    def say_hello(self, **more: object) -> None:
        self.tell(
            k="boot",
            version="1.0.0",
            build=self.chip.build,
            board=self.chip.board,
            idf="host",
            reset=self.chip.reset,
            protocol=1,
            cfg_id="",
            psram=self.chip.psram_bytes,
            flash=self.chip.flash_bytes,
            **more,
        )

    def tell(self, **record: object) -> None:
        record |= {"n": self.number, "t": self.age_ms + self.number}
        self.number += 1
        self.chip.write_console(b"\x1e" + json.dumps(record).encode() + b"\n")

    def console_in(self, data: bytes) -> None:
        self.line += data
        while b"\n" in self.line:
            line, _, rest = bytes(self.line).partition(b"\n")
            self.line[:] = rest
            self.answer(line.decode())

    def answer(self, line: str) -> None:
        if not line.startswith("#"):
            self.chip.write_console(f"typed: {line}\n".encode())
            return
        number, _, words = line[1:].partition(" ")
        if self.quiet or words == "scan":
            return
        if words == "hello":
            self.say_hello(repeated=True)
        if words == "reboot":
            self.tell(k="reply", to=int(number), ok=True, text="")
            self.chip.restart()
        elif words.startswith("vol 101"):
            self.tell(k="reply", to=int(number), ok=False, text="0 to 100")
        elif words == "cfg":
            self.chip.write_console(bytes(range(256)) + b"\x1e{]\n\xff\xfe\n")
            self.tell(k="reply", to=int(number), ok=True, text="volume 60")
        else:
            self.tell(k="reply", to=int(number), ok=True, text=words)

    async def stop(self) -> None:
        """Nothing runs."""


@contextmanager
def virtual_board(
    core: Path,
    kind: BoardKind = "korvo2",
    name: str = "adapters",
    *,
    mac: bytes | None = None,
    installed: tuple[FlashPart, ...] = (),
    stub: bool = True,
) -> Iterator[VirtualBoard]:
    """A powered board at `sim://NAME`; gone afterwards, threads included."""
    board = VirtualBoard(name, kind, cores=(core,), program=FakeProgram, mac=mac, stub=stub)
    for part in installed:
        board.flash.program(part.offset, part.data)
    protocol_sim.boards[name] = board
    board.power_on()
    try:
        yield board
    finally:
        board.power_off()
        del protocol_sim.boards[name]


@contextmanager
def no_thread_left() -> Iterator[None]:
    """Every thread that began inside ends within 2 s."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 2.0
    for thread in set(threading.enumerate()) - before:
        thread.join(max(0.0, deadline - time.monotonic()))
        assert not thread.is_alive(), thread
