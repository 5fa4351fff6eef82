"""What a sentence asks for, given the skills of the session: tools to use, a question to ask back,
or something to say. Rules on words, no memory: what was said before comes in as `Known`.

A sentence is cut at its "and"s; each clause finds its skill by a noun (or by what only one skill
can be meant by: "louder", "it"), then fills the slots of that skill from its own words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.sim.service.arguments import violation
from app.sim.service.skills import Kind, Skill, Slot
from app.sim.service.vocabulary import (
    ASKING,
    CLOSING,
    COLORS,
    DOWN,
    LEVELS,
    NEGATIONS,
    ONES,
    OPENING,
    PRONOUNS,
    TENS,
    UP,
    VERBS,
    any_of,
    contains,
    name_words,
    number_in,
    words_of,
)

Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Do:
    """A tool with arguments that fit its schema."""

    skill: Skill
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Wonder:
    """Something is missing or could mean two things: ask this."""

    question: str


@dataclass(frozen=True, slots=True)
class Chat:
    """Something to say, by topic (`answers.TOPICS`), about a skill where one was named."""

    topic: str
    skill: Skill | None = None


Intent = Do | Wonder | Chat


@dataclass(frozen=True, slots=True)
class Known:
    """What went before: the arguments each tool was last used with, and our open question with the
    sentence that led to it."""

    used: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    question: str = ""
    asked_about: str = ""


MUTE, UNMUTE = frozenset({"mute", "silence"}), frozenset({"unmute"})
LOUD = frozenset({"louder", "quieter", "softer", "loud", "quiet", *MUTE, *UNMUTE})
BRIGHT = frozenset({"brighter", "dimmer", "dim"})
QUESTIONS = frozenset(
    [
        "is",
        "are",
        "what",
        "what's",
        "how",
        "when",
        "who",
        "why",
        "which",
        "where",
        "was",
        "were",
        "does",
        "did",
    ]
)
_CUTS = frozenset({"and", "then", "also", "plus"})
_SAME_VERB = (
    frozenset({"turn", "switch"}),
    frozenset({"close", "shut"}),
    frozenset({"start", "begin", "run", "play", "activate"}),
    frozenset({"stop", "end", "deactivate"}),
    ASKING | {"what", "what's", "how"},
    frozenset({"set", "change", "make", "put", "adjust"}),
)
TOPICS: tuple[tuple[str, str], ...] = (
    ("repeat", r"\b(repeat|say (that|it) again|once more|what did you say|pardon)\b"),
    ("time", r"\b(what time|the time|what's the time|how late)\b"),
    ("date", r"\b(what day|the date|today's date|what date|what's the date|which day)\b"),
    ("help", r"\b(help|what can (you|i)|what do you do|how does this work|your commands)\b"),
    ("thanks", r"\b(thanks|thank you)\b"),
    ("bye", r"\b(goodbye|good bye|bye|good night|see you)\b"),
    ("name", r"\b(your name|who are you|what are you|are you (human|real|a robot|an ai|alive))\b"),
    ("mood", r"\bhow are you\b|\bhow do you do\b|\bhow's it going\b"),
    ("joke", r"\bjoke\b"),
    ("hello", r"\b(hello|hi|hey|good (morning|afternoon|evening)|greetings)\b"),
    (
        "stop",
        r"^(please )?(stop|cancel|be quiet|shut up|never mind|nevermind|enough|quiet|silence)\b",
    ),
    ("yes", r"^(yes|yeah|yep|sure|okay|ok|correct|right|please do)\b"),
    ("no", r"^(no|nope|nah|don't|do not)\b"),
)
UNCLEAR = "(unclear)"


def understand(text: str, skills: Sequence[Skill], known: Known) -> tuple[Intent, ...]:
    """The intents of a sentence in order; at least one. Calls of one tool are merged."""
    if text.strip() in ("", UNCLEAR):
        return (Chat("unclear"),)
    found = _of_clauses(text, skills, known)
    if known.question and all(_leads_nowhere(intent) for intent in found):
        found = _with_question(text, skills, known) or found
    return _merged(found)


def _leads_nowhere(intent: Intent) -> bool:
    return isinstance(intent, Wonder) or (
        isinstance(intent, Chat) and intent.topic in ("lost", "yes", "no")
    )


def _with_question(text: str, skills: Sequence[Skill], known: Known) -> tuple[Intent, ...]:
    """The answer to what we asked: yes or no to an offer, else the missing words."""
    offered = re.search(r"Shall I (.+)\?$", known.question)
    said = _topic(text)
    if said == "no":
        return (Chat("stop"),)
    plain = Known(known.used)
    if offered and said == "yes":
        return _of_clauses(offered[1], skills, plain)
    found = _of_clauses(f"{known.asked_about} {text}", skills, plain)
    return found if any(isinstance(intent, Do) for intent in found) else ()


def _of_clauses(text: str, skills: Sequence[Skill], known: Known) -> tuple[Intent, ...]:
    found: list[Intent] = []
    last: Skill | None = None
    verbs: tuple[str, ...] = ()
    for clause in _clauses(words_of(text)):
        intent = _of_clause(clause, text, skills, known, last)
        if isinstance(intent, Wonder | Chat) and verbs and not any_of(clause, VERBS):
            # "open the door and the window": the verb is said once.
            again = _of_clause((*verbs, *clause), text, skills, known, last)
            intent = again if isinstance(again, Do) else intent
        if isinstance(intent, Chat) and intent.topic == "lost" and found:
            continue
        if isinstance(intent, Do):
            last = intent.skill
        verbs = tuple(word for word in clause if word in VERBS) or verbs
        found.append(intent)
    found = [
        one for one in found if not (isinstance(one, Chat) and one.topic in ("lost", "hello"))
    ] or found
    return tuple(found[:4]) or (Chat("lost"),)


def _clauses(words: Sequence[str]) -> list[tuple[str, ...]]:
    clauses: list[list[str]] = [[]]
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        in_number = at and words[at - 1] == "hundred" and (following in ONES or following in TENS)
        if word in _CUTS and not in_number:
            clauses.append([])
        else:
            clauses[-1].append(word)
    return [tuple(clause) for clause in clauses if clause]


def _merged(intents: Sequence[Intent]) -> tuple[Intent, ...]:
    merged: list[Intent] = []
    for intent in intents:
        before = merged[-1] if merged else None
        if isinstance(intent, Do) and isinstance(before, Do) and before.skill == intent.skill:
            merged[-1] = Do(intent.skill, {**before.arguments, **intent.arguments})
        elif intent not in merged:
            merged.append(intent)
    return tuple(merged)


# ---- one clause


def _of_clause(
    words: tuple[str, ...], text: str, skills: Sequence[Skill], known: Known, last: Skill | None
) -> Intent:
    candidates = _named(words, skills)
    if not candidates:
        candidates = _meant(words, skills, last)
    if not candidates:
        return Chat(_topic(" ".join(words)) or "lost")
    if any_of(words, NEGATIONS):
        return Chat("left", candidates[0])
    if words[0] in QUESTIONS and not any(skill.asks for skill in candidates):
        return Chat("state", candidates[0])
    intents = [_fill(skill, words, text, known) for skill in candidates]
    doable = [intent for intent in intents if isinstance(intent, Do)]
    if len(doable) > 1:
        doable = _best(doable, words)
    if len(doable) == 1:
        return doable[0]
    if len(candidates) > 1 and len({skill.noun for skill in candidates}) > 1:
        names = " or ".join(f"the {skill.noun}" for skill in candidates[:3])
        return Wonder(f"Do you mean {names}?")
    return doable[0] if doable else intents[0]


def _named(words: tuple[str, ...], skills: Sequence[Skill]) -> list[Skill]:
    """The skills whose noun is in the clause; a longer noun hides the shorter one in it."""
    found = [
        (max(len(noun) for noun in skill.nouns if contains(words, noun)), skill)
        for skill in skills
        if any(contains(words, noun) for noun in skill.nouns)
    ]
    most = max((length for length, _ in found), default=0)
    return [skill for length, skill in found if length == most]


def _meant(words: tuple[str, ...], skills: Sequence[Skill], last: Skill | None) -> list[Skill]:
    """Skills that need no noun here."""
    if any_of(words, LOUD):
        return [skill for skill in skills if skill.is_loudness or any_of(skill.verbs, MUTE)][:1]
    if any_of(words, PRONOUNS) and any_of(words, (*VERBS, *COLORS)):
        if last is not None:
            return [last]
        if any_of(words, COLORS):
            return [skill for skill in skills if skill.slot(Kind.COLOR)][:1]
    return []


def _best(doable: list[Do], words: tuple[str, ...]) -> list[Do]:
    """Those whose name shares most words with the clause."""
    shared = [len({*words} & {*name_words(intent.skill.tool)}) for intent in doable]
    return [intent for intent, count in zip(doable, shared, strict=True) if count == max(shared)]


def _topic(text: str) -> str | None:
    return next((topic for topic, pattern in TOPICS if re.search(pattern, text.lower())), None)


# ---- slots


def _fill(skill: Skill, words: tuple[str, ...], text: str, known: Known) -> Intent:
    values = {
        slot: value
        for slot in skill.slots
        if (value := _value(slot, skill, words, text, known)) is not None
    }
    if not values and not _verb_fits(skill, words):
        return Wonder(_what_about(skill))
    for slot in skill.slots:
        # "make the light blue" means on, too.
        if slot not in values and slot.kind is Kind.SWITCH and slot.required and values:
            values[slot] = _as_declared(slot, True)
    missing = next((slot for slot in skill.slots if slot.required and slot not in values), None)
    if missing is not None or (skill.slots and not values and not skill.asks):
        return Wonder(_what_is_missing(skill, missing or skill.slots[0]))
    arguments = _nested({slot: values[slot] for slot in skill.slots if slot in values})
    wrong = violation(arguments, skill.schema)
    return Do(skill, arguments) if wrong is None else Wonder(_limits(skill, wrong))


def _nested(values: Mapping[Slot, Any]) -> Arguments:
    arguments: Arguments = {}
    for slot, value in values.items():
        place = arguments
        for name in slot.path[:-1]:
            place = place.setdefault(name, {})
        place[slot.path[-1]] = value
    return arguments


def _value(slot: Slot, skill: Skill, words: tuple[str, ...], text: str, known: Known) -> Any:
    """The slot's value in the clause, as its schema wants it; None when it is not said."""
    match slot.kind:
        case Kind.SWITCH:
            state = _switched(slot, words)
            return None if state is None else _as_declared(slot, state)
        case Kind.OPENING:
            if any_of(words, CLOSING) == any_of(words, OPENING):
                return None
            return _as_declared(slot, any_of(words, OPENING))
        case Kind.COLOR:
            return _color(slot, words)
        case Kind.NUMBER:
            return _number(slot, skill, words, known)
        case Kind.CHOICE:
            said = [one for one in slot.choices if contains(words, name_words(one) or (one,))]
            return max(said, key=len, default=None)
        case Kind.TEXT:
            return _free_text(skill, text) if slot.required else None


