"""The portable firmware core on the virtual chip: the Python twin of the ESP32 port.

The same C library that the board compiles, driven through the same table of functions. Everything
runs on the board's asyncio loop: events are queued, one drain function steps the core, and what a
port function starts comes back later as an event. A port function never steps the core.

A Python exception cannot travel through C frames. Each port function therefore leaves its exception
in `_Escapes`, the core gets a refusal, and the drain hands it to the loop's exception handler.
"""

from __future__ import annotations

import asyncio
import ctypes
import secrets
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from app.sim import board_sound_test, core_abi
from app.sim.board_audio import SILENCE_CDB, Microphone, Speaker
from app.sim.board_http import Answer, BoardHttp, Post
from app.sim.board_load import CORE, BoardLoad
from app.sim.board_peer import BoardPeer
from app.sim.board_wifi import BoardWifi
from app.sim.chip import Chip
from app.sim.core_abi import Event, Kind, Kv, Net

_ALIGNMENT = 16
"""max_align_t of the C compilers of 64-bit computers."""

_REFUSALS: dict[str, int] = {
    "random": 0,
    "kv_get_number": Kv.FAILED,
    "kv_get_text": Kv.FAILED,
    "kv_set_number": Kv.FAILED,
    "kv_set_text": Kv.FAILED,
}


class _Escapes:
    """Catches what a port function raises and keeps it for the drain."""

    def __init__(self) -> None:
        self._errors: list[BaseException] = []

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is not None:
            self._errors.append(error)
        return error is not None

    def take(self) -> list[BaseException]:
        """The exceptions since the last call."""
        errors, self._errors = self._errors, []
        return errors


