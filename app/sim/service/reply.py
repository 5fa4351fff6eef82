"""One response, from response.created to response.done: runs the brain, sends the events in the
order of the API, and hands the sound to the voice.

The words run ahead of the sound and response.done comes long before the last of it, as with the
real service. Cancelling is synchronous: what has to be sent is sent at once by the one who cancels,
and only then the task ends, so nothing can slip in between.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from app.sim.chip import Pcm
from app.sim.service.brain import Ask, Brain, Say, Use
from app.sim.service.conversation import Conversation, text_of
from app.sim.service.ears import EarsFailed
from app.sim.service.limits import RateLimits
from app.sim.service.refusal import new_id
from app.sim.service.session import Json, Session
from app.sim.service.voice import Voice
from app.sim.speech import speak

DELTA_S = 0.025
WORDS_IN_DELTA = 2
ARGUMENT_CHARS = 16
AUDIO_TOKEN_MS = 50
FAILURES = {
    "response_failed": (
        "server_error",
        "The server had an error while processing your request. Sorry about that.",
    ),
    "response_quota": (
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
}
CUT_SHORT = {"response_incomplete": "max_output_tokens", "response_filtered": "content_filter"}

VOICES = {
    "alloy": "en-us+f1",
    "ash": "en-us+m3",
    "ballad": "en-gb+m1",
    "coral": "en-us+f2",
    "echo": "en-us+m1",
    "sage": "en-us+f4",
    "shimmer": "en-us+f5",
    "verse": "en-us+m7",
    "marin": "en-us+f3",
    "cedar": "en-us+m2",
}
"""The API's voices as espeak-ng variants: different, not alike."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a reply works with; `send` takes an event without its event_id."""

    session: Session
    conversation: Conversation
    voice: Voice
    brain: Brain
    send: Callable[[Json], None]
    heard_ms: Callable[[], int]
    """Length of the user's speech so far, for the bill."""

    fault: str = ""
    """One of `faults.MEANING` that begin with `response_`, to happen to every reply."""

    limits: RateLimits = field(default_factory=RateLimits)