def _switched(slot: Slot, words: tuple[str, ...]) -> bool | None:
    if slot.inverted and any_of(name_words(slot.path[-1]), ("mute", "muted")):
        return None if not any_of(words, MUTE | UNMUTE) else any_of(words, UNMUTE)
    if any_of(words, ("off", "disable", "deactivate", "stop")):
        return False
    return True if any_of(words, ("on", "enable", "activate", "start")) else None


def _as_declared(slot: Slot, state: bool) -> Any:
    """On or open as this slot says it."""
    if not slot.choices:
        return state != slot.inverted
    yes = ("on", "open", "opened", "unlock", "unlocked")
    return next((one for one in slot.choices if (one.lower() in yes) == state), slot.choices[0])


def _color(slot: Slot, words: tuple[str, ...]) -> Any:
    word = next((word for word in words if word in COLORS or word.startswith("#")), None)
    if word is None:
        return None
    rgb = COLORS.get(word) or tuple(int(word[at : at + 2], 16) for at in (1, 3, 5))
    properties = slot.schema.get("properties")
    if isinstance(properties, Mapping):
        names = ("red", "green", "blue") if "red" in properties else ("r", "g", "b")
        return {
            name: _scaled(part, properties[name]) for name, part in zip(names, rgb, strict=True)
        }
    if slot.choices:
        return next((one for one in slot.choices if one.lower() == word), None)
    told = str(slot.schema.get("description") or "") + str(slot.schema.get("pattern") or "")
    return "#{:02x}{:02x}{:02x}".format(*rgb) if "#" in told or "hex" in told.lower() else word


