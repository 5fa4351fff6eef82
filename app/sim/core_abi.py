"""parley_core.h in ctypes: codes, structures, and the check that both sides mean the same bytes.

A structure that is one byte off corrupts silently, so the library is asked for its own sizes and
offsets (firmware/host/layout.c) before the first call; any difference refuses the library whole.
Events are built here, complete, before they are queued: a ctypes structure keeps the bytes alive
that were put into it, so an event may wait as long as it likes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    Union,
    c_bool,
    c_char,
    c_char_p,
    c_int,
    c_int8,
    c_int16,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from enum import IntEnum
from pathlib import Path

NEVER_MS = 2**32 - 1
"""What parley_core_step() returns when it wants no tick."""


class Kind(IntEnum):
    """parley_event_kind_t."""

    BOOT = 0
    TICK = 1
    CONSOLE = 2
    WIFI_UP = 3
    WIFI_DOWN = 4
    WIFI_NETWORK = 5
    WIFI_SCANNED = 6
    HTTP_DONE = 7
    PEER_OFFER = 8
    PEER_UP = 9
    PEER_DOWN = 10
    CHANNEL_OPEN = 11
    CHANNEL_TEXT = 12
    CHANNEL_CLOSED = 13
    SPEAKER = 14
    LOAD = 15
    MEDIA = 16
    LEVEL = 17
    SOUND = 18


class Net(IntEnum):
    """parley_net_t: why a link or a request ended without an answer."""

    OK = 0
    TIMEOUT = 1
    UNREACHABLE = 2
    TLS = 3
    TOO_LONG = 4
    LOST = 5
    CLOSED = 6
    FAILED = 7


class WifiReason(IntEnum):
    """parley_wifi_reason_t."""

    BAD_PASSWORD = 1
    NOT_FOUND = 2
    LOST = 3
    REFUSED = 4


class Kv(IntEnum):
    """parley_kv_t."""

    OK = 0
    MISSING = 1
    WRONG_TYPE = 2
    TOO_LONG = 3
    FAILED = 4


SECURITY = {"open": 0, "wep": 1, "wpa": 2, "wpa2": 3, "wpa3": 4}
"""parley_security_t by the names of chip.Network."""

TYPE_NAMES = ("u8", "i8", "u16", "u32", "string")
"""parley_type_t, as chip.Store names it."""


class Text(Structure):
    """parley_text_t."""

    _fields_ = (("bytes", c_char_p), ("length", c_size_t))


class Span(Structure):
    """parley_text_t as it arrives: c_char_p would stop at the first NUL."""

    _fields_ = (("bytes", c_void_p), ("length", c_size_t))

    def copy(self) -> bytes:
        """The bytes; they are the core's own and only valid during the call."""
        return ctypes.string_at(self.bytes, self.length) if self.length else b""


class TaskLoad(Structure):
    """parley_task_load_t."""

    _fields_ = (
        ("name", c_char * 16),
        ("core", c_int8),
        ("priority", c_uint8),
        ("cpu_permille", c_uint16),
        ("stack_left", c_uint32),
    )


class Heap(Structure):
    """parley_heap_t, bytes."""

    _fields_ = (("free", c_uint32), ("min_free", c_uint32), ("largest", c_uint32))


class Load(Structure):
    """parley_load_t."""

    _fields_ = (
        ("core_count", c_uint8),
        ("cpu_permille", c_uint16 * 2),
        ("heap", Heap),
        ("psram", Heap),
        ("rssi_dbm", c_int8),
        ("task_count", c_uint8),
        ("tasks", POINTER(TaskLoad)),
    )


class Media(Structure):
    """parley_media_t."""

    _fields_ = (
        ("up_bps", c_uint32),
        ("down_bps", c_uint32),
        ("loss_permille", c_uint16),
        ("jitter_ms", c_uint16),
        ("round_trip_ms", c_uint16),
        ("underruns", c_uint32),
    )


class Level(Structure):
    """parley_level_t, hundredths of dBFS."""

    _fields_ = (
        ("microphone_cdb", c_int16),
        ("speaker_cdb", c_int16),
        ("echo_left_cdb", c_int16),
    )


class Sound(Structure):
    """parley_sound_t, hundredths of dBFS."""

    _fields_ = (
        ("delay_ms", c_int32),
        ("tone_cdb", c_int16),
        ("microphone_cdb", c_int16),
        ("echo_left_cdb", c_int16),
    )


class _Wifi(Structure):
    _fields_ = (("ip", Text), ("rssi_dbm", c_int32), ("reason", c_int32))


class _Network(Structure):
    _fields_ = (
        ("ssid", Text),
        ("rssi_dbm", c_int32),
        ("security", c_int32),
        ("channel", c_int32),
    )


