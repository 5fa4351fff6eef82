"""What a session's tools can do, read from their names, descriptions and JSON schemas.

A skill is a tool with the nouns it is asked for by and the slots of its arguments. Nothing here
knows a particular tool: `SetLightState`, `lamp_control` and `LED` become the same kind of skill
because of the words in them and the shape of their parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from app.sim.service.vocabulary import (
    ASKING,
    COLORS,
    FILLERS,
    SYNONYMS,
    VERBS,
    any_of,
    name_words,
    synonyms,
    words_of,
)


class Kind(Enum):
    """What a slot takes."""

    SWITCH = "on or off"
    OPENING = "open or closed"
    COLOR = "a color"
    NUMBER = "a number"
    CHOICE = "one of a list"
    TEXT = "free text"


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One argument. `low` and `high` limit a number; `inverted`: true means off or closed."""

    path: tuple[str, ...]
    kind: Kind
    required: bool
    schema: Mapping[str, Any]
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    inverted: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Skill:
    """A tool as it can be asked for. `nouns` are phrases of words, the tool's own first."""

    tool: str
    nouns: tuple[tuple[str, ...], ...]
    verbs: frozenset[str]
    slots: tuple[Slot, ...]
    schema: Mapping[str, Any]
    vocabulary: frozenset[str] = frozenset()
    """Every word of its name, description and parameters."""

    @property
    def noun(self) -> str:
        return " ".join(self.nouns[0])

    def slot(self, *kinds: Kind) -> Slot | None:
        """The first slot of these kinds, required ones first."""
        fitting = [slot for slot in self.slots if slot.kind in kinds]
        return min(fitting, key=lambda slot: not slot.required, default=None)

    @property
    def is_loudness(self) -> bool:
        return self.slot(Kind.NUMBER) is not None and any_of(
            self.vocabulary, ("volume", "loudness", "loud")
        )

    @property
    def asks(self) -> bool:
        """It reports something rather than changing it."""
        return any_of(self.verbs, ASKING) or (not self.slots and not self.verbs)


def skills_of(tools: Iterable[Mapping[str, Any]]) -> tuple[Skill, ...]:
    """The function tools as skills, in order; synonyms that two could mean go to neither."""
    found = [_skill(tool) for tool in tools if tool.get("name") and _is_function(tool)]
    own = [skill.nouns[0] for skill in found]
    return tuple(_with_synonyms(skill, own) for skill in found)


def _is_function(tool: Mapping[str, Any]) -> bool:
    return bool(tool.get("type", "function") == "function")


def _skill(tool: Mapping[str, Any]) -> Skill:
    named = name_words(str(tool["name"]))
    description = words_of(str(tool.get("description") or ""))
    schema = tool.get("parameters")
    schema = schema if isinstance(schema, Mapping) else {}
    slots = tuple(_slots(schema, (), context=(*named, *description)))
    verbs = frozenset(word for word in named if word in VERBS)
    parameters = [word for slot in slots for name in slot.path for word in name_words(name)]
    return Skill(
        tool=str(tool["name"]),
        nouns=(_noun(named, description, parameters),),
        verbs=verbs or frozenset(word for word in description[:2] if word in VERBS),
        slots=slots,
        schema=schema,
        vocabulary=frozenset((*named, *description, *parameters)),
    )


def _noun(
    named: tuple[str, ...], description: Iterable[str], parameters: list[str]
) -> tuple[str, ...]:
    """What the tool is about: the nouns of its name, else a thing known from the rest."""
    nouns = tuple(word for word in named if word not in VERBS and word not in FILLERS)
    known = frozenset(word for group in SYNONYMS for word in group)
    if any_of(nouns, known) or (nouns and not any_of(nouns, ("tool", "function", "action"))):
        return nouns
    for word in (*description, *parameters):
        if word in known:
            return (word,)
    return nouns or named or ("tool",)


def _with_synonyms(skill: Skill, own: list[tuple[str, ...]]) -> Skill:
    noun = skill.nouns[0]
    taken = {word for other in own if other != noun for word in other}
    words = [word for word in synonyms(noun[-1]) if word not in taken]
    others = [(*noun[:-1], word) for word in words if word != noun[-1]]
    # "the kitchen light" is "the light" as long as there is only one.
    if len(noun) > 1 and sum(noun[-1] in other for other in own) == 1:
        others += [(word,) for word in words]
    return Skill(
        skill.tool, (noun, *others), skill.verbs, skill.slots, skill.schema, skill.vocabulary
    )


# ---- slots


def _slots(
    schema: Mapping[str, Any], path: tuple[str, ...], *, context: tuple[str, ...]
) -> Iterable[Slot]:
    properties = schema.get("properties")
    required = _list(schema.get("required"))
    if not isinstance(properties, Mapping):
        return
    for name, entry in properties.items():
        if isinstance(entry, Mapping):
            needed = name in required
            yield from _slot(entry, (*path, str(name)), needed, context)


def _slot(
    entry: Mapping[str, Any], path: tuple[str, ...], required: bool, context: tuple[str, ...]
) -> Iterable[Slot]:
    words = (*name_words(path[-1]), *words_of(str(entry.get("description") or "")))
    kind = entry.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    choices = tuple(one for one in _list(entry.get("enum")) if isinstance(one, str))
    inner = entry.get("properties")
    if isinstance(inner, Mapping):
        if {"red", "green", "blue"} <= inner.keys() or {"r", "g", "b"} <= inner.keys():
            yield Slot(path, Kind.COLOR, required, entry)
        else:
            yield from _slots(entry, path, context=(*context, *words))
    elif kind == "boolean":
        yield _boolean(entry, path, required, words, context)
    elif kind in ("integer", "number"):
        low, high = (_number(entry.get(name)) for name in ("minimum", "maximum"))
        yield Slot(path, Kind.NUMBER, required, entry, low=low, high=high)
    elif choices:
        yield _choice(entry, path, required, choices)
    elif any_of(words, ("color", "colour", "colors", "rgb", "hex")):
        yield Slot(path, Kind.COLOR, required, entry)
    elif kind in ("string", None):
        yield Slot(path, Kind.TEXT, required, entry)


def _boolean(
    entry: Mapping[str, Any],
    path: tuple[str, ...],
    required: bool,
    words: tuple[str, ...],
    context: tuple[str, ...],
) -> Slot:
    about = (
        words
        if any_of(words, ("open", "close", "closed", "lock", "locked", "on", "off"))
        else context
    )
    opening = any_of(
        about, ("open", "opens", "close", "closes", "closed", "unlock", "lock", "locked")
    )
    inverted = name_words(path[-1])[-1:] in (
        ("closed",),
        ("locked",),
        ("close",),
        ("lock",),
        ("off",),
        ("mute",),
        ("muted",),
    )
    return Slot(path, Kind.OPENING if opening else Kind.SWITCH, required, entry, inverted=inverted)


def _choice(
    entry: Mapping[str, Any], path: tuple[str, ...], required: bool, choices: tuple[str, ...]
) -> Slot:
    said = {choice.lower() for choice in choices}
    kind = Kind.CHOICE
    if said <= {"on", "off"}:
        kind = Kind.SWITCH
    elif said <= {"open", "opened", "close", "closed", "lock", "unlock", "locked", "unlocked"}:
        kind = Kind.OPENING
    elif said <= COLORS.keys():
        kind = Kind.COLOR
    return Slot(path, kind, required, entry, choices=choices)


# A schema is what a client wrote: parts of it may be of any type.


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