def _scaled(part: int, schema: Any) -> float:
    high = schema.get("maximum", 255) if isinstance(schema, Mapping) else 255
    return part if high == 255 else round(part / 255 * high, 3 if high <= 1 else None)


def _number(slot: Slot, skill: Skill, words: tuple[str, ...], known: Known) -> float | None:
    low, high = slot.low, slot.high
    said = number_in(words)
    level = next((LEVELS[word] for word in words if word in LEVELS), None)
    if said is None and level is not None and low is not None and high is not None:
        said = low + level * (high - low)
    if said is None and skill.is_loudness and low is not None and any_of(words, MUTE):
        said = low
    wanted = any_of(words, UP) - any_of(words, DOWN)
    if any_of(words, UNMUTE) and skill.is_loudness:
        said = _last_number(slot, skill, known, at_least=(low or 0) + 1)
    elif wanted and (said is None or any_of(words, ("by",))):
        said = _last_number(slot, skill, known) + wanted * (said or _step(slot))
        said = min(max(said, low if low is not None else said), high if high is not None else said)
    if said is None:
        return None
    return int(said) if float(said).is_integer() else said


def _step(slot: Slot) -> float:
    span = (slot.high or 100) - (slot.low or 0)
    return max(round(span / 10), 1) if slot.high is not None else 1


