"""The answer's shape, and offers nobody should send."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service_caller import Caller

from app.sim.service import demo_brain
from app.sim.service.call import Call
from app.sim.service.refusal import Refusal
from app.sim.service.session import Session


def call(ended: list[Call] | None = None) -> Call:
    return Call(
        session=Session(None, expires_at=time.time() + 60),
        ears=demo_brain(),
        brain=demo_brain(),
        limit_s=60,
        fault="",
        tell=lambda kind, facts: None,
        ended=(ended if ended is not None else []).append,
    )


async def offer() -> str:
    async with Caller("") as caller:
        return await caller.offer()


async def answer_to(sdp: str, *, ice_lite: bool = True) -> str:
    one = call()
    try:
        return await one.answer(sdp, ice_lite=ice_lite)
    finally:
        await one.close("done")


def value(sdp: str, name: str) -> str:
    return next(line.split(":", 1)[1] for line in sdp.splitlines() if line.startswith(f"a={name}:"))


async def test_ice_lite_can_be_left_out():
    sdp = await offer()
    assert "a=ice-lite\r\n" in await answer_to(sdp)
    assert "a=ice-lite" not in await answer_to(sdp, ice_lite=False)


async def test_mids_and_formats_are_the_offers_own():
    sdp = (await offer()).replace("a=mid:0", "a=mid:sound").replace("a=mid:1", "a=mid:words")
    sdp = sdp.replace("BUNDLE 0 1", "BUNDLE sound words")
    sdp = sdp.replace(" 96 ", " 111 ").replace(":96 ", ":111 ")
    answer = await answer_to(sdp)
    assert "a=group:BUNDLE sound words" in answer
    assert "a=rtpmap:111 opus/48000/2" in answer
    assert "a=fmtp:111 minptime=10;useinbandfec=1" in answer
    assert "G722" not in answer
    assert value(answer, "setup") == "active"


async def test_a_client_that_insists_on_being_active_is_let():
    sdp = (await offer()).replace("a=setup:actpass", "a=setup:active")
    assert value(await answer_to(sdp), "setup") == "passive"


async def test_without_opus_plain_telephone_sound():
    lines = [line for line in (await offer()).splitlines(True) if "rtpmap:96" not in line]
    answer = await answer_to("".join(lines).replace("SAVPF 96 ", "SAVPF "))
    assert "PCMU/8000" in answer
    assert "opus" not in answer


async def test_aiortc_understands_the_answer():
    client = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    client.addTransceiver("audio")
    client.createDataChannel("oai-events")
    await client.setLocalDescription(await client.createOffer())
    one = call()
    answer = await one.answer(client.localDescription.sdp, ice_lite=True)
    await client.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    assert client.signalingState == "stable"
    assert client.getTransceivers()[0].currentDirection == "sendrecv"
    await client.close()
    await one.close("done")


async def test_a_refused_offer_ends_the_call():
    ended: list[Call] = []
    one = call(ended)
    with pytest.raises(Refusal):
        await one.answer("v=0\r\n", ice_lite=True)
    await one.close("done")
    assert ended == [one]


OFFER = asyncio.run(offer())
LINES = OFFER.splitlines(True)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["drop", "cut", "double", "swap", "digits"]),
            st.integers(0, len(LINES) - 1),
            st.integers(0, 60),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_damaged_offers_are_answered_or_refused(damages):
    lines = list(LINES)
    for what, at, where in damages:
        at %= len(lines)
        line = lines[at]
        match what:
            case "drop":
                lines[at] = ""
            case "cut":
                lines[at] = line[:where].rstrip("\r\n") + "\r\n"
            case "double":
                lines[at] = line * 2
            case "swap":
                lines[at], lines[-1 - at] = lines[-1 - at], line
            case "digits":
                lines[at] = line.translate(str.maketrans("0123456789", "x9999x0-65"))

    async def try_it() -> None:
        failed: list[dict] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, what: failed.append(what))
        one = call()
        try:
            said = await one.answer("".join(lines), ice_lite=True)
        except Refusal as why:
            said = str(why.code)
        await one.close("done")
        assert said.startswith(("v=0\r\n", "invalid_offer"))

    asyncio.run(try_it())
