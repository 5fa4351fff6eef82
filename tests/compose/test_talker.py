"""Whole desktop calls over real HTTP, ICE, DTLS, SRTP and SCTP with the local service."""

from __future__ import annotations

import gc
import threading
from contextlib import asynccontextmanager

import numpy as np
import psutil
import pytest
from aiohttp import ClientSession, web
from talk_rig import IDLE, LIVE, WAITING, Ear, Hall, Mouth, desk, hall, lossy_line

from app.core.events import (
    BoardError,
    DeviceIs,
    LevelIs,
    MediaIs,
    Mute,
    Role,
    Say,
    SessionIs,
    SessionState,
    SetVolume,
    Source,
    ToolAnswered,
    ToolCalled,
    Turn,
    TurnState,
    UsageIs,
    Words,
)
from app.core.faults import Fault
from app.core.session_text import fault_of
from app.core.settings import Settings
from app.sim.speech import speak

ASK = speak("Please turn the light blue.")


@pytest.fixture
async def service():
    async with hall() as made:
        yield made


def texts(desk, role: Role) -> list[str]:
    return [words.text for words in desk.of(Words) if words.final and words.role is role]


def answers_ended(desk, since: int = 0) -> list[Turn]:
    return [
        turn
        for turn in desk.of(Turn, since)
        if turn.role is Role.ASSISTANT and turn.state is TurnState.ENDED
    ]


async def test_a_spoken_turn_from_the_voice_to_the_tool_and_the_answer(service: Hall) -> None:
    async with desk(service.base_url) as at_desk:
        await at_desk.go_live()
        at_desk.mouth.say(ASK)
        await at_desk.until(lambda: answers_ended(at_desk))
        assert texts(at_desk, Role.USER) == ["Please turn the light blue."]
        assert texts(at_desk, Role.ASSISTANT) == ["The light is blue now."]
        [called], [answered] = at_desk.of(ToolCalled), at_desk.of(ToolAnswered)
        assert (called.name, answered.ok) == ("SetLightState", True)
        device = at_desk.of(DeviceIs)[-1]
        assert (device.light, device.blue, device.source) == (True, 255, Source.DESKTOP)
        assert at_desk.of(UsageIs)
        started = [t for t in at_desk.of(Turn) if t.ms is not None]
        assert started
        # What was played is the answer: as long and as loud as speech.
        spoken = len(speak("The light is blue now.")) / 48_000
        assert len(at_desk.ear.loud_since(0)) * 0.01 > 0.5 * spoken
        states = [event.state.value for event in at_desk.of(SessionIs)]
        assert states == ["token", "offer", "connecting", "live"]
        assert at_desk.of(SessionIs)[-1].call.startswith("rtc_")
        await at_desk.talker.stop()
        ended = await at_desk.reach(IDLE)
        assert ended.code == "stopped"
        assert service.open_calls == 0  # hung up through the API


async def test_the_greeting_is_heard_at_once(service: Hall) -> None:
    async with desk(service.base_url, greeting=True) as at_desk:
        await at_desk.go_live()
        await at_desk.until(lambda: at_desk.talker.timing.first_sound)
        timing = at_desk.talker.timing
        assert timing.live is not None
        assert timing.first_sound - timing.began < 2.0
        await at_desk.until(lambda: at_desk.of(LevelIs) and at_desk.of(MediaIs))
        assert max(level.speaker for level in at_desk.of(LevelIs)) > -50
        assert at_desk.of(MediaIs)[-1].down_bps > 5_000


async def test_typed_words_volume_and_mute(service: Hall) -> None:
    async with desk(service.base_url) as at_desk:
        await at_desk.go_live()
        await at_desk.talker.send(Mute(True))
        at_desk.mouth.say(ASK)  # nobody hears it
        await at_desk.talker.send(SetVolume(50))
        await at_desk.talker.send(Say("Open the door."))
        await at_desk.until(lambda: answers_ended(at_desk))
        assert texts(at_desk, Role.USER) == ["Open the door."]
        device = at_desk.of(DeviceIs)[-1]
        assert (device.door, device.volume, device.muted) == (True, 50, True)
        assert not service.events("input_audio_buffer.speech_started")