class _Http(Structure):
    _fields_ = (
        ("id", c_uint32),
        ("why", c_int32),
        ("status", c_int32),
        ("body", Text),
        ("location", Text),
    )


class _Peer(Structure):
    _fields_ = (("id", c_uint32), ("why", c_int32), ("text", Text))


class _Speaker(Structure):
    _fields_ = (("playing", c_bool),)


class _As(Union):
    _fields_ = (
        ("text", Text),
        ("wifi", _Wifi),
        ("network", _Network),
        ("http", _Http),
        ("peer", _Peer),
        ("speaker", _Speaker),
        ("load", POINTER(Load)),
        ("media", POINTER(Media)),
        ("level", POINTER(Level)),
        ("sound", POINTER(Sound)),
    )


class Event(Structure):
    """parley_event_t; its `as` is called `body` here, `as` being a word of Python."""

    _fields_ = (("kind", c_int), ("body", _As))


class HttpRequest(Structure):
    """parley_http_request_t."""

    _fields_ = (
        ("id", c_uint32),
        ("url", c_char_p),
        ("bearer", c_char_p),
        ("content_type", c_char_p),
        ("body", Span),
        ("timeout_ms", c_uint32),
    )


class Device(Structure):
    """parley_device_t."""

    _fields_ = (
        ("light", c_bool),
        ("red", c_uint8),
        ("green", c_uint8),
        ("blue", c_uint8),
        ("volume", c_uint8),
        ("muted", c_bool),
        ("door_open", c_bool),
    )


class Board(Structure):
    """parley_board_t."""

    _fields_ = (
        ("board", c_char_p),
        ("idf", c_char_p),
        ("build", c_char_p),
        ("reset", c_char_p),
        ("psram_bytes", c_uint32),
        ("flash_bytes", c_uint32),
    )


# Bytes with a length arrive as plain addresses: c_char_p would stop at the first NUL.
_ADDRESS = c_void_p
PORT_TYPES = {
    "console_write": CFUNCTYPE(None, c_void_p, _ADDRESS, c_size_t),
    "random": CFUNCTYPE(c_uint32, c_void_p),
    "kv_get_number": CFUNCTYPE(c_int, c_void_p, c_char_p, c_int32, POINTER(c_int64)),
    "kv_get_text": CFUNCTYPE(c_int, c_void_p, c_char_p, _ADDRESS, c_size_t, POINTER(c_size_t)),
    "kv_set_number": CFUNCTYPE(c_int, c_void_p, c_char_p, c_int32, c_int64),
    "kv_set_text": CFUNCTYPE(c_int, c_void_p, c_char_p, _ADDRESS, c_size_t),
    "wifi_join": CFUNCTYPE(None, c_void_p, c_char_p, c_char_p),
    "wifi_leave": CFUNCTYPE(None, c_void_p),
    "wifi_scan": CFUNCTYPE(None, c_void_p),
    "http_post": CFUNCTYPE(None, c_void_p, POINTER(HttpRequest)),
    "http_cancel": CFUNCTYPE(None, c_void_p, c_uint32),
    "peer_open": CFUNCTYPE(None, c_void_p, c_uint32),
    "peer_answer": CFUNCTYPE(None, c_void_p, c_uint32, _ADDRESS, c_size_t),
    "peer_send": CFUNCTYPE(None, c_void_p, c_uint32, _ADDRESS, c_size_t),
    "peer_close": CFUNCTYPE(None, c_void_p, c_uint32),
    "speaker_flush": CFUNCTYPE(None, c_void_p),
    "device_apply": CFUNCTYPE(None, c_void_p, POINTER(Device)),
    "load_sample": CFUNCTYPE(None, c_void_p),
    "sound_test": CFUNCTYPE(None, c_void_p),
    "restart": CFUNCTYPE(None, c_void_p),
}
"""Functions of parley_port_t in the order of the header."""


class Port(Structure):
    """parley_port_t."""

    _fields_ = (("ctx", c_void_p), *PORT_TYPES.items())


# ---- events ------------------------------------------------------------------------------------


def _text(data: bytes) -> Text:
    return Text(data, len(data))


def plain(kind: Kind) -> Event:
    """BOOT, TICK, WIFI_SCANNED: events that say nothing more."""
    return Event(kind)


def console(data: bytes) -> Event:
    """Bytes typed or sent, cut anywhere."""
    event = Event(Kind.CONSOLE)
    event.body.text = _text(data)
    return event


def wifi_up(ip: str, rssi_dbm: int) -> Event:
    """The board is on the network."""
    event = Event(Kind.WIFI_UP)
    event.body.wifi = _Wifi(_text(ip.encode()), rssi_dbm, 0)
    return event


