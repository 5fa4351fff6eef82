"""A small ctypes door to the firmware core, for property tests: a world of plain Python lists.

Independent of `app.sim`: the two doors must agree with the C header, not with each other.
"""

from __future__ import annotations

import ctypes as ct
import functools
import json
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "firmware/host/build"
NEVER = 0xFFFFFFFF


class Text(ct.Structure):
    _fields_ = [("bytes", ct.c_char_p), ("length", ct.c_size_t)]


class Wifi(ct.Structure):
    _fields_ = [("ip", Text), ("rssi_dbm", ct.c_int32), ("reason", ct.c_int32)]


class Network(ct.Structure):
    _fields_ = [
        ("ssid", Text),
        ("rssi_dbm", ct.c_int32),
        ("security", ct.c_int32),
        ("channel", ct.c_int32),
    ]


class Http(ct.Structure):
    _fields_ = [
        ("id", ct.c_uint32),
        ("why", ct.c_int32),
        ("status", ct.c_int32),
        ("body", Text),
        ("location", Text),
    ]


class Peer(ct.Structure):
    _fields_ = [("id", ct.c_uint32), ("why", ct.c_int32), ("text", Text)]


class TaskLoad(ct.Structure):
    _fields_ = [
        ("name", ct.c_char * 16),
        ("core", ct.c_int8),
        ("priority", ct.c_uint8),
        ("cpu_permille", ct.c_uint16),
        ("stack_left", ct.c_uint32),
    ]


class Heap(ct.Structure):
    _fields_ = [("free", ct.c_uint32), ("min_free", ct.c_uint32), ("largest", ct.c_uint32)]


class Load(ct.Structure):
    _fields_ = [
        ("core_count", ct.c_uint8),
        ("cpu_permille", ct.c_uint16 * 2),
        ("heap", Heap),
        ("psram", Heap),
        ("rssi_dbm", ct.c_int8),
        ("task_count", ct.c_uint8),
        ("tasks", ct.POINTER(TaskLoad)),
    ]


class Sound(ct.Structure):
    _fields_ = [
        ("delay_ms", ct.c_int32),
        ("tone_cdb", ct.c_int16),
        ("microphone_cdb", ct.c_int16),
        ("echo_left_cdb", ct.c_int16),
    ]


class Body(ct.Union):
    _fields_ = [
        ("text", Text),
        ("wifi", Wifi),
        ("network", Network),
        ("http", Http),
        ("peer", Peer),
        ("playing", ct.c_bool),
        ("load", ct.POINTER(Load)),
        ("sound", ct.POINTER(Sound)),
    ]


class Event(ct.Structure):
    _fields_ = [("kind", ct.c_int), ("as_", Body)]


KINDS = [
    "boot",
    "tick",
    "console",
    "wifi_up",
    "wifi_down",
    "wifi_network",
    "wifi_scanned",
    "http_done",
    "peer_offer",
    "peer_up",
    "peer_down",
    "channel_open",
    "channel_text",
    "channel_closed",
    "speaker",
    "load",
    "media",
    "level",
    "sound",
]
KIND = {name: number for number, name in enumerate(KINDS)}


class Request(ct.Structure):
    _fields_ = [
        ("id", ct.c_uint32),
        ("url", ct.c_char_p),
        ("bearer", ct.c_char_p),
        ("content_type", ct.c_char_p),
        ("body", Text),
        ("timeout_ms", ct.c_uint32),
    ]


class Device(ct.Structure):
    _fields_ = [
        ("light", ct.c_bool),
        ("red", ct.c_uint8),
        ("green", ct.c_uint8),
        ("blue", ct.c_uint8),
        ("volume", ct.c_uint8),
        ("muted", ct.c_bool),
        ("door_open", ct.c_bool),
    ]


class Board(ct.Structure):
    _fields_ = [
        ("board", ct.c_char_p),
        ("idf", ct.c_char_p),
        ("build", ct.c_char_p),
        ("reset", ct.c_char_p),
        ("psram_bytes", ct.c_uint32),
        ("flash_bytes", ct.c_uint32),
    ]


