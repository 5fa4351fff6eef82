"""The jitter buffer against simulated networks: what is played, in which order, with what delay."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import audio
from app.core.audio import (
    Conceal,
    Decode,
    Drift,
    JitterBuffer,
    Merge,
    Meter,
    Recover,
    Stretch,
    Wait,
)

quick = settings(max_examples=25, deadline=None, database=None, derandomize=True)


@dataclass
class Played:
    """A run: what was played when, and the delay after each pull."""

    buffer: JitterBuffer
    heard: list[int] = field(default_factory=list)
    delays: list[tuple[float, float]] = field(default_factory=list)
    targets: list[float] = field(default_factory=list)
    lost_ms: float = 0.0
    waits: int = 0


def run(
    arrivals: list[tuple[float, int]],
    *,
    first: int = 0,
    until: float | None = None,
    stops: tuple[tuple[float, float], ...] = (),
) -> Played:
    """Play packets `(at, number)`; pulls of 10 ms, none within `stops` (begin, end)."""
    played = Played(JitterBuffer())
    queue = sorted(arrivals)
    end = until if until is not None else queue[-1][0] + 0.5
    at, left_ms = 0.003, 0.0
    while at < end:
        stopped = any(begin <= at < over for begin, over in stops)
        if stopped:
            at += 0.01
            continue
        while queue and queue[0][0] <= at:
            when, number = queue.pop(0)
            # What came while this process stood still is seen when it goes on.
            seen = next((over for begin, over in stops if begin <= when < over), when)
            packet = number.to_bytes(8, "big")
            sequence, timestamp = (first + number) & 0xFFFF, (first + number) * 960 & 0xFFFFFFFF
            played.buffer.arrive(sequence, timestamp, packet, seen)
        while left_ms < 10.0:
            left_ms += made(played, at, left_ms)
        left_ms -= 10.0
        if queue:
            played.delays.append((at, played.buffer.delay_ms))
            played.targets.append(played.buffer.target_ms)
        at += 0.01
    return played


def made(played: Played, at: float, left_ms: float) -> float:
    match played.buffer.step(at, ahead_ms=left_ms):
        case Wait():
            played.waits += 1
            return 10.0
        case Decode(payload):
            played.heard.append(int.from_bytes(payload, "big"))
            return 20.0
        case Merge(first, second):
            played.heard += [int.from_bytes(first, "big"), int.from_bytes(second, "big")]
            played.buffer.shortened(12.0)
            return 28.0
        case Recover(_, ms):
            return ms
        case Conceal(ms) | Stretch(ms):
            played.lost_ms += ms
            return ms


def steady(count: int, jitter_s: float = 0.0, loss: float = 0.0, seed: int = 1):
    chance = random.Random(seed)
    return [
        (number * 0.02 + chance.random() * jitter_s, number)
        for number in range(count)
        if chance.random() >= loss
    ]


def test_a_clean_line_is_played_whole_at_the_least_delay() -> None:
    played = run(steady(500))
    assert played.heard == list(range(500))
    counts = played.buffer.counts
    assert (counts.concealed, counts.recovered, counts.merged, counts.late) == (0, 0, 0, 0)
    in_call = [delay for at, delay in played.delays if 1 < at < 9]
    assert max(in_call) < 30


@pytest.mark.parametrize("first", [65_400, (1 << 32) // 960 - 40])
def test_numbers_may_wrap_around(first: int) -> None:
    assert run(steady(300), first=first).heard == list(range(300))


def test_a_lost_packet_is_recovered_from_the_next_one() -> None:
    played = run([(at, number) for at, number in steady(300) if number % 20])
    assert played.buffer.counts.recovered >= 13
    assert played.buffer.counts.concealed == 0
    assert played.heard == [number for number in range(300) if number % 20]


def test_two_lost_in_a_row_are_one_concealed_and_one_recovered() -> None:
    played = run([(at, n) for at, n in steady(300) if n not in (100, 101)])
    assert (played.buffer.counts.concealed, played.buffer.counts.recovered) == (1, 1)


def test_reordered_packets_are_played_in_order_and_duplicates_once() -> None:
    chance = random.Random(3)
    arrivals = [(number * 0.02 + chance.choice((0, 0.03)), number) for number in range(500)]
    played = run(arrivals + [(at + 0.001, number) for at, number in arrivals[::7]])
    # The first swaps teach it; after that all are in time.
    assert [n for n in played.heard if n > 100] == list(range(101, 500))
    assert played.heard == sorted(set(played.heard))


@pytest.mark.parametrize("jitter_ms", [20, 60, 120])
def test_jitter_costs_delay_and_little_else(jitter_ms: int) -> None:
    played = run(steady(1500, jitter_ms / 1000))
    missing = 1 - len(played.heard) / 1500
    assert missing < 0.05
    in_call = sorted(delay for at, delay in played.delays if at > 5)
    assert in_call[len(in_call) // 2] < jitter_ms + 35
    assert in_call[-1] < jitter_ms + 80


def test_a_stop_of_this_process_is_caught_up_within_two_seconds() -> None:
    played = run(steady(600), stops=((5.0, 5.3),))
    late = [
        delay - target
        for (at, delay), target in zip(played.delays, played.targets, strict=True)
        if at > 7.3
    ]
    assert max(late) <= 20
    assert max(played.targets) <= 40  # and the target did not learn from it


def test_an_outage_of_two_seconds_is_not_played_later() -> None:
    played = run([(at, n) for at, n in steady(600) if not 250 <= n < 350])
    after = [delay for at, delay in played.delays if at > 9.5]
    assert max(after) < 60
    assert played.heard[-1] == 599


def test_packets_held_up_for_a_second_do_not_stay_as_delay() -> None:
    held = [(max(at, 6.0) if 5.0 <= at < 6.0 else at, n) for at, n in steady(600)]
    played = run(held)
    assert max(delay for at, delay in played.delays if 9.0 < at < 11.5) < 60
    assert played.heard[-1] == 599


def test_a_pause_of_the_sender_is_no_delay() -> None:
    buffer = JitterBuffer()
    played = Played(buffer)
    at = left_ms = 0.0
    for tick in range(1200):
        at = tick * 0.01
        if tick % 2 == 0 and not 400 <= tick < 600:
            number = tick // 2 if tick < 400 else tick // 2 - 100
            buffer.arrive(number, tick // 2 * 960, number.to_bytes(8, "big"), at)
        while left_ms < 10:
            left_ms += made(played, at, left_ms)
        left_ms -= 10
    assert played.heard[-1] >= 498
    assert buffer.delay_ms < 40


def test_another_stream_in_the_middle_is_taken_up() -> None:
    buffer = JitterBuffer()
    played = Played(buffer)
    for tick in range(400):
        at, number = tick * 0.02, tick if tick < 200 else tick + 30_000
        buffer.arrive(number & 0xFFFF, number * 960, number.to_bytes(8, "big"), at)
        made(played, at + 0.015, 0)
    assert played.heard[-1] > 30_000 + 390


def test_nobody_pulls_and_memory_stays() -> None:
    buffer = JitterBuffer()
    for number in range(10_000):
        buffer.arrive(number & 0xFFFF, number * 960, b"x", number * 0.02)
    assert len(buffer._packets) <= 100


def test_cleared_sound_is_gone_and_the_next_is_played() -> None:
    buffer = JitterBuffer()
    played = Played(buffer)
    for number in range(20):
        buffer.arrive(number, number * 960, number.to_bytes(8, "big"), 0.0)
    made(played, 0.05, 0)
    buffer.clear()
    buffer.arrive(20, 20 * 960, (20).to_bytes(8, "big"), 0.41)
    made(played, 0.45, 0)
    made(played, 0.47, 0)
    assert played.heard[-1] == 20
    assert 15 not in played.heard


events = st.lists(
    st.tuples(
        st.integers(-400, 400),  # jump of the number
        st.sampled_from([0.0, 0.0005, 0.02, 0.02, 0.02, 0.1, 1.5]),
        st.integers(0, 6),
    ),
    max_size=120,
)


@given(events, st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.booleans())
@quick
def test_any_packets_any_time(jumps, first, origin, quiet) -> None:
    """Nothing raises, nothing is played twice or backwards, nothing grows."""
    buffer = JitterBuffer()
    number, at = 0, 10.0
    heard: list[int] = []
    for jump, pause, pulls in jumps:
        number += 1 if abs(jump) > 12 else jump
        at += pause
        sent = number.to_bytes(8, "big", signed=True)
        sequence, timestamp = (first + number) & 0xFFFF, (origin + number * 960) & 0xFFFFFFFF
        buffer.arrive(sequence, timestamp, sent, at)
        for pull in range(pulls):
            match buffer.step(at, ahead_ms=pull * 20.0, quiet=quiet):
                case Decode(payload):
                    heard.append(int.from_bytes(payload, "big", signed=True))
                case Merge(one, two):
                    heard += [int.from_bytes(p, "big", signed=True) for p in (one, two)]
                    buffer.shortened(10.0)
        assert audio.FLOOR_MS <= buffer.target_ms <= audio.CEILING_MS
        assert len(buffer._packets) <= 100
    assert heard == sorted(set(heard))


@given(st.integers(0, 40), st.sampled_from([0.0, 0.02, 0.06]), st.integers(1, 5))
@quick
def test_loss_costs_no_delay_and_no_order(loss_percent, jitter_s, seed) -> None:
    arrivals = steady(400, jitter_s, loss_percent / 100, seed)
    played = run(arrivals, until=8.0)
    assert played.heard == sorted(set(played.heard))
    after = sorted(delay for at, delay in played.delays if at > 4)
    assert after[len(after) // 2] < jitter_s * 1000 + 60


@pytest.mark.parametrize("ppm", [-120.0, 0.0, 80.0])
def test_drift_is_seen_through_jitter_and_our_own_changes(ppm: float) -> None:
    chance, drift = random.Random(1), Drift()
    changed = 0.0
    for tick in range(50 * 40):
        at = tick * 0.02
        if tick % 300 == 299:
            changed -= 10
            drift.changed(-10)
        drift.note(at, 40 + at * ppm / 1000 + changed + chance.random() * 8)
    assert drift.ppm == pytest.approx(ppm, abs=25)


def test_a_wild_drift_is_bounded() -> None:
    drift = Drift()
    for tick in range(1000):
        drift.note(tick * 0.02, tick * 10.0)
    assert drift.ppm == Drift.BOUND_PPM


def test_the_meter_reads_and_starts_anew() -> None:
    meter = Meter()
    meter.add(0.25)
    meter.add(0.25)
    assert meter.read() == pytest.approx(-6.02, abs=0.01)
    assert meter.read() == audio.SILENCE_DBFS
    meter.add(0.0)
    assert meter.read() == audio.SILENCE_DBFS
