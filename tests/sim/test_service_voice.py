"""The outgoing track: on time, silent when there is nothing to say, and quiet at once when cut."""

from __future__ import annotations

import asyncio

import av
import numpy as np
import pytest
from aioice import ice
from aiortc.mediastreams import MediaStreamError

from app.sim import consent
from app.sim.service.voice import Voice

TONE = (8_000 * np.sin(np.arange(48_000) * 2 * np.pi * 440 / 48_000)).astype(np.int16)


class Told:
    def __init__(self) -> None:
        self.moments: list[tuple[str, str]] = []
        self.voice = Voice(
            started=lambda response: self.moments.append(("started", response)),
            stopped=lambda response: self.moments.append(("stopped", response)),
        )


def decoded(packets) -> np.ndarray:
    codec = av.CodecContext.create("libopus", "r")
    codec.sample_rate = 48_000
    frames = [frame for packet in packets for frame in codec.decode(packet)]
    sound = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    return sound / 32_768 if sound.dtype == np.int16 else sound


async def test_frames_come_on_time_with_silence_around_speech():
    told = Told()
    told.voice.say("resp_1", "item_1", TONE[:9_600])
    told.voice.no_more("resp_1")
    loop = asyncio.get_running_loop()
    began = loop.time()
    packets = [await told.voice.recv() for _ in range(20)]
    assert 0.37 < loop.time() - began < 0.8
    assert [packet.pts for packet in packets] == [n * 960 for n in range(20)]
    assert told.moments == [("started", "resp_1"), ("stopped", "resp_1")]
    sound = np.abs(decoded(packets))
    assert sound[4_000:8_000].max() > 0.15
    assert sound[-4_000:].max() < 0.01


async def test_two_responses_are_spoken_one_after_the_other():
    told = Told()
    told.voice.say("resp_1", "item_1", TONE[:1_000])
    told.voice.say("resp_2", "item_2", TONE[:1_000])
    told.voice.no_more("resp_2")
    told.voice.no_more("resp_1")
    for _ in range(4):
        await told.voice.recv()
    assert told.moments == [
        ("started", "resp_1"),
        ("stopped", "resp_1"),
        ("started", "resp_2"),
        ("stopped", "resp_2"),
    ]


async def test_a_cut_is_immediate_and_says_what_was_heard():
    told = Told()
    assert told.voice.cut() is None
    told.voice.say("resp_1", "item_1", TONE[:960])
    told.voice.say("resp_1", "item_2", TONE)
    for _ in range(4):
        await told.voice.recv()
    assert told.voice.speaking
    cut = told.voice.cut()
    assert (cut.response_id, cut.item_id, cut.played_ms) == ("resp_1", "item_2", 60)
    assert not told.voice.speaking
    assert not told.voice._next_frame().any()
    assert told.moments == [("started", "resp_1")]


async def test_speech_nobody_heard_yet_is_dropped_without_a_word():
    told = Told()
    told.voice.say("resp_1", "item_1", TONE)
    assert told.voice.cut() is None
    await told.voice.recv()
    assert told.moments == []


async def test_after_a_stall_time_goes_on_without_a_burst():
    told = Told()
    first = await told.voice.recv()
    told.voice._due -= 1.0  # as if the computer had slept for a second
    second = await told.voice.recv()
    assert second.pts - first.pts >= 48_000
    loop = asyncio.get_running_loop()
    began = loop.time()
    await told.voice.recv()
    assert loop.time() - began > 0.01


async def test_without_opus_frames_are_raw():
    told = Told()
    told.voice.encodes = False
    frame = await told.voice.recv()
    assert isinstance(frame, av.AudioFrame)
    assert (frame.samples, frame.sample_rate, frame.layout.name) == (960, 48_000, "mono")


async def test_a_stopped_track_ends():
    told = Told()
    told.voice.stop()
    with pytest.raises(MediaStreamError):
        await told.voice.recv()


def test_lost_peers_are_noticed_within_ten_seconds():
    consent.notice_loss_soon()
    worst_s = ice.CONSENT_FAILURES * (ice.CONSENT_INTERVAL * 1.2 + 0.5)
    assert worst_s < 10


def test_the_loopback_serves_when_there_is_no_network(monkeypatch):
    consent.work_without_network()
    monkeypatch.setattr(consent, "_host_addresses", lambda use_ipv4, use_ipv6: [])
    assert ice.get_host_addresses(use_ipv4=True, use_ipv6=True) == ["127.0.0.1"]
    monkeypatch.setattr(consent, "_host_addresses", lambda use_ipv4, use_ipv6: ["192.0.2.1"])
    assert ice.get_host_addresses(use_ipv4=True, use_ipv6=True) == ["192.0.2.1"]
