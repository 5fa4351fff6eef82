"""The sentences the offline ears can hear, as a JSGF grammar made from the session's skills.

The grammar is what makes small acoustic models exact, so it says no more than the brain can use:
the same words that `intents` looks for, in the orders people say them, with a polite beginning and
end. A word that the pronouncing dictionary lacks takes its phrase along; the rest still works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from app.sim.service.skills import Kind, Skill
from app.sim.service.vocabulary import (
    ASKING,
    COLORS,
    LEVELS,
    ONES,
    TENS,
    VERBS,
    name_words,
)

BEFORE = ("please", "okay", "could you", "could you please", "can you", "can you please")
AFTER = ("please", "now", "thank you")
_CARRIERS = (
    "[please | can you | can you please | could you] "
    "((open | close | turn | switch | set | make | change | put) the | what is the)"
    " | can you | can you please | could you | please | stop | help | yes | no | okay | hello"
)
ALONE: tuple[str, ...] = (
    "what time is it", "what is the time", "tell me the time", "what's the time",
    "what day is it", "what is the date", "what is today's date", "what day is today",
    "help", "help me", "what can you do", "what can i say",
    "stop", "be quiet", "never mind", "cancel",
    "repeat", "repeat that", "say that again", "what did you say",
    "hello", "hi there", "good morning", "good evening",
    "thank you", "thanks", "goodbye", "good night",
    "who are you", "what is your name", "what are you", "how are you", "tell me a joke",
    "yes", "yes please", "no", "no thank you",
)  # fmt: skip
"""Requests and small talk that need no tool."""

_MOST_CHOICES, _MOST_SKILLS, _MOST_NOUNS = 64, 48, 2
"""More than this makes a grammar in which everything sounds like something."""


def grammar_of(
    skills: Sequence[Skill], knows: Callable[[str], bool], *, asked: bool = False, other: str = ""
) -> str:
    """The JSGF text. `knows` says whether a lower-case word has a pronunciation; `asked`: short
    answers to a question are possible; `other` is a rule for anything else that may be said."""
    rules: list[str] = []
    commands: list[str] = []
    short: list[str] = []
    for number, skill in enumerate(skills[:_MOST_SKILLS]):
        nouns = [noun for noun in _singular(skill.nouns) if all(map(knows, noun))][:_MOST_NOUNS]
        if not nouns:
            continue
        said = " | ".join(" ".join(noun) for noun in nouns)
        rules.append(f"<thing{number}> = {said};")
        phrases = [
            phrase for phrase in _commands(skill, f"<thing{number}>") if _sayable(phrase, knows)
        ]
        if phrases:
            rules.append(f"<skill{number}> = {' | '.join(dict.fromkeys(phrases))};")
            commands.append(f"<skill{number}>")
        short += [phrase for phrase in _short(skill, f"<thing{number}>") if _sayable(phrase, knows)]
    short += [
        phrase
        for phrase in (*ALONE, *(_answers(skills) if asked else ()))
        if _sayable(phrase, knows)
    ]
    sentences = [f"[please] ({' | '.join(dict.fromkeys(short))}) [please]"]
    if commands:
        rules.append(f"<command> = {' | '.join(commands)};")
        sentences.append(f"[{' | '.join(BEFORE)}] <command> [{' | '.join(AFTER)}]")
        sentences.append("<command> and <command> [please]")
        sentences.append("<command> and tell me the time")
    if other:
        # Other people's requests begin as ours do, and only then turn out to be none.
        sentences += [other, f"({_CARRIERS}) {other} {other}"]
    units = " | ".join(word for word, value in ONES.items() if 0 < value < 10)
    teens = " | ".join(word for word, value in ONES.items() if value >= 10 or value == 0)
    tens = " | ".join(TENS)
    return "\n".join(
        (
            "#JSGF V1.0;",
            "grammar requests;",
            f"public <sentence> = {' | '.join(f'({one})' for one in sentences)};",
            *rules,
            f"<color> = {' | '.join(color for color in COLORS if knows(color))};",
            f"<number> = /4/ ({tens}) | /1/ ({units}) | /1/ ({teens}) | /0.2/ (({tens}) ({units})) "
            f"| /0.5/ ([a | one] hundred) | /0.5/ ({' | '.join(LEVELS)});",
            "",
        )
    )


def _singular(nouns: Sequence[tuple[str, ...]]) -> Iterable[tuple[str, ...]]:
    """Without plurals of others: one letter is no difference that can be heard."""
    return (noun for noun in nouns if not _is_plural_of_another(noun, nouns))


def _is_plural_of_another(noun: tuple[str, ...], nouns: Sequence[tuple[str, ...]]) -> bool:
    return noun[-1].endswith("s") and (*noun[:-1], noun[-1][:-1]) in nouns


def _sayable(phrase: str, knows: Callable[[str], bool]) -> bool:
    plain = phrase.replace("(", " ").replace(")", " ").replace("[", " ").replace("]", " ")
    words = (word for word in plain.replace("|", " ").split() if not word.startswith("<"))
    return all(knows(word) for word in words)


def _answers(skills: Sequence[Skill]) -> Iterable[str]:
    """Short answers to what the assistant asks back."""
    yield from ("on", "off", "open it", "close it")
    kinds = {slot.kind for skill in skills for slot in skill.slots}
    if Kind.COLOR in kinds:
        yield from ("<color>", "make it <color>")
    if Kind.NUMBER in kinds:
        yield "[to] <number> [percent]"
    for skill in skills[:_MOST_SKILLS]:
        yield f"the {' '.join(skill.nouns[0])}"
        for slot in skill.slots:
            yield from (" ".join(name_words(choice)) for choice in slot.choices[:_MOST_CHOICES])


def _commands(skill: Skill, thing: str) -> Iterable[str]:
    """Whole sentences, which take a polite beginning."""
    the = f"the {thing}"
    for slot in skill.slots:
        match slot.kind:
            case Kind.SWITCH:
                yield f"(turn | switch) (on | off) {the}"
                yield f"(turn | switch) {the} (on | off)"
            case Kind.OPENING if {"lock", "unlock", "locked"} & skill.vocabulary:
                yield f"(open | close | lock | unlock) {the}"
            case Kind.OPENING:
                yield f"(open | close | shut) {the}"
            case Kind.COLOR:
                yield f"(turn | make | set | change) {the} [to] <color>"
                yield f"change the color of {the} [to <color>]"
            case Kind.NUMBER:
                yield f"(set | turn | change) {the} to <number> [percent | degrees | minutes]"
                yield f"turn {the} (up | down)"
                yield f"turn (up | down) {the}"
                yield f"(increase | decrease | set | change) {the}"
            case Kind.CHOICE:
                for choice in slot.choices[:_MOST_CHOICES]:
                    said = " ".join(name_words(choice))
                    yield f"(set | change | switch | turn) {the} to {said}"
                    yield f"({' | '.join(sorted(skill.verbs)) or 'use'}) {the} {said}"
            case Kind.TEXT:
                pass
    if skill.is_loudness:
        yield "make it (louder | quieter)"
    if not skill.slots or skill.asks:
        yield from _plain(skill, the)


def _short(skill: Skill, thing: str) -> Iterable[str]:
    """What stands alone."""
    for slot in skill.slots:
        match slot.kind:
            case Kind.SWITCH:
                yield f"{thing} (on | off)"
                yield f"is the {thing} on"
            case Kind.OPENING:
                yield f"is the {thing} (open | closed)"
            case Kind.COLOR:
                yield f"{thing} <color>"
            case Kind.NUMBER:
                yield f"{thing} (up | down)"
                yield f"{thing} <number> [percent]"
                yield f"what is the {thing}"
            case _:
                pass
    if skill.is_loudness:
        yield from ("louder", "quieter", "mute", "unmute")
    if skill.asks:
        yield from (f"what is the {thing}", f"what's the {thing}", f"how is the {thing}")


def _plain(skill: Skill, the: str) -> Iterable[str]:
    named = name_words(skill.tool)
    verbs = {word for word in named if word in VERBS} | skill.verbs
    if not verbs.isdisjoint(ASKING):
        verbs |= {"tell me", "check"}
    particle = next((word for word in named if word in ("on", "off", "up", "down")), "")
    for verb in sorted(verbs - {"is"}):
        yield f"{verb} {particle} {the}".replace("  ", " ")
        if particle:
            yield f"{verb} {the} {particle}"
