"""A conversation with the service: its events in, our events and what we tell out.

The same rules as the board's (parley_core: realtime.c, talk.c, items.c, turns.c): words are keyed
by item and placed behind the item the service named; a tool runs once per call id; one response is
active at a time and only response.done ends it, so wishes are gathered and any number of outputs
and texts make one response.create. Unknown types and keys are left alone and counted.

It computes only: what is to be done is gathered in `Effects`, and time comes with each call.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.core import realtime, tools
from app.core.asking import Asking
from app.core.events import (
    BoardError,
    Event,
    Role,
    Source,
    ToolAnswered,
    ToolCalled,
    UsageIs,
    Words,
)
from app.core.realtime import Fields
from app.core.tools import Device
from app.core.turns import Sound, Turns

REMEMBERED = 256
RECALL_LINES, RECALL_LINE_MOST, RECALL_MOST = 40, 400, 6000


@dataclass(slots=True)
class Effects:
    """What one or more calls brought about, in order within each list."""

    told: list[Event] = field(default_factory=list)
    to_send: list[str] = field(default_factory=list)
    sound: list[Sound] = field(default_factory=list)
    device: Device | None = None
    ended: tuple[str, str] | None = None
    """Code and reason: the service ends the session."""


class Recall:
    """The last turns, for the session after this one."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, role: Role, text: str) -> None:
        line = " ".join(text.split())[:RECALL_LINE_MOST]
        self._lines.append(("User: " if role is Role.USER else "You: ") + line)
        del self._lines[:-RECALL_LINES]
        while sum(map(len, self._lines)) > RECALL_MOST:
            del self._lines[0]

    @property
    def text(self) -> str:
        return "".join(line + "\n" for line in self._lines)


@dataclass(slots=True)
class _Item:
    role: Role
    previous: str = ""
    hidden: bool = False  # a call, an output, our reminder: no words of anybody
    whole: bool = False


