"""Each fault does what its line says, and nothing else goes wrong."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest
from service_caller import SESSION, Caller, check_event

from app.sim.service import Service, faults
from app.sim.service.meddling import Meddling

SK = {"Authorization": "Bearer sk-test"}


@pytest.fixture
async def service():
    service = Service()
    await service.start()
    yield service
    await service.stop()


def under(fault: str) -> dict:
    return {**SESSION, "model": f"fault-{fault}"}


def event(kind: str, **fields) -> dict:
    return {"type": kind, "event_id": f"event_{kind}", **fields}


def seen(fault: str, *kinds: str) -> list[str]:
    meddling = Meddling(fault)
    return [out["type"] for kind in kinds for out in meddling.instead_of(event(kind))]


TRANSCRIPT = "conversation.item.input_audio_transcription"


def test_streams_are_meddled_with():
    assert seen("", "session.created", "session.updated") == ["session.created", "session.updated"]
    assert seen("updated_lost", "session.created", "session.updated") == ["session.created"]
    assert seen("updated_twice", "session.updated") == ["session.updated"] * 2
    assert seen("unknown_events", "error") == ["session.rumour.heard", "error"]
    late = (
        "input_audio_buffer.committed",
        f"{TRANSCRIPT}.delta",
        "response.created",
        f"{TRANSCRIPT}.completed",
        "response.done",
        "output_audio_buffer.stopped",
    )
    assert seen("transcript_late", *late) == [
        "input_audio_buffer.committed",
        "response.created",
        "response.done",
        f"{TRANSCRIPT}.delta",
        f"{TRANSCRIPT}.completed",
        "output_audio_buffer.stopped",
    ]
    # A response that came and went before the words: nothing to hold them for.
    assert seen("transcript_late", late[0], late[4], late[3]) == [late[0], late[4], late[3]]
    assert seen("started_late", "response.created", "output_audio_buffer.started", *late[4:]) == [
        "response.created",
        "response.done",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
    ]


def test_large_event_is_a_good_event():
    created, large = Meddling("large_event").instead_of(event("session.created"))
    assert created["type"] == "session.created"
    check_event(large)
    assert 195_000 < len(str(large)) < 210_000


def test_names_and_seconds():
    assert faults.checked("calls-401") == "calls-401"
    assert faults.checked("") == ""
    assert faults.delay_s("expire") == 2.0
    assert faults.delay_s("expire-0.5") == 0.5
    assert faults.kind_of("429_quota") == "429_quota"
    for name in ("earthquake", "401-5", "expire--1", "expire-inf", "calls-"):
        with pytest.raises(ValueError, match="no fault"):
            faults.checked(name)
    assert faults.named_by("fault-earthquake") == faults.named_by(None) == ""


async def test_unknown_and_large_events_reach_the_caller(service):
    def known_only(event):
        if event["type"] != "session.rumour.heard":
            check_event({k: v for k, v in event.items() if k not in ("obfuscation", "x_new")})

    async with (
        Caller(service.base_url, check=known_only) as one,
        Caller(service.base_url) as other,
    ):
        await asyncio.gather(
            one.by_secret(under("unknown_events")), other.by_secret(under("large_event"))
        )
        await one.until("session.rumour.heard")
        assert "obfuscation" in await one.until("session.created")
        large = await other.until("conversation.item.retrieved")
        assert len(large["item"]["content"][0]["audio"]) > 190_000


async def test_channel_closes_and_the_sound_stays(service):
    async with Caller(service.base_url) as caller:
        await caller.by_parts(under("channel_closes-0.2"))
        await caller.until("session.created")
        caller.send("response.create")
        async with asyncio.timeout(3):
            await caller.closed.wait()
        await caller.until_frames(len(caller.peaks) + 10)
        await caller.until_sound()
        assert caller.peer.connectionState == "connected"
        assert len(service.calls) == 1


async def test_session_expires_after_the_seconds_asked_for(service):
    async with Caller(service.base_url) as caller:
        began = time.time()
        await caller.by_parts(under("expire-1"))
        session = (await caller.until("session.created"))["session"]
        assert session["expires_at"] <= began + 2
        assert (await caller.until("error"))["error"]["code"] == "session_expired"
        assert time.time() - began < 4


async def test_ice_never_connects(service):
    async with Caller(service.base_url) as caller:
        await caller.by_parts(under("no_ice"))
        candidates = [line for line in caller.answer.splitlines() if "a=candidate" in line]
        assert candidates
        assert all(" 127.0.0.1 9 typ host" in line for line in candidates)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.8):
                await caller.opened.wait()


SHAPES = {
    "no_ice_lite": lambda sdp: "a=ice-lite" not in sdp and " ufrag " in sdp,
    "no_ufrag": lambda sdp: " ufrag " not in sdp and "typ host\r\n" in sdp,
    "candidates_twice": lambda sdp: "a=candidate" in sdp[sdp.index("m=application") :],
    "tcp_candidates": lambda sdp: " 443 typ host tcptype passive ufrag " in sdp,
}


@pytest.mark.parametrize("fault", SHAPES)
async def test_other_shapes_of_the_answer_connect_as_well(service, fault):
    async with Caller(service.base_url) as caller:
        await caller.by_secret(under(fault))
        assert SHAPES[fault](caller.answer)
        await caller.until("session.created")


async def test_answers_come_late(service):
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as http:
        began = loop.time()
        headers = {**SK, faults.HEADER: "slow-0.3"}
        url = f"{service.base_url}/realtime/client_secrets"
        async with http.post(url, json={}, headers=headers) as answer:
            assert answer.status == 200
        assert loop.time() - began >= 0.3


async def test_control_door(service):
    control = service.base_url.removesuffix("/v1") + "/_control/fault"
    async with aiohttp.ClientSession() as http:
        async with http.post(control, json={"fault": "401"}) as answer:
            assert (answer.status, await answer.json()) == (200, {"fault": "401"})
        async with http.post(f"{service.base_url}/realtime/client_secrets", headers=SK) as answer:
            assert answer.status == 401
        async with http.get(control) as answer:
            told = await answer.json()
            assert (told["fault"], told["faults"]) == ("401", faults.MEANING)
        for body in ({"fault": "earthquake"}, {"fault": 3}, {}, {"fault": "", "x": 1}):
            async with http.post(control, json=body) as answer:
                assert answer.status == 400, body
        page = {"Origin": "http://localhost:3000"}
        async with http.post(control, json={"fault": ""}, headers=page) as answer:
            assert answer.status == 403
        assert service.fault == "401"
        async with http.post(control, json={"fault": ""}) as answer:
            assert answer.status == 200
        assert service.fault == ""


async def test_retired_models_are_gone(service):
    body = {"session": {"type": "realtime", "model": "gpt-4o-realtime-preview-2024-12-17"}}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{service.base_url}/realtime/client_secrets", json=body, headers=SK) as answer,
    ):
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "model_not_found"
