"""What goes on in one call once it is open: client events in, heard sound in, server events out.

The rules are those of the API (GA): a single response at a time, one item id for a spoken turn from
its first sound to its transcript, and the server truncating its own answer when it is interrupted.
Everything runs on one loop; the only tasks are the replies and the transcripts, and `close` ends
them.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import copy
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np

from app.sim.chip import FRAME, Pcm
from app.sim.service import client_events
from app.sim.service.activity import (
    HeardAudio,
    SpeechBegan,
    SpeechDetector,
    SpeechEnded,
    SpeechPaused,
)
from app.sim.service.brain import Ask, Brain
from app.sim.service.conversation import Conversation, checked_item, text_of
from app.sim.service.ears import Ears, EarsFailed, Expected
from app.sim.service.idle import Idle
from app.sim.service.intents import UNCLEAR
from app.sim.service.refusal import Refusal, new_id
from app.sim.service.reply import Reply, Stage, in_pieces
from app.sim.service.session import Json, Session
from app.sim.service.voice import Voice

T = TypeVar("T")

LEAST_COMMIT_MS = 100
TRANSCRIPT_DELTA_S = 0.02
NOT_TRANSCRIBED = Refusal(
    "The speech could not be transcribed.", code="transcription_failed", kind="server_error"
)


class Dialogue:
    """The conversation of one call. `send` takes a finished server event."""

    def __init__(
        self,
        session: Session,
        ears: Ears,
        brain: Brain,
        send: Callable[[Json], None],
        *,
        fault: str = "",
    ) -> None:
        self._session, self._ears, self._send = session, ears, send
        self.voice = Voice(started=self._sound_started, stopped=self._sound_stopped)
        self._conversation = Conversation()
        self._audio = HeardAudio()
        self._detector: SpeechDetector | None = None
        self._tune_detector()
        self._turn: str | None = None
        """Item id of the speech under way."""
        self._heard_ms = 0
        self._words: dict[str, asyncio.Task[str]] = {}
        self._active: Reply | None = None
        self._reply_task: asyncio.Task[None] | None = None
        self._owes_reply = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stage = Stage(
            session,
            self._conversation,
            self.voice,
            brain,
            self._event,
            lambda: self._heard_ms,
            fault=fault,
        )
        self._fault = fault
        self._unheard: dict[str, Refusal] = {}
        """Why the words of an item are not known."""
        self._asides: dict[str, tuple[Reply, asyncio.Task[None]]] = {}
        """Responses outside the conversation, any number at once."""
        self._idle = Idle(lambda: self._audio.now_ms, self._idle_passed)
        self._actions: dict[str, Callable[[Json], None]] = {
            "session.update": self._update_session,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve_item,
            "conversation.item.delete": self._delete_item,
            "conversation.item.truncate": self._truncate_item,
            "input_audio_buffer.append": self._append_audio,
            "input_audio_buffer.commit": self._commit_audio,
            "input_audio_buffer.clear": self._clear_audio,
            "output_audio_buffer.clear": self._clear_sound,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
        }
        assert self._actions.keys() == client_events.KNOWN.keys()

    # ---- life

    def open(self) -> None:
        """The data channel is there."""
        self._event({"type": "session.created", "session": self._session.snapshot()})

    def expire(self, limit_s: float) -> None:
        """The time limit: one error event. The caller closes the call."""
        span = f"{limit_s / 60:g} minutes" if limit_s >= 60 else f"{limit_s:g} seconds"
        self._error(
            Refusal(f"Your session hit the maximum duration of {span}.", code="session_expired"),
            None,
        )

    async def close(self) -> None:
        """Ends every task. Nothing is sent any more."""
        self._send = lambda event: None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.voice.stop()
        self._idle.stop()

    # ---- in: events

    def receive(self, text: str | bytes) -> None:
        """One message of the data channel."""
        event_id: Any = None
        try:
            event = client_events.read_event(text)
            event_id = event.get("event_id")
            self._actions[client_events.checked(event)["type"]](event)
        except Refusal as why:
            self._error(why, event_id)

    def _update_session(self, event: Json) -> None:
        self._session.update(event["session"])
        self._tune_detector()
        self._event({"type": "session.updated", "session": self._session.snapshot()})

    def _create_item(self, event: Json) -> None:
        item = checked_item(event["item"])
        before = self._conversation.add(item, after=event.get("previous_item_id"))
        self._announce(item, before)

    def _announce(self, item: Json, before: str | None) -> None:
        for kind in ("conversation.item.added", "conversation.item.done"):
            self._event({"type": kind, "previous_item_id": before, "item": item})

    def _item(self, event: Json, action: str) -> Json:
        item = self._conversation.find(event["item_id"])
        if item is None:
            raise Refusal(
                f"Error {action} item: there is no item with this id.",
                code="item_not_found",
                param="item_id",
            )
        return item

    def _retrieve_item(self, event: Json) -> None:
        item = self._item(event, "retrieving")
        self._event({"type": "conversation.item.retrieved", "item": item})

    def _delete_item(self, event: Json) -> None:
        item = self._item(event, "deleting")
        self._conversation.remove(item)
        self._event({"type": "conversation.item.deleted", "item_id": item["id"]})

    def _truncate_item(self, event: Json) -> None:
        item = self._item(event, "truncating")
        parts = item.get("content") or ()
        if not any(part["type"] == "output_audio" for part in parts):
            raise Refusal(
                "Only assistant messages with audio can be truncated.",
                code="unsupported_content_type",
                param="item_id",
            )
        self._truncated(item, event["audio_end_ms"])

    def _create_response(self, event: Json) -> None:
        options = event.get("response") or {}
        context = self._conversation.for_response(options.get("input"))
        if options.get("conversation") == "none":
            self._begin_aside(options, context)
            return
        if active := self._busy:
            raise Refusal(
                "Conversation already has an active response in progress: "
                f"{active.id}. Wait until the response is finished before creating a new "
                "one.",
                code="conversation_already_has_active_response",
            )
        self._begin_reply(options, context)

    def _cancel_response(self, event: Json) -> None:
        wanted = event.get("response_id")
        if wanted in self._asides:
            aside, task = self._asides.pop(wanted)
            aside.cancel("client_cancelled")
            task.cancel()
            return
        active = self._busy
        if active is None or wanted not in (None, active.id):
            raise Refusal(
                "Cancellation failed: no active response found.", code="response_cancel_not_active"
            )
        self._owes_reply = False
        self._cancel("client_cancelled")

    # ---- in: sound

    def hear(self, frame: Pcm) -> None:
        """960 samples of the user's side, in order."""
        self._audio.add(frame)
        if self._detector is None:
            return
        for moment in self._detector.hear(frame, self._audio.now_ms):
            match moment:
                case SpeechPaused():
                    self._start(self._end_if_complete(self._turn))
                case SpeechBegan(at_ms):
                    self._speech_began(at_ms)
                case SpeechEnded(at_ms):
                    self._speech_ended(at_ms)
        if self._turn is None:
            self._audio.keep_last(self._turn_detection.get("prefix_padding_ms", 300) + 100)

    @property
    def _turn_detection(self) -> Json:
        return self._session.audio_in["turn_detection"] or {}

    def _tune_detector(self) -> None:
        if not self._turn_detection:
            self._detector, self._turn = None, None
        elif self._detector is None:
            self._detector = SpeechDetector(self._turn_detection)
        else:
            self._detector.configure(self._turn_detection)

    async def _end_if_complete(self, turn: str | None) -> None:
        """Semantic detection: a sentence that is understood needs no more waiting."""
        spoken = len(self._conversation.spoken)
        words = await self._ears.words(self._audio.heard(), self._expected(spoken))
        detector = self._detector
        if words != UNCLEAR and detector is not None and turn == self._turn and detector.quiet:
            self._speech_ended(detector.end(self._audio.now_ms).at_ms)

    def _expected(self, spoken: int) -> Expected:
        session = self._session
        return Expected(
            spoken,
            tuple(session["tools"]),
            self._conversation.said_last,
            session.audio_in["transcription"] or {},
        )

    def _speech_began(self, at_ms: int) -> None:
        self._turn = new_id("item")
        self._event(
            {
                "type": "input_audio_buffer.speech_started",
                "audio_start_ms": at_ms,
                "item_id": self._turn,
            }
        )
        if self._turn_detection["interrupt_response"]:
            self._interrupt()

    def _interrupt(self) -> None:
        """The user talks over the answer: silence first, then the bookkeeping."""
        cut = self.voice.cut()
        if cut is not None:
            self._event({"type": "output_audio_buffer.cleared", "response_id": cut.response_id})
            item = self._conversation.find(cut.item_id)
            if item is not None:
                self._truncated(item, cut.played_ms)
        if self._busy:
            self._cancel("turn_detected")

    def _speech_ended(self, at_ms: int) -> None:
        item_id = self._turn or new_id("item")
        self._turn = None
        self._event(
            {
                "type": "input_audio_buffer.speech_stopped",
                "audio_end_ms": at_ms,
                "item_id": item_id,
            }
        )
        self._commit(item_id)
        if self._turn_detection["create_response"]:
            if self._busy:
                self._owes_reply = True
            else:
                self._begin_reply({})

    def _commit_audio(self, event: Json) -> None:
        length_ms = self._audio.length_ms
        if length_ms < LEAST_COMMIT_MS:
            raise Refusal(
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{LEAST_COMMIT_MS}ms of audio, but buffer only has {length_ms:.2f}ms of audio.",
                code="input_audio_buffer_commit_empty",
            )
        item_id, self._turn = self._turn or new_id("item"), None
        self._commit(item_id)

    def _commit(self, item_id: str) -> None:
        sound = self._audio.take()
        spoken = len(self._conversation.spoken)
        self._conversation.spoken[item_id] = spoken
        self._heard_ms += len(sound) // 48
        item = _heard_item(item_id)
        self._committed(item)
        words = self._start(self._hear_words(item, sound, spoken))
        self._words[item_id] = words
        if self._session.audio_in["transcription"] is not None:
            self._start(self._transcribe(item_id, words, len(sound) / 48_000))

    def _committed(self, item: Json) -> None:
        before = self._conversation.add(item)
        self._event(
            {
                "type": "input_audio_buffer.committed",
                "item_id": item["id"],
                "previous_item_id": before,
            }
        )
        self._announce(item, before)

    async def _hear_words(self, item: Json, sound: Pcm, spoken: int) -> str:
        try:
            if self._fault == "transcription_failed":
                raise NOT_TRANSCRIBED
            words = await self._ears.words(sound, self._expected(spoken))
        except EarsFailed as why:  # the reply says it, the transcript tells it
            self._unheard[item["id"]] = Refusal(str(why), code=None, kind="server_error")
            raise
        except Refusal as why:
            self._unheard[item["id"]], words = why, ""
        item["content"][0]["transcript"] = words
        return words

    async def _transcribe(self, item_id: str, words: asyncio.Task[str], seconds: float) -> None:
        kind = "conversation.item.input_audio_transcription"
        place = {"item_id": item_id, "content_index": 0}
        text = ""
        with suppress(EarsFailed):  # kept in `_unheard`
            text = await asyncio.shield(words)
        if (why := self._unheard.get(item_id)) is not None:
            self._event({"type": f"{kind}.failed", **place, "error": why.as_object()})
            return
        for piece in in_pieces(text):
            self._event({"type": f"{kind}.delta", **place, "delta": piece})
            await asyncio.sleep(TRANSCRIPT_DELTA_S)
        usage = {"type": "duration", "seconds": round(seconds, 3)}
        self._event({"type": f"{kind}.completed", **place, "transcript": text, "usage": usage})

    def _idle_passed(self, since_ms: int) -> None:
        """Nobody has spoken for the session's idle_timeout_ms."""
        item: Json = _heard_item(new_id("item"))
        self._conversation.silent.add(item["id"])
        self._audio.clear()
        self._event(
            {
                "type": "input_audio_buffer.timeout_triggered",
                "audio_start_ms": since_ms,
                "audio_end_ms": self._audio.now_ms,
                "item_id": item["id"],
            }
        )
        self._committed(item)
        if not self._busy:
            self._begin_reply({})

    def _append_audio(self, event: Json) -> None:
        """24 kHz PCM as text: allowed by the schema, though sound comes by RTP here."""
        try:
            raw = base64.b64decode(event["audio"], validate=True)
        except binascii.Error:
            raise Refusal(
                "Invalid 'audio'. Expected base64-encoded audio bytes.",
                code="invalid_value",
                param="audio",
            ) from None
        sound = np.repeat(np.frombuffer(raw[: len(raw) // 2 * 2], "<i2").astype(np.int16), 2)
        for start in range(0, len(sound) - FRAME + 1, FRAME):
            self.hear(sound[start : start + FRAME])

    def _clear_audio(self, event: Json) -> None:
        self._audio.clear()
        self._event({"type": "input_audio_buffer.cleared"})

    # ---- out: replies

    @property
    def _busy(self) -> Reply | None:
        """The response under way; one that has sent its response.done is none."""
        return self._active if self._active is not None and not self._active.over else None

    def _begin_aside(self, options: Json, context: Conversation) -> None:
        reply = Reply(self._stage, options, lambda: self._ask(options, context))
        task = self._start(reply.run())
        self._asides[reply.id] = (reply, task)
        task.add_done_callback(lambda task: self._aside_ended(reply, task))

    def _aside_ended(self, reply: Reply, task: asyncio.Task[None]) -> None:
        self._asides.pop(reply.id, None)
        if not task.cancelled() and task.exception() is not None:
            reply.fail("The server had an error while processing your request.")

    def _begin_reply(self, options: Json, context: Conversation | None = None) -> None:
        self._owes_reply = False
        context = context or self._conversation
        reply = Reply(self._stage, options, lambda: self._ask(options, context))
        self._active = reply
        self._reply_task = self._start(reply.run())
        self._reply_task.add_done_callback(lambda task: self._reply_ended(reply, task))

    def _reply_ended(self, reply: Reply, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            reply.fail("The server had an error while processing your request.")
        if self._active is reply:
            self._active = None
            if self._owes_reply:
                self._begin_reply({})

    def _cancel(self, reason: str) -> None:
        assert self._active is not None
        assert self._reply_task is not None
        self._active.cancel(reason)
        self._reply_task.cancel()
        self._active = None

    async def _ask(self, options: Json, context: Conversation) -> Ask:
        """What the brain is told, once the last words are understood."""
        item = context.last_user_item()
        heard = spoken = None
        if item is not None:
            if item["id"] in self._words:
                # Shielded: a cancelled reply must not take the transcript along.
                await asyncio.shield(self._words[item["id"]])
            heard, spoken = text_of(item), context.spoken.get(item["id"])
        session = self._session
        choice = options.get("tool_choice", session["tool_choice"])
        return Ask(
            instructions=options.get("instructions", session["instructions"]),
            tools=() if choice == "none" else tuple(options.get("tools", session["tools"])),
            heard=heard,
            spoken=spoken,
            outputs=context.fresh_outputs(),
            history=context.items,
        )

    def _clear_sound(self, event: Json) -> None:
        cut = self.voice.cut()
        if cut is not None:
            self._event({"type": "output_audio_buffer.cleared", "response_id": cut.response_id})

    def _truncated(self, item: Json, audio_end_ms: int) -> None:
        """Tells it. The words of a finished item go too: nobody knows which of them were heard."""
        for part in item.get("content") or ():
            part["transcript"] = None
        self._event(
            {
                "type": "conversation.item.truncated",
                "item_id": item["id"],
                "content_index": 0,
                "audio_end_ms": audio_end_ms,
            }
        )

    def _sound_started(self, response_id: str) -> None:
        self._event({"type": "output_audio_buffer.started", "response_id": response_id})

    def _sound_stopped(self, response_id: str) -> None:
        self._event({"type": "output_audio_buffer.stopped", "response_id": response_id})

    # ---- out: events and tasks

    def _event(self, event: Json) -> None:
        # A copy: items go on changing, and a listener may keep what it was told.
        self._send({"event_id": new_id("event"), **copy.deepcopy(event)})
        self._idle.saw(event, self._turn_detection.get("idle_timeout_ms"))

    def _error(self, why: Refusal, client_event_id: Any) -> None:
        told = client_event_id if isinstance(client_event_id, str) else None
        self._event({"type": "error", "error": {**why.as_object(), "event_id": told}})

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or isinstance(task.exception(), EarsFailed):
            return
        if (why := task.exception()) is not None:
            # A brain that fails is a bug, and the call goes on: the loop's handler reports it.
            task.get_loop().call_exception_handler(
                {"message": "the service's brain failed", "exception": why, "task": task}
            )


def _heard_item(item_id: str) -> Json:
    return {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
