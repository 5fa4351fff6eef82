"""The rules of the conversation, event by event, without a network: sound goes straight into the
dialogue and out of its track.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service_caller import SESSION, check_event

from app.sim.service.brain import (
    DEMO_TURNS,
    Ask,
    Say,
    Scripted,
    ScriptedBrain,
    ToolOutput,
    Use,
    demo_brain,
    failure_in,
)
from app.sim.service.dialogue import Dialogue
from app.sim.service.refusal import Refusal
from app.sim.service.session import Session
from app.sim.speech import speak

SPEECH = speak("Light please.")
LONG = "This is a rather long answer, so that there is time to talk over it while it is made."


class Talk:
    """A dialogue whose track is played; `sent` are its events."""

    def __init__(self, brain=None, session=SESSION, ears=None) -> None:
        self.sent: list[dict] = []
        self._news = asyncio.Condition()
        brain = brain or demo_brain()
        self.dialogue = Dialogue(Session(session, expires_at=2e9), ears or brain, brain, self._came)
        self._notes: set[asyncio.Task] = set()
        self._player = asyncio.ensure_future(self._play())
        self.dialogue.open()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *why):
        self._player.cancel()
        await asyncio.gather(self._player, return_exceptions=True)
        await self.dialogue.close()
        await asyncio.gather(*self._notes)

    async def _play(self) -> None:
        while True:
            await self.dialogue.voice.recv()

    def _came(self, event: dict) -> None:
        check_event(event)
        self.sent.append(event)
        note = asyncio.ensure_future(self._notify())
        self._notes.add(note)
        note.add_done_callback(self._notes.discard)

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()

    def send(self, kind: str, **fields) -> None:
        self.dialogue.receive(json.dumps({"type": kind, **fields}))

    def hear(self, sound: np.ndarray) -> None:
        for start in range(0, len(sound) // 960 * 960, 960):
            self.dialogue.hear(sound[start : start + 960])

    def speak_turn(self) -> None:
        self.hear(np.concatenate((SPEECH, np.zeros(14_400, np.int16))))

    def types(self, after: int = 0) -> list[str]:
        return [event["type"] for event in self.sent[after:]]

    def last_error(self) -> dict:
        return [event for event in self.sent if event["type"] == "error"][-1]["error"]

    async def until(self, kind: str, *, after: int = 0, within_s: float = 4.0) -> dict:
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(lambda: kind in self.types(after))
        return self.sent[after + self.types(after).index(kind)]


class Slow(ScriptedBrain):
    """Thinks until it is told to go on."""

    def __init__(self) -> None:
        super().__init__(greeting=LONG, turns=DEMO_TURNS)
        object.__setattr__(self, "go", asyncio.Event())

    async def answer(self, ask: Ask) -> AsyncIterator[Say | Use]:
        await self.go.wait()
        async for step in super().answer(ask):
            yield step


def message(text: str = "light", **more) -> dict:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content, **more}


async def test_barge_in_while_the_answer_is_still_made():
    async with Talk(ScriptedBrain(greeting=LONG, turns=DEMO_TURNS)) as talk:
        talk.send("response.create")
        await talk.until("output_audio_buffer.started")
        after = len(talk.sent)
        talk.hear(SPEECH[:9600])
        assert talk.types(after) == [
            "input_audio_buffer.speech_started",
            "output_audio_buffer.cleared",
            "conversation.item.truncated",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.done",
            "rate_limits.updated",
        ]
        response = next(e for e in talk.sent if e["type"] == "response.done")["response"]
        assert response["status"] == "cancelled"
        assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        assert response["output"][0]["status"] == "incomplete"
        talk.hear(np.concatenate((SPEECH[9600:], np.zeros(14_400, np.int16))))
        done = await talk.until("response.function_call_arguments.done", after=after)
        assert done["name"] == "SetLightState"


async def test_interrupting_can_be_switched_off():
    detection = {
        "type": "server_vad",
        "silence_duration_ms": 200,
        "interrupt_response": False,
    }
    async with Talk(ScriptedBrain(greeting=LONG, turns=DEMO_TURNS)) as talk:
        talk.send(
            "session.update",
            session={"type": "realtime", "audio": {"input": {"turn_detection": detection}}},
        )
        talk.send("response.create")
        await talk.until("output_audio_buffer.started")
        talk.speak_turn()
        await talk.until("response.function_call_arguments.done")
        done = [event["response"] for event in talk.sent if event["type"] == "response.done"]
        assert done[0]["status"] == "completed"
        assert "output_audio_buffer.cleared" not in talk.types()


async def test_cancel_by_button():
    async with Talk(ScriptedBrain(greeting=LONG, turns=DEMO_TURNS)) as talk:
        talk.send("response.create")
        await talk.until("output_audio_buffer.started")
        talk.send("response.cancel")
        talk.send("output_audio_buffer.clear")
        kinds = talk.types()
        assert kinds.index("response.done") < kinds.index("output_audio_buffer.cleared")
        reason = next(e for e in talk.sent if e["type"] == "response.done")["response"]
        assert reason["status_details"]["reason"] == "client_cancelled"
        talk.send("response.cancel", event_id="event_mine")
        assert talk.last_error()["code"] == "response_cancel_not_active"
        assert talk.last_error()["event_id"] == "event_mine"


async def test_one_response_at_a_time():
    brain = Slow()
    async with Talk(brain) as talk:
        talk.send("response.create")
        talk.send("response.create", event_id="event_2")
        assert talk.last_error()["code"] == "conversation_already_has_active_response"
        assert talk.last_error()["event_id"] == "event_2"
        brain.go.set()
        await talk.until("response.done")
        after = len(talk.sent)
        talk.send("response.create")
        await talk.until("response.done", after=after)


async def test_text_only():
    async with Talk() as talk:
        talk.send("response.create", response={"output_modalities": ["text"]})
        done = await talk.until("response.done")
        content = done["response"]["output"][0]["content"]
        assert content == [
            {"type": "output_text", "text": "Hello, I am Parley. How can I help you?"}
        ]
        assert "response.output_text.delta" in talk.types()
        assert not [kind for kind in talk.types() if "audio" in kind]


async def test_push_to_talk():
    async with Talk() as talk:
        talk.send(
            "session.update",
            session={"type": "realtime", "audio": {"input": {"turn_detection": None}}},
        )
        talk.send("input_audio_buffer.commit")
        assert talk.last_error()["code"] == "input_audio_buffer_commit_empty"
        talk.speak_turn()
        assert "input_audio_buffer.speech_started" not in talk.types()
        talk.send("input_audio_buffer.clear")
        talk.send("input_audio_buffer.commit")
        assert talk.last_error()["code"] == "input_audio_buffer_commit_empty"
        talk.speak_turn()
        talk.send("input_audio_buffer.commit")
        assert "response.created" not in talk.types()
        talk.send("response.create")
        await talk.until("response.function_call_arguments.done")


async def test_appended_sound_is_heard():
    async with Talk() as talk:
        sound = np.concatenate((SPEECH, np.zeros(14_400, np.int16)))[::2]
        talk.send("input_audio_buffer.append", audio=base64.b64encode(sound.tobytes()).decode())
        assert "input_audio_buffer.committed" in talk.types()
        talk.send("input_audio_buffer.append", audio="%%%")
        assert talk.last_error()["code"] == "invalid_value"


async def test_without_create_response_nothing_is_said():
    detection = {"type": "server_vad", "silence_duration_ms": 200, "create_response": False}
    session = {
        "type": "realtime",
        "audio": {"input": {"turn_detection": detection, "transcription": {"model": "x"}}},
    }
    async with Talk(session=session) as talk:
        talk.speak_turn()
        await talk.until("conversation.item.input_audio_transcription.completed")
        assert "response.created" not in talk.types()


async def test_items_are_kept_in_order():
    async with Talk() as talk:
        for item_id in ("item_a", "item_b"):
            talk.send("conversation.item.create", item=message(id=item_id))
        talk.send("conversation.item.create", item=message(id="item_0"), previous_item_id="root")
        talk.send("conversation.item.create", item=message(id="item_1"), previous_item_id="item_a")
        added = [e for e in talk.sent if e["type"] == "conversation.item.added"]
        assert [(e["item"]["id"], e["previous_item_id"]) for e in added] == [
            ("item_a", None),
            ("item_b", "item_a"),
            ("item_0", None),
            ("item_1", "item_a"),
        ]
        talk.send("conversation.item.retrieve", item_id="item_b")
        assert talk.sent[-1]["item"]["id"] == "item_b"
        talk.send("conversation.item.delete", item_id="item_b")
        assert talk.sent[-1]["type"] == "conversation.item.deleted"
        talk.send("conversation.item.delete", item_id="item_b")
        assert talk.last_error()["code"] == "item_not_found"
        talk.send("conversation.item.truncate", item_id="item_a", content_index=0, audio_end_ms=1)
        assert talk.last_error()["code"] == "unsupported_content_type"
        talk.send("conversation.item.create", item=message(id="item_a"))
        assert talk.last_error()["code"] == "item_create_duplicate_item_id"


MALFORMED = [
    (b"{", "invalid_event", None),
    (b"[1]", "invalid_event", None),
    (b"\xff\xfe", "invalid_event", None),
    (b"[" * 100_000, "invalid_event", None),
    (b"{}", "missing_required_parameter", "type"),
    (b'{"type": 3}', "invalid_type", "type"),
    (b'{"type": "session.destroy"}', "invalid_value", "type"),
    (b'{"type": "session.created"}', "invalid_value", "type"),
    (b'{"type": "session.update"}', "missing_required_parameter", "session"),
    (b'{"type": "session.update", "session": 1}', "invalid_type", "session"),
    (b'{"type": "response.create", "x": 1}', "unknown_parameter", "x"),
    (
        b'{"type": "response.create", "response": {"modalities": ["text"]}}',
        "unknown_parameter",
        "response.modalities",
    ),
    (b'{"type": "conversation.item.create", "item": {}}', "missing_required_parameter", None),
    (
        b'{"type": "conversation.item.create", "item": {"type": "message", "role": "user"}}',
        "missing_required_parameter",
        "item.content",
    ),
    (
        b'{"type": "conversation.item.create", "item": {"type": "function_call_output",'
        b' "call_id": "call_x", "output": ""}}',
        "invalid_value",
        "item.call_id",
    ),
    (b'{"type": "conversation.item.delete"}', "missing_required_parameter", "item_id"),
    (b'{"type": "response.cancel", "response_id": "resp_x"}', "response_cancel_not_active", None),
]


@pytest.mark.parametrize(("text", "code", "param"), MALFORMED)
async def test_malformed_events_get_an_error_and_nothing_else(text, code, param):
    async with Talk() as talk:
        talk.dialogue.receive(text)
        assert talk.types() == ["session.created", "error"]
        error = talk.last_error()
        assert error["code"] == code
        assert param is None or error["param"] == param
        talk.send("session.update", session={"type": "realtime", "instructions": "Go on."})
        assert talk.sent[-1]["type"] == "session.updated"


async def test_a_large_event_is_no_problem():
    async with Talk() as talk:
        talk.send("conversation.item.create", item=message("x" * 1_000_000))
        assert talk.types()[-1] == "conversation.item.done"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "id", "role", "content", "session", "audio", "tools", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(
        [
            "session.update",
            "conversation.item.create",
            "conversation.item.truncate",
            "response.create",
            "input_audio_buffer.append",
        ]
    ),
    st.dictionaries(
        st.sampled_from(["session", "item", "item_id", "response", "audio", "event_id"]),
        json_values,
        max_size=3,
    ),
)
def test_no_event_breaks_the_dialogue(kind, fields):
    async def try_it() -> None:
        async with Talk() as talk:
            talk.send(kind, **fields)
            talk.send("input_audio_buffer.clear")
            assert talk.types()[-1] == "input_audio_buffer.cleared"

    asyncio.run(try_it())


class Broken(ScriptedBrain):
    async def answer(self, ask: Ask) -> AsyncIterator[Say | Use]:
        yield Say("One moment.")
        raise ZeroDivisionError


async def test_a_broken_brain_fails_the_response_only():
    seen = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context))
    async with Talk(Broken(greeting="", turns=DEMO_TURNS)) as talk:
        talk.send("response.create")
        done = await talk.until("response.done")
        assert done["response"]["status"] == "failed"
        assert done["response"]["status_details"]["error"]["code"] == "server_error"
        talk.send("input_audio_buffer.clear")
        assert talk.types()[-1] == "input_audio_buffer.cleared"
    assert isinstance(seen[0]["exception"], ZeroDivisionError)


async def test_several_items_and_calls_in_one_response():
    class Busy(ScriptedBrain):
        async def answer(self, ask: Ask) -> AsyncIterator[Say | Use]:
            yield Say("Let me see.")
            yield Use("SetVolume", {"volume": 10})
            yield Use("OpenDoor", {"open": True})

    async with Talk(Busy(greeting="", turns=DEMO_TURNS)) as talk:
        talk.send("response.create")
        done = await talk.until("response.done")
        kinds = [item["type"] for item in done["response"]["output"]]
        assert kinds == ["message", "function_call", "function_call"]
        indexes = [
            event["output_index"]
            for event in talk.sent
            if event["type"] == "response.output_item.added"
        ]
        assert indexes == [0, 1, 2]


async def steps_of(brain, **ask):
    whole = {"instructions": "", "tools": (), "heard": None, "spoken": None, "outputs": ()}
    return [step async for step in brain.answer(Ask(**{**whole, **ask}))]


async def test_demo_brain():
    brain = demo_brain()
    tools = ({"name": "SetLightState"}, {"name": "SetVolume"}, {"name": "OpenDoor"})
    assert await steps_of(brain) == [Say("Hello, I am Parley. How can I help you?")]
    met = ({"role": "assistant"},)
    assert await steps_of(brain, history=met) == [Say("What else can I do for you?")]
    names = [
        (await steps_of(brain, heard="…", spoken=number, tools=tools))[0].tool
        for number in range(4)
    ]
    assert names == ["SetLightState", "SetVolume", "OpenDoor", "SetLightState"]
    [lost] = await steps_of(brain, heard="What is the weather?", tools=tools)
    assert "only a demo" in lost.text
    [toolless] = await steps_of(brain, heard="light")
    assert "no tool" in toolless.text


@pytest.mark.parametrize(
    ("tool", "output", "said"),
    [
        ("SetLightState", '{"ok": true}', "The light is blue now."),
        ("SetLightState", "fine", "The light is blue now."),
        ("SetLightState", '{"ok": false}', "I am sorry, that did not work."),
        ("SetVolume", '{"ok": true, "volume": 42}', "The volume is 42 percent now."),
        ("SetVolume", '{"ok": true}', "The volume is 30 percent now."),
        ("OpenDoor", '{"open": false}', "The door is closed now."),
        ("Dance", "{}", "Done."),
    ],
)
async def test_demo_brain_answers_from_the_output(tool, output, said):
    given_back = ToolOutput("call_1", tool, "{}", output)
    assert await steps_of(demo_brain(), outputs=(given_back,)) == [Say(said)]


async def test_a_script_may_have_turns_without_tools():
    plain = Scripted(user="Hello.", done="Hello yourself.", keywords=("hello",))
    brain = ScriptedBrain(greeting="", turns=(plain,))
    assert await steps_of(brain, heard="hello", spoken=0) == [Say("Hello yourself.")]


def test_failures_in_outputs():
    assert failure_in('{"ok": true}') is None
    assert failure_in("[]") is None
    assert failure_in("not json") is None
    assert failure_in('{"success": false}') == ""
    assert failure_in('{"error": "no light"}') == "no light"
    assert failure_in('{"error": {"message": "no light"}}') == "no light"


def test_refusals_never_show_the_value():
    with pytest.raises(Refusal) as why:
        Session({"type": "realtime", "model": ["sk-secret"]}, expires_at=0)
    assert "sk-secret" not in why.value.message
