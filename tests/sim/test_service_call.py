"""Whole calls over real HTTP, ICE, DTLS, SRTP and SCTP, with a caller that shares no code."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from service_caller import SESSION, TOOLS, Caller

from app.sim.service import Service, demo_brain
from app.sim.speech import speak

SPEECH = speak("Light please.")

SPOKEN_TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
]
ANSWER = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "output_audio_buffer.started",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
]
CALLS_A_TOOL = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
]


def in_order(kinds, seen):
    """Whether `kinds` come one after another in `seen`, others between allowed."""
    rest = iter(seen)
    return all(kind in rest for kind in kinds)


@pytest.fixture
async def service():
    service = Service(brain=demo_brain())
    await service.start()
    yield service
    await service.stop()


async def test_board_way_greeting_is_heard_at_once(service):
    loop = asyncio.get_running_loop()
    async with Caller(service.base_url) as caller:
        began = loop.time()
        await caller.by_secret()
        created = await caller.until("session.created")
        session = created["session"]
        assert session["id"].startswith("sess_")
        assert session["expires_at"] > 1_700_000_000
        assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200
        assert session["audio"]["input"]["turn_detection"]["create_response"] is True
        assert [tool["name"] for tool in session["tools"]] == [tool["name"] for tool in TOOLS]
        caller.send("response.create", response={"instructions": "Greet the user."})
        heard_at = await caller.until_sound()
        done = await caller.until("response.done")
        assert heard_at - began < 1.5  # some 0.2 s alone on the machine
        assert in_order(ANSWER, caller.types())
        assert caller.types()[0] == "session.created"
        said = caller.first("response.output_audio_transcript.done")["transcript"]
        assert said == "Hello, I am Parley. How can I help you?"
        deltas = [
            event["delta"]
            for event in caller.events
            if event["type"] == "response.output_audio_transcript.delta"
        ]
        assert "".join(deltas) == said
        assert 3 <= len(deltas) <= 8
        assert done["response"]["usage"]["total_tokens"] > 0
        assert "output_audio_buffer.stopped" not in caller.types()  # words run ahead of sound
        stopped = await caller.until("output_audio_buffer.stopped")
        assert stopped["response_id"] == done["response"]["id"]


async def test_spoken_turn_calls_the_tool_and_answers(service):
    async with Caller(service.base_url) as caller:
        await caller.by_parts()
        await caller.until("session.created")
        caller.mic.sound = SPEECH
        call = await caller.until("response.function_call_arguments.done")
        await caller.until("response.done")
        await caller.until("conversation.item.input_audio_transcription.completed")
        assert in_order(SPOKEN_TURN, caller.types())
        assert in_order(CALLS_A_TOOL, caller.types())
        turn = {
            event["item_id"] for event in caller.events if event["type"].startswith("input_audio")
        }
        assert len(turn) == 1
        words = "conversation.item.input_audio_transcription.delta"
        assert caller.types().index("response.created") < caller.types().index(words)
        said = "".join(event["delta"] for event in caller.events if event["type"] == words)
        assert said == "Please turn the light blue."
        assert call["name"] == "SetLightState"
        wanted = {"LightState": True, "LightColor": {"red": 0, "green": 0, "blue": 255}}
        assert json.loads(call["arguments"]) == wanted
        began, ended = caller.events[1]["audio_start_ms"], caller.events[2]["audio_end_ms"]
        assert len(SPEECH) / 48 - 200 < ended - began < len(SPEECH) / 48 + 900

        after = len(caller.events)
        caller.give_output(call["call_id"], {"ok": True})
        await caller.until("response.done", after=after)
        assert in_order(["conversation.item.added", *ANSWER], caller.types(after))
        assert caller.first("response.output_audio_transcript.done")["transcript"] == (
            "The light is blue now."
        )
        previous = {
            event["item"]["id"]: event["previous_item_id"]
            for event in caller.events
            if event["type"] == "conversation.item.added"
        }
        assert list(previous.values()) == [None, *list(previous)[:-1]]


async def test_speech_over_the_answer_silences_it(service):
    async with Caller(service.base_url) as caller:
        await caller.by_parts()
        await caller.until("session.created")
        caller.send("response.create", response={"instructions": "greet"})
        await caller.until("response.done")
        await caller.until_sound()
        after = len(caller.events)
        caller.mic.sound = SPEECH
        cut = await caller.until("conversation.item.truncated", after=after)
        assert 0 < cut["audio_end_ms"] < 2_500
        assert in_order(
            [
                "input_audio_buffer.speech_started",
                "output_audio_buffer.cleared",
                "conversation.item.truncated",
            ],
            caller.types(after),
        )
        await caller.until("input_audio_buffer.speech_stopped", after=after)
        quiet = [peak for _, peak in caller.peaks[-10:]]
        assert max(quiet) < 300
        assert "output_audio_buffer.stopped" not in caller.types()


async def test_typed_text_and_a_failing_tool(service):
    async with Caller(service.base_url) as caller:
        await caller.by_secret()
        await caller.until("session.created")
        caller.say_text("Could you make it less loud?")
        call = await caller.until("response.function_call_arguments.done")
        assert call["name"] == "SetVolume"
        await caller.until("response.done")
        after = len(caller.events)
        caller.give_output(call["call_id"], {"ok": False, "error": "The speaker is missing."})
        done = await caller.until("response.done", after=after)
        assert "did not work" in done["response"]["output"][0]["content"][0]["transcript"]
        assert "input_audio_buffer.speech_started" not in caller.types()


async def test_hangup_closes_the_call(service):
    async with Caller(service.base_url) as caller, aiohttp.ClientSession() as http:
        await caller.by_parts()
        await caller.until("session.created")
        assert list(service.calls) == [caller.call_id]
        url = f"{service.base_url}/realtime/calls/{caller.call_id}/hangup"
        async with http.post(url, headers={"Authorization": "Bearer sk-x"}) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with asyncio.timeout(2):
            await caller.closed.wait()
        assert not service.calls
        async with http.post(url, headers={"Authorization": "Bearer sk-x"}) as answer:
            assert answer.status == 404


async def test_two_calls_do_not_meet(service):
    async with Caller(service.base_url) as one, Caller(service.base_url) as other:
        await asyncio.gather(one.by_secret(), other.by_parts())
        await asyncio.gather(one.until("session.created"), other.until("session.created"))
        one.say_text("light")
        other.say_text("door")
        calls = await asyncio.gather(
            one.until("response.function_call_arguments.done"),
            other.until("response.function_call_arguments.done"),
        )
        assert [call["name"] for call in calls] == ["SetLightState", "OpenDoor"]
        assert len(service.calls) == 2


async def test_closing_caller_is_noticed_at_once():
    ended = asyncio.Event()

    def tell(kind, facts):
        if facts.get("state") == "ended":
            ended.set()

    service = Service(brain=demo_brain(), tell=tell)
    await service.start()
    async with Caller(service.base_url) as caller:
        await caller.by_parts()
        await caller.until("session.created")
    async with asyncio.timeout(2):
        await ended.wait()
    assert not service.calls
    await service.stop()


async def test_silence_is_noticed_on_both_sides_within_ten_seconds():
    """The caller vanishes from one service; another service vanishes from its caller."""
    reasons = asyncio.Queue()

    def tell(kind, facts):
        if facts.get("state") == "ended":
            reasons.put_nowait(facts["reason"])

    left, dying = Service(brain=demo_brain(), tell=tell), Service(brain=demo_brain())
    await asyncio.gather(left.start(), dying.start())
    async with Caller(left.base_url) as gone, Caller(dying.base_url) as alone:
        await asyncio.gather(gone.by_parts(), alone.by_parts())
        await asyncio.gather(gone.until("session.created"), alone.until("session.created"))
        dying.fault = "drop"
        async with asyncio.timeout(10):
            await gone.vanish()
            assert await reasons.get() == "peer_lost"
            await alone.closed.wait()
        assert not left.calls
        assert not dying.calls
    await asyncio.gather(left.stop(), dying.stop())


async def test_stop_leaves_nothing_behind():
    before = asyncio.all_tasks()
    service = Service(brain=demo_brain())
    await service.start()
    async with Caller(service.base_url) as caller:
        await caller.by_parts()
        await caller.until("session.created")
        caller.send("response.create")
        await caller.until("response.output_audio_transcript.delta")
        service_port = int(service.base_url.split(":")[2].split("/")[0])
        await service.stop()
        await service.stop()
        async with asyncio.timeout(2):
            await caller.closed.wait()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", service_port)
    assert not service.calls
    async with asyncio.timeout(2):
        while asyncio.all_tasks() - before:
            await asyncio.wait(asyncio.all_tasks() - before)


async def test_caller_that_never_comes_is_no_obstacle(service):
    async with Caller(service.base_url) as caller:
        form = aiohttp.FormData()
        form.add_field("sdp", await caller.offer(), content_type="application/sdp")
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                f"{service.base_url}/realtime/calls",
                data=form,
                headers={"Authorization": "Bearer sk-x"},
            ) as answer,
        ):
            assert answer.status == 201
        assert len(service.calls) == 1
        await service.stop()
        assert not service.calls


async def test_expiry_tells_and_ends():
    service = Service(session_limit_s=0.3)
    await service.start()
    async with Caller(service.base_url) as caller:
        await caller.by_parts()
        error = (await caller.until("error"))["error"]
        assert error["code"] == "session_expired"
        async with asyncio.timeout(2):
            await caller.closed.wait()
    await service.stop()


async def test_model_name_asks_for_a_silent_service(service):
    async with Caller(service.base_url) as caller:
        await caller.by_secret({**SESSION, "model": "fault-no_session_created"})
        async with asyncio.timeout(3):
            await caller.opened.wait()
        caller.send("response.create")
        with pytest.raises(TimeoutError):
            await caller.until("session.created", within_s=0.3)
        assert caller.events == []


async def test_answer_has_the_shape_of_the_real_one(service):
    async with Caller(service.base_url) as caller:
        await caller.by_parts()
        lines = caller.answer.split("\r\n")
        assert lines[-1] == ""
        first_section = next(i for i, line in enumerate(lines) if line.startswith("m="))
        data = next(i for i, line in enumerate(lines) if line.startswith("m=application"))
        prints = [i for i, line in enumerate(lines) if line.startswith("a=fingerprint:")]
        assert len(prints) == 1
        assert prints[0] < first_section
        assert lines[prints[0]].startswith("a=fingerprint:sha-256 ")
        assert "a=ice-lite" in lines[:first_section]
        candidates = [i for i, line in enumerate(lines) if line.startswith("a=candidate:")]
        assert candidates
        assert first_section < min(candidates) <= max(candidates) < data
        ufrag = next(line for line in lines if line.startswith("a=ice-ufrag:")).split(":")[1]
        assert all(lines[i].endswith(f" ufrag {ufrag}") for i in candidates)
        assert lines.count("a=setup:active") == 2
        assert lines.count("a=sendrecv") == 1
        assert "a=max-message-size:1073741823" in lines
        assert any(line.endswith("useinbandfec=1") for line in lines)
