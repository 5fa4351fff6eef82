"""Recordings: what is kept, what is never kept, and a client that is played one."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from service_caller import Caller

from app.sim.service import Recording, Service
from app.sim.service.recording import Recorder, without_secrets

SECRET = "sk-very-secret-0123456789"


def lines(folder: Path) -> list[dict]:
    [file] = folder.glob("*.jsonl")
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


async def test_a_call_is_recorded_and_replayed(tmp_path):
    service = Service(record=tmp_path / "calls")
    await service.start()
    async with Caller(service.base_url, key=SECRET) as caller:
        await caller.by_secret()
        await caller.until("session.created")
        tool = {"type": "mcp", "server_label": "x", "authorization": SECRET, "headers": {"a": "b"}}
        caller.send("session.update", session={"type": "realtime", "tools": [tool]})
        await caller.until("session.updated")
        caller.send("input_audio_buffer.append", audio="AAAA" * 400)
        caller.channel.send("{")
        caller.say_text(f"light, and my key is {SECRET}")
        await caller.until("response.done")
        call_id, live = caller.call_id, list(caller.events)
    await service.stop()

    head, *entries = lines(tmp_path / "calls")
    assert head["format"] == "parley-call"
    assert head["call"] == call_id
    text = json.dumps(entries)
    assert "very-secret" not in text
    assert "AAAA" not in text
    assert {entry["from"] for entry in entries} == {"server", "client", "call"}
    assert [entry["ms"] for entry in entries] == sorted(entry["ms"] for entry in entries)
    assert entries[-1]["state"] == "ended"
    assert {"garbled": "{"}.items() <= next(e for e in entries if "garbled" in e).items()
    appended = next(
        e["event"] for e in entries if e.get("event", {}).get("type") == "input_audio_buffer.append"
    )
    assert (appended["audio"], appended["audio_bytes"]) == ("", 1_200)

    [file] = (tmp_path / "calls").glob("*.jsonl")
    recording = Recording.read(file)
    assert len(recording.events) >= len(live)
    replaying = Service(replay=recording)
    await replaying.start()
    async with Caller(replaying.base_url) as caller:  # checks each event, as always
        began = time.monotonic()
        await caller.by_parts()
        created = await caller.until("session.created")
        assert created["session"]["expires_at"] > time.time()
        caller.send("response.create")
        await caller.until("response.done")
        spent_ms = (time.monotonic() - began) * 1000
        assert spent_ms >= recording.events[-2][0] - recording.events[0][0] - 50
        assert caller.types() == [event["type"] for event in live][: len(caller.events)]
        await caller.until_frames(3)  # silence, but a track
    await replaying.stop()


async def test_a_call_that_leaves_in_the_middle_of_a_replay(tmp_path):
    file = tmp_path / "long.jsonl"
    file.write_text(
        json.dumps({"format": "parley-call", "version": 1, "call": "rtc_1"})
        + "".join(
            "\n" + json.dumps({"ms": ms, "from": "server", "event": {"type": "error", "n": ms}})
            for ms in (0, 60_000)
        )
    )
    service = Service(replay=Recording.read(file))
    await service.start()
    async with Caller(service.base_url, check=lambda event: None) as caller:
        await caller.by_parts()
        await caller.until("error")
    async with asyncio.timeout(2):
        await service.stop()


def test_what_is_no_recording(tmp_path):
    good = '{"format": "parley-call", "version": 1}\n'
    for text, what in (
        ("", "line 1"),
        ("hello", "line 1"),
        ("[]", "line 1"),
        ("{}", "no recording"),
        ('{"format": "parley-call", "version": 9}', "version 1"),
        (good + "{", "line 2"),
        (good + "\n", "line 2"),
    ):
        file = tmp_path / "bad.jsonl"
        file.write_text(text)
        with pytest.raises(ValueError, match=what):
            Recording.read(file)


KEYS = st.from_regex(r"\A(sk|ek)[-_][A-Za-z0-9_-]{6,40}\Z")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | KEYS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["authorization", "audio", "text", "item"]), inner)
    ),
)


@given(JSON, KEYS)
def test_no_key_survives(value, key):
    kept = json.dumps(without_secrets({"a": value, "b": [f"use {key} please"], "headers": key}))
    assert key not in kept
    assert "sk-" not in kept.replace("•", "") or "sk-" in json.dumps(value)


def test_recorder_keeps_order_and_ends_once(tmp_path):
    recorder = Recorder(tmp_path, "rtc_1")
    recorder.heard("server", '{"type": "a"}')
    recorder.heard("client", "[1]")
    recorder.heard("call", "hangup")
    recorder.heard("call", "hangup")
    recorder.heard("server", '{"type": "b"}')
    assert [entry.get("from") for entry in lines(tmp_path)] == [None, "server", "client", "call"]


async def test_a_call_is_worth_more_than_its_recording(tmp_path):
    taken = tmp_path / "a-file"
    taken.write_text("")
    told: list[str] = []
    service = Service(record=taken, tell=lambda kind, facts: told.append(kind))
    await service.start()
    async with Caller(service.base_url) as caller:
        await caller.by_secret()
        await caller.until("session.created")
    await service.stop()
    assert told.count("error") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_ends_the_recording_only(tmp_path):
    recorder = Recorder(tmp_path, "rtc_1")
    recorder._out.close()
    recorder._out = open("/dev/full", "w", buffering=1)  # noqa: SIM115  # closed by the recorder
    for _ in range(3):
        recorder.heard("server", '{"type": "a"}')
    recorder.heard("call", "hangup")
    assert recorder._out is None
