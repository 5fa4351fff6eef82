"""The English that the offline assistant knows: numbers, colors, and words that mean the same.

Everything here is data and small pure functions; what a session's tools add is in `skills`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 200, 0),
    "orange": (255, 100, 0),
    "purple": (150, 0, 255),
    "violet": (150, 0, 255),
    "pink": (255, 80, 150),
    "white": (255, 255, 255),
    "cyan": (0, 255, 255),
    "turquoise": (0, 220, 180),
}

SYNONYMS: tuple[tuple[str, ...], ...] = (
    ("light", "lights", "lamp", "led", "bulb"),
    ("volume", "loudness", "sound"),
    ("door", "doors"),
    ("thermostat", "temperature", "heating"),
    ("blinds", "shutters", "blind", "shutter"),
    ("music", "song", "radio"),
)
"""Nouns of one thing, the usual ones first. One that two tools could mean is that of the tool which
names it."""

VERBS = frozenset(
    [
        "set",
        "get",
        "turn",
        "switch",
        "open",
        "close",
        "shut",
        "lock",
        "unlock",
        "start",
        "stop",
        "begin",
        "end",
        "make",
        "change",
        "put",
        "read",
        "check",
        "show",
        "tell",
        "play",
        "pause",
        "resume",
        "mute",
        "unmute",
        "toggle",
        "enable",
        "disable",
        "activate",
        "deactivate",
        "raise",
        "lower",
        "increase",
        "decrease",
        "reduce",
        "adjust",
        "move",
        "go",
        "dim",
        "query",
        "fetch",
        "find",
        "look",
        "run",
        "send",
        "add",
        "remove",
        "delete",
        "create",
        "take",
        "bring",
        "call",
        "press",
        "ring",
        "feed",
        "water",
        "control",
        "is",
    ]
)
ASKING = frozenset(["get", "read", "check", "query", "fetch", "show", "tell", "find", "look", "is"])
OPENING, CLOSING = frozenset({"open", "unlock"}), frozenset({"close", "shut", "lock"})
UP = frozenset({"up", "louder", "raise", "increase", "higher", "brighter", "warmer", "more"})
DOWN = frozenset(
    [
        "down",
        "quieter",
        "softer",
        "lower",
        "decrease",
        "reduce",
        "dim",
        "dimmer",
        "colder",
        "cooler",
        "less",
    ],
)
NEGATIONS = frozenset({"not", "don't", "dont", "never", "no", "doesn't", "didn't", "without"})
PRONOUNS = frozenset({"it", "that", "this", "them"})
FILLERS = frozenset(
    [
        "a",
        "an",
        "the",
        "to",
        "of",
        "in",
        "on",
        "off",
        "at",
        "for",
        "with",
        "and",
        "or",
        "please",
        "now",
        "just",
        "my",
        "your",
        "me",
        "you",
        "i",
        "we",
        "is",
        "are",
        "be",
        "state",
        "status",
        "level",
        "value",
        "control",
        "device",
        "board",
        "current",
        "given",
        "this",
        "that",
        "it",
        "its",
        "sets",
        "set",
        "gets",
        "true",
        "false",
        "percent",
        "in",
        "by",
        "from",
        "which",
        "whether",
        "should",
    ]
)

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
ONES: dict[str, int] = {word: value for value, word in enumerate(_UNITS)}
TENS: dict[str, int] = {word: 20 + 10 * place for place, word in enumerate(_TENS)}
LEVELS: dict[str, float] = {
    "maximum": 1.0,
    "max": 1.0,
    "full": 1.0,
    "minimum": 0.0,
    "half": 0.5,
}
"""Numbers that depend on the range."""


def words_of(text: str) -> tuple[str, ...]:
    """Lower-case words, numbers and `#rrggbb` in order; apostrophes stay, other marks go."""
    return tuple(
        re.findall(r"#[0-9a-f]{6}\b|-?\d+(?:\.\d+)?|[^\W\d_]+(?:'[^\W\d_]+)*", text.lower())
    )


def name_words(name: str) -> tuple[str, ...]:
    """The words in an identifier: `SetLightState`, `set_light`, `lightOn2`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\-. ]+", " ", name)
    return tuple(re.findall(r"[a-z]+", apart.lower()))


def number_in(words: Sequence[str]) -> float | None:
    """The first number said in `words`: digits, or zero to nine hundred ninety-nine in words."""
    total: int | None = None
    last = ""
    for word in words:
        if total is None and re.fullmatch(r"-?\d+(?:\.\d+)?", word):
            return float(word)
        if word in TENS:
            if total is not None and last != "hundred":
                break
            total = (total or 0) + TENS[word]
        elif word in ONES:
            if total is not None and not (last == "hundred" or (last in TENS and ONES[word] < 10)):
                break
            total = (total or 0) + ONES[word]
        elif word == "hundred":
            total = 100 * (total or 1)
        elif total is not None and not (word == "and" and last == "hundred"):
            break
        last = word if word != "and" else last
    return None if total is None else float(total)


def in_words(number: int) -> str:
    """A whole number from 0 to 999 as it is said."""
    if number >= 100:
        rest = number % 100
        return f"{_UNITS[number // 100]} hundred" + (f" {in_words(rest)}" if rest else "")
    if number < 20:
        return _UNITS[number]
    rest = number % 10
    return _TENS[number // 10 - 2] + (f" {_UNITS[rest]}" if rest else "")


def synonyms(noun: str) -> tuple[str, ...]:
    """All words for the thing, the given one first."""
    group = next((group for group in SYNONYMS if noun in group), ())
    return (noun, *(word for word in group if word != noun))


def contains(words: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether `phrase` stands in `words` as it is."""
    span = len(phrase)
    return any(tuple(words[at : at + span]) == tuple(phrase) for at in range(len(words) - span + 1))


def any_of(words: Iterable[str], known: Iterable[str]) -> bool:
    return not set(words).isdisjoint(known)


OTHER_SPEECH = tuple(
    re.findall(
        r"\w+",
        """
i you he she it we they me him her them his my this that these those who what when was were had
have has been will would should said told think know like went going want need make get got take
came see looked because but not never always about into from over after again very really only
here then than some any many good new old long great people man woman child mother
brother house street city country morning evening night year day water bread coffee dinner
food book page letter word story film money work school doctor friend government road river
garden window table chair box bottle car train bus computer phone kitchen party children eyes
head hand hands mouth face shoes bag dog cat weather rain summer walk buy read write play listen
drink eat sleep talk live leave left right next first last small beautiful happy sorry maybe
with without against between through everything nobody something the a of to in on at can could
do did and is as be by so its pass salt give bring put call wait drive sit show welcome pretty
hot cold dark two minutes hours
""",
    )
)
"""Words of other people's sentences: what the ears may hear instead of a request."""

OTHER = "other"
"""Begins the recogniser's names of these words; no request has a word that begins so."""
