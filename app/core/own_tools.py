"""Own tools: function definitions that `cfg` holds and the computer carries out.

A setting `tools0` … `tools3` is empty, one definition, or a JSON list of them. The rules are the
board's own (parley_core, own_tools.c): what passes here must pass there, because a definition that
the service does not know costs the whole session. JSON is read as the board reads it: RFC 8259, no
key twice, at most 64 levels.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from app.core.schema import TOOL_KEYS

OF_THE_BOARD = ("SetLightState", "SetVolume", "OpenDoor")
"""Names that are taken."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DEPTH = 64


class ToolsError(ValueError):
    """What is wrong with a text of definitions, for people who write JSON."""


def names_in(text: str) -> tuple[str, ...]:
    """Names of the tools that one setting defines, in order. Raises ToolsError."""
    if not text:
        return ()
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError) as why:
        raise ToolsError(f"no JSON: {why}") from None
    if _depth(value) > _DEPTH:
        raise ToolsError(f"more than {_DEPTH} levels")
    definitions = value if isinstance(value, list) else [value]
    names = tuple(_name(definition) for definition in definitions)
    for name in names:
        if name in OF_THE_BOARD or names.count(name) > 1:
            raise ToolsError(f"the name {name} is there already")
    return names


def check_together(texts: Mapping[str, str]) -> None:
    """No name twice over all settings. Raises ToolsError that begins with the key."""
    known: set[str] = set()
    for key in TOOL_KEYS:
        names = names_in(texts[key])
        twice = known.intersection(names)
        if twice:
            raise ToolsError(f"{key}: the name {min(twice)} is there already")
        known.update(names)


def _name(definition: object) -> str:
    match definition:
        case {"type": "function", "name": str(name), **rest} if _NAME.fullmatch(name):
            pass
        case _:
            raise ToolsError('a definition has "type":"function" and a plain "name"')
    if not isinstance(rest.pop("description", ""), str):
        raise ToolsError(f"{name}: its description is no text")
    if not isinstance(rest.pop("parameters", {}), dict):
        raise ToolsError(f"{name}: its parameters are no object")
    if rest:
        raise ToolsError(f"{name}: nobody knows {min(map(str, rest))}")
    return name


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _depth(value: object) -> int:
    inner: list[object] = [value]
    levels = 0
    while any(isinstance(part, dict | list) for part in inner):
        levels += 1
        inner = [
            child
            for part in inner
            if isinstance(part, dict | list)
            for child in (part.values() if isinstance(part, dict) else part)
        ]
    return levels
