"""`parley talk` as a process: with files, with a real sound server, and when it cannot work."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pulse_rig
import pytest

from app.sim.speech import speak

ASK = speak("Please turn the light blue.")


async def talk(*arguments: str, **environment: str) -> tuple[int, list[dict], str]:
    """Exit code, events told and error output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "talk", "--json", *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )  # fmt: skip
    async with asyncio.timeout(40):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, [json.loads(line) for line in out.splitlines()], err.decode()


@asynccontextmanager
async def service(*arguments: str) -> AsyncIterator[str]:
    """The base URL of `parley service` in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "app", "service", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            line = (await process.stdout.readline()).decode()
        yield line.split()[-1]
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            await process.communicate()


def wav(path: Path, sound: np.ndarray, *, rate: int = 48_000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(sound, channels).tobytes())
    return path


def loud_s(sound: np.ndarray) -> float:
    """Seconds of 10 ms blocks with speech in them."""
    blocks = sound[: len(sound) // 480 * 480].reshape(-1, 480).astype(np.float64)
    return float((np.sqrt((blocks * blocks).mean(axis=1)) > 200).sum() * 0.01)


def told(events: list[dict], kind: str) -> list[dict]:
    return [event for event in events if event["event"] == kind]


def words(events: list[dict], role: str) -> list[str]:
    return [e["text"] for e in told(events, "Words") if e["final"] and e["role"] == role]


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 1), (16_000, 2)])
async def test_a_wav_file_is_asked_and_the_answer_is_in_the_other(tmp_path, rate, channels) -> None:
    sound = ASK[:: 48_000 // rate]
    ask = wav(tmp_path / "ask.wav", sound, rate=rate, channels=channels)
    out = tmp_path / "answer.wav"
    async with service() as base_url:
        code, events, err = await talk(
            "--base-url", base_url, "--in", str(ask), "--out", str(out)
        )  # fmt: skip
    assert (code, err) == (0, "")
    assert words(events, "user") == ["Please turn the light blue."]
    assert words(events, "assistant") == ["The light is blue now."]
    assert told(events, "DeviceIs")[-1]["blue"] == 255
    with wave.open(str(out)) as file:
        assert file.getframerate() == 48_000
        heard = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    spoken = loud_s(speak("The light is blue now.", voice="en-us+f3"))
    assert loud_s(heard) == pytest.approx(spoken, rel=0.25)


async def test_what_cannot_work_ends_with_code_one_and_a_remedy(tmp_path) -> None:
    async with service("--fault", "401") as base_url:
        code, _, err = await talk("--base-url", base_url, "--text", "Hello")
    assert code == 1
    assert "did not accept the key" in err
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"RIFF no")
    code, _, err = await talk("--local", "--in", str(noise))
    assert code == 1
    home = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "OPENAI_API_KEY": "",
            "DBUS_SESSION_BUS_ADDRESS": ""}  # fmt: skip
    code, _, err = await talk("--base-url", "https://127.0.0.2.invalid/v1", "--text", "Hi", **home)
    assert code == 1
    assert "API key" in err


@pytest.mark.skipif(not pulse_rig.is_there(), reason="needs PulseAudio")
async def test_with_real_devices_from_microphone_to_speaker(tmp_path) -> None:
    """Speech played into a microphone is answered by a speaker; both are a sound server's."""
    ask = wav(tmp_path / "ask.wav", ASK)
    with pulse_rig.sound_server(tmp_path) as environment:
        record = await asyncio.create_subprocess_exec(
            "parec", "--device=speaker.monitor", "--rate=48000", "--channels=1",
            "--format=s16le", "--raw", str(tmp_path / "heard.raw"), env=environment,
        )  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app", "talk", "--json", "--local", "--seconds", "25",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment,
            limit=1 << 20,
        )  # fmt: skip
        assert process.stdout is not None
        events: list[dict] = []
        spoken: asyncio.subprocess.Process | None = None
        greeted = answered = False
        try:
            async with asyncio.timeout(40):
                async for line in process.stdout:
                    event = json.loads(line)
                    events.append(event)
                    is_end = event["event"] == "Turn" and event["state"] == "ended"
                    if is_end and event["role"] == "assistant":
                        if spoken is None:
                            greeted = True
                            spoken = await asyncio.create_subprocess_exec(
                                "paplay", "--device=micin", str(ask), env=environment
                            )
                        else:
                            answered = True
                            process.send_signal(signal.SIGINT)
                _, err = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if spoken is not None:
                await spoken.wait()
            record.terminate()
            await record.wait()
    assert greeted, err.decode()
    assert answered, [e for e in events if e["event"] != "LevelIs"][-5:]
    assert process.returncode == 0
    assert "The light is blue now." in words(events, "assistant")
    heard = np.frombuffer((tmp_path / "heard.raw").read_bytes()[: 2 * 48_000 * 60], np.int16)
    texts = ("Hello, I am Parley. How can I help you?", "The light is blue now.")
    wanted = sum(loud_s(speak(text, voice="en-us+f3")) for text in texts)
    assert loud_s(heard) > 0.4 * wanted  # at volume 60