async def test_speech_over_the_answer_silences_the_speaker_within_a_block(service: Hall) -> None:
    async with desk(service.base_url, greeting=True) as at_desk:
        await at_desk.go_live()
        await at_desk.until(lambda: at_desk.talker.timing.first_sound)
        at_desk.mouth.say(ASK)
        await at_desk.until(lambda: [t for t in at_desk.of(Turn) if t.role is Role.USER])
        [user] = [t for t in at_desk.of(Turn) if t.role is Role.USER]
        await at_desk.until(
            lambda: [t for t in at_desk.of(Turn) if t.state is TurnState.INTERRUPTED]
        )
        loud = [at for at in at_desk.ear.loud_since(user.at) if at < user.at + 0.5]
        print(f"loud blocks after the user was heard: {len(loud)}")
        assert len(loud) <= 2  # the block under way and the one that fades
        [cut] = [t for t in at_desk.of(Turn) if t.state is TurnState.INTERRUPTED]
        assert cut.cut_ms is not None
        await at_desk.until(lambda: answers_ended(at_desk))


async def test_escape_silences_the_answer(service: Hall) -> None:
    async with desk(service.base_url, greeting=True) as at_desk:
        await at_desk.go_live()
        await at_desk.until(lambda: at_desk.talker.timing.first_sound)
        at_desk.talker.cancel()
        await at_desk.until(
            lambda: [t for t in at_desk.of(Turn) if t.state is TurnState.INTERRUPTED]
        )
        assert not at_desk.of(BoardError)
        since = len(at_desk.told)
        await at_desk.talker.send(Say("Hello"))
        await at_desk.until(lambda: answers_ended(at_desk, since))


async def test_push_to_talk(service: Hall) -> None:
    async with desk(service.base_url, push_to_talk=True) as at_desk:
        await at_desk.go_live()
        at_desk.talker.press()
        at_desk.mouth.say(ASK)
        await at_desk.until(lambda: at_desk.mouth.finished and at_desk.of(LevelIs))
        at_desk.talker.release()
        await at_desk.until(lambda: answers_ended(at_desk))
        assert texts(at_desk, Role.USER) == ["Please turn the light blue."]
        assert not service.events("input_audio_buffer.speech_started")


FAULTS = {
    "401": "unauthorized",
    "403": "forbidden",
    "404": "not_found",
    "429": "rate_limited",
    "429_quota": "no_quota",
    "500": "server_error",
    "html": "server_error",
    "bad_sdp": "bad_answer",
}


@pytest.mark.parametrize(("fault", "code"), FAULTS.items())
async def test_what_the_service_refuses_is_told_and_the_next_call_works(fault, code) -> None:
    async with hall() as service, desk(service.base_url) as at_desk:
        await service.set_fault(fault)
        await at_desk.talker.start()
        ended = await at_desk.reach(IDLE)
        assert ended.code == code
        told = fault_of(ended)
        assert told is not None
        assert "board" not in str(told).lower()
        await service.set_fault("")
        since = len(at_desk.told)
        await at_desk.talker.start()
        await at_desk.reach(LIVE, since=since)


async def test_no_key_and_no_service() -> None:
    async with desk("http://127.0.0.1:9/v1", key="") as at_desk:
        await at_desk.talker.start()
        assert (await at_desk.reach(IDLE)).code == "no_key"
    async with desk("http://127.0.0.1:9/v1") as at_desk:
        await at_desk.talker.start()
        assert (await at_desk.reach(IDLE)).code == "unreachable"


async def test_a_service_that_says_nothing_is_given_up(service: Hall, monkeypatch) -> None:
    monkeypatch.setattr("app.compose.talker.SHOWN_WITHIN_S", 0.3)
    await service.set_fault("no_session_created")
    async with desk(service.base_url) as at_desk:
        await at_desk.talker.start()
        assert (await at_desk.reach(IDLE)).code == "no_session"


