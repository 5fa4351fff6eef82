"""Ears and brain in another program: a real server on loopback, and the ones that misbehave."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiohttp import web
from test_brain_intents import BOARD

from app.sim.service.brain import Ask, Say, Use
from app.sim.service.ears import EarsFailed, Expected
from app.sim.service.forward import (
    ForwardingBrain,
    ForwardingEars,
    messages_of,
    private_base_url,
)

SOUND = np.arange(4_800, dtype=np.int16)


@asynccontextmanager
async def server(**paths) -> AsyncIterator[str]:
    app = web.Application()
    for name, answer in paths.items():
        app.router.add_route("*", "/v1/" + name.replace("_", "/"), answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def models(request: web.Request) -> web.Response:
    return web.json_response({"data": [{"id": "small-model"}]})


def streamed(*deltas: dict):
    seen: list[dict] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(await request.json())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for delta in deltas:
            data = json.dumps({"choices": [{"delta": delta}]})
            await response.write(f"data: {data}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    answer.seen = seen
    return answer


def ask(*history: dict) -> Ask:
    return Ask("Be brief.", BOARD, "hi", None, (), history)


def user(text: str) -> dict:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content}


async def steps(brain: ForwardingBrain, *history: dict) -> list:
    return [step async for step in brain.answer(ask(*history))]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:11434/v1",
        "http://localhost/v1",
        "http://192.168.1.4:80/v1",
        "http://[::1]/v1/",
    ],
)
def test_private_addresses_are_taken(url):
    assert private_base_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://8.8.8.8/v1",
        "https://example.com/v1",
        "file:///etc",
        "http://",
        "",
        "http://0.0.0.0/",
    ],
)
def test_other_addresses_are_refused(url):
    with pytest.raises(ValueError):  # noqa: PT011 - each has a text of its own
        ForwardingBrain(url)
    with pytest.raises(ValueError):  # noqa: PT011
        ForwardingEars(url)


async def test_ears_send_a_wav_and_take_the_text():
    got: dict[str, object] = {}

    async def transcribe(request: web.Request) -> web.Response:
        form = await request.post()
        with wave.open(io.BytesIO(form["file"].file.read())) as sound:
            got["frames"], got["rate"] = sound.getnframes(), sound.getframerate()
        got["language"] = form["language"]
        return web.json_response({"text": " Turn the light blue. "})

    async with server(audio_transcriptions=transcribe) as url:
        expected = Expected(0, transcription={"model": "x", "language": "en"})
        assert await ForwardingEars(url).words(SOUND, expected) == "Turn the light blue."
    assert got == {"frames": 4_800, "rate": 48_000, "language": "en"}


async def test_ears_that_are_not_there_say_so():
    async with server() as url:
        with pytest.raises(EarsFailed, match="404"):
            await ForwardingEars(url).words(SOUND, Expected(0))
    with pytest.raises(EarsFailed, match="Is it running"):
        await ForwardingEars(url).words(SOUND, Expected(0))


async def test_an_answer_is_streamed_in_sentences():
    long = "This is a sentence that is long enough to be worth a message of its own, " * 3
    chat = streamed({"content": long.strip(", ") + ". "}, {"content": "And "}, {"content": "more."})
    async with server(models=models, chat_completions=chat) as url:
        said = await steps(ForwardingBrain(url), user("hi"))
    assert said == [Say(long.strip(", ") + "."), Say("And more.")]
    [body] = chat.seen
    assert body["model"] == "small-model"
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["messages"][1] == {"role": "user", "content": "hi"}
    assert body["tools"][1]["function"]["name"] == "SetVolume"


async def test_calls_arrive_in_pieces():
    chat = streamed(
        {
            "tool_calls": [
                {"index": 0, "id": "a", "function": {"name": "SetVolume", "arguments": ""}}
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"volu'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": 'me": 3}'}}]},
        {"tool_calls": [{"index": 1, "function": {"name": "OpenDoor", "arguments": "{}"}}]},
    )
    async with server(chat_completions=chat) as url:
        said = await steps(ForwardingBrain(url, "m"), user("hi"))
    assert said == [Use("SetVolume", {"volume": 3}), Use("OpenDoor", {})]


async def test_a_server_that_is_not_there_is_told_in_words():
    async with server() as url:
        [said] = await steps(ForwardingBrain(url, "m"), user("hi"))
        assert "404" in said.text
    [said] = await steps(ForwardingBrain(url, "m"), user("hi"))
    assert "Is it running?" in said.text


@pytest.mark.parametrize("line", [b"data: {\n\n", b"data: []\n\n", b'data: {"choices": [7]}\n\n'])
async def test_nonsense_is_told_in_words(line):
    async def chat(request: web.Request) -> web.Response:
        return web.Response(body=line)

    async with server(chat_completions=chat) as url:
        [said] = await steps(ForwardingBrain(url, "m"), user("hi"))
        assert "language model" in said.text


def test_history_as_messages():
    call = {"type": "function_call", "call_id": "c", "name": "OpenDoor", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "ok"}
    open_call = {**call, "call_id": "d"}
    roles = [m["role"] for m in messages_of(ask(user("hi"), call, output, open_call))]
    assert roles == ["system", "user", "assistant", "tool"]
