"""The link against a real pty: bytes, a flood, hang-up, busy and missing ports, no thread left."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import grp
import os
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Iterator

import pytest
import serial

from app.adapters.serial_link import SerialLink, holder_of, open_port
from app.core.faults import Fault, NoAnswer, PortBusy, PortGone

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")


class Pty:
    """The far end of a cable."""

    def __init__(self) -> None:
        self.fd, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.name = os.ttyname(self._slave)
        os.close(self._slave)

    def hang_up(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Heard:
    """What the link called back."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.times: list[float] = []
        self.lost: list[str] = []
        self.news = asyncio.Event()

    def bytes(self, data: bytes, at: float) -> None:
        self.data += data
        self.times.append(at)
        self.news.set()

    def gone(self, reason: str) -> None:
        self.lost.append(reason)
        self.news.set()

    async def until(self, length: int = 0, lost: int = 0, within_s: float = 5.0) -> None:
        async with asyncio.timeout(within_s):
            while len(self.data) < length or len(self.lost) < lost:
                self.news.clear()
                await self.news.wait()


@pytest.fixture
def pty() -> Iterator[Pty]:
    made = Pty()
    yield made
    made.hang_up()


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(2.0)
        assert not thread.is_alive(), thread


def link_to(name: str, heard: Heard) -> SerialLink:
    return SerialLink(name, heard.bytes, heard.gone, asyncio.get_running_loop())


async def test_bytes_go_both_ways(pty: Pty) -> None:
    heard = Heard()
    link = link_to(pty.name, heard)
    await link.open()
    before = time.monotonic()
    os.write(pty.fd, bytes(range(256)))
    await heard.until(256)
    assert bytes(heard.data) == bytes(range(256))
    assert before <= heard.times[0] <= time.monotonic()
    link.write(b"#1 help\n")
    link.write(b"#2 cfg\n")
    got = b""
    while len(got) < 15:
        got += await asyncio.to_thread(os.read, pty.fd, 100)
    assert got == b"#1 help\n#2 cfg\n"
    await link.close()
    assert heard.lost == []


async def test_a_flood_of_a_megabyte_arrives_whole(pty: Pty) -> None:
    flood = os.urandom(1 << 20)
    heard = Heard()
    link = link_to(pty.name, heard)
    await link.open()

    def pour() -> None:
        rest = memoryview(flood)
        while rest:
            rest = rest[os.write(pty.fd, rest[:65536]) :]

    pouring = asyncio.get_running_loop().run_in_executor(None, pour)
    await heard.until(len(flood), within_s=20.0)
    await pouring
    assert bytes(heard.data) == flood
    await link.close()


async def test_hang_up_is_told_once_with_a_reason(pty: Pty) -> None:
    heard = Heard()
    link = link_to(pty.name, heard)
    await link.open()
    pty.hang_up()
    link.write(b"into the void")
    await heard.until(lost=1)
    await link.close()
    await asyncio.sleep(0)
    assert len(heard.lost) == 1
    assert heard.lost[0]


async def test_closing_is_quick_silent_and_may_be_repeated(pty: Pty) -> None:
    heard = Heard()
    link = link_to(pty.name, heard)
    await link.open()
    started = time.monotonic()
    await link.close()
    await link.close()
    assert time.monotonic() - started < 0.5
    os.write(pty.fd, b"too late")
    await asyncio.sleep(0.02)
    assert bytes(heard.data) == b""
    assert heard.lost == []


async def test_closing_does_not_wait_for_a_device_that_takes_nothing(pty: Pty) -> None:
    link = link_to(pty.name, Heard())
    await link.open()
    for _ in range(64):
        link.write(bytes(4096))  # a pty takes some 64 kB while nobody reads
    await asyncio.sleep(0.2)  # now the writer waits
    started = time.monotonic()
    await link.close()
    assert time.monotonic() - started < 1.5


async def test_writing_never_blocks_the_loop(pty: Pty) -> None:
    link = link_to(pty.name, Heard())
    await link.open()
    started = time.monotonic()
    link.write(bytes(1 << 20))
    assert time.monotonic() - started < 0.1
    await link.close()


async def test_a_port_of_another_link_is_busy_and_works_afterwards(pty: Pty) -> None:
    first, second = link_to(pty.name, Heard()), link_to(pty.name, Heard())
    await first.open()
    with pytest.raises(PortBusy):
        await second.open()
    await first.close()
    await second.open()
    await second.close()


@pytest.mark.parametrize("exclusive", [True, False])
async def test_the_program_that_holds_the_port_is_named(pty: Pty, exclusive: bool) -> None:
    code = (
        f"import serial,sys; p=serial.Serial(sys.argv[1], exclusive={exclusive});"
        "print('ok', flush=True); sys.stdin.read()"
    )
    holder = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        pty.name,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"ok\n"
    with pytest.raises(PortBusy) as caught:
        await link_to(pty.name, Heard()).open()
    assert str(holder.pid) in caught.value.what
    await holder.communicate(b"")
    assert holder_of(pty.name) == ""
    link = link_to(pty.name, Heard())
    await link.open()
    await link.close()


