"""A virtual board for programs outside this process: as an RFC 2217 port, or as a terminal.

Over RFC 2217 the reset lines work, so esptool's own command line flashes the board. A pty has no
such lines: it is a console. One program at a time; the next one may connect after it.

esptool 5.6 changes the port's timeout twice a command, and pyserial's RFC 2217 client sleeps 0.1 s
for each change, whatever the board does: its command line takes 20 s to connect, and 25 s in all
for 400 kB (100 s with `--no-stub`, whose blocks are 16 times smaller). Our own client negotiates
less. (`?ign_set_control`, which spares other servers trouble, makes each change cost 0.15 s.)
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, cast

from serial.rfc2217 import PortManager
from serial.serialutil import SerialException

from app.sim.board import VirtualBoard
from app.sim.protocol_sim import SCHEME, Serial, boards

REOPEN_WITHIN_S = 2.0
"""A board on USB leaves the bus for about 0.1 s when it is reset."""

CHUNK_BYTES = 1 << 16


class Served:
    """A running service at `url`; ends with `close` or at the end of `with`."""

    def __init__(self, url: str, run: Callable[[], None], end: Callable[[], None]) -> None:
        self.url = url
        self._end = end
        self._thread = threading.Thread(target=run, name=f"serving {url}")
        self._thread.start()

    def close(self) -> None:
        """Returns when whoever was connected is cut off and the thread has ended."""
        self._end()
        self._thread.join()

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def serve_rfc2217(board: VirtualBoard, port: int = 0) -> Served:
    """Serve on 127.0.0.1; port 0 takes a free one. Raises OSError when the port is taken."""
    listener = socket.create_server(("127.0.0.1", port))
    door = Rfc2217Door(board, listener)
    url = f"rfc2217://127.0.0.1:{listener.getsockname()[1]}"
    return Served(url, door.run, door.end)


def serve_pty(board: VirtualBoard) -> Served:
    """Serve as a terminal device, whose path is `url`. POSIX only; no reset lines."""
    import tty

    ours, theirs = os.openpty()
    tty.setraw(theirs)
    terminal = Terminal(board, ours, theirs)
    return Served(os.ttyname(theirs), terminal.run, terminal.end)


class Wire:
    """The board's serial port, kept open across the times when the board is off the bus."""

    def __init__(self, board: VirtualBoard, deliver: Callable[[bytes], None]) -> None:
        """Raises SerialException when the port is in use or the board is not there."""
        if boards.setdefault(board.name, board) is not board:
            raise ValueError(f"another board is called {board.name}")
        self._board = board
        self._deliver = deliver
        self._ended = False
        self.serial = Serial(baudrate=115_200)
        self.serial.dtr = self.serial.rts = False
        self.serial.port = SCHEME + board.name
        self.serial.open()
        self._reader = threading.Thread(target=self._read, name=f"wire {board.name}")

    def start(self) -> None:
        """From now on `deliver` is called, in a thread of the wire's own."""
        self._reader.start()

    def write(self, data: bytes) -> None:
        """Lost while the board is off the bus."""
        with suppress(SerialException):
            self.serial.write(data)

    def close(self) -> None:
        self._ended = True
        self.serial.cancel_read()
        self._reader.join()
        self.serial.close()

    def _read(self) -> None:
        while not self._ended:
            try:
                data = self.serial.read(max(1, min(self.serial.in_waiting, CHUNK_BYTES)))
            except SerialException:
                self._reopen()
                continue
            if data:
                self._deliver(data)

    def _reopen(self) -> None:
        self.serial.close()
        if self._board.cable.wait_present(REOPEN_WITHIN_S) and not self._ended:
            with suppress(SerialException):  # somebody else was quicker, or it is gone again
                self.serial.open()


class Rfc2217Door:
    """Accepts one client after the other."""

    def __init__(self, board: VirtualBoard, listener: socket.socket) -> None:
        self._board = board
        self._listener = listener
        self._client: socket.socket | None = None
        self._ended = False
        self._lock = threading.Lock()

    def run(self) -> None:
        with self._listener:
            while (client := self._accept()) is not None:
                with client, suppress(OSError):  # it may leave at any moment, or the port be busy
                    self._serve(client)
                with self._lock:
                    self._client = None

    def end(self) -> None:
        with self._lock:
            self._ended = True
            if self._client is not None:
                with suppress(OSError):
                    self._client.shutdown(socket.SHUT_RDWR)
        with suppress(
            OSError
        ):  # closing a listener wakes nobody who waits in accept; a caller does
            socket.create_connection(self._listener.getsockname(), timeout=1).close()

    def _accept(self) -> socket.socket | None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return None
        with self._lock:
            if self._ended:
                client.close()
                return None
            self._client = client
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def _serve(self, client: socket.socket) -> None:
        sender = Sender(client)

        def deliver(data: bytes) -> None:
            with suppress(OSError):  # it has left; our own reading notices that too
                sender.write(b"".join(manager.escape(data)))

        wire = Wire(self._board, deliver)
        # The class asks for any port and anything with `write`; the stubs for its own port.
        manager = PortManager(cast("Any", wire.serial), cast("Any", sender))
        wire.start()
        try:
            while data := client.recv(CHUNK_BYTES):
                plain = b"".join(manager.filter(data))
                if plain:
                    wire.write(plain)
        finally:
            wire.close()


class Sender:
    """What PortManager and the reader both write to: whole messages, one at a time."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        with self._lock:
            self._client.sendall(data)


class Terminal:
    """A pty's master side. We hold the slave too, so that a program may come and go."""

    def __init__(self, board: VirtualBoard, ours: int, theirs: int) -> None:
        self._ours = ours
        self._theirs = theirs
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(ours, False)
        self._wire = Wire(board, self._deliver)

    def run(self) -> None:
        import select

        self._wire.start()
        while True:
            ready, _, _ = select.select([self._ours, self._wake_read], [], [])
            if self._wake_read in ready:
                break
            self._wire.write(os.read(self._ours, CHUNK_BYTES))
        self._wire.close()
        for descriptor in (self._ours, self._theirs, self._wake_read, self._wake_write):
            os.close(descriptor)

    def end(self) -> None:
        os.write(self._wake_write, b".")

    def _deliver(self, data: bytes) -> None:
        # A terminal that nobody reads is full after 4 KiB; like a chip, we go on without it.
        with suppress(BlockingIOError):
            os.write(self._ours, data)