@asynccontextmanager
async def without_candidates(base_url: str):
    """The service behind a door that closes every way for sound (UDP), in offer and answer."""

    async def answer(request: web.Request) -> web.Response:
        headers = {k: request.headers[k] for k in ("Authorization", "Content-Type")}
        url = base_url.removesuffix("/v1") + request.path
        offer = (await request.read()).replace(b" udp ", b" tcp ")  # which aioice leaves alone
        async with (
            ClientSession() as http,
            http.post(url, data=offer, headers=headers) as told,
        ):
            lines = (await told.text()).splitlines(keepends=True)
            sdp = "".join(line for line in lines if not line.startswith("a=candidate"))
            location = {"Location": told.headers.get("Location", "")}
            return web.Response(status=told.status, body=sdp.encode(), headers=location)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def test_a_network_that_blocks_sound_is_told_so(service: Hall, monkeypatch) -> None:
    monkeypatch.setattr("app.compose.talker.CONNECT_WITHIN_S", 1.0)
    async with without_candidates(service.base_url) as base_url, desk(base_url) as at_desk:
        await at_desk.talker.start()
        ended = await at_desk.reach(IDLE)
        assert ended.code == "peer_failed"
        assert "UDP" in str(fault_of(ended))


async def test_a_lost_service_is_called_again_with_what_was_said(service: Hall) -> None:
    async with desk(service.base_url) as at_desk:
        await at_desk.go_live()
        await at_desk.talker.send(Say("Open the door."))
        await at_desk.until(lambda: answers_ended(at_desk))
        since = len(at_desk.told)
        await service.set_fault("drop")
        waiting = await at_desk.reach(WAITING, since=since, within_s=15)
        assert waiting.code in ("peer_lost", "channel_closed")
        assert waiting.retry_ms > 0
        await service.set_fault("")
        await at_desk.reach(LIVE, since=since)
        await at_desk.until(
            lambda: service.events("conversation.item.added")[-1]["item"]["role"] == "system"
        )
        item = service.events("conversation.item.added")[-1]["item"]
        assert "User: Open the door." in item["content"][0]["text"]


async def test_the_time_limit_is_passed_without_a_word_lost(service: Hall) -> None:
    async with desk(service.base_url) as at_desk:
        await at_desk.go_live()
        since = len(at_desk.told)
        await service.set_fault("expire")
        waiting = await at_desk.reach(WAITING, since=since)
        assert (waiting.code, waiting.retry_ms) == ("expired", 0)
        await service.set_fault("")
        again = await at_desk.reach(LIVE, since=since)
        print(f"gap of the hand-over: {(again.at - waiting.at) * 1000:.0f} ms")
        assert again.at - waiting.at < 1.0


async def test_hand_over_comes_before_the_limit(monkeypatch) -> None:
    monkeypatch.setattr("app.core.call.LEAST_LIFE_S", 1.0)
    async with hall(session_limit_s=4) as service, desk(service.base_url) as at_desk:
        await at_desk.go_live()
        waiting = await at_desk.reach(WAITING, within_s=12)
        assert "time limit is near" in waiting.reason
        since = len(at_desk.told)
        await at_desk.reach(LIVE, since=since)


@pytest.mark.parametrize("state", [SessionState.TOKEN, SessionState.OFFER, SessionState.CONNECTING])
async def test_a_call_can_be_stopped_at_any_moment(service: Hall, state) -> None:
    async with desk(service.base_url) as at_desk:
        await at_desk.talker.start()
        await at_desk.reach(state)
        await at_desk.talker.stop()
        assert (await at_desk.reach(IDLE)).code == "stopped"
    assert not [task for task in threading.enumerate() if task.name.startswith("parley-")]


