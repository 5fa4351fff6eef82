"""Who answers. A brain is asked once for each response: what to say, and which tools to use. It
keeps no state of its own: what it must remember of a call is in the `Ask`, so one brain serves
every call of a service, and a brain that forwards to a model on the user's machine needs nothing
else.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.sim.chip import Pcm
from app.sim.service.ears import Expected


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool gave back; `arguments` and `output` are the texts as they travelled."""

    call_id: str
    name: str
    arguments: str
    output: str


@dataclass(frozen=True, slots=True)
class Ask:
    """All that an answer may depend on."""

    instructions: str
    tools: tuple[Mapping[str, Any], ...]
    heard: str | None
    """The user's words since the last answer; None: nobody has said anything new."""

    spoken: int | None
    """Which spoken turn of the call that was, from 0; None: typed, or nothing was said."""

    outputs: tuple[ToolOutput, ...]
    """Outputs of tools that no answer has used yet."""

    history: tuple[Mapping[str, Any], ...] = ()
    """The conversation's items, oldest first."""

    def declares(self, tool: str) -> bool:
        return any(entry.get("name") == tool for entry in self.tools)


@dataclass(frozen=True, slots=True)
class Say:
    """One message of the assistant."""

    text: str


@dataclass(frozen=True, slots=True)
class Use:
    """One function call; `arguments` become its JSON."""

    tool: str
    arguments: Mapping[str, Any]


Step = Say | Use


class Brain(Protocol):
    """Answers. It may take its time; cancellation means nobody waits any more."""

    def answer(self, ask: Ask) -> AsyncIterator[Step]:
        """The steps of one response, each as soon as it is known."""


@dataclass(frozen=True, slots=True)
class EchoBrain:
    """Says what it heard: for tests of everything around it."""

    async def answer(self, ask: Ask) -> AsyncIterator[Step]:
        for output in ask.outputs:
            yield Say(output.output)
        if ask.heard is not None:
            yield Say(ask.heard)
        elif not ask.outputs:
            yield Say("Hello.")


def failure_in(output: str) -> str | None:
    """Why a tool's output means that it did not work; None when it did, "" without a reason.

    An output is a failure when it is a JSON object whose `ok` or `success` is false or which
    carries an `error`.
    """
    try:
        said = json.loads(output)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    error = said.get("error")
    if error or said.get("ok", said.get("success", True)) is False:
        reason = error.get("message") if isinstance(error, dict) else error
        return reason if isinstance(reason, str) else ""
    return None


@dataclass(frozen=True, slots=True)
class Scripted:
    """One turn of a script.

    `done` is what the assistant says: as it is when no tool is needed, else after the tool worked.
    A callable makes it of the tool's output (parsed JSON, {} when it is none).
    """

    user: str
    done: str | Callable[[Mapping[str, Any]], str]
    tool: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    keywords: tuple[str, ...] = ()
    """A typed text with one of these words means this turn."""


@dataclass(frozen=True, slots=True)
class ScriptedBrain:
    """Turns by number for speech, by keyword for typed text: it does not understand sound.

    After the last turn it begins again with the first.
    """

    greeting: str
    turns: tuple[Scripted, ...]
    prompt: str = "What else can I do for you?"
    """Said when an answer is wanted and nobody has said anything since the last one."""

    lost: str = "I am only a demo. Ask me about the light, the volume or the door."

    async def words(self, utterance: Pcm, expected: Expected) -> str:
        """It is ears as well: what the script says of this turn."""
        return self.turns[expected.spoken % len(self.turns)].user

    async def answer(self, ask: Ask) -> AsyncIterator[Step]:
        for output in ask.outputs:
            yield Say(self._after(output))
        if ask.heard is not None:
            yield self._begin(self._turn_for(ask), ask)
        elif not ask.outputs:
            met = any(item.get("role") == "assistant" for item in ask.history)
            yield Say(self.prompt if met else self.greeting)

    def _turn_for(self, ask: Ask) -> Scripted | None:
        if ask.spoken is not None:
            return self.turns[ask.spoken % len(self.turns)]
        asked = (ask.heard or "").lower()
        return next(
            (turn for turn in self.turns if any(word in asked for word in turn.keywords)), None
        )

    def _begin(self, turn: Scripted | None, ask: Ask) -> Step:
        if turn is None:
            return Say(self.lost)
        if turn.tool is None:
            return Say(turn.done if isinstance(turn.done, str) else turn.done({}))
        if not ask.declares(turn.tool):
            return Say("I would like to do that, but I was given no tool for it.")
        return Use(turn.tool, turn.arguments)

    def _after(self, output: ToolOutput) -> str:
        reason = failure_in(output.output)
        if reason is not None:
            return "I am sorry, that did not work." + (f" {reason}" if reason else "")
        same = [turn for turn in self.turns if turn.tool == output.name]
        turn = next((t for t in same if json.dumps(t.arguments) == output.arguments), None)
        if turn is None and same:
            turn = same[0]
        if turn is None:
            return "Done."
        return turn.done if isinstance(turn.done, str) else turn.done(_object_in(output.output))


def _object_in(output: str) -> Mapping[str, Any]:
    try:
        said = json.loads(output)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _volume_is(output: Mapping[str, Any]) -> str:
    volume = output.get("volume")
    return f"The volume is {volume if isinstance(volume, int) else 30} percent now."


def _door_is(output: Mapping[str, Any]) -> str:
    opened = output.get("open", output.get("door", True))
    return "The door is open now." if opened is not False else "The door is closed now."


DEMO_TURNS = (
    Scripted(
        user="Please turn the light blue.",
        tool="SetLightState",
        arguments={"LightState": True, "LightColor": {"red": 0, "green": 0, "blue": 255}},
        done="The light is blue now.",
        keywords=("light", "lamp"),
    ),
    Scripted(
        user="Set the volume to thirty.",
        tool="SetVolume",
        arguments={"volume": 30},
        done=_volume_is,
        keywords=("volume", "loud", "quiet"),
    ),
    Scripted(
        user="Open the door, please.",
        tool="OpenDoor",
        arguments={"open": True},
        done=_door_is,
        keywords=("door",),
    ),
)


def demo_brain() -> ScriptedBrain:
    """A script for tests: greeting, light, volume, door."""
    return ScriptedBrain(
        greeting="Hello, I am Parley. How can I help you?",
        turns=DEMO_TURNS,
    )
