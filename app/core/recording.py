"""A session as a file: one JSON object a line, first a head, then events with their times.

Every event type can be in it, found by its name; fields are checked against the types they are
declared with, so that a file from elsewhere cannot bring a view what no board could. A damaged line
is counted and left out. No event carries a `Secret`, and what looks like a key is masked anyway.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import re
import types
import typing
from collections.abc import Iterable, Iterator
from enum import StrEnum

from app.core import events
from app.core.events import Event
from app.core.faults import Fault
from app.core.language import tr
from app.core.wall_clock import WallClock

VERSION = 1
LINE_MOST_CHARACTERS = 1_000_000
_KEY = re.compile(r"\b(?:sk-|ek_)[A-Za-z0-9_-]{4,}")
_CLASSES: dict[str, type] = {
    kind.__name__: kind
    for group in typing.get_args(Event)
    for kind in (typing.get_args(group) or (group,))
}


class _ShapeError(ValueError):
    """A value is not what its field is declared as."""


def head(clock: WallClock, program: str) -> str:
    """The first line; `program` is our version."""
    told = {"recording": "parley", "version": VERSION, "program": program}
    return json.dumps(told | {"epoch_s": round(clock.epoch_s, 3)})


def line(event: Event) -> str:
    """One event as a line, without its end."""
    told = {"event": type(event).__name__} | _plain(event)
    text = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _KEY.sub("•••", text)


def _plain(value: object) -> typing.Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    match value:
        case tuple():
            return [_plain(item) for item in value]
        case bytes():
            return base64.b64encode(value).decode()
        case float():
            return round(value, 6) if math.isfinite(value) else 0.0
        case str():
            return value.encode(errors="surrogatepass").decode(errors="replace")
        case _:
            return value


class Recording:
    """A file that was opened: its clock, and the events one after another.

    Attributes:
        clock: what its times are by the clock on the wall.
        damaged: lines left out so far.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        """Raises Fault when it is no recording, or one of a later version."""
        self._lines = iter(lines)
        self.damaged = 0
        told = _object(next(self._lines, ""))
        if told.get("recording") != "parley":
            raise Fault(
                tr("This file is no recording of Parley."),
                tr("Choose a file that parley monitor --record wrote."),
            )
        if told.get("version") != VERSION:
            raise Fault(
                tr("This recording is of a newer Parley."),
                tr("Install the newest version, then open it again."),
                f"version {told.get('version')}",
            )
        epoch_s = told.get("epoch_s")
        usable = isinstance(epoch_s, int | float) and math.isfinite(epoch_s)
        self.clock = WallClock(float(epoch_s) if usable else 0.0)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Event]:
        for text in self._lines:
            if not text.strip():
                continue
            try:
                yield event_of(text)
            except ValueError:
                self.damaged += 1


def event_of(text: str) -> Event:
    """The event a line tells. Raises ValueError."""
    if len(text) > LINE_MOST_CHARACTERS:
        raise _ShapeError("too long")
    told = _object(text)
    kind = _CLASSES.get(str(told.pop("event", "")))
    if kind is None:
        raise _ShapeError("no event we know")
    event: Event = _made(kind, told)
    return event


def _object(text: str) -> dict[str, typing.Any]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _made(kind: typing.Any, told: dict[str, typing.Any]) -> typing.Any:
    hints = _HINTS[kind]
    values = {name: _value(hints[name], value) for name, value in told.items() if name in hints}
    try:
        return kind(**values)
    except TypeError as error:  # a field without a default is missing
        raise _ShapeError(str(error)) from None


def _value(hint: typing.Any, value: typing.Any) -> typing.Any:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):  # only `… | None` is used
        (inner,) = (kind for kind in typing.get_args(hint) if kind is not types.NoneType)
        return None if value is None else _value(inner, value)
    if origin is tuple and isinstance(value, list):
        item = typing.get_args(hint)[0]
        return tuple(_value(item, each) for each in value)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _made(hint, value)
    return _scalar(hint, value)


def _scalar(hint: typing.Any, value: typing.Any) -> typing.Any:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint(value)
    if hint is bytes and isinstance(value, str):
        return base64.b64decode(value, validate=True)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) if abs(value) < 1e15 else math.inf
        if math.isfinite(number):
            return number
    elif hint is str and isinstance(value, str):
        return value.encode(errors="surrogatepass").decode(errors="replace")
    elif type(value) is hint and (hint is not int or abs(value) < 1 << 53):
        return value
    raise _ShapeError(f"{hint} expected")


def _classes_within(kind: type) -> Iterator[type]:
    yield kind
    for hint in typing.get_type_hints(kind).values():
        for inner in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(inner) and isinstance(inner, type):
                yield from _classes_within(inner)


_HINTS: dict[type, dict[str, typing.Any]] = {
    within: typing.get_type_hints(within, vars(events))
    for kind in _CLASSES.values()
    for within in _classes_within(kind)
}