@pytest.mark.parametrize(("percent", "most"), [(1, 0.01), (5, 0.02), (10, 0.04)])
async def test_gaps_under_loss(service: Hall, percent: int, most: float) -> None:
    """Share of silent 10 ms windows that the whole answer does not have."""
    async with desk(service.base_url) as at_desk:
        with lossy_line(percent / 100, at_desk.talker):
            await at_desk.go_live()
            await at_desk.talker.send(Say("Hello"))
            await at_desk.until(lambda: answers_ended(at_desk))
        counts = at_desk.talker.counts
        spoken = speak("I am only a demo. Ask me about the light, the volume or the door.",
                       voice="en-us+f3")  # fmt: skip
        whole = np.sqrt((spoken[: len(spoken) // 480 * 480].reshape(-1, 480) / 1.0) ** 2).mean(1)
        wanted = (whole > 300).sum()
        heard = len(at_desk.ear.loud_since(0))
        missing = 1 - heard / wanted
        print(f"{percent} % lost: {missing:.1%} of the loud windows missing; {counts}")
        assert missing <= most + 0.05
        assert counts.recovered + counts.concealed > 0


async def test_calls_in_a_row_leave_nothing_behind(service: Hall) -> None:
    process = psutil.Process()
    async with desk(service.base_url) as at_desk:
        figures = []
        for _ in range(6):
            since = len(at_desk.told)
            await at_desk.talker.start()
            await at_desk.reach(LIVE, since=since)
            await at_desk.talker.stop()
            await at_desk.reach(IDLE, since=since)
            await at_desk.until(lambda: service.open_calls == 0)
            gc.collect()
            figures.append((threading.active_count(), process.num_fds()))
        assert max(figures[2:]) <= max(figures[:2])


async def test_devices_change_in_the_middle_of_a_call(service: Hall) -> None:
    async with desk(service.base_url) as at_desk:
        await at_desk.go_live()
        await at_desk.until(lambda: at_desk.of(LevelIs))

        def broken():
            raise Fault("no", "other", "gone")

        with pytest.raises(Fault):
            await at_desk.talker.use_microphone(broken)
        mouth, ear = Mouth(), Ear()
        await at_desk.talker.use_microphone(lambda: mouth)
        await at_desk.talker.use_speaker(lambda: ear)
        mouth.say(ASK)
        await at_desk.until(lambda: answers_ended(at_desk))
        assert texts(at_desk, Role.USER) == ["Please turn the light blue."]
        assert len(ear.loud_since(0)) > 30
        assert not at_desk.ear.loud_since(0)


async def test_a_conversation_goes_on_from_elsewhere(service: Hall) -> None:
    async with desk(service.base_url) as at_desk:
        await at_desk.talker.start(before=((Role.USER, "Call me Ada."), (Role.ASSISTANT, "Yes.")))
        await at_desk.reach(LIVE)
        await at_desk.until(lambda: service.events("conversation.item.added"))
        item = service.events("conversation.item.added")[0]["item"]
        assert "User: Call me Ada.\nYou: Yes.\n" in item["content"][0]["text"]


async def test_no_device_is_told_and_nothing_is_left_open(service: Hall) -> None:
    def broken():
        raise Fault("no", "other", "no such device")

    async with desk(service.base_url, make_in=broken) as at_desk:
        await at_desk.talker.start()
        ended = await at_desk.reach(IDLE)
        assert (ended.code, ended.reason) == ("sound", "no such device")
        assert service.open_calls == 0


async def test_settings_change_while_it_is_live(service: Hall) -> None:
    async with desk(service.base_url) as at_desk:
        await at_desk.go_live()
        settings = Settings({"base_url": service.base_url, "instr": "Be brief.", "lang": "de"})
        at_desk.talker.configure(settings)
        await at_desk.until(lambda: at_desk.of(LevelIs) and service.events("session.updated"))
        [updated] = service.events("session.updated")
        assert updated["session"]["instructions"] == "Be brief."
        assert updated["session"]["audio"]["input"]["transcription"]["language"] == "de"
        assert not at_desk.of(BoardError)


async def test_the_key_is_in_no_event(service: Hall) -> None:
    async with desk(service.base_url, key="sk-marked-1234567890") as at_desk:
        await at_desk.go_live()
        await service.set_fault("401")
        assert "sk-marked" not in repr(at_desk.told)