class Firmware:
    """A `chip.Program`: one boot of the firmware core. Made anew for each reset.

    Raises CoreError when the library does not fit the door.
    """

    def __init__(self, core_path: Path, chip: Chip) -> None:
        self._chip = chip
        self._library = core_abi.load_core(core_path)
        self._escapes = _Escapes()
        self._port = self._make_port()
        self._board = core_abi.Board(
            chip.board.encode(),
            b"host",
            chip.build.encode(),
            chip.reset.encode(),
            chip.psram_bytes,
            chip.flash_bytes,
        )
        self._memory, self._core = self._make_core(core_path)
        self._wifi = BoardWifi(chip.networks, self._post)
        self._http = BoardHttp()
        self._load = BoardLoad(chip.psram_bytes)
        self._microphone = Microphone(chip.room, self._load.charged)
        self._speaker = Speaker(chip.room, self._load.charged, self._say_playing)
        self._queue: deque[Event] = deque()
        self._wake: asyncio.Handle | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._is_running = False
        self._wants_restart = False
        self._requests: dict[int, asyncio.Task[Answer]] = {}
        self._peers: dict[int, BoardPeer] = {}
        self._sound_test: asyncio.Task[core_abi.Sound] | None = None

    @property
    def version(self) -> str:
        """Version that the library was built with."""
        return str(self._library.parley_core_version().decode())

    # ---- chip.Program --------------------------------------------------------------------------

    def start(self) -> None:
        """Boots the core on the running loop."""
        assert not self._is_running
        self._loop = asyncio.get_running_loop()
        self._started_at = time.monotonic()
        self._load.begin()
        self._is_running = True
        self._post(core_abi.plain(Kind.BOOT))

    def console_in(self, data: bytes) -> None:
        """Bytes from the serial line, cut anywhere."""
        if data:
            self._post(core_abi.console(data))

    async def stop(self) -> None:
        """Reset: peer, requests, timers are gone when this returns. May be called again."""
        self._halt()
        for peer in self._peers.values():
            peer.end()
        for request in self._requests.values():
            request.cancel()
        await self._end_sound_test()
        await asyncio.gather(
            *(peer.wait_down() for peer in self._peers.values()),
            *self._requests.values(),
            return_exceptions=True,
        )
        self._peers.clear()
        self._requests.clear()
        await self._http.close()

    # ---- for tests and demonstrations ----------------------------------------------------------

    def drop_wifi(self) -> None:
        """The network goes away for a moment, and everything that went over it."""
        if not self._wifi.lose():
            return
        for request in self._requests.values():
            request.cancel()
        for peer in self._peers.values():
            peer.end(Net.LOST)

    # ---- events in -----------------------------------------------------------------------------

    def _post(self, event: Event) -> None:
        if not self._is_running:
            return
        self._queue.append(event)
        if self._wake is None:
            self._wake = self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        self._wake = None
        wait_ms = core_abi.NEVER_MS
        while self._queue and self._is_running:
            wait_ms = self._step(self._queue.popleft())
        if self._wants_restart:
            self._wants_restart = False
            self._chip.restart()
        elif self._is_running:
            self._arm(wait_ms)

    def _step(self, event: Event) -> int:
        now_ms = int((time.monotonic() - self._started_at) * 1000)
        with self._load.charged(CORE):
            wait_ms = self._library.parley_core_step(self._core, ctypes.byref(event), now_ms)
        for error in self._escapes.take():
            if not isinstance(error, Exception):
                raise error
            self._loop.call_exception_handler(
                {"message": "a port function of the virtual board failed", "exception": error}
            )
        return int(wait_ms)

    def _arm(self, wait_ms: int) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if wait_ms != core_abi.NEVER_MS:
            self._tick = self._loop.call_later(wait_ms / 1000, self._tick_due)

    def _tick_due(self) -> None:
        self._tick = None
        self._post(core_abi.plain(Kind.TICK))

    def _halt(self) -> None:
        """No step, no timer and no event after this."""
        self._is_running = False
        self._queue.clear()
        for handle in (self._wake, self._tick):
            if handle is not None:
                handle.cancel()
        self._wake = self._tick = None
        self._wifi.close()

    def _say_playing(self, playing: bool) -> None:
        self._post(core_abi.speaker(playing=playing))

    # ---- the table of port functions -----------------------------------------------------------

    def _make_port(self) -> core_abi.Port:
        functions = {
            name: prototype(self._guarded(getattr(self, f"_do_{name}"), _REFUSALS.get(name)))
            for name, prototype in core_abi.PORT_TYPES.items()
        }
        # The structure keeps the callbacks alive, and this object keeps the structure.
        return core_abi.Port(None, *functions.values())

    def _guarded(self, function: Callable[..., Any], refusal: int | None) -> Callable[..., Any]:
        def call(_ctx: int | None, *arguments: Any) -> Any:
            with self._escapes:
                return function(*arguments)
            return refusal

        return call

    def _make_core(self, path: Path) -> tuple[ctypes.Array[ctypes.c_char], int]:
        room = int(self._library.parley_core_size())
        memory = ctypes.create_string_buffer(room + _ALIGNMENT)
        start = -(-ctypes.addressof(memory) // _ALIGNMENT) * _ALIGNMENT
        core = self._library.parley_core_init(
            start, room, ctypes.byref(self._port), ctypes.byref(self._board)
        )
        if core is None:
            raise core_abi.CoreError(f"{path.name} made no core in {room} bytes")
        return memory, int(core)

    def _do_console_write(self, line: int, length: int) -> None:
        self._chip.write_console(ctypes.string_at(line, length))

    def _do_random(self) -> int:
        return secrets.randbits(32)

    def _do_kv_get_number(self, key: bytes, kind: int, value: Any) -> Kv:
        found, kept = self._read(key, core_abi.TYPE_NAMES[kind])
        if found is Kv.OK:
            assert isinstance(kept, int)
            value[0] = kept
        return found

    def _do_kv_get_text(self, key: bytes, out: int, room: int, length: Any) -> Kv:
        found, kept = self._read(key, "string")
        if room:
            ctypes.memset(out, 0, 1)
        if found is not Kv.OK:
            return found
        assert isinstance(kept, str)
        text = kept.encode()
        if len(text) >= room:
            return Kv.TOO_LONG
        ctypes.memmove(out, text + b"\0", len(text) + 1)
        length[0] = len(text)
        return Kv.OK

    def _do_kv_set_number(self, key: bytes, kind: int, value: int) -> Kv:
        self._chip.store.set(key.decode(), core_abi.TYPE_NAMES[kind], value)
        return Kv.OK

    def _do_kv_set_text(self, key: bytes, text: int, length: int) -> Kv:
        self._chip.store.set(key.decode(), "string", ctypes.string_at(text, length).decode())
        return Kv.OK

    def _read(self, key: bytes, type_name: str) -> tuple[Kv, int | str | None]:
        try:
            return Kv.OK, self._chip.store.get(key.decode(), type_name)
        except KeyError:
            return Kv.MISSING, None
        except TypeError:
            return Kv.WRONG_TYPE, None

    def _do_wifi_join(self, ssid: bytes, password: bytes | None) -> None:
        self._wifi.join(ssid.decode(errors="replace"), (password or b"").decode(errors="replace"))

    def _do_wifi_leave(self) -> None:
        self._wifi.leave()

    def _do_wifi_scan(self) -> None:
        self._wifi.scan()

    def _do_http_post(self, request: Any) -> None:
        asked = request.contents
        post = Post(
            url=asked.url.decode(),
            bearer=(asked.bearer or b"").decode(),
            content_type=asked.content_type.decode(),
            body=asked.body.copy(),
            timeout_ms=asked.timeout_ms,
        )
        number = int(asked.id)
        assert number not in self._requests, "two requests with one number"
        task = self._loop.create_task(self._exchange(post))
        self._requests[number] = task
        # Not in the task itself: one that is cancelled before its first step never runs.
        task.add_done_callback(lambda done: self._exchanged(number, done))

    async def _exchange(self, post: Post) -> Answer:
        return await self._http.post(post) if self._wifi.is_up else Answer(Net.UNREACHABLE)

    def _exchanged(self, number: int, task: asyncio.Task[Answer]) -> None:
        self._requests.pop(number, None)
        if task.cancelled():
            answer = Answer(Net.CLOSED if self._wifi.is_up else Net.LOST)
        else:
            answer = task.result()
        location = answer.location.encode(errors="replace")
        self._post(core_abi.http_done(number, answer.why, answer.status, answer.body, location))

    def _do_http_cancel(self, number: int) -> None:
        if number in self._requests:
            self._requests[number].cancel()

    def _do_peer_open(self, number: int) -> None:
        assert number not in self._peers, "two peers with one number"
        if not self._wifi.is_up:
            self._post(core_abi.peer(Kind.PEER_DOWN, number, why=Net.FAILED))
            return
        if self._sound_test is not None:
            self._sound_test.cancel()
        peer = BoardPeer(number, self._microphone, self._speaker, self._peer_told)
        self._peers[number] = peer

    def _peer_told(self, event: Event) -> None:
        if event.kind == Kind.PEER_DOWN:
            self._peers.pop(event.body.peer.id, None)
        self._post(event)

    def _do_peer_answer(self, number: int, sdp: int, length: int) -> None:
        if number in self._peers:
            self._peers[number].answer(ctypes.string_at(sdp, length).decode(errors="replace"))

    def _do_peer_send(self, number: int, text: int, length: int) -> None:
        if number in self._peers:
            self._peers[number].send(ctypes.string_at(text, length).decode(errors="replace"))

    def _do_peer_close(self, number: int) -> None:
        if number in self._peers:
            self._peers[number].end()

    def _do_speaker_flush(self) -> None:
        self._speaker.flush()

    def _do_device_apply(self, device: Any) -> None:
        self._speaker.volume_percent = min(100, int(device.contents.volume))
        self._microphone.muted = bool(device.contents.muted)

    def _do_load_sample(self) -> None:
        sample = self._load.sample(
            is_live=any(peer.is_up for peer in self._peers.values()),
            open_requests=len(self._requests),
            rssi_dbm=self._wifi.rssi_dbm,
        )
        self._post(core_abi.load(sample))

    def _do_sound_test(self) -> None:
        if self._sound_test is None:
            test = board_sound_test.listen(self._microphone, self._speaker)
            self._sound_test = self._loop.create_task(test)
            self._sound_test.add_done_callback(self._sound_tested)

    def _sound_tested(self, test: asyncio.Task[core_abi.Sound]) -> None:
        self._sound_test = None
        silence = SILENCE_CDB
        nothing = core_abi.Sound(-1, silence, silence, silence)  # a peer took the sound
        self._post(core_abi.sound(nothing if test.cancelled() else test.result()))

    async def _end_sound_test(self) -> None:
        if self._sound_test is not None:
            self._sound_test.cancel()
            await asyncio.wait({self._sound_test})

    def _do_restart(self) -> None:
        self._halt()
        self._wants_restart = True