class Reply:
    """A response under way. `run` once; `cancel` or `fail` instead of its end."""

    def __init__(self, stage: Stage, options: Json, ask: Callable[[], Awaitable[Ask]]) -> None:
        self.id = new_id("resp")
        self.over = False
        self._stage, self._ask = stage, ask
        self._aside = options.get("conversation") == "none"
        self._output: list[Json] = []
        self._open: _Message | None = None
        self._spoken_ms = 0
        session = stage.session
        out = {**session.audio_out, **(options.get("audio") or {}).get("output", {})}
        self._voice_name, self._speed = out["voice"], float(out.get("speed", 1.0))
        limit = options.get("max_output_tokens", session["max_output_tokens"])
        self._tokens_left = math.inf if limit == "inf" else int(limit)
        self._tool_choice = options.get("tool_choice", session["tool_choice"])
        self._modalities: list[str] = options.get("output_modalities", session["output_modalities"])
        self._object: Json = {
            "object": "realtime.response",
            "id": self.id,
            "status": "in_progress",
            "status_details": None,
            "output": [],
            "conversation_id": None if self._aside else stage.conversation.id,
            "output_modalities": self._modalities,
            "max_output_tokens": limit,
            "audio": {"output": {"format": out["format"], "voice": self._voice_name}},
            "usage": None,
            "metadata": options.get("metadata"),
        }
        self._send("response.created", response=self._snapshot())

    async def run(self) -> None:
        """Everything the brain says, then response.done."""
        try:
            ask = await self._ask()
        except EarsFailed as why:
            await self._say(str(why))
            self._finish("completed", None)
            return
        if self._stage.fault in FAILURES:
            code, message = FAILURES[self._stage.fault]
            self.fail(message, code=code)
            return
        if self._tool_choice == "none":
            ask = replace(ask, tools=())
        steps: AsyncIterator[Say | Use] = self._stage.brain.answer(ask)
        try:
            reason = await self._take(steps)
        finally:
            if isinstance(steps, AsyncGenerator):
                await steps.aclose()
        if reason is None:
            self._finish("completed", None)
        else:
            self._finish("incomplete", {"type": "incomplete", "reason": reason})

    async def _take(self, steps: AsyncIterator[Say | Use]) -> str | None:
        """Does what the brain says; why it could not be done to the end, if so."""
        async for step in steps:
            match step:
                case Say(text):
                    reason = await self._say(text)
                case Use(tool, arguments):
                    reason = self._use(tool, json.dumps(arguments))
            if reason is not None:
                return reason
        return None

    def cancel(self, reason: str) -> None:
        """Ends it before its time; `reason` is turn_detected or client_cancelled."""
        if not self.over:
            if self._open is not None:
                self._close_message(self._open, "incomplete")
            self._finish("cancelled", {"type": "cancelled", "reason": reason})

    def fail(self, message: str, *, code: str = "server_error") -> None:
        if not self.over:
            if self._open is not None:
                self._close_message(self._open, "incomplete")
            kind = code if code == "server_error" else "invalid_request_error"
            error = {"type": kind, "code": code, "message": message}
            self._finish("failed", {"type": "failed", "error": error})

    # ---- a message

    async def _say(self, text: str) -> str | None:
        spoken = self._modalities == ["audio"]
        message = _Message(self.id, len(self._output), text, spoken=spoken)
        self._output.append(message.item)
        self._open = message
        self._item_added(message.item)
        self._send("response.content_part.added", **message.place, part=message.part(""))
        sound = await self._spoken(text) if spoken else np.zeros(0, np.int16)
        text, sound, reason = self._within_limits(text, sound)
        if len(sound):
            self._stage.session.voice_is_fixed = True
            self._spoken_ms += len(sound) // 48
            self._stage.voice.say(self.id, message.item["id"], sound)
        for piece in in_pieces(text):
            message.said += piece
            self._send(f"{message.stream}.delta", **message.place, delta=piece)
            await asyncio.sleep(DELTA_S)
        self._close_message(message, "completed" if reason is None else "incomplete", announce=True)
        return reason

    async def _spoken(self, text: str) -> Pcm:
        return await asyncio.to_thread(
            speak, text, voice=_espeak_voice(self._voice_name), speed=self._speed
        )

    def _within_limits(self, text: str, sound: Pcm) -> tuple[str, Pcm, str | None]:
        """As much of a message as may be said, and why not all of it."""
        cost = _tokens(text) + math.ceil(len(sound) / 48 / AUDIO_TOKEN_MS)
        share, reason = 1.0, CUT_SHORT.get(self._stage.fault)
        if reason is not None:
            share = 0.5
        elif cost > self._tokens_left:
            share, reason = self._tokens_left / cost, "max_output_tokens"
        self._tokens_left -= cost
        if reason is None:
            return text, sound, None
        words = text.split(" ")
        return " ".join(words[: int(len(words) * share)]), sound[: int(len(sound) * share)], reason

    def _close_message(self, message: _Message, status: str, *, announce: bool = False) -> None:
        self._open = None
        if message.spoken:
            self._send("response.output_audio.done", **message.place)
        key = "transcript" if message.spoken else "text"
        self._send(f"{message.stream}.done", **message.place, **{key: message.said})
        self._send("response.content_part.done", **message.place, part=message.part(message.said))
        message.finish(status)
        self._item_done(message.item, announced=announce)

    # ---- a function call

    def _use(self, tool: str, arguments: str) -> str | None:
        """In one go, so that no call is ever half announced when the reply is cancelled."""
        self._tokens_left -= _tokens(arguments)
        if self._tokens_left < 0:
            return "max_output_tokens"
        item: Json = {
            "id": new_id("item"),
            "object": "realtime.item",
            "type": "function_call",
            "status": "in_progress",
            "name": tool,
            "call_id": new_id("call"),
            "arguments": "",
        }
        place = {
            "response_id": self.id,
            "item_id": item["id"],
            "output_index": len(self._output),
            "call_id": item["call_id"],
        }
        self._output.append(item)
        self._item_added(item)
        for start in range(0, len(arguments), ARGUMENT_CHARS):
            piece = arguments[start : start + ARGUMENT_CHARS]
            self._send("response.function_call_arguments.delta", **place, delta=piece)
        item.update(arguments=arguments, status="completed")
        self._send("response.function_call_arguments.done", **place, arguments=arguments, name=tool)
        self._item_done(item, announced=True)
        return None

    # ---- both

    def _item_added(self, item: Json) -> None:
        index = len(self._output) - 1
        self._send(
            "response.output_item.added",
            response_id=self.id,
            output_index=index,
            item=_copy(item),
        )
        if not self._aside:
            before = self._stage.conversation.add(item)
            self._send("conversation.item.added", previous_item_id=before, item=_copy(item))

    def _item_done(self, item: Json, *, announced: bool) -> None:
        self._send(
            "response.output_item.done",
            response_id=self.id,
            output_index=self._output.index(item),
            item=_copy(item),
        )
        if announced and not self._aside:
            items = self._stage.conversation.items
            at = next((i for i, entry in enumerate(items) if entry["id"] == item["id"]), 0)
            before = items[at - 1]["id"] if at else None
            self._send("conversation.item.done", previous_item_id=before, item=_copy(item))

    def _finish(self, status: str, details: Json | None) -> None:
        self.over = True
        usage = self._usage()
        self._object.update(status=status, status_details=details, usage=usage)
        self._stage.voice.no_more(self.id)
        self._send("response.done", response=self._snapshot())
        limits = self._stage.limits.spent(usage["total_tokens"])
        self._send("rate_limits.updated", rate_limits=limits)

    def _snapshot(self) -> Json:
        return {**self._object, "output": [_copy(item) for item in self._output]}

    def _usage(self) -> Json:
        """Counted as the API bills: 1 token is 100 ms heard, 50 ms spoken, some 4 letters."""
        items = self._stage.conversation.items
        text_in = _tokens(self._stage.session["instructions"]) + sum(
            _tokens(text_of(item)) for item in items if item["id"] not in self._output_ids()
        )
        audio_in = math.ceil(self._stage.heard_ms() / 100)
        text_out = sum(_tokens(text_of(item) + item.get("arguments", "")) for item in self._output)
        audio_out = math.ceil(self._spoken_ms / AUDIO_TOKEN_MS)
        cached = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
        return {
            "total_tokens": text_in + audio_in + text_out + audio_out,
            "input_tokens": text_in + audio_in,
            "output_tokens": text_out + audio_out,
            "input_token_details": {
                "text_tokens": text_in,
                "audio_tokens": audio_in,
                "image_tokens": 0,
                "cached_tokens": 0,
                "cached_tokens_details": cached,
            },
            "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
        }

    def _output_ids(self) -> set[str]:
        return {item["id"] for item in self._output}

    def _send(self, kind: str, **fields: Any) -> None:
        self._stage.send({"type": kind, **fields})


