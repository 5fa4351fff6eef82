"""Real Opus through a line that loses, delays and stops; gaps measured in the sound itself."""

from __future__ import annotations

import random

import numpy as np
import pytest

from app.adapters import opus
from app.adapters.opus import FRAME, Decoder, Encoder
from app.adapters.playout import Playout, rms, shortened, stretched


def voice(frames: int) -> np.ndarray:
    """Vowel-like: 150 Hz with harmonics and a slow swell, never silent."""
    t = np.arange(frames * FRAME) / opus.RATE_HZ
    sound = sum(np.sin(2 * np.pi * 150 * k * t + k * k) / k for k in range(1, 13))
    return (sound * (1 - 0.2 * np.sin(2 * np.pi * 4 * t)) * 0.09 * 32767).astype(np.int16)


@pytest.fixture(scope="module")
def packets() -> list[bytes]:
    encoder, sound = Encoder(loss_percent=10), voice(500)
    return [encoder.encode(sound[n * FRAME : (n + 1) * FRAME]) for n in range(500)]


def listen(packets: list[bytes], *, loss=0.0, jitter_s=0.0, seed=1, playout=None, stop=()):
    """Ten seconds through the line at a 10 ms card; the sound heard."""
    playout = playout or Playout()
    chance = random.Random(seed)
    arrivals = sorted(
        (number * 0.02 + chance.random() * jitter_s, number)
        for number in range(len(packets))
        if number < 50 or chance.random() >= loss
    )
    heard, at = [], 0.004
    while at < len(packets) * 0.02:
        while arrivals and arrivals[0][0] <= at:
            when, number = arrivals.pop(0)
            playout.arrived(number & 0xFFFF, number * 960, packets[number], when)
        if not any(begin <= at < end for begin, end in stop):
            heard.append(playout.pull(480, at))
        at += 0.01
    return np.concatenate(heard), playout


def gap_share(sound: np.ndarray) -> float:
    """Share of 10 ms windows below a quarter of the usual loudness, after the first second."""
    windows = sound[48_000:].astype(np.float64)
    windows = windows[: len(windows) // 480 * 480].reshape(-1, 480)
    loudness = np.sqrt((windows * windows).mean(axis=1))
    return float((loudness < 0.25 * np.median(loudness)).mean())


def test_a_packet_comes_back_as_it_was() -> None:
    encoder, decoder, sound = Encoder(), Decoder(), voice(20)
    out = np.concatenate(
        [decoder.decode(encoder.encode(sound[n * FRAME : (n + 1) * FRAME])) for n in range(20)]
    )
    best = max(np.corrcoef(sound[4000:12000], out[4000 + d : 12000 + d])[0, 1] for d in range(500))
    assert best > 0.85


def test_nonsense_is_concealed() -> None:
    decoder = Decoder()
    assert len(decoder.decode(b"\xff" * 7)) > 0
    assert len(decoder.recover(b"\xff\x00", FRAME)) == FRAME


def test_a_clean_line_has_no_gap_and_little_delay(packets) -> None:
    sound, playout = listen(packets)
    assert gap_share(sound) == 0
    assert playout.delay_ms < 30


@pytest.mark.parametrize(("percent", "most"), [(1, 0.002), (5, 0.004), (10, 0.02)])
def test_loss_is_filled(packets, percent, most) -> None:
    """Stock aiortc: 7, 24 and 41 % of the sound are silence at 1, 5 and 10 % loss."""
    sound, playout = listen(packets, loss=percent / 100)
    share = gap_share(sound)
    print(f"{percent} % lost: {share:.2%} gaps, {playout.counts}")
    assert share <= most
    assert playout.counts.recovered + playout.counts.concealed > 0
    assert playout.delay_ms < 60


def test_jitter_is_bridged(packets) -> None:
    sound, playout = listen(packets, jitter_s=0.06)
    assert gap_share(sound[96_000:]) <= 0.01
    assert playout.delay_ms < 110


def test_the_delay_of_a_stop_is_given_back(packets) -> None:
    _, playout = listen(packets, stop=((5.0, 5.3),))
    assert playout.counts.merged > 0
    assert playout.delay_ms - playout.target_ms <= 20


def test_silence_is_there_with_the_next_block(packets) -> None:
    playout, told = Playout(), []
    playout._playing = told.append
    sound = []
    for tick in range(100):
        at = tick * 0.02
        playout.arrived(tick, tick * 960, packets[tick], at)
        if tick == 60:
            playout.hush(at)
        if tick == 80:
            playout.clear()
        sound += [playout.pull(480, at + 0.005), playout.pull(480, at + 0.015)]
    blocks = [rms(block) for block in sound]
    assert max(blocks[121:158]) < 1  # the block of the hush itself fades in 5 ms
    assert blocks[119] > 1000
    assert blocks[-1] > 1000
    assert told == [True, False, True]


def test_silence_nobody_ends_ends(packets) -> None:
    playout = Playout()
    for tick in range(120):
        at = tick * 0.02
        playout.arrived(tick, tick * 960, packets[tick], at)
        if tick == 20:
            playout.hush(at)
        block = playout.pull(960, at + 0.01)
    assert rms(block) > 1000


def test_volume_is_applied_without_a_jump(packets) -> None:
    playout = Playout()
    sound = []
    for tick in range(100):
        playout.arrived(tick, tick * 960, packets[tick], tick * 0.02)
        playout.volume_percent = 100 if tick < 50 else 25
        sound.append(playout.pull(960, tick * 0.02 + 0.01))
    assert rms(sound[90]) / rms(sound[40]) == pytest.approx(0.25, rel=0.3)


def test_one_period_is_taken_out_unheard() -> None:
    sound = voice(2)
    short, removed = shortened(sound)
    assert len(short) == len(sound) - removed
    assert 480 <= removed <= 960
    assert removed % 320 < 12 or removed % 320 > 308  # whole periods of 150 Hz
    steps = np.abs(np.diff(short.astype(np.int32)))
    assert steps.max() <= np.abs(np.diff(sound.astype(np.int32))).max() * 1.1


def test_a_card_that_runs_fast_is_followed_by_resampling(packets) -> None:
    """A card 200 ppm off for a minute: the sound is stretched, not cut."""
    playout, at, arrived = Playout(), 0.0, 0
    for pull in range(6_000):
        at = pull * 0.01 * (1 - 200e-6)
        while arrived * 0.02 <= at:
            payload = packets[50 + arrived % 400]
            playout.arrived(arrived & 0xFFFF, arrived * 960 & 0xFFFFFFFF, payload, arrived * 0.02)
            arrived += 1
        playout.pull(480, at)
    assert playout.drift_ppm == pytest.approx(-200, abs=60)
    assert playout.delay_ms < 40


def test_stretching_keeps_ends() -> None:
    sound = voice(1)
    longer = stretched(sound, 961)
    assert (longer[0], longer[-1], len(longer)) == (sound[0], sound[-1], 961)