class Dialogue:
    """One session's conversation. `at` is monotonic seconds throughout."""

    def __init__(self, recall: Recall, device: Device) -> None:
        self.device = device
        self.unknown = 0
        """Events of types we do not know."""
        self.ready = False
        """The service has shown its session: what is said now is heard with our settings."""
        self.expires_at: float | None = None
        """Unix time, as the service tells it."""
        self._recall = recall
        self._effects = Effects()
        self._turns = Turns(self._tell, self._sound)
        self._items: OrderedDict[str, _Item] = OrderedDict()
        self._calls: OrderedDict[str, None] = OrderedDict()
        self._events: OrderedDict[str, None] = OrderedDict()
        self._sent = 0
        self._sent = 0
        self._asking = Asking(self._send)

    def take(self) -> Effects:
        """What is to be done since the last call."""
        effects, self._effects = self._effects, Effects()
        return effects

    @property
    def quiet(self) -> bool:
        """Nobody speaks and nothing is asked for."""
        return not (self._asking.busy or self._turns.speaking or self._turns.sounding)

    @property
    def due(self) -> float | None:
        """When `tick` is wanted; None: no need."""
        dues = (self._turns.due, self._asking.due(speaking=self._turns.speaking))
        return min((due for due in dues if due is not None), default=None)

    # ---- what the user and the program want

    def begin(self, at: float, *, greeting: str) -> None:
        """The channel is open. `greeting` asks the assistant to speak first; empty: it waits."""
        if self._recall.text:
            lead = "The line was interrupted. So far in this conversation:\n"
            self._send("conversation.item.create", item=_system(lead + self._recall.text))
        if greeting:
            self._asking.create(at, greeting)

    def say(self, text: str, at: float) -> None:
        """A typed turn."""
        self._send("conversation.item.create", item=realtime.message("user", text))
        self._want_response(at)

    def cancel(self, at: float) -> None:
        """Silence now: the answer under way is given up."""
        self._turns.hush(at)
        self._asking.cancel()
        self._send("output_audio_buffer.clear")

    def press(self, at: float) -> None:
        """Push-to-talk begins: what is heard from now on is a turn."""
        if self._asking.answers or self._turns.sounding:
            self.cancel(at)
        self._send("input_audio_buffer.clear")

    def release(self, at: float) -> None:
        """Push-to-talk ends, once the last sound is under way."""
        self._send("input_audio_buffer.commit")
        self._want_response(at)

    def configure(self, fields: dict[str, Any]) -> None:
        """Change the session: only what differs, or a voice already heard is refused."""
        if fields:
            self._send("session.update", session={"type": "realtime", **fields})

    def speaker(self, playing: bool, at: float) -> None:
        """Our own speaker began or ceased to sound."""
        self._turns.speaker(playing, self._asking.response, at)

    def set_device(self, device: Device, at: float) -> None:
        """The user changed it."""
        self.device = self._effects.device = device
        self._tell(device.event(at))

    def tick(self, at: float) -> None:
        self._asking.tick(at, speaking=self._turns.speaking)
        self._turns.tick(at)

    # ---- what the service says

    def receive(self, text: str | bytes, at: float) -> None:
        """One event, in whatever shape."""
        event = realtime.read(text)
        if event is None:
            self._error(at, "bad_event", "an event of the service cannot be read")
            return
        if _seen(self._events, event.text("event_id")):
            return
        take = _TYPES.get(event.text("type"))
        if take is None:
            self.unknown += 1
        elif take is not _known:
            take(self, event, at)
        self.tick(at)

    def on_session(self, event: Fields, at: float) -> None:
        self.ready = True
        self.expires_at = event.inner("session").number("expires_at") or self.expires_at

    def on_error(self, event: Fields, at: float) -> None:
        error = event.inner("error")
        code = error.text("code") or error.text("type") or "service"
        conflict = code == "conversation_already_has_active_response"
        if self._asking.refused(error.text("event_id"), conflict=conflict):
            self._want_response(at)
        if code == "session_expired":
            self._effects.ended = ("expired", error.text("message"))
        elif not conflict and code != "response_cancel_not_active":
            self._error(at, code, error.text("message"))

    def on_speech_started(self, event: Fields, at: float) -> None:
        item = event.text("item_id")
        self._item(item, Role.USER)
        self._turns.speech_started(item, at)

    def on_speech_stopped(self, event: Fields, at: float) -> None:
        item = event.text("item_id")
        self._item(item, Role.USER)
        self._asking.speech_stopped(at)
        self._turns.speech_stopped(item, at)

    def on_committed(self, event: Fields, at: float) -> None:
        item = self._item(event.text("item_id"), Role.USER)
        if item is not None:
            self._place(event.text("item_id"), item, event.text("previous_item_id"))

    def on_heard_delta(self, event: Fields, at: float) -> None:
        self._words_of(event, Role.USER, event.text("delta"), False, at)

    def on_heard(self, event: Fields, at: float) -> None:
        self._words_of(event, Role.USER, event.text("transcript"), True, at)

    def on_not_heard(self, event: Fields, at: float) -> None:
        self._error(at, "transcription_failed", event.inner("error").text("message"))

    def on_item_added(self, event: Fields, at: float) -> None:
        self._item_seen(event.inner("item"), event.text("previous_item_id"), False, at)

    def on_item_done(self, event: Fields, at: float) -> None:
        self._item_seen(event.inner("item"), event.text("previous_item_id"), True, at)

    def on_truncated(self, event: Fields, at: float) -> None:
        heard_ms = event.number("audio_end_ms")
        if heard_ms is not None and heard_ms >= 0:
            self._turns.truncated(int(heard_ms), at)

    def on_response_created(self, event: Fields, at: float) -> None:
        self._turns.response_created()
        self._asking.created(event.inner("response").text("id"), at)

    def on_response_done(self, event: Fields, at: float) -> None:
        response = event.inner("response")
        status, details = response.text("status"), response.inner("status_details")
        for item in response.each("output"):
            self._item_seen(item, "", True, at)
            if status == "completed":
                self._call_of(item, at)
        if status == "failed":
            error = details.inner("error")
            self._error(at, error.text("code") or "response_failed", error.text("message"))
        self._tell_usage(response.text("id"), response.inner("usage"), at)
        by_speech = details.text("reason") == "turn_detected"
        self._asking.done(response.text("id"), by_speech=by_speech)
        if status == "cancelled":
            self._turns.response_cancelled(response.text("id"))

    def on_output_added(self, event: Fields, at: float) -> None:
        self._item_seen(event.inner("item"), "", False, at)

    def on_output_done(self, event: Fields, at: float) -> None:
        self._item_seen(event.inner("item"), "", True, at)
        self._call_of(event.inner("item"), at)

    def on_delta(self, event: Fields, at: float) -> None:
        self._words_of(event, Role.ASSISTANT, event.text("delta"), False, at)

    def on_transcript(self, event: Fields, at: float) -> None:
        self._words_of(event, Role.ASSISTANT, event.text("transcript"), True, at)

    def on_text(self, event: Fields, at: float) -> None:
        self._words_of(event, Role.ASSISTANT, event.text("text"), True, at)

    def on_arguments(self, event: Fields, at: float) -> None:
        self._call(event.text("call_id"), event.text("name"), event.text("arguments"), at)

    def on_sound_started(self, event: Fields, at: float) -> None:
        self._turns.sound_started(event.text("response_id"), at)

    def on_sound_stopped(self, event: Fields, at: float) -> None:
        self._turns.sound_stopped(at)

    def on_sound_cleared(self, event: Fields, at: float) -> None:
        self._turns.sound_cleared(at)

    # ---- words

    def _item(self, name: str, role: Role) -> _Item | None:
        if not name:
            return None
        item = self._items.get(name)
        if item is None:
            item = self._items[name] = _Item(role)
            if len(self._items) > REMEMBERED:
                self._items.popitem(last=False)
        return item

    def _place(self, name: str, item: _Item, previous: str) -> None:
        """Behind `previous`, or what that stands behind when it is nobody's words."""
        for _ in range(REMEMBERED):
            before = self._items.get(previous)
            if before is None or before is item or not before.hidden:
                break
            previous = before.previous
        if previous and previous != name:
            item.previous = previous

    def _words_of(self, event: Fields, role: Role, text: str, whole: bool, at: float) -> None:
        name = event.text("item_id")
        item = self._item(name, role)
        # A delta of the first part after its end is late; further parts append.
        if item is None or (item.whole and event.count("content_index") == 0):
            return
        self._words(name, item, text, whole, at)

    def _words(self, name: str, item: _Item, text: str, whole: bool, at: float) -> None:
        if item.whole if whole else not text:
            return
        part = 1 if whole else 0
        self._tell(Words(Source.DESKTOP, at, item.role, name, text, part, whole, item.previous))
        if whole:
            item.whole = True
            self._recall.add(item.role, text)

    def _item_seen(self, shown: Fields, previous: str, done: bool, at: float) -> None:
        by_user, by_assistant = (shown.text("role") == role for role in ("user", "assistant"))
        name = shown.text("id")
        item = self._item(name, Role.USER if by_user else Role.ASSISTANT)
        if item is None:
            return
        item.hidden = shown.text("type") != "message" or not (by_user or by_assistant)
        self._place(name, item, previous)
        if item.hidden:
            return
        if by_assistant and not done:
            self._turns.speaker_item(name)
            return
        if text := _content_text(shown, typed=not done):
            self._words(name, item, text, True, at)

    # ---- tools

    def _call_of(self, item: Fields, at: float) -> None:
        finished = not item.has_text("status") or item.text("status") == "completed"
        if finished and item.text("type") == "function_call":
            self._call(item.text("call_id"), item.text("name"), item.text("arguments"), at)

    def _call(self, call: str, name: str, arguments: str, at: float) -> None:
        """Runs once, though it is shown in up to three events."""
        if not call or not name or _seen(self._calls, call):
            return
        self._tell(ToolCalled(Source.DESKTOP, at, call, name, arguments))
        outcome = tools.run(self.device, name, arguments)
        if not outcome.problem:
            self.set_device(outcome.device, at)
        ok, output = not outcome.problem, outcome.output
        self._tell(ToolAnswered(Source.DESKTOP, at, call, name, ok, output))
        self._send("conversation.item.create", item=realtime.tool_output(call, output))
        self._want_response(at)

    def _want_response(self, at: float) -> None:
        self._asking.want(at, speech_stopped_at=self._turns.speech_stopped_at)
        self.tick(at)

    # ---- out

    def _send(self, kind: str, **fields: Any) -> str:
        self._sent += 1
        self._effects.to_send.append(realtime.event(kind, self._sent, **fields))
        return realtime.event_id(self._sent)

    def _tell(self, event: Event) -> None:
        self._effects.told.append(event)

    def _sound(self, sound: Sound) -> None:
        self._effects.sound.append(sound)

    def _error(self, at: float, code: str, text: str) -> None:
        self._tell(BoardError(Source.DESKTOP, at, code, text))

    def _tell_usage(self, response: str, usage: Fields, at: float) -> None:
        if not usage:
            return  # null where nothing was made
        into, out = usage.inner("input_token_details"), usage.inner("output_token_details")
        self._tell(
            UsageIs(
                Source.DESKTOP,
                at,
                response,
                total=usage.count("total_tokens"),
                input=usage.count("input_tokens"),
                output=usage.count("output_tokens"),
                input_text=into.count("text_tokens"),
                input_audio=into.count("audio_tokens"),
                cached=into.count("cached_tokens"),
                output_text=out.count("text_tokens"),
                output_audio=out.count("audio_tokens"),
            )
        )