class _Message:
    """An assistant message while it is being said."""

    def __init__(self, response_id: str, index: int, text: str, *, spoken: bool) -> None:
        self.spoken, self.said = spoken, ""
        self.stream = "response.output_audio_transcript" if spoken else "response.output_text"
        self.item: Json = {
            "id": new_id("item"),
            "object": "realtime.item",
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        self.place = {
            "response_id": response_id,
            "item_id": self.item["id"],
            "output_index": index,
            "content_index": 0,
        }

    def part(self, text: str) -> Json:
        """The content part of events, whose types are shorter than those of items."""
        return (
            {"type": "audio", "transcript": text} if self.spoken else {"type": "text", "text": text}
        )

    def finish(self, status: str) -> None:
        self.item["status"] = status
        self.item["content"] = [
            {"type": "output_audio", "transcript": self.said}
            if self.spoken
            else {"type": "output_text", "text": self.said}
        ]


def in_pieces(text: str, words: int = WORDS_IN_DELTA) -> Iterator[str]:
    """The text in deltas that add up to it, a few words each with the space before them."""
    parts = text.split(" ")
    for start in range(0, len(parts), words):
        yield (" " if start else "") + " ".join(parts[start : start + words])


def _espeak_voice(name: object) -> str:
    return VOICES.get(name, "en-us") if isinstance(name, str) else "en-us"


def _tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def _copy(item: Json) -> Json:
    return {**item, "content": list(item["content"])} if "content" in item else dict(item)
