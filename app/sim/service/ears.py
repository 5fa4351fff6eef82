"""Who makes words of the sound: the `Ears` of a service. Offline ones recognise what the session
could be asked for; those that send the sound to a server of the user's are in `forward`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.sim.chip import Pcm
from app.sim.service import recognition
from app.sim.service.grammar import grammar_of
from app.sim.service.intents import UNCLEAR, asks_back
from app.sim.service.skills import skills_of


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of an utterance before it is heard. `spoken` counts the call's spoken turns
    from 0; `said_before` is what the assistant said last; `transcription` is the session's setting
    (language, prompt), {} without one."""

    spoken: int
    tools: tuple[Mapping[str, Any], ...] = ()
    said_before: str = ""
    transcription: Mapping[str, Any] = field(default_factory=dict)


class Ears(Protocol):
    """Words of sound. It may take its time; cancellation means nobody waits any more."""

    async def words(self, utterance: Pcm, expected: Expected) -> str:
        """What was said in 48 kHz mono sound: a sentence, `UNCLEAR` when no words were
        understood. Raises EarsFailed."""


class EarsFailed(RuntimeError):  # noqa: N818 - the state of a server
    """No words could be had, for a reason that a person can understand."""


class OfflineEars:
    """Speech to text on this computer, for the requests that the session's tools make possible."""

    def __init__(self, recogniser: recognition.Recogniser | None = None) -> None:
        self._recogniser = recogniser or recognition.shared()

    def wake(self) -> None:
        """Loads the models, which takes some 0.2 s. Raises recognition.RecognitionMissing."""
        self._recogniser.knows("hello")

    async def words(self, utterance: Pcm, expected: Expected) -> str:
        skills = skills_of(expected.tools)
        asked = asks_back(expected.said_before)
        found = await asyncio.to_thread(
            self._recogniser.recognise,
            utterance,
            lambda knows, other: grammar_of(skills, knows, asked=asked, other=other),
        )
        return sentence(found.words) if found.sure else UNCLEAR


@dataclass(frozen=True, slots=True)
class ScriptedEars:
    """Hears its sentences one after the other, whatever the sound; then the first again."""

    sentences: tuple[str, ...]

    async def words(self, utterance: Pcm, expected: Expected) -> str:
        return self.sentences[expected.spoken % len(self.sentences)]


_QUESTIONS = ("what", "what's", "who", "how", "is", "are", "can", "could", "would", "which", "when")


def sentence(words: str) -> str:
    """Recognised words as one writes them."""
    if not words:
        return words
    mark = "?" if words.split(" ", 1)[0] in _QUESTIONS else "."
    written = " ".join("I" if word == "i" else word for word in words.split())
    return written[0].upper() + written[1:] + mark
