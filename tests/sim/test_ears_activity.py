"""Voice activity detection on made sound: speech, noise, clicks, pauses."""

from __future__ import annotations

import numpy as np
import pytest

from app.sim.service.activity import (
    HeardAudio,
    SpeechBegan,
    SpeechDetector,
    SpeechEnded,
    level_db,
)
from app.sim.speech import speak

SETTINGS = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
}


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * 48_000), np.int16)


def noise(seconds: float, db: float, seed: int = 1) -> np.ndarray:
    level = 32_768 * 10 ** (db / 20)
    made = np.random.default_rng(seed).normal(0, level, int(seconds * 48_000))
    return made.clip(-32_768, 32_767).astype(np.int16)


def moments(sound: np.ndarray, **settings):
    ears = SpeechDetector({**SETTINGS, **settings})
    found = []
    for index in range(len(sound) // 960):
        frame = sound[index * 960 : (index + 1) * 960]
        found += list(ears.hear(frame, (index + 1) * 20))
    return found


def test_a_sentence_is_one_turn():
    speech = speak("Please turn the light blue.")
    began, ended = moments(np.concatenate((silence(1), speech, silence(1))))
    assert isinstance(began, SpeechBegan)
    assert isinstance(ended, SpeechEnded)
    assert 600 <= began.at_ms <= 850  # the padding is taken off
    last_word_ms = 1_000 + len(speech) / 48
    assert last_word_ms + 250 <= ended.at_ms <= last_word_ms + 600


def test_speech_at_the_very_start_counts():
    kinds = [type(m) for m in moments(np.concatenate((speak("Open the door."), silence(1))))]
    assert kinds == [SpeechBegan, SpeechEnded]


@pytest.mark.parametrize("seed", range(3))
def test_speech_over_noise(seed):
    speech = speak("Set the volume to thirty.")
    background = noise(3 + len(speech) / 48_000, -48, seed)
    background[96_000 : 96_000 + len(speech)] += speech
    began, ended = moments(background)
    assert 1_550 <= began.at_ms <= 1_900
    assert ended.at_ms > 2_000


@pytest.mark.parametrize("db", [-70, -50, -40, -30])
def test_steady_noise_is_no_speech_for_long(db):
    found = moments(np.concatenate((silence(0.5), noise(8, db))))
    starts = [m for m in found if isinstance(m, SpeechBegan)]
    assert len(starts) <= 1  # its beginning may be mistaken once
    assert len(found) == 2 * len(starts)  # and then it ends


def test_clicks_are_no_speech():
    sound = silence(2)
    for at in (10_000, 40_000, 70_000):
        sound[at : at + 200] = 20_000
    assert moments(sound) == []


def test_pause_length_decides_what_is_one_turn():
    halves = np.concatenate((silence(0.5), speak("One."), silence(0.4), speak("Two."), silence(2)))
    assert len(moments(halves, silence_duration_ms=800)) == 2
    assert len(moments(halves, silence_duration_ms=200)) == 4


def test_semantic_eagerness_is_a_waiting_time():
    sound = np.concatenate((silence(0.5), speak("One."), silence(9)))
    ends = {}
    for eagerness in ("high", "auto", "low"):
        ears = SpeechDetector({"type": "semantic_vad", "eagerness": eagerness})
        found = []
        for index in range(len(sound) // 960):
            found += list(ears.hear(sound[index * 960 :][:960], (index + 1) * 20))
        ends[eagerness] = found[-1].at_ms
    assert ends["high"] < ends["auto"] < ends["low"]


def test_levels():
    assert level_db(silence(0.02)) == -96
    assert level_db(np.full(960, 32_767, np.int16)) == pytest.approx(0, abs=0.01)
    assert level_db(np.full(960, -32_768, np.int16)) == pytest.approx(0, abs=0.01)


def test_the_buffer_is_bounded_and_keeps_order():
    heard = HeardAudio()
    for number in range(10):
        heard.add(np.full(960, number, np.int16))
    assert (heard.now_ms, heard.length_ms) == (200, 200)
    heard.keep_last(60)
    assert heard.take()[::960].tolist() == [7, 8, 9]
    assert heard.length_ms == 0
    assert len(heard.take()) == 0
    for _ in range(heard.KEEP_S * 50 + 10):
        heard.add(np.zeros(960, np.int16))
    assert heard.length_ms == heard.KEEP_S * 1_000
