"""The virtual board served to other programs."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import esptool
import firmware_images as made
import pytest
import serial
import serial.rfc2217

from app.sim.board import VirtualBoard
from app.sim.protocol_sim import boards
from app.sim.serve import Served, serve_pty, serve_rfc2217

# pyserial 3.5's own RFC 2217 client
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")

CORE = b"\x7fELF the core" * 20


class Echo:
    def __init__(self, core, chip):
        self.chip = chip

    def start(self):
        self.chip.write_console(b"hello\n")

    def console_in(self, data):
        self.chip.write_console(data.upper())

    async def stop(self):
        """Nothing is open."""


@pytest.fixture
def core(tmp_path: Path) -> Path:
    path = tmp_path / "libcore.so"
    path.write_bytes(CORE)
    return path


@pytest.fixture
def stub() -> bool:
    return True


@pytest.fixture(params=["korvo2"])
def board(request, core, stub) -> Iterator[VirtualBoard]:
    kind = request.param
    made_board = VirtualBoard(
        "served", kind, flash=flash_for(kind), cores=[core], program=Echo, stub=stub
    )
    made_board.power_on()
    before = set(threading.enumerate())
    yield made_board
    assert set(threading.enumerate()) <= before
    made_board.power_off()
    boards.pop("served", None)


def flash_for(kind: str) -> bytearray:
    return made.flash(CORE, (16 if kind == "korvo2" else 8) << 20)


def client(url: str) -> serial.Serial:
    port = serial.serial_for_url(url, do_not_open=True, timeout=3)
    port.dtr = port.rts = False
    port.open()
    return port


def test_a_console_over_rfc2217(board):
    with serve_rfc2217(board) as served:
        for _ in range(2):  # one client after the other
            with client(served.url) as port:
                port.write(b"caf\xff\xc0 \n")
                assert port.read_until(b" \n").endswith(b"CAF\xff\xc0 \n")


def test_a_busy_board_sends_the_client_away(board):
    with serve_rfc2217(board) as served:
        number = int(served.url.split(":")[2])
        with board_open(board), socket.create_connection(("127.0.0.1", number), 3) as caller:
            assert caller.recv(100) == b""
        with client(served.url) as port:
            port.write(b"now\n")
            assert port.read_until(b"NOW\n").endswith(b"NOW\n")


def board_open(board):
    boards["served"] = board
    return serial.serial_for_url("sim://served")


def test_the_service_ends_while_somebody_is_connected(board):
    served = serve_rfc2217(board)
    port = client(served.url)
    served.close()
    with pytest.raises(serial.SerialException):
        port.read(10_000)
    port.close()
    board_open(board).close()


@pytest.mark.parametrize("board", ["atoms3r"], indirect=True)
def test_a_usb_board_comes_back_to_its_client(board):
    with serve_rfc2217(board) as served, client(served.url) as port:
        port.write(b"first\n")
        assert port.read_until(b"FIRST\n").endswith(b"FIRST\n")
        port.rts = True
        port.rts = False
        assert port.read_until(b"hello\n").endswith(b"hello\n")
        port.write(b"again\n")
        assert port.read_until(b"AGAIN\n").endswith(b"AGAIN\n")


def test_a_taken_port_is_an_error(board):
    with serve_rfc2217(board) as served:
        number = int(served.url.split(":")[2])
        with pytest.raises(OSError, match="in use"):
            serve_rfc2217(board, number)


@pytest.mark.skipif(sys.platform == "win32", reason="a pty is a POSIX thing")
def test_a_terminal(board):
    with serve_pty(board) as served:
        for _ in range(2):
            with serial.Serial(served.url, timeout=3) as port:
                port.write(b"hi there\n")
                assert port.read_until(b"THERE\n").endswith(b"HI THERE\n")
        terminal = os.open(served.url, os.O_RDWR | os.O_NOCTTY)
        os.write(terminal, b"x")
        assert select.select([terminal], [], [], 3)[0]
        os.close(terminal)


@pytest.fixture
def short_naps(monkeypatch: pytest.MonkeyPatch) -> None:
    """pyserial's client looks for answers every 50 ms; here it does so every millisecond."""
    clock = SimpleNamespace(time=time.time, sleep=lambda s: time.sleep(min(s, 0.001)))
    monkeypatch.setattr(serial.rfc2217, "time", clock)


def run_esptool(served: Served, *words: object) -> None:
    """Its command line, all options at their defaults; it raises when it fails."""
    esptool.main(["--port", served.url, *map(str, words)])


@pytest.mark.usefixtures("short_naps")
def test_esptools_command_line_works_without_options(board, tmp_path, capfd):
    file, back = tmp_path / "part.bin", tmp_path / "back.bin"
    file.write_bytes(os.urandom(20_000) + bytes(20_000))
    with serve_rfc2217(board) as served:
        run_esptool(served, "flash-id")
        assert "Detected flash size: 16MB" in capfd.readouterr().out
        run_esptool(served, "write-flash", "0x30000", file)
        said = capfd.readouterr().out
        assert "Stub flasher running" in said
        assert "Hash of data verified" in said
        assert "Hard resetting" in said
        assert board.flash.read(0x30000, 40_000) == file.read_bytes()
        run_esptool(served, "verify-flash", "0x30000", file)
        assert "Verification successful" in capfd.readouterr().out
        run_esptool(served, "read-flash", "0x30000", 40_000, back)
        assert back.read_bytes() == file.read_bytes()
        run_esptool(served, "erase-region", "0x31000", "0x1000")
        assert board.flash.read(0x31000, 0x1000) == b"\xff" * 0x1000
        with client(served.url) as port:  # reset, the firmware runs
            port.write(b"runs\n")
            assert port.read_until(b"RUNS\n").endswith(b"RUNS\n")
        run_esptool(served, "erase-flash")
        assert board.flash.view() == b"\xff" * (16 << 20)


@pytest.mark.usefixtures("short_naps")
@pytest.mark.parametrize("version", ["1", "2"])
def test_esptools_command_line_works_with_each_stub(board, tmp_path, version, monkeypatch):
    monkeypatch.setattr(esptool.loader.StubFlasher, "STUB_SUBDIRS", [version])
    file = tmp_path / "part.bin"
    file.write_bytes(os.urandom(1500))
    with serve_rfc2217(board) as served:
        run_esptool(served, "write-flash", "0x30000", file)
        assert board.flash.read(0x30000, 1500) == file.read_bytes()


@pytest.mark.usefixtures("short_naps")
@pytest.mark.parametrize("stub", [False])
def test_esptools_command_line_works_with_the_rom_alone(board, tmp_path, stub):
    file = tmp_path / "part.bin"
    file.write_bytes(os.urandom(1500))
    with serve_rfc2217(board) as served:
        run_esptool(served, "--no-stub", "write-flash", "0x30000", file)
        assert board.flash.read(0x30000, 1500) == file.read_bytes()