def _system(text: str) -> dict[str, Any]:
    return realtime.message("system", text)


def _content_text(item: Fields, *, typed: bool) -> str:
    """The first part of the content that has words; `typed`: only what was typed."""
    for part in item.each("content"):
        if text := part.text("text") or ("" if typed else part.text("transcript")):
            return text
    return ""


def _seen(ids: OrderedDict[str, None], name: str) -> bool:
    """Whether `name` came before; remembers it. No name: never."""
    if not name:
        return False
    if name in ids:
        return True
    ids[name] = None
    if len(ids) > REMEMBERED:
        ids.popitem(last=False)
    return False


def _known(dialogue: Dialogue, event: Fields, at: float) -> None:
    """Tells us nothing."""


_TYPES: dict[str, Callable[[Dialogue, Fields, float], None]] = {
    "response.output_audio_transcript.delta": Dialogue.on_delta,
    "response.output_audio_transcript.done": Dialogue.on_transcript,
    "response.output_text.delta": Dialogue.on_delta,
    "response.output_text.done": Dialogue.on_text,
    "conversation.item.input_audio_transcription.delta": Dialogue.on_heard_delta,
    "conversation.item.input_audio_transcription.completed": Dialogue.on_heard,
    "conversation.item.input_audio_transcription.failed": Dialogue.on_not_heard,
    "conversation.item.added": Dialogue.on_item_added,
    "conversation.item.done": Dialogue.on_item_done,
    "conversation.item.truncated": Dialogue.on_truncated,
    "conversation.item.deleted": _known,
    "conversation.created": _known,
    "input_audio_buffer.speech_started": Dialogue.on_speech_started,
    "input_audio_buffer.speech_stopped": Dialogue.on_speech_stopped,
    "input_audio_buffer.committed": Dialogue.on_committed,
    "input_audio_buffer.cleared": _known,
    "output_audio_buffer.started": Dialogue.on_sound_started,
    "output_audio_buffer.stopped": Dialogue.on_sound_stopped,
    "output_audio_buffer.cleared": Dialogue.on_sound_cleared,
    "response.created": Dialogue.on_response_created,
    "response.done": Dialogue.on_response_done,
    "response.output_item.added": Dialogue.on_output_added,
    "response.output_item.done": Dialogue.on_output_done,
    "response.content_part.added": _known,
    "response.content_part.done": _known,
    "response.output_audio.done": _known,
    "response.function_call_arguments.delta": _known,
    "response.function_call_arguments.done": Dialogue.on_arguments,
    "rate_limits.updated": _known,
    "session.created": Dialogue.on_session,
    "session.updated": Dialogue.on_session,
    "error": Dialogue.on_error,
}