_CTX = ct.c_void_p
_SIGNATURES: dict[str, Any] = {
    "console_write": ct.CFUNCTYPE(None, _CTX, ct.c_void_p, ct.c_size_t),
    "random": ct.CFUNCTYPE(ct.c_uint32, _CTX),
    "kv_get_number": ct.CFUNCTYPE(ct.c_int, _CTX, ct.c_char_p, ct.c_int32, ct.POINTER(ct.c_int64)),
    "kv_get_text": ct.CFUNCTYPE(
        ct.c_int, _CTX, ct.c_char_p, ct.c_void_p, ct.c_size_t, ct.POINTER(ct.c_size_t)
    ),
    "kv_set_number": ct.CFUNCTYPE(ct.c_int, _CTX, ct.c_char_p, ct.c_int32, ct.c_int64),
    "kv_set_text": ct.CFUNCTYPE(ct.c_int, _CTX, ct.c_char_p, ct.c_void_p, ct.c_size_t),
    "wifi_join": ct.CFUNCTYPE(None, _CTX, ct.c_char_p, ct.c_char_p),
    "wifi_leave": ct.CFUNCTYPE(None, _CTX),
    "wifi_scan": ct.CFUNCTYPE(None, _CTX),
    "http_post": ct.CFUNCTYPE(None, _CTX, ct.POINTER(Request)),
    "http_cancel": ct.CFUNCTYPE(None, _CTX, ct.c_uint32),
    "peer_open": ct.CFUNCTYPE(None, _CTX, ct.c_uint32),
    "peer_answer": ct.CFUNCTYPE(None, _CTX, ct.c_uint32, ct.c_void_p, ct.c_size_t),
    "peer_send": ct.CFUNCTYPE(None, _CTX, ct.c_uint32, ct.c_void_p, ct.c_size_t),
    "peer_close": ct.CFUNCTYPE(None, _CTX, ct.c_uint32),
    "speaker_flush": ct.CFUNCTYPE(None, _CTX),
    "device_apply": ct.CFUNCTYPE(None, _CTX, ct.POINTER(Device)),
    "load_sample": ct.CFUNCTYPE(None, _CTX),
    "sound_test": ct.CFUNCTYPE(None, _CTX),
    "restart": ct.CFUNCTYPE(None, _CTX),
}


class Port(ct.Structure):
    _fields_ = [("ctx", _CTX), *_SIGNATURES.items()]


@functools.cache
def library() -> ct.CDLL:
    """The core's host library, built when it is missing."""
    path = BUILD / "libparley_core.so"
    if not path.exists():
        for command in (
            ["cmake", "-S", str(BUILD.parent), "-B", str(BUILD)],
            ["cmake", "--build", str(BUILD), "--target", "parley_core"],
        ):
            subprocess.run(command, check=True, capture_output=True)
    core = ct.CDLL(str(path))
    core.parley_core_version.restype = ct.c_char_p
    core.parley_core_size.restype = ct.c_size_t
    core.parley_core_init.restype = ct.c_void_p
    core.parley_core_init.argtypes = [
        ct.c_void_p,
        ct.c_size_t,
        ct.POINTER(Port),
        ct.POINTER(Board),
    ]
    core.parley_core_step.restype = ct.c_uint32
    core.parley_core_step.argtypes = [ct.c_void_p, ct.POINTER(Event), ct.c_uint64]
    return core


