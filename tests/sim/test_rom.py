"""The ROM loader, spoken to in bytes."""

from __future__ import annotations

import hashlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sim import registers
from app.sim.lines import Bridge, Step, UsbSerialJtag
from app.sim.loader import Code, Leave, Op
from app.sim.rom import Rom
from app.sim.slip import Slip, escape
from app.sim.spi_flash import SpiFlash

MAC = b"\x02PA\x01\x02\x03"
SYNC = b"\x07\x07\x12\x20" + 32 * b"\x55"
SIZE = 4 << 20
CODE_AT, DATA_AT = 0x4037_8000, 0x3FCB_2000


def rom(flash: SpiFlash | None = None, *, attached: bool = True) -> Rom:
    flash = flash or SpiFlash.blank(SIZE)
    fuses = registers.efuses(MAC, package=0, flash_in_package=False)
    made = Rom(flash, registers.Registers(flash, fuses))
    if attached:
        assert ask(made, Op.SPI_ATTACH, words(0, 0))[0] == 0
        assert ask(made, Op.SPI_SET_PARAMS, words(0, flash.size, 65536, 4096, 256, 65535))[0] == 0
    return made


def words(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)


def command(op: int, body: bytes, check: int = 0) -> bytes:
    return escape(struct.pack("<BBHI", 0, op, len(body), check) + body)


def answers(made: Rom, sent: bytes) -> list[bytes | Leave]:
    return list(made.receive(sent))


def ask(made: Rom, op: int, body: bytes, check: int = 0) -> tuple[int, int, bytes]:
    """(error code or 0, value, data) of the one reply."""
    got = [answer for answer in answers(made, command(op, body, check)) if answer]
    (reply,) = [answer for answer in got if isinstance(answer, bytes)]
    (frame,) = list(Slip().receive(reply))
    direction, echoed, length, value = struct.unpack_from("<BBHI", frame)
    assert (direction, echoed, length) == (1, op, len(frame) - 8)
    data, status = frame[8:-4], frame[-4:]
    assert status[0] == bool(status[1])
    return status[1], value, data


def xor(data: bytes) -> int:
    total = 0xEF
    for byte in data:
        total ^= byte
    return total


def block(made: Rom, op: int, number: int, data: bytes, check: int | None = None) -> int:
    body = words(len(data), number, 0, 0) + data
    return ask(made, op, body, xor(data) if check is None else check)[0]


@given(st.lists(st.binary(min_size=1, max_size=40)), st.integers(1, 7))
def test_slip_returns_what_went_in_however_it_is_cut(frames, step):
    sent = b"".join(escape(frame) for frame in frames)
    slip = Slip()
    got = [f for at in range(0, len(sent), step) for f in slip.receive(sent[at : at + step])]
    assert got == frames


def test_slip_forgets_frames_that_are_too_long():
    slip = Slip()
    assert list(slip.receive(b"\xc0" + b"a" * 40_000)) == []
    assert list(slip.receive(b"b\xc0good\xc0")) == [b"good"]
    assert list(slip.receive(b"\xdb\xdd\xdb\xc0bad\xdb\xc0good\xc0")) == [b"good"]


def test_sync_is_answered_eight_times_with_the_mark_of_a_rom():
    (reply,) = answers(rom(attached=False), command(Op.SYNC, SYNC))
    assert isinstance(reply, bytes)
    frames = list(Slip().receive(reply))
    assert len(frames) == 8
    assert all(struct.unpack_from("<I", frame, 4)[0] != 0 for frame in frames)


def test_every_split_of_a_conversation_gives_the_same_answers():
    sent = command(Op.SYNC, SYNC) + command(Op.READ_REG, words(registers.CHIP_MAGIC))
    whole = b"".join(a for a in answers(rom(attached=False), sent) if isinstance(a, bytes))
    for cut in range(len(sent)):
        made = rom(attached=False)
        parts = answers(made, sent[:cut]) + answers(made, sent[cut:])
        assert b"".join(a for a in parts if isinstance(a, bytes)) == whole


@given(st.lists(st.binary(max_size=60)))
def test_noise_never_raises_and_the_rom_still_syncs(noise):
    made = rom()
    for piece in noise:
        answers(made, piece)
    answers(made, b"\xc0")
    assert answers(made, command(Op.SYNC, SYNC))


FLASH = SpiFlash.blank(1 << 20)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*Op, 0x06, 0x07, 0xD0, 0xFF]),
            st.one_of(
                st.binary(max_size=80),
                st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 5000), max_size=8).map(
                    lambda numbers: words(*numbers)
                ),
            ),
            st.integers(0, 2**32 - 1),
        ),
        max_size=12,
    )
)
def test_any_command_gets_one_reply_of_its_own_opcode(commands):
    made = rom(FLASH)
    for op, body, check in commands:
        if op != Op.SYNC:
            ask(made, op, body, check)


