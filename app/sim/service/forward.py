"""Ears and a brain that live in another program on the user's machine or in the same house: any
server with OpenAI's `/audio/transcriptions` or `/chat/completions` (llama.cpp, Ollama, whisper).

Only loopback and private addresses are accepted: the service is the part of the project that
promises to work without the internet, and what is said at home must not leave it by a typing error.
A server that is not there is told in words, spoken and in the transcript's place.
"""

from __future__ import annotations

import io
import ipaddress
import json
import re
import wave
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from app.sim.chip import Pcm
from app.sim.service.brain import Ask, Say, Step, Use
from app.sim.service.ears import EarsFailed, Expected
from app.sim.service.intents import UNCLEAR

CONNECT_WITHIN_S, ANSWER_WITHIN_S = 3.0, 60.0
SAY_FROM = 160
"""Letters after which a finished sentence is spoken while the rest is still being written."""

LONGEST_ANSWER = 8_000
_TROUBLE = (
    aiohttp.ClientError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
"""What a missing, slow or strange server makes of a request."""


def private_base_url(url: str) -> str:
    """The URL without a slash at its end. Raises ValueError unless it is http(s) to a loopback or
    private address."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"{url!r} is no http address")
    if host != "localhost":
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            raise ValueError(f"{host!r} is a name; give the number of an address") from None
        if not (address.is_loopback or address.is_private) or address.is_unspecified:
            raise ValueError(f"{host} is not an address of this machine or of a private network")
    return url.rstrip("/")


def _session() -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=CONNECT_WITHIN_S, sock_read=ANSWER_WITHIN_S
    )
    return aiohttp.ClientSession(timeout=timeout)


@dataclass(frozen=True, slots=True)
class ForwardingEars:
    """Sends each utterance as a WAV file to `base_url`/audio/transcriptions."""

    base_url: str
    model: str = "whisper-1"

    def __post_init__(self) -> None:
        private_base_url(self.base_url)

    async def words(self, utterance: Pcm, expected: Expected) -> str:
        """Raises EarsFailed."""
        form = aiohttp.FormData()
        form.add_field("file", wav(utterance), filename="speech.wav", content_type="audio/wav")
        form.add_field("model", self.model)
        for name in ("language", "prompt"):
            if isinstance(value := expected.transcription.get(name), str) and value:
                form.add_field(name, value)
        url = f"{private_base_url(self.base_url)}/audio/transcriptions"
        try:
            async with (
                _session() as http,
                http.post(url, data=form, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise EarsFailed(f"The speech recogniser answered {answer.status}.")
                text = (await answer.json(content_type=None))["text"]
                return str(text).strip() or UNCLEAR
        except _TROUBLE as why:
            raise EarsFailed(
                f"I cannot reach the speech recogniser at {_where(self.base_url)}. Is it running?"
            ) from why


def wav(sound: Pcm) -> bytes:
    """48 kHz mono sound as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(48_000)
        written.writeframes(sound.astype("<i2").tobytes())
    return file.getvalue()


def _where(url: str) -> str:
    return urlsplit(url).netloc.rsplit("@", 1)[-1]


# ---- the brain


@dataclass(slots=True)
class _Written:
    """An answer while it arrives."""

    text: str = ""
    calls: dict[int, dict[str, str]] = field(default_factory=dict)

    def add(self, delta: Mapping[str, Any]) -> None:
        self.text += delta.get("content") or ""
        for part in delta.get("tool_calls") or ():
            call = self.calls.setdefault(int(part.get("index", len(self.calls))), _new_call())
            function = part.get("function") or {}
            call["name"] += function.get("name") or ""
            call["arguments"] += function.get("arguments") or ""

    def sentences(self) -> str | None:
        """Finished sentences, when they are worth a message of their own; they are taken out."""
        end = max((found.end() for found in re.finditer(r"[.!?](?=\s)", self.text)), default=0)
        if end < SAY_FROM:
            return None
        said, self.text = self.text[:end], self.text[end:]
        return said.strip()


def _new_call() -> dict[str, str]:
    return {"name": "", "arguments": ""}


@dataclass(frozen=True, slots=True)
class ForwardingBrain:
    """Sends the conversation and the tools to `base_url`/chat/completions and streams the answer.

    `model` "" takes the first one that the server lists.
    """

    base_url: str
    model: str = ""

    def __post_init__(self) -> None:
        private_base_url(self.base_url)

    async def answer(self, ask: Ask) -> AsyncIterator[Step]:
        """The steps of one response; trouble with the server is one of them, in words."""
        try:
            async with _session() as http:
                async for step in self._steps(http, ask):
                    yield step
        except _TROUBLE:
            where = _where(self.base_url)
            yield Say(f"I cannot get an answer from the language model at {where}. Is it running?")

    async def _steps(self, http: aiohttp.ClientSession, ask: Ask) -> AsyncIterator[Step]:
        url = private_base_url(self.base_url)
        body: dict[str, Any] = {
            "model": self.model or await _first_model(http, url),
            "messages": messages_of(ask),
            "stream": True,
        }
        if tools := [_as_chat_tool(tool) for tool in ask.tools if tool.get("type") == "function"]:
            body["tools"] = tools
        written = _Written()
        async with http.post(f"{url}/chat/completions", json=body, allow_redirects=False) as answer:
            if answer.status != 200:
                yield Say(f"The language model answered {answer.status}, so I have no answer.")
                return
            async for line in answer.content:
                if not line.startswith(b"data:") or line[5:].strip() == b"[DONE]":
                    continue
                for choice in json.loads(line[5:]).get("choices", ())[:1]:
                    written.add(choice.get("delta") or {})
                if (said := written.sentences()) is not None:
                    yield Say(said)
                if len(written.text) > LONGEST_ANSWER:
                    break
        if written.text.strip():
            yield Say(written.text.strip())
        for call in written.calls.values():
            arguments = json.loads(call["arguments"] or "{}")
            yield Use(call["name"], arguments if isinstance(arguments, dict) else {})


async def _first_model(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(f"{url}/models", allow_redirects=False) as answer:
        return str((await answer.json(content_type=None))["data"][0]["id"])


def _as_chat_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: tool[name] for name in ("name", "description", "parameters") if name in tool}
    return {"type": "function", "function": kept}


def messages_of(ask: Ask) -> list[dict[str, Any]]:
    """The conversation as chat messages. Calls without an output are left out: a chat server
    refuses them."""
    messages: list[dict[str, Any]] = []
    if ask.instructions:
        messages.append({"role": "system", "content": ask.instructions})
    done = {i.get("call_id") for i in ask.history if i.get("type") == "function_call_output"}
    for item in ask.history:
        kind = item.get("type")
        if kind == "message":
            parts = item.get("content") or ()
            words = [str(part.get("text") or part.get("transcript") or "") for part in parts]
            if text := " ".join(word for word in words if word):
                messages.append({"role": str(item["role"]), "content": text})
        elif kind == "function_call" and item.get("call_id") in done:
            function = {"name": item["name"], "arguments": item["arguments"]}
            call = {"id": item["call_id"], "type": "function", "function": function}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        elif kind == "function_call_output":
            messages.append(
                {"role": "tool", "tool_call_id": item["call_id"], "content": str(item["output"])}
            )
    return messages