class World:
    """One board: `store` is its cfg, `output` its console, `calls` what the core asked for."""

    def __init__(self, **store: int | str) -> None:
        self.store: dict[str, int | str] = dict(store)
        self.output: list[bytes] = []
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.now_ms = 0
        self.wait_ms = NEVER
        self._core_library = library()
        self._port = Port(
            None, *(kind(getattr(self, f"_{name}")) for name, kind in _SIGNATURES.items())
        )
        self._board = Board(
            b"emulator", b"host", b"0123456789abcdef", b"power_on", 8 << 20, 8 << 20
        )
        room = int(self._core_library.parley_core_size())
        self._memory = (ct.c_longdouble * (room // 16 + 1))()
        self._core = self._core_library.parley_core_init(
            ct.addressof(self._memory), room, self._port, self._board
        )
        assert self._core

    # ---- what comes out

    @property
    def records(self) -> list[dict[str, Any]]:
        """All records; each line is checked for its form."""
        return list(self._records())

    def _records(self) -> Iterator[dict[str, Any]]:
        for line in self.output:
            assert line.endswith(b"\n")
            assert line.count(b"\n") == 1
            assert len(line) <= 2048
            text = line.decode()
            if not line.startswith(b"\x1e"):
                assert "\x1e" not in text
                assert not any(unicodedata.category(char) == "Cc" for char in text[:-1])
                continue
            yield json.loads(text[1:])

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["k"] == kind]

    def last_id(self, call: str) -> int:
        """Id of the last request or peer asked for by `call`; 0 when there was none."""
        return next((int(args[0]) for name, args in reversed(self.calls) if name == call), 0)

    # ---- what goes in

    def _step(self, kind: str, body: Body | None = None, after_ms: int = 0) -> None:
        self.now_ms += after_ms
        event = Event(KIND[kind], body or Body())
        self.wait_ms = self._core_library.parley_core_step(self._core, event, self.now_ms)

    def boot(self) -> World:
        self._step("boot")
        return self

    def tick(self, after_ms: int = 0) -> None:
        self._step("tick", after_ms=after_ms)

    def type(self, data: bytes) -> None:
        self._step("console", Body(text=Text(data, len(data))))

    def line(self, text: str) -> None:
        self.type(text.encode() + b"\n")

    def wifi_up(self) -> None:
        self._step("wifi_up", Body(wifi=Wifi(Text(b"192.168.4.2", 11), -50, 0)))

    def wifi_down(self, reason: int) -> None:
        self._step("wifi_down", Body(wifi=Wifi(Text(), 0, reason)))

    def network(self, ssid: bytes, rssi: int, security: int, channel: int) -> None:
        named = Network(Text(ssid, len(ssid)), rssi, security, channel)
        self._step("wifi_network", Body(network=named))

    def http(
        self, number: int, status: int, body: bytes, location: bytes = b"", why: int = 0
    ) -> None:
        done = Http(number, why, status, Text(body, len(body)), Text(location, len(location)))
        self._step("http_done", Body(http=done))

    def peer(self, kind: str, number: int, text: bytes = b"", why: int = 0) -> None:
        self._step(kind, Body(peer=Peer(number, why, Text(text, len(text)))))

    def speaker(self, playing: bool) -> None:
        self._step("speaker", Body(playing=playing))

    def load(self, names: list[bytes]) -> None:
        tasks = (TaskLoad * max(1, len(names)))(
            *(TaskLoad(name, -1, 5, 10 * place, 1000) for place, name in enumerate(names))
        )
        heap = Heap(1, 1, 1)
        load = Load(2, (ct.c_uint16 * 2)(1, 2), heap, heap, -50, len(names), tasks)
        self._step("load", Body(load=ct.pointer(load)))

    def say(self, event: dict[str, Any] | bytes) -> None:
        """One event of the service, through the channel of the present peer."""
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        self.peer("channel_text", self.last_id("peer_open"), data)

    def go_live(self, token: str = "ek_from_the_service") -> World:
        """From `boot` to a live session."""
        self.wifi_up()
        self.http(self.last_id("http_post"), 200, json.dumps({"value": token}).encode())
        peer = self.last_id("peer_open")
        self.peer("peer_offer", peer, b"v=0\r\noffer\r\n")
        self.http(self.last_id("http_post"), 201, b"v=0\r\nanswer\r\n", b"/v1/calls/rtc_1")
        self.peer("peer_up", peer)
        self.peer("channel_open", peer)
        return self

    def sent(self) -> list[dict[str, Any]]:
        """Events sent to the service."""
        return [json.loads(args[1]) for name, args in self.calls if name == "peer_send"]

    # ---- the port

    def _console_write(self, _: int, line: int, length: int) -> None:
        self.output.append(ct.string_at(line, length))

    def _random(self, _: int) -> int:
        return 4

    def _kv_get_number(self, _: int, key: bytes, kind: int, out: Any) -> int:
        value = self.store.get(key.decode())
        if value is None:
            return 1
        if isinstance(value, str):
            return 2
        out[0] = value
        return 0

    def _kv_get_text(self, _: int, key: bytes, out: int, room: int, length: Any) -> int:
        value = self.store.get(key.decode())
        if value is None:
            return 1
        if isinstance(value, int):
            return 2
        data = value.encode()
        if len(data) >= room:
            return 3
        ct.memmove(out, data + b"\0", len(data) + 1)
        length[0] = len(data)
        return 0

    def _kv_set_number(self, _: int, key: bytes, kind: int, value: int) -> int:
        self.store[key.decode()] = value
        return 0

    def _kv_set_text(self, _: int, key: bytes, text: int, length: int) -> int:
        self.store[key.decode()] = ct.string_at(text, length).decode()
        return 0

    def _note(self, name: str, *args: Any) -> None:
        self.calls.append((name, args))

    def _wifi_join(self, _: int, ssid: bytes, password: bytes) -> None:
        self._note("wifi_join", ssid, password)

    def _wifi_leave(self, _: int) -> None:
        self._note("wifi_leave")

    def _wifi_scan(self, _: int) -> None:
        self._note("wifi_scan")

    def _http_post(self, _: int, request: Any) -> None:
        asked = request.contents
        body = ct.string_at(asked.body.bytes, asked.body.length)
        self._note("http_post", asked.id, asked.url, asked.bearer, asked.content_type, body)

    def _http_cancel(self, _: int, number: int) -> None:
        self._note("http_cancel", number)

    def _peer_open(self, _: int, number: int) -> None:
        self._note("peer_open", number)

    def _peer_answer(self, _: int, number: int, sdp: int, length: int) -> None:
        self._note("peer_answer", number, ct.string_at(sdp, length))

    def _peer_send(self, _: int, number: int, text: int, length: int) -> None:
        self._note("peer_send", number, ct.string_at(text, length))

    def _peer_close(self, _: int, number: int) -> None:
        self._note("peer_close", number)

    def _speaker_flush(self, _: int) -> None:
        self._note("speaker_flush")

    def _device_apply(self, _: int, device: Any) -> None:
        self._note("device_apply", device.contents.volume, device.contents.light)

    def _load_sample(self, _: int) -> None:
        self._note("load_sample")

    def _sound_test(self, _: int) -> None:
        self._note("sound_test")

    def _restart(self, _: int) -> None:
        self._note("restart")