@given(st.binary(max_size=30), st.integers(0, 0xFFFF))
def test_a_wrong_length_is_refused(body, length):
    made = rom(attached=False)
    got = answers(made, escape(struct.pack("<BBHI", 0, Op.READ_REG, length, 0) + body))
    (reply,) = got
    assert isinstance(reply, bytes)
    (frame,) = Slip().receive(reply)
    assert (frame[8] == 0) == (length == len(body) == 4)


def test_who_it_is():
    made = rom()
    error, _, info = ask(made, Op.GET_SECURITY_INFO, b"")
    assert (error, struct.unpack_from("<I", info, 12)[0], len(info)) == (0, 9, 20)
    low = ask(made, Op.READ_REG, words(registers.EFUSE + 0x44))[1]
    high = ask(made, Op.READ_REG, words(registers.EFUSE + 0x48))[1]
    assert struct.pack(">HI", high, low) == MAC
    ask(made, Op.WRITE_REG, words(registers.EFUSE + 0x44, 0, 0xFFFFFFFF, 0))
    assert ask(made, Op.READ_REG, words(registers.EFUSE + 0x44))[1] == low


def test_registers_keep_what_the_mask_lets_through():
    made = rom()
    ask(made, Op.WRITE_REG, words(0x100, 0xFFFF, 0xFF, 0) + words(0x104, 7, 0xFFFFFFFF, 0))
    ask(made, Op.WRITE_REG, words(0x100, 0, 0x0F, 0))
    assert ask(made, Op.READ_REG, words(0x100))[1] == 0xF0
    assert ask(made, Op.READ_REG, words(0x104))[1] == 7


def test_blocks_are_erased_and_written():
    flash = SpiFlash.blank(SIZE)
    flash.program(0, bytes(0x4000))
    made = rom(flash)
    assert ask(made, Op.FLASH_BEGIN, words(0x800, 2, 0x400, 0x1000, 0))[0] == 0
    assert block(made, Op.FLASH_DATA, 0, b"a" * 0x400) == 0
    assert block(made, Op.FLASH_DATA, 1, b"b" * 0x400) == 0
    assert block(made, Op.FLASH_DATA, 1, b"b" * 0x400) == 0  # said again
    assert block(made, Op.FLASH_DATA, 2, b"c" * 0x400) == Code.INVALID.rom
    assert flash.read(0xFFF, 0x802) == b"\0" + b"a" * 0x400 + b"b" * 0x400 + b"\xff"
    assert flash.read(0x1FFF, 2) == b"\xff\0"
    error, _, digest = ask(made, Op.SPI_FLASH_MD5, words(0x1000, 0x800, 0, 0))
    assert error == 0
    assert digest.decode() == hashlib.md5(b"a" * 0x400 + b"b" * 0x400).hexdigest()
    assert ask(made, Op.READ_FLASH_SLOW, words(0x13F0, 32))[2] == b"a" * 16 + b"b" * 16 + bytes(32)


def test_a_wrong_checksum_is_refused_and_writes_nothing():
    flash = SpiFlash.blank(SIZE)
    made = rom(flash)
    ask(made, Op.FLASH_BEGIN, words(0x400, 1, 0x400, 0, 0))
    assert block(made, Op.FLASH_DATA, 0, b"a" * 0x400, check=1) == Code.CHECKSUM.rom
    assert flash.read(0, 4) == b"\xff" * 4


def test_compressed_blocks_are_inflated_once():
    plain = b"hello " * 2000
    packed = zlib.compress(plain, 9)
    half = len(packed) // 2
    flash = SpiFlash.blank(SIZE)
    made = rom(flash)
    assert ask(made, Op.FLASH_DEFL_BEGIN, words(0x3000, 2, 0x400, 0x10000, 0))[0] == 0
    assert block(made, Op.FLASH_DEFL_DATA, 1, packed[half:]) == Code.INVALID.rom
    assert block(made, Op.FLASH_DEFL_DATA, 0, packed[:half]) == 0
    assert block(made, Op.FLASH_DEFL_DATA, 0, packed[:half]) == 0  # our reply was lost
    assert block(made, Op.FLASH_DEFL_DATA, 1, packed[half:]) == 0
    assert flash.read(0x10000, len(plain)) == plain


def test_compressed_blocks_cannot_grow_over_the_erased_room():
    made = rom()
    ask(made, Op.FLASH_DEFL_BEGIN, words(0x1000, 1, 0x400, 0, 0))
    assert block(made, Op.FLASH_DEFL_DATA, 0, zlib.compress(bytes(300_000), 9)) == Code.DEFLATE.rom
    ask(made, Op.FLASH_DEFL_BEGIN, words(0x1000, 1, 0x400, 0, 0))
    assert block(made, Op.FLASH_DEFL_DATA, 0, b"no zlib") == Code.DEFLATE.rom


