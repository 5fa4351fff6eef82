"""A second controller of a running call, with aiohttp's WebSocket and with the openai package."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from service_caller import Caller, check_event

from app.sim.service import Service, demo_brain

SK = {"Authorization": "Bearer sk-test"}


@pytest.fixture
async def service():
    service = Service(keys=frozenset({"sk-test"}), brain=demo_brain())
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


async def until(socket, kind: str, within_s: float = 4.0) -> dict:
    async with asyncio.timeout(within_s):
        while True:
            event = await socket.receive_json()
            check_event(event)
            if event["type"] == kind:
                return event


def door(service: Service, call_id: str) -> str:
    return f"{service.base_url}/realtime?call_id={call_id}"


async def test_both_see_what_one_does(service, http):
    async with Caller(service.base_url) as caller:
        await caller.by_parts()
        await caller.until("session.created")
        async with http.ws_connect(door(service, caller.call_id), headers=SK) as socket:
            created = await until(socket, "session.created")
            assert created["session"]["id"] == caller.first("session.created")["session"]["id"]
            new = {"type": "realtime", "instructions": "Be brief."}
            await socket.send_json({"type": "session.update", "session": new})
            for updated in (
                await until(socket, "session.updated"),
                await caller.until("session.updated"),
            ):
                assert updated["session"]["instructions"] == "Be brief."
            await socket.send_json({"type": "response.create"})
            done = await until(socket, "response.done")
            assert (await caller.until("response.done")) == done
            await caller.until_sound()
            caller.say_text("light")
            await until(socket, "response.function_call_arguments.done")
            await socket.send_str("{")
            assert (await until(socket, "error"))["error"]["code"] == "invalid_event"
            await socket.send_bytes(b"\xff")
            assert (await until(socket, "error"))["error"]["code"] == "invalid_event"
        # It leaves, the call stays.
        caller.say_text("door")
        await caller.until("response.function_call_arguments.done")


async def test_it_ends_with_the_call_and_with_the_service(service, http):
    async with Caller(service.base_url) as one, Caller(service.base_url) as other:
        await asyncio.gather(one.by_parts(), other.by_parts())
        await asyncio.gather(one.until("session.created"), other.until("session.created"))
        first = await http.ws_connect(door(service, one.call_id), headers=SK)
        second = await http.ws_connect(door(service, other.call_id), headers=SK)
        await service.hang_up(one.call_id)
        async with asyncio.timeout(2):
            await until(first, "session.created")
            assert (await first.receive()).type == aiohttp.WSMsgType.CLOSE
        assert first.close_code == 1000
        async with asyncio.timeout(3):
            await service.stop()
            while (await second.receive()).type not in (
                aiohttp.WSMsgType.CLOSE,
                aiohttp.WSMsgType.CLOSED,
            ):
                pass


async def test_attached_before_the_caller_is_through(service, http):
    async with Caller(service.base_url) as caller:
        form = aiohttp.FormData()
        form.add_field("sdp", await caller.offer(), content_type="application/sdp")
        url = f"{service.base_url}/realtime/calls"
        async with http.post(url, data=form, headers=SK) as answer:
            call_id = answer.headers["Location"].split("/")[-1]
            caller.answer = await answer.text()
        async with http.ws_connect(door(service, call_id), headers=SK) as socket:
            new = {"type": "realtime", "instructions": "Be brief."}
            await socket.send_json({"type": "session.update", "session": new})
            from aiortc import RTCSessionDescription

            await caller.peer.setRemoteDescription(RTCSessionDescription(caller.answer, "answer"))
            assert (await until(socket, "session.created"))["session"][
                "instructions"
            ] != "Be brief."
            await until(socket, "session.updated")
        await caller.until("session.updated")
        assert caller.types() == ["session.created", "session.updated"]


async def test_who_may_attend(service, http):
    async with Caller(service.base_url) as caller:
        await caller.by_parts()
        for url, headers, status in (
            (door(service, caller.call_id), {}, 401),
            (door(service, caller.call_id), {"Authorization": "Bearer sk-wrong"}, 401),
            (door(service, caller.call_id), {"Authorization": "Bearer ek_1"}, 401),
            (door(service, "rtc_0"), SK, 404),
            (f"{service.base_url}/realtime", SK, 400),
            (f"{service.base_url}/realtime?model=gpt-realtime", SK, 400),
            (door(service, caller.call_id), {**SK, "Origin": "https://evil.example"}, 403),
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError) as why:
                await http.ws_connect(url, headers=headers)
            assert why.value.status == status, (url, headers)
        async with http.get(door(service, caller.call_id), headers=SK) as answer:
            assert answer.status == 426
            assert json.loads(await answer.text())["error"]["message"]