def _last_number(slot: Slot, skill: Skill, known: Known, at_least: float | None = None) -> float:
    """The value it was last set to, the middle of its range when nobody knows."""
    value: Any = known.used.get(skill.tool, {})
    for name in slot.path:
        value = value.get(name) if isinstance(value, Mapping) else None
    fits = isinstance(value, int | float) and (at_least is None or value >= at_least)
    return (
        float(value)
        if fits
        else ((slot.low or 0) + (slot.high if slot.high is not None else 100)) / 2
    )


def _free_text(skill: Skill, text: str) -> str | None:
    """What follows the thing's name: "send a message: good morning"."""
    for noun in skill.nouns:
        after = re.search(
            rf"\b{re.escape(' '.join(noun))}\b[\s:,]*"
            r"(?:(?:saying|called|that|to|for|named)\b\s*)?(.+)",
            text,
            re.IGNORECASE,
        )
        if after and after[1].strip(" .?!"):
            return after[1].strip().strip("\"'").strip()
    return None


def _verb_fits(skill: Skill, words: tuple[str, ...]) -> bool:
    """Whether a tool that needs nothing more is asked for by its verb or its on and off."""
    named = {*name_words(skill.tool)}
    particles = {"on", "off", "up", "down", "open", "close"} & named
    if particles & {"on", "off", "up", "down"} and not particles & {*words}:
        return False
    if skill.asks and (words[0] in QUESTIONS or any_of(words, ASKING)):
        return True
    return any(
        word == verb or any({word, verb} <= same for same in _SAME_VERB)
        for word in words
        for verb in skill.verbs
    )


# ---- asking back


def asks_back(said: str) -> bool:
    """Whether the assistant's words end with one of the questions below."""
    last = said.rstrip().rpartition(". ")[2]
    asks = ("Shall", "Which", "To which", "Do you mean", "What shall it be")
    return last.endswith("?") and last.startswith(asks)


def _what_about(skill: Skill) -> str:
    if not skill.slots:
        return f"Shall I {offer(skill)}?"
    return _what_is_missing(skill, skill.slots[0])


def offer(skill: Skill) -> str:
    """What the skill does, as a phrase that understands itself: "open the garage"."""
    verb = next((word for word in name_words(skill.tool) if word in skill.verbs), "use")
    particle = next(
        (word for word in name_words(skill.tool) if word in ("on", "off", "up", "down")), ""
    )
    return " ".join(part for part in (verb, particle, "the", skill.noun) if part)


def _what_is_missing(skill: Skill, slot: Slot) -> str:
    name = " ".join(name_words(slot.path[-1])) or slot.path[-1]
    match slot.kind:
        case Kind.SWITCH if skill.slot(Kind.COLOR):
            return f"Shall the {skill.noun} be on, off, or have a color?"
        case Kind.SWITCH:
            return f"Shall the {skill.noun} be on or off?"
        case Kind.OPENING:
            return f"Shall the {skill.noun} be opened or closed?"
        case Kind.COLOR:
            return f"Which color shall the {skill.noun} have?"
        case Kind.NUMBER if slot.low is not None and slot.high is not None:
            return (
                f"To which number from {slot.low:g} to {slot.high:g} shall I set the {skill.noun}?"
            )
        case Kind.NUMBER:
            return f"Which number shall I use for the {skill.noun}?"
        case Kind.CHOICE:
            return f"Which {name} do you want: {' or '.join(slot.choices[:6])}?"
        case Kind.TEXT:
            return f"Which {name} shall I use for the {skill.noun}?"


def _limits(skill: Skill, wrong: str) -> str:
    return f"I cannot do that with the {skill.noun}: {wrong}. What shall it be?"
