"""Records of a board → events: which keys a kind has, their types and ranges.

Values out of range are refused here, so that no view has to ask whether a colour is a colour.
Texts are cleaned of lone surrogates: JSON can spell them, UTF-8 cannot carry them on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

from app.core.events import (
    BoardError,
    Boot,
    DeviceIs,
    Event,
    Heap,
    LevelIs,
    LoadIs,
    MediaIs,
    NetworkFound,
    RecordUnknown,
    Reply,
    Role,
    ScanDone,
    SessionIs,
    SessionState,
    SoundIs,
    Source,
    TaskLoad,
    TokenWanted,
    ToolAnswered,
    ToolCalled,
    Turn,
    TurnState,
    UsageIs,
    WifiIs,
    Words,
)

_Choice = TypeVar("_Choice", bound=StrEnum)
_U32 = (1 << 32) - 1
_MOST = 1 << 53  # what JSON carries exactly everywhere
_BOARD = Source.BOARD


class RecordError(ValueError):
    """A record lacks a key, or a value has a type or range we do not know."""


class Fields:
    """The keys of one record, each read as what it has to be."""

    __slots__ = ("_values",)

    def __init__(self, record: object) -> None:
        if not isinstance(record, dict):
            raise RecordError("not an object")
        self._values: Mapping[str, object] = record

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def text(self, key: str, default: str | None = None) -> str:
        value = self._values.get(key, default)
        if not isinstance(value, str):
            raise RecordError(f"{key}: text expected")
        return value.encode(errors="surrogatepass").decode(errors="replace")

    def integer(
        self, key: str, low: int = -_MOST, high: int = _MOST, default: int | None = None
    ) -> int:
        return _integer(self._values.get(key, default), key, low, high)

    def flag(self, key: str, default: bool | None = None) -> bool:
        value = self._values.get(key, default)
        if not isinstance(value, bool):
            raise RecordError(f"{key}: true or false expected")
        return value

    def number(self, key: str) -> float:
        value = self._values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RecordError(f"{key}: number expected")
        if not math.isfinite(value) or abs(value) > _MOST:
            raise RecordError(f"{key}: out of range")
        return float(value)

    def choice(self, key: str, kind: type[_Choice]) -> _Choice:
        value = self.text(key)
        try:
            return kind(value)
        except ValueError:
            raise RecordError(f"{key}: unknown value {value[:20]!r}") from None

    def fields(self, key: str) -> Fields:
        return Fields(self._values.get(key))

    def items(self, key: str, default: list[object] | None = None) -> list[object]:
        value = self._values.get(key, default)
        if not isinstance(value, list):
            raise RecordError(f"{key}: list expected")
        return value


def _integer(value: object, key: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RecordError(f"{key}: whole number expected")
    if not low <= value <= high:
        raise RecordError(f"{key}: out of range")
    return value


def _permille(value: object, key: str) -> int:
    # Run-time counters and the sample's length are read one after the other: 1001 happens.
    return min(_integer(value, key, 0, 0xFFFF), 1000)


def event_of(kind: str, fields: Fields, at: float) -> Event:
    """The event a record of `kind` means. Raises RecordError."""
    make = _KINDS.get(kind)
    return make(fields, at) if make else RecordUnknown(at, kind, "unknown kind")


def _boot(f: Fields, at: float) -> Event:
    return Boot(
        at,
        version=f.text("version"),
        build=f.text("build"),
        board=f.text("board"),
        idf=f.text("idf"),
        reset=f.text("reset"),
        protocol=f.integer("protocol", 0, _U32),
        cfg_id=f.text("cfg_id"),
        psram=f.integer("psram", 0, _U32),
        flash=f.integer("flash", 0, _U32),
        uptime_ms=f.integer("t", 0, default=0),
        repeated=f.flag("repeated", default=False),
    )


def _wifi(f: Fields, at: float) -> Event:
    return WifiIs(
        at,
        f.text("state"),
        f.text("ssid", ""),
        f.text("ip", ""),
        f.integer("rssi", -200, 100, 0),
        f.text("code", ""),
        f.text("reason", ""),
    )


def _session(f: Fields, at: float) -> Event:
    return SessionIs(
        _BOARD,
        at,
        f.choice("state", SessionState),
        f.text("code", ""),
        f.text("reason", ""),
        f.text("call", ""),
        f.integer("retry_ms", 0, _U32, 0),
    )


def _words(f: Fields, at: float) -> Event:
    return Words(
        _BOARD,
        at,
        f.choice("role", Role),
        f.text("item"),
        f.text("text"),
        f.integer("part", 0, _U32),
        f.flag("final"),
        f.text("prev", ""),
    )


def _turn(f: Fields, at: float) -> Event:
    return Turn(
        _BOARD,
        at,
        f.choice("role", Role),
        f.text("item"),
        f.choice("state", TurnState),
        f.integer("ms", 0, _U32) if "ms" in f else None,
        f.integer("cut_ms", 0, _U32) if "cut_ms" in f else None,
    )


def _call(f: Fields, at: float) -> Event:
    return ToolCalled(_BOARD, at, f.text("call"), f.text("name"), f.text("arguments"))


def _result(f: Fields, at: float) -> Event:
    return ToolAnswered(
        _BOARD,
        at,
        f.text("call"),
        f.text("name"),
        f.flag("ok"),
        f.text("output"),
        f.integer("ms", 0, _U32, 0),
    )


def _device(f: Fields, at: float) -> Event:
    red, green, blue = (f.integer(key, 0, 255) for key in ("red", "green", "blue"))
    volume = f.integer("volume", 0, 100)
    return DeviceIs(
        _BOARD, at, f.flag("light"), red, green, blue, volume, f.flag("muted"), f.flag("door")
    )


def _load(f: Fields, at: float) -> Event:
    return LoadIs(
        at,
        uptime_ms=f.integer("t", 0),
        cpu_permille=tuple(_permille(cpu, "cpu") for cpu in f.items("cpu")),
        heap=_heap(f.fields("heap")),
        psram=_heap(f.fields("psram")),
        rssi=f.integer("rssi", -200, 100),
        tasks=tuple(_task(row) for row in f.items("tasks", [])),
    )


def _heap(f: Fields) -> Heap:
    free, least, largest = (f.integer(key, 0, _U32) for key in ("free", "min", "largest"))
    return Heap(free, least, largest)


def _task(row: object) -> TaskLoad:
    match row:
        case [str(name), core, permille, stack_left, priority]:
            return TaskLoad(
                name.encode(errors="surrogatepass").decode(errors="replace"),
                _integer(core, "core", -1, 255),
                _permille(permille, "permille"),
                _integer(stack_left, "stack_left", 0, _U32),
                _integer(priority, "priority", 0, 255),
            )
    raise RecordError("tasks: [name, core, permille, stack_left, priority] expected")


def _media(f: Fields, at: float) -> Event:
    return MediaIs(
        _BOARD,
        at,
        f.integer("up_bps", 0, _U32),
        f.integer("down_bps", 0, _U32),
        f.integer("loss", 0, 1000),
        f.integer("jitter_ms", 0, _U32),
        f.integer("rtt_ms", 0, _U32),
        f.integer("underruns", 0, _U32),
    )


def _level(f: Fields, at: float) -> Event:
    return LevelIs(_BOARD, at, f.number("mic"), f.number("speaker"), f.number("echo"))


def _sound(f: Fields, at: float) -> Event:
    delay_ms = f.integer("delay_ms", 0, _U32) if f.flag("heard") else None
    return SoundIs(at, delay_ms, f.number("tone"), f.number("mic"), f.number("echo"))


def _usage(f: Fields, at: float) -> Event:
    total, spent_in, spent_out = (f.integer(key, 0) for key in ("total", "input", "output"))
    return UsageIs(
        _BOARD,
        at,
        f.text("response"),
        total,
        spent_in,
        spent_out,
        f.integer("input_text", 0, default=0),
        f.integer("input_audio", 0, default=0),
        f.integer("cached", 0, default=0),
        f.integer("output_text", 0, default=0),
        f.integer("output_audio", 0, default=0),
    )


def _scan(f: Fields, at: float) -> Event:
    if f.flag("done", default=False):
        return ScanDone(at)
    rssi = f.integer("rssi", -200, 100)
    return NetworkFound(at, f.text("ssid"), rssi, f.text("security"), f.integer("channel", 0, 255))


def _token(_: Fields, at: float) -> Event:
    return TokenWanted(at)


def _reply(f: Fields, at: float) -> Event:
    return Reply(at, f.integer("to", 0, _U32), f.flag("ok"), f.text("text", ""))


def _error(f: Fields, at: float) -> Event:
    return BoardError(
        _BOARD,
        at,
        f.text("code"),
        f.text("message", ""),
        f.flag("fatal", default=False),
        f.text("key", ""),
    )


_KINDS: Mapping[str, Callable[[Fields, float], Event]] = {
    "boot": _boot,
    "wifi": _wifi,
    "session": _session,
    "words": _words,
    "turn": _turn,
    "call": _call,
    "result": _result,
    "device": _device,
    "load": _load,
    "media": _media,
    "level": _level,
    "sound": _sound,
    "usage": _usage,
    "scan": _scan,
    "token": _token,
    "reply": _reply,
    "error": _error,
}
