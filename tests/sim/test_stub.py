"""Loading the flasher stub, and the stub itself, spoken to in bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import esptool
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sim import registers
from app.sim.loader import Code, Leave, Op
from app.sim.rom import Rom
from app.sim.slip import FRAME_LIMIT_BYTES, Slip, escape
from app.sim.spi_flash import SpiFlash

SYNC = b"\x07\x07\x12\x20" + 32 * b"\x55"
SIZE = 1 << 20
CODE_AT, DATA_AT = 0x4037_8000, 0x3FCB_2000
SHIPPED = Path(esptool.__file__).parent / "targets" / "stub_flasher"


def words(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)


def command(op: int, body: bytes = b"", check: int = 0) -> bytes:
    return escape(struct.pack("<BBHI", 0, op, len(body), check) + body)


def block(op: int, number: int, data: bytes, check: int | None = None) -> bytes:
    if check is None:
        check = 0xEF
        for byte in data:
            check ^= byte
    return command(op, words(len(data), number, 0, 0) + data, check)


def frames(rom: Rom, sent: bytes) -> list[bytes]:
    """What comes back; the chip must not leave its loader."""
    got: list[bytes] = []
    for answer in rom.receive(sent):
        assert isinstance(answer, bytes)
        got += Slip().receive(answer)
    return got


def ask(rom: Rom, sent: bytes, status_bytes: int = 2) -> tuple[int, int, bytes]:
    """(error or 0, value, data) of the one reply."""
    (frame,) = frames(rom, sent)
    direction, _, length, value = struct.unpack_from("<BBHI", frame)
    assert (direction, length) == (1, len(frame) - 8)
    status = frame[-status_bytes:]
    return status[1] if status_bytes == 4 else status[0], value, frame[8:-status_bytes]


def chip(flash: SpiFlash | None = None) -> Rom:
    flash = flash or SpiFlash.blank(SIZE)
    return Rom(flash, registers.Registers(flash, {0x100: 7}))


def upload(rom: Rom, segments: Iterable[tuple[int, bytes]], *, status_bytes: int = 4) -> None:
    for address, data in segments:
        count = -(-len(data) // 0x1800)
        begin = command(Op.MEM_BEGIN, words(len(data), count, 0x1800, address))
        assert ask(rom, begin, status_bytes)[0] == 0
        for number in range(count):
            piece = data[number * 0x1800 : (number + 1) * 0x1800]
            assert ask(rom, block(Op.MEM_DATA, number, piece), status_bytes)[0] == 0


def running(flash: SpiFlash | None = None) -> Rom:
    rom = chip(flash)
    upload(rom, [(CODE_AT, bytes(40)), (DATA_AT, b"12OHAI34")])
    reply, hello = frames(rom, command(Op.MEM_END, words(0, CODE_AT + 4)))
    assert reply[-4:] == bytes(4)
    assert hello == b"OHAI"
    return rom


@pytest.mark.parametrize("version", sorted(p.name for p in SHIPPED.iterdir() if p.is_dir()))
def test_each_stub_that_esptool_ships_is_recognised(version):
    stub = json.loads((SHIPPED / version / "esp32s3.json").read_text())
    rom = chip()
    upload(
        rom, [(stub[f"{part}_start"], base64.b64decode(stub[part])) for part in ("text", "data")]
    )
    assert frames(rom, command(Op.MEM_END, words(0, stub["entry"])))[1:] == [b"OHAI"]


@pytest.mark.parametrize(
    ("segments", "entry"),
    [
        ([(CODE_AT, b"some program")], CODE_AT),
        ([(CODE_AT, b"OHAI")], CODE_AT + 4),
        ([(DATA_AT, b"OHAI")], DATA_AT),
        ([(CODE_AT, b"OHAI"), (CODE_AT, b"over")], CODE_AT),
        ([], 0),
    ],
)
def test_any_other_program_is_refused_and_the_rom_goes_on(segments, entry):
    rom = chip()
    upload(rom, segments)
    assert ask(rom, command(Op.MEM_END, words(0, entry)), 4)[0] == Code.FAILED.rom
    assert all(value != 0 for value in sync_values(rom))


def test_loading_without_starting_changes_nothing():
    rom = chip()
    upload(rom, [(CODE_AT, b"OHAI")])
    assert ask(rom, command(Op.MEM_END, words(1, 0)), 4)[0] == 0
    assert all(value != 0 for value in sync_values(rom))


def sync_values(rom: Rom) -> list[int]:
    got = frames(rom, command(Op.SYNC, SYNC))
    assert len(got) == 8
    return [struct.unpack_from("<I", frame, 4)[0] for frame in got]


@pytest.mark.parametrize(
    ("begin", "error"),
    [
        ((1, 1, 0x1800, 0x3FC8_8000 - 1), Code.FAILED),
        ((2, 1, 0x1800, 0x403E_0000 - 1), Code.FAILED),
        ((0xFFFF_FFFF, 1, 0x1800, CODE_AT), Code.FAILED),
        ((1, 1, 0, CODE_AT), Code.INVALID),
        ((1, 1, 0x4001, CODE_AT), Code.INVALID),
    ],
)
def test_where_there_is_no_ram_nothing_is_loaded(begin, error):
    rom = chip()
    assert ask(rom, command(Op.MEM_BEGIN, words(*begin)), 4)[0] == error.rom
    assert ask(rom, block(Op.MEM_DATA, 0, b"x"), 4)[0] == Code.NOT_BEGUN.rom


def test_loaded_blocks_have_an_order_a_size_and_a_checksum():
    rom = chip()
    ask(rom, command(Op.MEM_BEGIN, words(6, 2, 4, CODE_AT)), 4)
    assert ask(rom, block(Op.MEM_DATA, 0, b"OHAI", check=1), 4)[0] == Code.CHECKSUM.rom
    assert ask(rom, block(Op.MEM_DATA, 1, b"OHAI"), 4)[0] == Code.INVALID.rom
    assert ask(rom, block(Op.MEM_DATA, 0, b"OHAI!"), 4)[0] == Code.INVALID.rom
    assert ask(rom, block(Op.MEM_DATA, 0, b"OHAI"), 4)[0] == 0
    assert ask(rom, block(Op.MEM_DATA, 1, b"too"), 4)[0] == Code.INVALID.rom
    assert ask(rom, block(Op.MEM_DATA, 1, b"ok"), 4)[0] == 0


def test_the_memory_for_programs_is_bounded():
    rom = chip()
    begun = [
        ask(rom, command(Op.MEM_BEGIN, words(1, 1, 1, CODE_AT + at)), 4)[0] for at in range(100)
    ]
    assert begun.count(0) == 16


def test_the_stub_says_zero_and_can_be_loaded_over_itself():
    rom = running()
    assert sync_values(rom) == [0] * 8
    upload(rom, [(CODE_AT, b"OHAI")], status_bytes=2)
    assert frames(rom, command(Op.MEM_END, words(0, CODE_AT)))[1] == b"OHAI"
    assert ask(rom, command(Op.MEM_END, words(0, CODE_AT + 9)))[0] == Code.FAILED.stub
    assert sync_values(rom) == [0] * 8


def test_registers_and_security_as_in_the_rom():
    rom = running()
    assert ask(rom, command(Op.READ_REG, words(0x100)))[1] == 7
    assert ask(rom, command(Op.WRITE_REG, words(0x104, 5, 0xFF, 0)))[0] == 0
    assert ask(rom, command(Op.READ_REG, words(0x104)))[1] == 5
    assert len(ask(rom, command(Op.GET_SECURITY_INFO))[2]) == 20
    assert ask(rom, command(Op.SPI_ATTACH, words(0)))[0] == 0
    assert ask(rom, command(Op.CHANGE_BAUDRATE, words(921_600, 115_200)))[0] == 0
    assert ask(rom, command(Op.READ_FLASH_SLOW, words(0, 4)))[0] == Code.UNKNOWN.stub


def test_large_blocks_are_written_the_last_one_cut():
    flash = SpiFlash.blank(SIZE)
    flash.program(0, bytes(0x4000))
    rom = running(flash)
    offset = SIZE - 0x5000
    assert ask(rom, command(Op.FLASH_BEGIN, words(0x5000, 2, 0x4000, offset, 0)))[0] == 0
    first, last = b"\xc0" * 0x4000, b"\xdb" * 0x1000
    assert ask(rom, block(Op.FLASH_DATA, 0, first))[0] == 0
    assert ask(rom, block(Op.FLASH_DATA, 1, last + b"\xff" * 0x3000))[0] == 0
    assert ask(rom, command(Op.FLASH_END, words(1)))[0] == 0
    assert flash.read(offset, 0x5000) == first + last
    error, _, digest = ask(rom, command(Op.SPI_FLASH_MD5, words(offset, 0x5000, 0, 0)))
    assert (error, digest) == (0, hashlib.md5(first + last).digest())
    assert ask(rom, command(Op.FLASH_END, words(1)))[0] == Code.NOT_BEGUN.stub


def test_compressed_blocks_end_without_leaving():
    plain = b"hello " * 20_000
    flash = SpiFlash.blank(SIZE)
    rom = running(flash)
    begin = command(Op.FLASH_DEFL_BEGIN, words(len(plain), 1, 0x4000, 0x8000, 0))
    assert ask(rom, begin)[0] == 0
    assert ask(rom, block(Op.FLASH_DEFL_DATA, 0, zlib.compress(plain)))[0] == 0
    assert ask(rom, command(Op.FLASH_DEFL_END, words(0)))[0] == 0
    assert flash.read(0x8000, len(plain)) == plain
    ask(rom, begin)
    assert ask(rom, block(Op.FLASH_DEFL_DATA, 0, b"no zlib"))[0] == Code.DEFLATE.stub


def test_erasing():
    flash = SpiFlash.blank(SIZE)
    flash.program(0, bytes(SIZE))
    rom = running(flash)
    assert ask(rom, command(Op.ERASE_REGION, words(0x1000, 0x2000)))[0] == 0
    assert flash.read(0xFFF, 0x2002) == b"\0" + b"\xff" * 0x2000 + b"\0"
    for region in ((0x800, 0x1000), (0x1000, 0x800)):
        assert ask(rom, command(Op.ERASE_REGION, words(*region)))[0] == Code.INVALID.stub
    assert ask(rom, command(Op.ERASE_REGION, words(SIZE, 0x1000)))[0] == Code.FAILED.stub
    assert ask(rom, command(Op.ERASE_FLASH))[0] == 0
    assert flash.view() == b"\xff" * SIZE


@pytest.mark.parametrize("size", [0, 1, 0x1000, 0x1001, 0x3000])
def test_reading_is_acknowledged_packet_by_packet(size):
    flash = SpiFlash.blank(SIZE)
    flash.program(0, bytes(range(256)) * 64)
    rom = running(flash)
    got = b""
    _, *rest = frames(rom, command(Op.READ_FLASH, words(0x10, size, 0x1000, 64)))
    while len(got) < size:
        (packet,) = rest
        got += packet
        assert frames(rom, escape(words(len(got) - 1))) == [] if len(got) == size else True
        rest = frames(rom, escape(words(len(got))))
    assert rest == [hashlib.md5(got).digest()]
    assert got == flash.read(0x10, size)
    assert sync_values(rom) == [0] * 8


def test_a_reading_that_nobody_goes_on_with_ends():
    rom = running()
    frames(rom, command(Op.READ_FLASH, words(0, 0x3000, 0x1000, 64)))
    assert frames(rom, command(Op.SYNC, SYNC)) == [hashlib.md5(b"\xff" * 0x1000).digest()]
    assert sync_values(rom) == [0] * 8


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ((0, SIZE + 1, 0x1000, 64), Code.FAILED),
        ((SIZE, 1, 0x1000, 64), Code.FAILED),
        ((0, 4, 0, 64), Code.INVALID),
        ((0, 4, 0x1001, 64), Code.INVALID),
        ((0, 4), Code.INVALID),
    ],
)
def test_a_reading_that_cannot_be_is_refused(body, error):
    assert ask(running(), command(Op.READ_FLASH, words(*body)))[0] == error.stub


def test_run_user_code_leaves_without_a_word():
    (leave,) = running().receive(command(Op.RUN_USER_CODE))
    assert isinstance(leave, Leave)
    assert not leave.watchdog


def test_every_split_of_a_conversation_with_the_stub_gives_the_same_answers():
    sent = (
        command(Op.SPI_FLASH_MD5, words(0, 9, 0, 0))
        + command(Op.READ_FLASH, words(0, 5, 4, 64))
        + escape(words(4))
        + escape(words(5))
        + command(Op.SYNC, SYNC)
    )
    whole = frames(running(), sent)
    assert len(whole) == 1 + 4 + 8
    for cut in range(len(sent)):
        rom = running()
        assert frames(rom, sent[:cut]) + frames(rom, sent[cut:]) == whole


@given(st.integers(0, 255), st.integers(0, 0x4000))
def test_any_block_of_full_size_fits_a_frame(filling, odd_at):
    data = bytearray(bytes([filling]) * 0x4000)
    data[odd_at:] = b"\xc0" * (0x4000 - odd_at)
    framed = command(Op.FLASH_DATA, words(0x4000, 0, 0, 0) + bytes(data))
    assert len(framed) - 2 <= FRAME_LIMIT_BYTES
    assert len(list(Slip().receive(framed))) == 1


FLASH = SpiFlash.blank(1 << 16)


@given(
    st.booleans(),
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.integers(0, 2**32 - 1).map(lambda number: escape(words(number))),
            st.builds(
                command,
                st.sampled_from([*Op, 0xD4, 0xFF]),
                st.one_of(
                    st.binary(max_size=80),
                    st.lists(
                        st.integers(0, 2**32 - 1)
                        | st.integers(0, 5000)
                        | st.sampled_from([CODE_AT, DATA_AT, 0x1000]),
                        max_size=8,
                    ).map(lambda numbers: words(*numbers)),
                ),
                st.integers(0, 2**32 - 1),
            ),
        ),
        max_size=12,
    ),
)
def test_nothing_raises_and_what_comes_back_is_frames(with_stub, pieces):
    rom = running(FLASH) if with_stub else chip(FLASH)
    for piece in pieces:
        for answer in rom.receive(piece):
            assert isinstance(answer, Leave) or list(Slip().receive(answer))
    for _ in range(2):  # the first may end a frame or a reading
        list(rom.receive(b"\xc0" + command(Op.SYNC, SYNC)))
    assert len(sync_values(rom)) == 8
