"""The rules of the conversation, seen as events in and effects out."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import realtime
from app.core.dialogue import Dialogue, Recall
from app.core.events import (
    BoardError,
    DeviceIs,
    Role,
    Source,
    ToolAnswered,
    ToolCalled,
    Turn,
    TurnState,
    UsageIs,
    Words,
)
from app.core.settings import Settings
from app.core.tools import Device
from app.core.turns import Sound

many = settings(max_examples=25, deadline=None, database=None, derandomize=True)


class Talk:
    """A dialogue with a clock; collects what comes out."""

    def __init__(self, *, greeting: str = "", recall: Recall | None = None) -> None:
        self.dialogue = Dialogue(recall or Recall(), Device())
        self.at = 100.0
        self.told, self.sent, self.sound = [], [], []
        self.ended = None
        self.dialogue.begin(self.at, greeting=greeting)
        self._take()

    def _take(self) -> None:
        effects = self.dialogue.take()
        self.told += effects.told
        self.sent += [json.loads(text) for text in effects.to_send]
        self.sound += effects.sound
        self.ended = effects.ended or self.ended

    def hear(self, kind: str, *, after_s: float = 0.01, **fields) -> Talk:
        self.at += after_s
        self.dialogue.receive(json.dumps({"type": kind, **fields}), self.at)
        self._take()
        return self

    def tick(self, after_s: float) -> Talk:
        self.at += after_s
        self.dialogue.tick(self.at)
        self._take()
        return self

    def do(self, name: str, *args) -> Talk:
        getattr(self.dialogue, name)(*args, self.at)
        self._take()
        return self

    def types(self) -> list[str]:
        return [event["type"] for event in self.sent]

    def of(self, kind):
        return [event for event in self.told if isinstance(event, kind)]

    # ---- what the service says in one go

    def answer(self, response="r1", item="a1", text="Hello there."):
        self.hear("response.created", response={"id": response})
        self.hear(
            "response.output_item.added",
            item={"id": item, "type": "message", "role": "assistant", "status": "in_progress"},
        )
        self.hear("output_audio_buffer.started", response_id=response)
        for word in text.split():
            self.hear("response.output_audio_transcript.delta", item_id=item, delta=word + " ")
        self.hear("response.output_audio_transcript.done", item_id=item, transcript=text)
        return self

    def done(self, response="r1", status="completed", output=(), **more):
        told = {"id": response, "status": status, "output": list(output), **more}
        return self.hear("response.done", response=told)


def call(call_id="c1", name="SetVolume", arguments='{"volume":20}', **more):
    return {
        "id": "f_" + call_id,
        "type": "function_call",
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        **more,
    }


def test_a_greeting_asks_for_the_first_response() -> None:
    talk = Talk(greeting="Say hello.")
    [create] = talk.sent
    assert create["type"] == "response.create"
    assert create["response"] == {"instructions": "Say hello."}
    assert create["event_id"] == "parley_1"


def test_words_come_as_deltas_and_once_whole() -> None:
    talk = Talk().answer().done()
    words = talk.of(Words)
    assert "".join(w.text for w in words if w.part == 0) == "Hello there. "
    assert [(w.text, w.part) for w in words if w.final] == [("Hello there.", 1)]
    assert {w.source for w in words} == {Source.DESKTOP}
    started, *_ = talk.of(Turn)
    assert (started.role, started.item, started.state) == (
        Role.ASSISTANT, "a1", TurnState.STARTED,
    )  # fmt: skip


def test_the_same_text_in_later_events_is_not_told_again() -> None:
    talk = Talk().answer()
    shown = {
        "id": "a1", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_audio", "transcript": "Hello there."}],
    }  # fmt: skip
    talk.hear("response.output_item.done", item=shown)
    talk.hear("conversation.item.done", item=shown, previous_item_id="u1")
    talk.done(output=[shown])
    talk.hear("response.output_audio_transcript.delta", item_id="a1", delta="late")
    assert sum(w.final for w in talk.of(Words)) == 1
    assert talk.of(Words)[-1].final


def test_a_response_may_have_several_messages_and_a_call() -> None:
    talk = Talk().answer(item="a1", text="One moment.")
    talk.hear(
        "response.output_item.added", item={"id": "a2", "type": "message", "role": "assistant"}
    )
    talk.hear("response.output_audio_transcript.done", item_id="a2", transcript="Now it is loud.")
    talk.done(output=[call()])
    assert [w.item for w in talk.of(Words) if w.final] == ["a1", "a2"]
    assert len(talk.of(ToolCalled)) == 1


def test_users_words_stand_behind_what_the_service_named() -> None:
    talk = Talk()
    talk.hear("input_audio_buffer.speech_started", item_id="u1")
    talk.hear("input_audio_buffer.speech_stopped", item_id="u1")
    talk.hear("input_audio_buffer.committed", item_id="u1", previous_item_id="f0")
    talk.hear("conversation.item.added", previous_item_id="a0",
              item={"id": "f1", "type": "function_call"})  # fmt: skip
    talk.hear("conversation.item.added", previous_item_id="f1",
              item={"id": "u2", "type": "message", "role": "user", "content": []})  # fmt: skip
    talk.hear("conversation.item.input_audio_transcription.completed", item_id="u1",
              transcript="Light on.")  # fmt: skip
    talk.hear("conversation.item.input_audio_transcription.delta", item_id="u2", delta="And")
    one, two = talk.of(Words)
    assert (one.item, one.previous, one.role, one.final) == ("u1", "f0", Role.USER, True)
    assert (two.item, two.previous) == ("u2", "a0")  # a call is nobody's words


def test_a_tool_runs_once_however_often_it_is_shown() -> None:
    talk = Talk().hear("response.created", response={"id": "r1"})
    talk.hear("response.function_call_arguments.done", call_id="c1", arguments='{"volume":20}')
    assert not talk.of(ToolCalled)  # without its name
    talk.hear("response.output_item.done", item=call())
    talk.hear("response.function_call_arguments.done", call_id="c1", name="SetVolume",
              arguments='{"volume":20}')  # fmt: skip
    assert "response.create" not in talk.types()  # the response is not done yet
    talk.done(output=[call()])
    assert len(talk.of(ToolCalled)) == 1
    assert talk.of(ToolAnswered)[0].ok
    assert talk.of(DeviceIs)[0].volume == 20
    assert talk.types() == ["conversation.item.create", "response.create"]
    assert talk.sent[0]["item"] == {
        "type": "function_call_output", "call_id": "c1", "output": '{"ok":true}',
    }  # fmt: skip


def test_several_calls_make_one_response_create() -> None:
    talk = Talk().hear("response.created", response={"id": "r1"})
    for name in "abc":
        talk.hear("response.output_item.done", item=call(name))
    talk.done()
    assert talk.types() == ["conversation.item.create"] * 3 + ["response.create"]


def test_a_cancelled_response_runs_no_half_call() -> None:
    talk = Talk().hear("response.created", response={"id": "r1"})
    talk.done(status="cancelled", output=[call(status="incomplete")])
    assert not talk.of(ToolCalled)


def test_text_waits_for_the_response_under_way() -> None:
    talk = Talk().answer().do("say", "And now?")
    assert talk.types() == ["conversation.item.create"]
    talk.done()
    assert talk.types()[-1] == "response.create"


def test_a_conflict_is_no_error_and_is_asked_again() -> None:
    talk = Talk().do("say", "Hi.")
    talk.hear("error", error={
        "code": "conversation_already_has_active_response", "message": "busy", "event_id": None,
    })  # fmt: skip
    assert not talk.of(BoardError)
    talk.hear("response.created", response={"id": "r9"}).done("r9")
    # r9 was the service's own answer: it knew the text.
    assert talk.types().count("response.create") == 1


def test_a_create_that_is_never_answered_is_given_up() -> None:
    talk = Talk().do("say", "Hi.").do("say", "Anybody?")
    assert talk.types().count("response.create") == 1
    assert talk.dialogue.due is not None
    talk.tick(11)
    assert talk.types().count("response.create") == 2


def test_speech_over_the_answer_is_one_interrupted_turn() -> None:
    talk = Talk().answer()
    talk.sound.clear()
    talk.hear("input_audio_buffer.speech_started", item_id="u1", after_s=1.0)
    assert talk.sound == [Sound.HUSH]
    talk.at += 0.04
    talk.dialogue.speaker(False, talk.at)
    talk.hear("output_audio_buffer.cleared", response_id="r1")
    talk.hear("conversation.item.truncated", item_id="a1", audio_end_ms=900)
    talk.done(status="cancelled", status_details={"type": "cancelled", "reason": "turn_detected"})
    [cut] = [turn for turn in talk.of(Turn) if turn.state is TurnState.INTERRUPTED]
    assert (cut.item, cut.ms, cut.cut_ms) == ("a1", 40, 900)
    assert talk.sound == [Sound.HUSH, Sound.CLEAR]
    talk.hear("output_audio_buffer.started", response_id="r1")  # late: seen in the wild
    assert len([t for t in talk.of(Turn) if t.state is TurnState.STARTED]) == 2


def test_the_answers_wait_is_told_from_the_end_of_speech() -> None:
    talk = Talk()
    talk.hear("input_audio_buffer.speech_started", item_id="u1")
    talk.hear("input_audio_buffer.speech_stopped", item_id="u1")
    talk.answer()
    [turn] = [t for t in talk.of(Turn) if t.role is Role.ASSISTANT]
    assert turn.ms == 30


def test_cancel_before_the_response_exists_is_remembered() -> None:
    talk = Talk().do("say", "Hi.").do("cancel")
    assert "response.cancel" not in talk.types()
    talk.hear("response.created", response={"id": "r1"})
    assert talk.sent[-1] == {
        "type": "response.cancel", "event_id": talk.sent[-1]["event_id"], "response_id": "r1",
    }  # fmt: skip


def test_the_button_cancels_and_clears() -> None:
    talk = Talk().answer().do("cancel")
    assert talk.types() == ["response.cancel", "output_audio_buffer.clear"]
    assert talk.sound[-1] is Sound.HUSH
    talk.hear("error", error={"code": "response_cancel_not_active", "message": "none"})
    assert not talk.of(BoardError)


def test_push_to_talk_sends_the_right_events() -> None:
    talk = Talk().answer().do("press").do("release")
    assert talk.types() == [
        "response.cancel", "output_audio_buffer.clear", "input_audio_buffer.clear",
        "input_audio_buffer.commit",
    ]  # fmt: skip
    talk.done(status="cancelled")
    assert talk.types()[-1] == "response.create"


def test_errors_usage_expiry_and_unknown_events() -> None:
    talk = Talk()
    talk.hear("session.created", session={"expires_at": 1_800_000_000})
    assert talk.dialogue.ready
    assert talk.dialogue.expires_at == 1_800_000_000
    talk.hear("error", error={"type": "invalid_request_error", "code": "x", "message": "No."})
    talk.hear("something.new", value=1)
    talk.dialogue.receive("{not json", talk.at)
    talk.answer().done(status="failed", status_details={"error": {"message": "m"}},
                       usage={"total_tokens": 5, "input_tokens": 3,
                              "input_token_details": {"cached_tokens": 1}})  # fmt: skip
    assert [error.code for error in talk.of(BoardError)] == ["x", "bad_event", "response_failed"]
    assert talk.dialogue.unknown == 1
    [usage] = talk.of(UsageIs)
    assert (usage.total, usage.input, usage.cached, usage.output) == (5, 3, 1, 0)
    talk.hear("error", error={"code": "session_expired", "message": "60 minutes"})
    assert talk.ended == ("expired", "60 minutes")


def test_an_event_that_comes_twice_counts_once() -> None:
    talk = Talk()
    for _ in range(2):
        talk.hear("response.output_text.delta", event_id="event_1", item_id="a", delta="x")
    assert len(talk.of(Words)) == 1


def test_the_next_session_is_told_what_was_said() -> None:
    recall = Recall()
    Talk(recall=recall).do("say", "ignored: not shown yet").answer(text="Blue it is.")
    talk = Talk(recall=recall, greeting="")
    text = talk.sent[0]["item"]["content"][0]["text"]
    assert text.startswith("The line was interrupted. So far in this conversation:\n")
    assert "You: Blue it is.\n" in text
    for _ in range(500):
        recall.add(Role.USER, "word " * 200)
    assert len(recall.text) < 7000


def test_configure_sends_changed_fields_only() -> None:
    before = realtime.session(Settings({"voice": "marin"}))
    after = realtime.session(Settings({"voice": "marin", "instr": "Be brief."}), push_to_talk=True)
    talk = Talk()
    talk.dialogue.configure(realtime.changed(before, after))
    talk.dialogue.configure(realtime.changed(after, after))
    [update] = [json.loads(text) for text in talk.dialogue.take().to_send]
    assert update["session"] == {
        "type": "realtime",
        "instructions": "Be brief.",
        "audio": {"input": {"turn_detection": None}},
    }


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "item",
                    "item_id",
                    "response",
                    "id",
                    "error",
                    "code",
                    "call_id",
                    "name",
                    "status",
                    "output",
                    "usage",
                    "session",
                    "expires_at",
                    "delta",
                    "content",
                    "text",
                    "role",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "response.created",
                    "response.done",
                    "error",
                    "session.created",
                    "conversation.item.added",
                    "conversation.item.done",
                    "conversation.item.truncated",
                    "input_audio_buffer.speech_started",
                    "input_audio_buffer.speech_stopped",
                    "output_audio_buffer.started",
                    "output_audio_buffer.cleared",
                    "response.output_item.done",
                    "response.function_call_arguments.done",
                    "response.output_audio_transcript.done",
                    "what.ever",
                ]
            ),
            anything,
        ),
        max_size=12,
    )
)
@many
def test_whatever_the_service_says(events) -> None:
    talk = Talk(greeting="Hi.")
    for kind, body in events:
        fields = body if isinstance(body, dict) else {"item": body}
        talk.hear(kind, **fields)
        talk.tick(0.3)
    creates = talk.types().count("response.create")
    assert creates <= 1 + len(events)


@given(st.binary(max_size=40))
@many
def test_any_bytes(data) -> None:
    dialogue = Dialogue(Recall(), Device())
    dialogue.receive(data, 1.0)
    dialogue.take()