def wifi_down(reason: WifiReason) -> Event:
    """A join failed, or the network is gone."""
    event = Event(Kind.WIFI_DOWN)
    event.body.wifi = _Wifi(Text(), 0, reason)
    return event


def wifi_network(ssid: str, rssi_dbm: int, security: str, channel: int) -> Event:
    """One result of a scan; `security` as in chip.Network."""
    event = Event(Kind.WIFI_NETWORK)
    event.body.network = _Network(_text(ssid.encode()), rssi_dbm, SECURITY[security], channel)
    return event


def http_done(request: int, why: Net, status: int, body: bytes, location: bytes) -> Event:
    """The end of request number `request`; `status` counts only when `why` is OK."""
    event = Event(Kind.HTTP_DONE)
    event.body.http = _Http(request, why, status, _text(body), _text(location))
    return event


def peer(kind: Kind, peer_id: int, *, why: Net = Net.OK, text: bytes = b"") -> Event:
    """PEER_… and CHANNEL_… of one peer."""
    event = Event(kind)
    event.body.peer = _Peer(peer_id, why, _text(text))
    return event


def speaker(*, playing: bool) -> Event:
    """Sound began to leave the speaker, or ended."""
    event = Event(Kind.SPEAKER)
    event.body.speaker = _Speaker(playing)
    return event


def load(sample: Load) -> Event:
    """Answer to load_sample."""
    event = Event(Kind.LOAD)
    event.body.load = ctypes.pointer(sample)
    return event


def media(sample: Media) -> Event:
    """Figures of the media path."""
    event = Event(Kind.MEDIA)
    event.body.media = ctypes.pointer(sample)
    return event


def level(sample: Level) -> Event:
    """Loudness of both directions."""
    event = Event(Kind.LEVEL)
    event.body.level = ctypes.pointer(sample)
    return event


def sound(result: Sound) -> Event:
    """Answer to sound_test."""
    event = Event(Kind.SOUND)
    event.body.sound = ctypes.pointer(result)
    return event


# ---- the library -------------------------------------------------------------------------------


class CoreError(RuntimeError):
    """The library is not a parley_core that this door fits."""


def load_core(path: Path) -> ctypes.CDLL:
    """The library at `path`, its functions typed. Raises CoreError."""
    try:
        library = ctypes.CDLL(str(path))
        library.parley_host_layout.restype = c_size_t
        library.parley_host_layout.argtypes = (POINTER(c_uint32), c_size_t)
        library.parley_core_version.restype = c_char_p
        library.parley_core_version.argtypes = ()
        library.parley_core_size.restype = c_size_t
        library.parley_core_size.argtypes = ()
        library.parley_core_init.restype = c_void_p
        library.parley_core_init.argtypes = (c_void_p, c_size_t, POINTER(Port), POINTER(Board))
        library.parley_core_step.restype = c_uint32
        library.parley_core_step.argtypes = (c_void_p, POINTER(Event), c_uint64)
    except (OSError, AttributeError) as why:
        raise CoreError(f"{path.name} is no firmware core for this computer ({why})") from why
    _check_layout(library, path)
    return library


def _check_layout(library: ctypes.CDLL, path: Path) -> None:
    ours = list(_our_layout())
    room = len(ours) + 1
    theirs = (c_uint32 * room)()
    count = int(library.parley_host_layout(theirs, room))
    if count != len(ours):
        raise CoreError(f"{path.name} tells {count} layout numbers, the door knows {len(ours)}")
    for (what, number), their in zip(ours, theirs, strict=False):
        if number != their:
            raise CoreError(f"{path.name}: {what} is {their} there and {number} in the door")


def _our_layout() -> Iterator[tuple[str, int]]:
    """The numbers of layout.c, in its order."""
    yield from _members(Text)
    yield "Event", ctypes.sizeof(Event)
    yield "Event.kind", Event.kind.offset
    body = Event.body.offset
    yield "Event.body", body
    for part in (_Wifi, _Network, _Http, _Peer):
        for name, offset in _offsets(part):
            yield f"Event.body{part.__name__}.{name}", body + offset
    for structure in (Port, Board, HttpRequest, Device, Heap, Load, TaskLoad, Media, Level, Sound):
        yield from _members(structure)
    yield "number of events", len(Kind)


def _members(structure: type[Structure]) -> Iterator[tuple[str, int]]:
    yield structure.__name__, ctypes.sizeof(structure)
    for name, offset in _offsets(structure):
        yield f"{structure.__name__}.{name}", offset


def _offsets(structure: type[Structure]) -> Iterator[tuple[str, int]]:
    for field in structure._fields_:
        yield field[0], getattr(structure, field[0]).offset
