"""A real browser as the client: a page of this computer calls with RTCPeerConnection and a
microphone that plays generated speech, is answered, and measures what it hears.
"""

from __future__ import annotations

import asyncio
import json
import wave
from pathlib import Path

import aiohttp
import chromium
import numpy as np
import pytest
from aiohttp import web

from app.sim.service import Scripted, ScriptedBrain, Service
from app.sim.speech import speak

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="Chromium is not installed")

REQUEST = "Please turn the light blue."
DONE = "The light is blue now, and it stays like this until you tell me otherwise."
SESSION = {
    "type": "realtime",
    "model": "gpt-realtime-2.1",
    "tools": [
        {
            "type": "function",
            "name": "SetLightState",
            "description": "Turns the light on or off.",
            "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}},
        }
    ],
    "audio": {"input": {"transcription": {"model": "gpt-transcribe"}}},
}
BRAIN = ScriptedBrain(
    greeting=DONE,
    turns=(Scripted(REQUEST, DONE, "SetLightState", {"on": True}, keywords=("light",)),),
)
LOUD_DB = -45.0
LEAD_S, TAIL_S = 1.5, 10.0


def microphone(file: Path) -> Path:
    """A request between silences; after the file the fake device is silent for good."""
    speech = speak(REQUEST)
    sound = np.concatenate(
        (np.zeros(int(LEAD_S * 48_000)), speech, np.zeros(int(TAIL_S * 48_000)))
    ).astype("<i2")
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(48_000)
        out.writeframes(sound.tobytes())
    return file


@pytest.fixture
async def service():
    service = Service(keys=frozenset({"sk-test"}), brain=BRAIN)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def page_url():
    async def page(request):
        return web.FileResponse(Path(__file__).with_name("call.html"))

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "localhost", 0).start()
    yield f"http://localhost:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.fixture
async def page(page_url, tmp_path, request):
    mic = await asyncio.to_thread(microphone, tmp_path / "mic.wav")
    may_listen = "without" not in request.node.name
    async with chromium.Chromium(tmp_path / "profile", mic=mic, may_listen=may_listen) as page:
        await page.open(page_url)
        yield page


async def secret(service: Service) -> str:
    url = f"{service.base_url}/realtime/client_secrets"
    key = {"Authorization": "Bearer sk-test"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, json={"session": SESSION}, headers=key) as answer,
    ):
        return (await answer.json())["value"]


async def call(page, service, *, mic: bool) -> dict:
    asked = {"base": service.base_url, "key": await secret(service), "mic": mic}
    assert await page.run(f"call({json.dumps(asked)})") == 201
    return await until(page, "session.created")


async def until(page, kind: str, *, after: int = 0, within_s: float = 12.0) -> dict:
    """The first event of a kind, waited for in the page itself."""
    found = f"log.events.slice({after}).find((event) => event.type === {json.dumps(kind)})"
    async with asyncio.timeout(within_s):
        return await page.run(
            "new Promise((done) => { const timer = setInterval(() => {"
            f"const event = {found}; if (event) {{ clearInterval(timer); done(event); }}"
            "}, 20); })"
        )


async def heard(page, since_ms: float) -> tuple[float, float]:
    """Seconds of loud sound since then, and the peak level in dB of full scale."""
    levels = [db for at, db in await page.run("log.levels") if at >= since_ms]
    loud = [db for db in levels if db > LOUD_DB]
    span = await page.run("log.levels.at(-1)[0]") - since_ms
    return len(loud) / max(len(levels), 1) * span / 1000, max(levels)


def length_of_sound_s(text: str) -> float:
    """How long the service's sentence is louder than the page's threshold, in 20 ms frames."""
    sound = speak(text, voice="en-us+f3").astype(np.float64)
    frames = sound[: len(sound) // 960 * 960].reshape(-1, 960) / 32_768
    level = 10 * np.log10((frames**2).mean(axis=1) + 1e-12)
    return float((level > LOUD_DB).sum() * 0.02)


async def test_a_page_speaks_and_is_answered(page, service):
    async with asyncio.timeout(40):
        created = await call(page, service, mic=True)
        assert created["session"]["tools"][0]["name"] == "SetLightState"
        location = await page.run("log.location")
        assert location.split("/")[-1] in service.calls
        use = await until(page, "response.function_call_arguments.done")
        assert (use["name"], json.loads(use["arguments"])) == ("SetLightState", {"on": True})
        await until(page, "response.done")
        before = await page.run("log.events.length")
        output = {"type": "function_call_output", "call_id": use["call_id"], "output": "{}"}
        await page.run(f"send({json.dumps({'type': 'conversation.item.create', 'item': output})})")
        await page.run("send({type: 'response.create'})")
        started = await until(page, "output_audio_buffer.started", after=before)
        done = await until(page, "response.done", after=before)
        assert done["response"]["output"][0]["content"][0]["transcript"] == DONE
        await until(page, "output_audio_buffer.stopped", after=before)
        seconds, peak_db = await heard(page, started["at"] - 100)
        assert seconds == pytest.approx(length_of_sound_s(DONE), rel=0.25)
        assert -30 < peak_db < 0
        types = await page.run("log.events.map((event) => event.type)")
    turn = [kind for kind in types if kind.startswith("input_audio_buffer")]
    assert turn == [
        f"input_audio_buffer.{w}" for w in ("speech_started", "speech_stopped", "committed")
    ]
    said = await page.run("log.events.find(e => e.type.endsWith('transcription.completed'))")
    assert said["transcript"] == REQUEST


async def test_a_page_without_a_microphone_hides_its_addresses(page, service):
    """Its candidates are mDNS names, which nobody here can or need resolve."""
    async with asyncio.timeout(30):
        await call(page, service, mic=False)
        offer = await page.run("log.offer")
        candidates = [line for line in offer.splitlines() if line.startswith("a=candidate")]
        assert candidates
        assert all(".local" in line for line in candidates), candidates
        await page.run("send({type: 'response.create'})")
        started = await until(page, "output_audio_buffer.started")
        await until(page, "output_audio_buffer.stopped")
        seconds, _ = await heard(page, started["at"] - 100)
        assert seconds > 1.0
        url = f"{service.base_url}/realtime/calls/{next(iter(service.calls))}/hangup"
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, headers={"Authorization": "Bearer sk-test"}) as answer,
        ):
            assert answer.status == 200