@pytest.mark.parametrize(
    "name", ["/dev/parley-is-not-here", "nonsense://x", "socket://127.0.0.1:1"]
)
async def test_a_missing_port_is_gone(name: str) -> None:
    with pytest.raises(PortGone) as caught:
        await link_to(name, Heard()).open()
    assert caught.value.remedy
    assert name.split(":")[0] in caught.value.detail


@pytest.mark.parametrize(
    ("kernel_says", "fault"),
    [
        (errno.EACCES, Fault),
        (errno.EBUSY, PortBusy),
        (errno.EAGAIN, PortBusy),
        (errno.ENOENT, PortGone),
        (errno.EIO, PortGone),
        (errno.ENXIO, PortGone),
    ],
)
def test_what_the_kernel_says_becomes_a_fault(
    pty: Pty, monkeypatch: pytest.MonkeyPatch, kernel_says: int, fault: type[Fault]
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(kernel_says, os.strerror(kernel_says), pty.name)

    monkeypatch.setattr("serial.serialposix.os.open", refuse)
    with pytest.raises(fault) as caught:
        open_port(pty.name)
    assert type(caught.value) is fault
    if kernel_says == errno.EACCES:
        try:
            group = grp.getgrgid(os.stat(pty.name).st_gid).gr_name
        except KeyError:
            group = "root"
        wanted = "udev" if group == "root" else f"usermod -aG {group} "
        assert wanted in caught.value.remedy
        assert pty.name in caught.value.what


def test_permission_without_a_group_asks_for_a_udev_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("serial.serialposix.os.open", refuse)
    with pytest.raises(Fault) as caught:
        open_port("/dev/parley-is-not-here")
    assert 'ATTRS{idVendor}=="303a"' in caught.value.remedy


def test_opening_never_passes_through_the_reset_pair(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines as a kernel sees them: it raises both when a tty opens, we may only lower them."""
    lines = {termios.TIOCM_DTR, termios.TIOCM_RTS}
    seen = []
    real = fcntl.ioctl

    def ioctl(fd: int, request: int, *rest: object) -> object:
        if request in (termios.TIOCMBIS, termios.TIOCMBIC):
            assert isinstance(rest[0], bytes)
            bit = int.from_bytes(rest[0], sys.byteorder)
            (lines.add if request == termios.TIOCMBIS else lines.discard)(bit)
            seen.append(frozenset(lines))
            return b"\0\0\0\0"
        return real(fd, request, *rest)  # type: ignore[call-overload]

    monkeypatch.setattr("serial.serialposix.fcntl.ioctl", ioctl)
    mode = termios.tcgetattr(pty.fd)
    mode[2] |= termios.HUPCL
    termios.tcsetattr(pty.fd, termios.TCSANOW, mode)
    port = open_port(pty.name)
    try:
        assert seen[-1] == frozenset()
        assert frozenset({termios.TIOCM_RTS}) not in seen
        assert not termios.tcgetattr(port.fileno())[2] & termios.HUPCL
    finally:
        port.close()


async def test_a_port_without_lines_cannot_reset(pty: Pty) -> None:
    link = link_to(pty.name, Heard())
    await link.open()
    with pytest.raises(NoAnswer) as caught:
        await link.pulse_reset()
    assert "button" in caught.value.remedy
    await link.close()


async def test_reset_goes_by_rts_with_dtr_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    moves = []

    def moved(port: serial.Serial) -> None:
        moves.append((port.dtr, port.rts))

    for line in ("dtr", "rts"):
        monkeypatch.setattr(f"serial.urlhandler.protocol_loop.Serial._update_{line}_state", moved)
    link = link_to("loop://", Heard())
    await link.open()
    assert not any(dtr or rts for dtr, rts in moves)
    moves.clear()
    await link.pulse_reset()
    await link.close()
    assert (False, True) in moves
    assert moves[-1] == (False, False)
    assert not any(dtr for dtr, _ in moves)


async def test_cancelled_opening_leaves_the_port_free(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = threading.Event()
    real = os.open

    def slow(*args: object, **kwargs: object) -> int:
        may_go_on.wait(5.0)
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("serial.serialposix.os.open", slow)
    link = link_to(pty.name, Heard())
    opening = asyncio.create_task(link.open())
    await asyncio.sleep(0.01)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    may_go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("parley-open"):
            await asyncio.to_thread(thread.join, 2.0)
    monkeypatch.undo()
    again = link_to(pty.name, Heard())
    await again.open()
    await again.close()
