"""The assistant that needs no network: understands by rules (`intents`), acts through whatever
tools the session declares, and says plainly what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.sim.service.brain import Ask, Say, Step, ToolOutput, Use, failure_in
from app.sim.service.intents import Chat, Do, Known, Wonder, offer, understand
from app.sim.service.skills import Kind, Skill, Slot, skills_of
from app.sim.service.vocabulary import COLORS, name_words, words_of

NAME = "Parley"
_LANGUAGES = [
    "German",
    "French",
    "Spanish",
    "Italian",
    "Portuguese",
    "Dutch",
    "Polish",
    "Russian",
    "Turkish",
    "Arabic",
    "Chinese",
    "Japanese",
    "Korean",
    "Hindi",
    "Swedish",
    "Danish",
    "Czech",
    "Ukrainian",
    "Deutsch",
    "Français",
    "Español",
]
_SPEAKS = {"Deutsch": "German", "Français": "French", "Español": "Spanish"}
FIXED = {
    "unclear": "Sorry, I did not understand that. Say help to hear what I can do.",
    "lost": "I am a small offline assistant, and I do not know about that. Say help to hear what "
    "I can do.",
    "thanks": "You are welcome.",
    "bye": "Goodbye.",
    "mood": "I am a small program, so I am always the same. What can I do for you?",
    "joke": "I know only one. I wanted to tell a joke about the internet, but I am offline.",
    "stop": "All right.",
    "yes": "I did not ask anything. What can I do for you?",
    "no": "All right.",
    "left": "All right, I will leave it as it is.",
}


@dataclass(frozen=True, slots=True)
class OfflineBrain:
    """`clock` is asked for the time of day."""

    clock: Callable[[], datetime] = datetime.now

    async def answer(self, ask: Ask) -> AsyncIterator[Step]:
        """The steps of one response."""
        skills = skills_of(ask.tools)
        if ask.outputs:
            yield Say(" ".join(_after(output, skills) for output in ask.outputs))
        if ask.heard is not None:
            for step in self._begin(ask, skills):
                yield step
        elif not ask.outputs:
            yield Say(_unasked(ask))

    def _begin(self, ask: Ask, skills: Sequence[Skill]) -> Iterator[Step]:
        before = tuple(_before_this(ask.history))
        known = Known(_used(ask.history), *_open_question(before))
        texts: list[str] = []
        for intent in understand(ask.heard or "", skills, known):
            match intent:
                case Do(skill, arguments):
                    yield Use(skill.tool, arguments)
                case Wonder(question):
                    texts.append(question)
                case Chat(topic, skill):
                    texts.append(self._chat(topic, skill, skills, known, ask, before))
        if texts:
            yield Say(" ".join(texts))

    def _chat(
        self,
        topic: str,
        skill: Skill | None,
        skills: Sequence[Skill],
        known: Known,
        ask: Ask,
        before: Sequence[Mapping[str, Any]],
    ) -> str:
        now = self.clock()
        match topic:
            case "time":
                hour, half = now.hour % 12 or 12, "AM" if now.hour < 12 else "PM"
                return f"It is {hour}:{now.minute:02d} {half}."
            case "date":
                return f"Today is {now:%A}, {now:%B} {now.day}."
            case "hello":
                return f"Hello. I am {name_in(ask.instructions)}. How can I help you?"
            case "name":
                return f"I am {name_in(ask.instructions)}, a small assistant that works offline."
            case "help":
                return _help(skills)
            case "repeat":
                last = next((_text(item) for item in reversed(before) if _is_ours(item)), "")
                return last or "I have not said anything yet."
            case "state" if skill is not None:
                used = known.used.get(skill.tool)
                unknown = f"I do not know that about the {skill.noun}, but I can change it."
                return _state(skill, used) if used else unknown
            case "lost" if not skills and _wants_action(ask.heard or ""):
                return "I would like to do that, but I was given no tool for it."
            case _:
                return FIXED[topic]


def name_in(instructions: str) -> str:
    """The name that the instructions give the assistant."""
    found = re.search(
        r"(?:[Yy]ou are called|[Yy]our name is|[Cc]all yourself|[Nn]amed|[Yy]ou are)"
        r" [\"'“]?([A-Z][\w-]*)",
        instructions,
    )
    return found[1] if found else NAME


def _unasked(ask: Ask) -> str:
    """Something is wanted and nobody has said anything."""
    exact = re.search(
        r"\b[Ss]ay(?: exactly)?:? [\"'“]([^\"”]+?)[\"'”](?:\s|\.|$)", ask.instructions
    )
    if exact:
        return exact[1]
    calls = {item.get("call_id") for item in ask.history if item.get("type") == "function_call"}
    given = {
        item.get("call_id") for item in ask.history if item.get("type", "").endswith("_output")
    }
    if calls - given:
        return "One moment, I am still waiting for that."
    if any(_is_ours(item) for item in ask.history):
        return "What else can I do for you?"
    hello = f"Hello, I am {name_in(ask.instructions)}."
    language = next(
        (word for word in _LANGUAGES if re.search(rf"\b{word}\b", ask.instructions)), None
    )
    if language is not None:
        hello += (
            f" I was asked for {_SPEAKS.get(language, language)}, but offline I speak English only."
        )
    return f"{hello} How can I help you?"


def _help(skills: Sequence[Skill]) -> str:
    can = [_ability(skill) for skill in skills[:5]] + ["tell the time and the date"]
    return f"I can {', '.join(can[:-1])}{' and ' if can[:-1] else ''}{can[-1]}."


def _ability(skill: Skill) -> str:
    if not skill.slots or skill.asks:
        return offer(skill)
    if skill.slot(Kind.OPENING):
        return f"open or close the {skill.noun}"
    if skill.slot(Kind.COLOR):
        return f"switch the {skill.noun} on or off and change its color"
    return (
        f"switch the {skill.noun} on or off" if skill.slot(Kind.SWITCH) else f"set the {skill.noun}"
    )


def _wants_action(text: str) -> bool:
    return bool({*words_of(text)} & {"light", "volume", "door", "turn", "open", "close", "set"})


# ---- what a tool gave back


def _after(output: ToolOutput, skills: Sequence[Skill]) -> str:
    skill = next((skill for skill in skills if skill.tool == output.name), None)
    reason = failure_in(output.output)
    if reason is not None:
        thing = f" with the {skill.noun}" if skill else ""
        return f"I am sorry, that did not work{thing}." + (
            f" {_sentence(reason)}" if reason else ""
        )
    given = _json(output.output)
    if skill is None:
        return "Done."
    used = _json(output.arguments)
    used = used if isinstance(used, dict) else {}
    if isinstance(given, dict):
        used = {**used, **{name: value for name, value in given.items() if name in used}}
    if skill.asks or not used:
        return _report(skill, given, output.output)
    return _state(skill, used)


def _report(skill: Skill, given: Any, raw: str) -> str:
    """What a tool that reports something reported."""
    if isinstance(given, dict):
        facts = {k: v for k, v in given.items() if k not in ("ok", "success", "status")}
        parts = [
            f"{' '.join(name_words(name)) or name} is {_spoken(value)}"
            for name, value in facts.items()
            if isinstance(value, str | int | float)
        ]
        return f"The {', the '.join(parts[:4])}." if parts else "Done."
    if skill.asks and given not in (None, "", True):
        return (
            _sentence(str(given))
            if isinstance(given, str)
            else f"The {skill.noun} is {_spoken(given)}."
        )
    return _sentence(raw) if skill.asks and raw.strip() not in ("", "null", "true") else "Done."


def _state(skill: Skill, arguments: Mapping[str, Any]) -> str:
    """How a thing is that was set with these arguments."""
    said = {slot.kind: value for slot in skill.slots if (value := _at(slot, arguments)) is not None}
    switch = next((slot for slot in skill.slots if slot.kind is Kind.SWITCH), None)
    if switch is not None and Kind.SWITCH in said and not _is_on(switch, said[Kind.SWITCH]):
        return f"The {skill.noun} is off now."
    for slot in skill.slots:
        value = _at(slot, arguments)
        if value is None or (slot.kind is Kind.SWITCH and Kind.COLOR in said):
            continue
        match slot.kind:
            case Kind.COLOR:
                return f"The {skill.noun} is {_color_name(value)} now."
            case Kind.SWITCH:
                return f"The {skill.noun} is on now."
            case Kind.OPENING:
                return f"The {skill.noun} is {'open' if _is_on(slot, value) else 'closed'} now."
            case Kind.NUMBER:
                percent = " percent" if slot.high == 100 or "percent" in skill.vocabulary else ""
                return f"The {skill.noun} is {_spoken(value)}{percent} now."
            case Kind.CHOICE:
                return f"The {skill.noun} is {value} now."
            case Kind.TEXT:
                continue
    return "Done."


def _at(slot: Slot, arguments: Mapping[str, Any]) -> Any:
    value: Any = arguments
    for name in slot.path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _is_on(slot: Slot, value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() in ("on", "open", "opened", "unlock", "unlocked")
    return bool(value) != slot.inverted


def _color_name(value: Any) -> str:
    if isinstance(value, Mapping):
        parts = tuple(value.values())[:3]
        return next((name for name, rgb in COLORS.items() if rgb == parts), "in its new color")
    text = str(value)
    codes = {"#{:02x}{:02x}{:02x}".format(*rgb): name for name, rgb in COLORS.items()}
    return codes.get(text, text)


def _spoken(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _sentence(text: str) -> str:
    text = text.strip()[:300]
    text = text[:1].upper() + text[1:]
    return text if not text or text[-1] in ".!?" else f"{text}."


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


# ---- the history


def _is_ours(item: Mapping[str, Any]) -> bool:
    return item.get("role") == "assistant"


def _text(item: Mapping[str, Any]) -> str:
    parts = item.get("content") or ()
    return " ".join(str(part.get("text") or part.get("transcript") or "") for part in parts).strip()


def _before_this(history: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Everything before the user's newest words."""
    for at in range(len(history) - 1, -1, -1):
        if history[at].get("role") == "user":
            return history[:at]
    return history


def _open_question(before: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Our question, when that was the last thing said, and the sentence it was about."""
    if not before or not _is_ours(before[-1]) or not _text(before[-1]).endswith("?"):
        return "", ""
    asked = next((_text(item) for item in reversed(before) if item.get("role") == "user"), "")
    return _text(before[-1]), asked


def _used(history: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What each tool was last used with successfully; outputs that say otherwise count more."""
    calls = {item["call_id"]: item for item in history if item.get("type") == "function_call"}
    used: dict[str, dict[str, Any]] = {}
    for item in history:
        call = (
            calls.get(item.get("call_id", ""))
            if item.get("type") == "function_call_output"
            else None
        )
        if call is None or failure_in(str(item.get("output"))) is not None:
            continue
        arguments, given = _json(str(call["arguments"])), _json(str(item["output"]))
        if isinstance(arguments, dict):
            known = used.setdefault(str(call["name"]), {})
            known.update(arguments)
            if isinstance(given, dict):
                known.update({name: given[name] for name in arguments if name in given})
    return used