@pytest.mark.parametrize("attached", [False, True])
def test_the_rom_reaches_only_what_it_knows_of(attached):
    flash = SpiFlash.blank(SIZE)
    made = rom(flash, attached=False)
    if attached:
        ask(made, Op.SPI_ATTACH, words(0, 0))
    expected = 0 if attached else Code.FAILED.rom
    assert ask(made, Op.READ_FLASH_SLOW, words(0, 64))[0] == expected
    assert ask(made, Op.FLASH_BEGIN, words(0x1000, 4, 0x400, 0x1F_F000, 0))[0] == expected
    assert ask(made, Op.FLASH_BEGIN, words(0x1000, 4, 0x400, 0x20_0000, 0))[0] == Code.FAILED.rom


def test_a_chip_that_takes_no_stub_refuses_to_load_code():
    flash = SpiFlash.blank(SIZE)
    made = Rom(flash, registers.Registers(flash, {}), takes_stub=False)
    assert ask(made, Op.MEM_BEGIN, words(100, 1, 100, CODE_AT))[0] == Code.INVALID.rom
    assert ask(rom(), Op.ERASE_FLASH, b"")[0] == Code.INVALID.rom


@pytest.mark.parametrize("flag", [0, 1])
def test_flash_end_leaves_after_the_reply(flag):
    made = rom()
    reply, leave = answers(made, command(Op.FLASH_END, words(flag)))
    assert isinstance(reply, bytes)
    assert isinstance(leave, Leave)
    assert not leave.watchdog


def test_the_watchdog_fires_only_when_unlocked():
    made = rom()
    on = words(registers.WATCHDOG_0, registers.WATCHDOG_ON, 0xFFFFFFFF, 0)
    assert len(answers(made, command(Op.WRITE_REG, on))) == 1
    unlock = words(registers.WATCHDOG_LOCK, registers.WATCHDOG_KEY, 0xFFFFFFFF, 0)
    _, leave, locked = answers(
        made,
        command(Op.WRITE_REG, unlock + on)
        + command(Op.WRITE_REG, words(registers.WATCHDOG_LOCK, 0, 0xFFFFFFFF, 0)),
    )
    assert isinstance(leave, Leave)
    assert leave.watchdog
    assert isinstance(locked, bytes)


F, T = False, True
CLASSIC = [(0, F, T), (0.1, T, T), (0.001, T, F), (0.05, F, F)]
TIGHT = [(0, T, T), (0, F, T), (0.1, T, F), (0.05, F, F)]
USB = [(0, F, F), (0.1, T, F), (0.1, T, T), (0, F, T), (0.1, F, F)]
HARD = [(0, F, T), (0.1, F, F)]


def play(lines, *sequences):
    at, steps = 100.0, []
    for sequence in sequences:
        for after_s, dtr, rts in sequence:
            at += after_s
            steps.append(lines.move(dtr, rts, at))
        at += 1
    return [step for step in steps if step is not None]


@pytest.mark.parametrize(
    ("lines", "sequences", "last"),
    [
        (Bridge, [CLASSIC], Step.LOADER),
        (Bridge, [TIGHT], Step.LOADER),
        (Bridge, [USB], Step.LOADER),
        (Bridge, [HARD], Step.FLASH),
        (Bridge, [USB, HARD], Step.FLASH),
        (Bridge, [CLASSIC, HARD], Step.FLASH),
        # pyserial opens with both asserted, later lets go of DTR, then of RTS
        (Bridge, [[(0, T, F), (0.001, T, T)], [(0, F, T), (0, F, F)]], Step.FLASH),
        (Bridge, [[(0, T, F), (0.001, T, T), (0.001, F, T), (0, F, F)]], Step.FLASH),
        (UsbSerialJtag, [USB], Step.LOADER),
        (UsbSerialJtag, [HARD], Step.FLASH),
        (UsbSerialJtag, [USB, HARD], Step.FLASH),
        (UsbSerialJtag, [CLASSIC], Step.FLASH),
    ],
)
def test_sequences_of_the_lines(lines, sequences, last):
    assert play(lines(), *sequences)[-2:] == [Step.HELD, last]


@pytest.mark.parametrize("lines", [Bridge, UsbSerialJtag])
def test_opening_and_closing_a_port_resets_nothing(lines):
    opened = [(0, T, F), (0.001, T, T)]
    assert play(lines(), opened, [(0, F, F)], [(0, T, T)], [(0, F, F)]) == []


def test_the_capacitor_gives_up_when_both_lines_stay():
    lines = Bridge()
    assert play(lines, [(0, F, T), (0.1, T, T)]) == [Step.HELD]
    assert lines.settles_s is not None
    assert lines.settle() is Step.FLASH
    assert lines.settle() is None
