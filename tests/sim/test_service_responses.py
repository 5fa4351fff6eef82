"""Responses other than plain answers: cut short, failed, aside, and those about silence."""

from __future__ import annotations

import asyncio

import pytest
from service_caller import SESSION, check_event
from test_service_dialogue import LONG, SPEECH, Slow, Talk, message

from app.sim.service.brain import DEMO_TURNS, Ask, ScriptedBrain
from app.sim.service.dialogue import Dialogue
from app.sim.service.ears import EarsFailed
from app.sim.service.idle import Idle
from app.sim.service.limits import RateLimits
from app.sim.service.session import Session

GREETING = ScriptedBrain(greeting=LONG, turns=DEMO_TURNS)


def faulty(fault: str, brain=GREETING) -> Talk:
    """A talk under a fault."""
    talk = Talk(brain)
    session = Session(SESSION, expires_at=2e9)
    talk.dialogue = Dialogue(session, brain, brain, talk._came, fault=fault)
    return talk


class Asked(ScriptedBrain):
    """Keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(greeting="Hello.", turns=DEMO_TURNS)
        object.__setattr__(self, "asks", [])

    async def answer(self, ask: Ask):
        self.asks.append(ask)
        async for step in super().answer(ask):
            yield step


# ---- cut short and failed


@pytest.mark.parametrize("modality", ["audio", "text"])
async def test_max_output_tokens_cut_the_answer(modality):
    async with Talk(GREETING) as talk:
        whole = {"output_modalities": [modality]}
        talk.send("response.create", response=whole)
        full = (await talk.until("response.done"))["response"]
        assert full["status"] == "completed"
        after = len(talk.sent)
        talk.send("conversation.item.create", item=message("hello"))
        talk.send("response.create", response={**whole, "max_output_tokens": 10})
        done = (await talk.until("response.done", after=after))["response"]
        assert done["status"] == "incomplete"
        assert done["status_details"]["reason"] == "max_output_tokens"
        assert done["max_output_tokens"] == 10
        assert done["usage"]["output_tokens"] <= 11 < full["usage"]["output_tokens"]
        assert done["output"][0]["status"] == "incomplete"
        assert "conversation.item.done" in talk.types(after)


async def test_a_tool_call_beyond_the_limit_is_not_made():
    async with Talk() as talk:
        talk.send("conversation.item.create", item=message("light"))
        talk.send("response.create", response={"max_output_tokens": 3})
        done = (await talk.until("response.done"))["response"]
        assert (done["status"], done["output"]) == ("incomplete", [])


@pytest.mark.parametrize(
    ("fault", "status", "why"),
    [
        ("response_failed", "failed", "server_error"),
        ("response_quota", "failed", "insufficient_quota"),
        ("response_incomplete", "incomplete", "max_output_tokens"),
        ("response_filtered", "incomplete", "content_filter"),
    ],
)
async def test_responses_that_fail_on_purpose(fault, status, why):
    async with faulty(fault) as talk:
        talk.send("response.create")
        done = (await talk.until("response.done"))["response"]
        assert done["status"] == done["status_details"]["type"] == status
        details = done["status_details"]
        assert why in (details.get("reason"), (details.get("error") or {}).get("code"))
        after = len(talk.sent)
        talk.send("response.create")  # the next one may be tried at once
        await talk.until("response.done", after=after)


async def test_words_that_cannot_be_transcribed():
    async with faulty("transcription_failed", ScriptedBrain("Hello.", DEMO_TURNS)) as talk:
        talk.speak_turn()
        failed = await talk.until("conversation.item.input_audio_transcription.failed")
        assert failed["error"]["code"] == "transcription_failed"
        done = await talk.until("response.done")
        assert done["response"]["status"] == "completed"
        assert not [k for k in talk.types() if k.endswith("transcription.completed")]


async def test_ears_that_refuse_fail_the_transcript_only():
    class Deaf(ScriptedBrain):
        async def words(self, utterance, expected):
            raise EarsFailed("The server of words is gone.")

    async with Talk(Deaf("Hello.", DEMO_TURNS)) as talk:
        talk.speak_turn()
        failed = await talk.until("conversation.item.input_audio_transcription.failed")
        assert failed["error"]["message"] == "The server of words is gone."
        assert (await talk.until("response.done"))["response"]["status"] == "completed"


async def test_tool_choice_none_hides_the_tools():
    brain = Asked()
    async with Talk(brain) as talk:
        talk.send("conversation.item.create", item=message("light"))
        talk.send("response.create", response={"tool_choice": "none"})
        await talk.until("response.done")
        assert brain.asks[-1].tools == ()
        assert "response.function_call_arguments.done" not in talk.types()


# ---- beside the conversation


async def test_asides_run_beside_the_conversation_and_leave_no_trace():
    brain = Slow()
    async with Talk(brain) as talk:
        talk.send("response.create")
        aside = {
            "conversation": "none",
            "metadata": {"topic": "classify"},
            "output_modalities": ["text"],
            "input": [message("open the door", id="item_aside")],
        }
        talk.send("response.create", response=aside)
        talk.send("response.create", response=aside)
        assert talk.types().count("response.created") == 3
        talk.send("response.create")
        assert talk.last_error()["code"] == "conversation_already_has_active_response"
        brain.go.set()
        async with asyncio.timeout(6):
            while talk.types().count("response.done") < 3:
                await talk.until("response.done", after=len(talk.sent), within_s=6)
        done = [event["response"] for event in talk.sent if event["type"] == "response.done"]
        beside = [response for response in done if response["conversation_id"] is None]
        assert len(beside) == 2
        for response in beside:
            assert response["metadata"] == {"topic": "classify"}
            assert response["output"][0]["name"] == "OpenDoor"
        kept = {e["item"]["id"] for e in talk.sent if e["type"] == "conversation.item.added"}
        assert not kept & {item["id"] for response in beside for item in response["output"]}
        talk.send("conversation.item.retrieve", item_id="item_aside")
        assert talk.last_error()["code"] == "item_not_found"


async def test_an_aside_is_cancelled_by_its_id_only():
    async with Talk(Slow()) as talk:
        talk.send("response.create", response={"conversation": "none"})
        talk.send("response.cancel")
        assert talk.last_error()["code"] == "response_cancel_not_active"
        [created] = [e["response"] for e in talk.sent if e["type"] == "response.created"]
        talk.send("response.cancel", response_id=created["id"])
        done = (await talk.until("response.done"))["response"]
        assert (done["id"], done["status"]) == (created["id"], "cancelled")


async def test_input_stands_in_for_the_conversation():
    brain = Asked()
    async with Talk(brain) as talk:
        talk.send("conversation.item.create", item=message("door", id="item_1"))
        talk.send("conversation.item.create", item=message("volume", id="item_2"))
        refers = {"type": "item_reference", "id": "item_1"}
        talk.send("response.create", response={"conversation": "none", "input": [refers]})
        await talk.until("response.done")
        assert brain.asks[-1].heard == "door"
        assert [item["id"] for item in brain.asks[-1].history] == ["item_1"]
        talk.send("response.create", response={"conversation": "none", "input": []})
        async with asyncio.timeout(4):
            while len(brain.asks) < 2:
                await talk.until("response.done", after=len(talk.sent))
        assert (brain.asks[-1].heard, brain.asks[-1].history) == (None, ())


BAD_RESPONSES = [
    ({"input": [{"type": "item_reference", "id": "item_0"}]}, "response.input[0].id"),
    ({"input": [{"type": "message"}]}, "item.role"),
    ({"input": ["x"]}, "item"),
    ({"conversation": "other"}, "response.conversation"),
    ({"metadata": {"a": 1}}, "response.metadata.a"),
    ({"metadata": {"a": "x" * 513}}, "response.metadata"),
    ({"metadata": {str(i): "" for i in range(17)}}, "response.metadata"),
    ({"max_output_tokens": 0}, "response.max_output_tokens"),
    ({"audio": {"output": {"speed": 2}}}, "response.audio.output.speed"),
]


@pytest.mark.parametrize(("options", "param"), BAD_RESPONSES)
async def test_bad_responses_are_refused(options, param):
    async with Talk() as talk:
        talk.send("response.create", response=options, event_id="mine")
        error = talk.last_error()
        assert (error["param"], error["event_id"]) == (param, "mine")
        assert "response.created" not in talk.types()


async def test_tracing_stays_as_it_is_once_on():
    async with Talk() as talk:
        talk.send("session.update", session={"type": "realtime", "tracing": "auto"})
        talk.send("session.update", session={"type": "realtime", "tracing": None})
        assert talk.last_error()["param"] == "session.tracing"


# ---- limits


def test_limits_go_down_and_fill_up(monkeypatch):
    import app.sim.service.limits as module

    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    limits = RateLimits()
    requests, tokens = limits.spent(1_000)
    assert (requests["remaining"], tokens["remaining"]) == (399, 199_000)
    assert tokens["reset_seconds"] == 0.3
    check_event({"type": "rate_limits.updated", "event_id": "event_1", "rate_limits": [requests]})
    now[0] += 60
    assert limits.spent(0)[1]["remaining"] == 200_000
    assert limits.spent(900_000)[1]["remaining"] == 0


# ---- silence


async def test_silence_after_an_answer_is_answered():
    brain = Asked()
    async with Talk(brain) as talk:
        detection = talk.dialogue._session.audio_in["turn_detection"]
        detection["idle_timeout_ms"] = 150  # the API allows 5 s and more
        talk.send("response.create")
        talk.hear(SPEECH[:960])
        passed = await talk.until("input_audio_buffer.timeout_triggered")
        after = talk.types().index("input_audio_buffer.timeout_triggered")
        assert "output_audio_buffer.stopped" in talk.types()[:after]
        assert passed["audio_end_ms"] >= passed["audio_start_ms"] >= 0
        await talk.until("response.created", after=after)
        assert talk.types(after)[:5] == [
            "input_audio_buffer.timeout_triggered",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]
        assert talk.sent[after + 1]["item_id"] == passed["item_id"]
        await talk.until("response.done", after=after)
        assert brain.asks[-1].heard is None


async def test_no_timeout_is_the_default_and_speech_stops_it():
    passed: asyncio.Queue[int] = asyncio.Queue()
    idle = Idle(lambda: 7, passed.put_nowait)
    stopped = {"type": "output_audio_buffer.stopped"}
    spoke = {
        "type": "response.done",
        "response": {"output": [{"content": [{"type": "output_audio"}]}]},
    }
    wrote = {
        "type": "response.done",
        "response": {"output": [{"content": [{"type": "output_text"}]}]},
    }
    for events in (
        [(stopped, None)],
        [(stopped, 20), ({"type": "input_audio_buffer.speech_started"}, 20)],
        [(stopped, 20), ({"type": "response.created"}, 20)],
        [(stopped, 20), ({"type": "session.updated"}, None)],
        [({"type": "output_audio_buffer.started"}, 20), (wrote, 20)],
        [({"type": "output_audio_buffer.cleared"}, 20)],
        [(spoke, 20)],
    ):
        for event, timeout_ms in events:
            idle.saw(event, timeout_ms)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.06):
            await passed.get()
    idle.saw(wrote, 10)
    async with asyncio.timeout(1):
        assert await passed.get() == 7
    idle.saw(wrote, 10)
    idle.stop()
