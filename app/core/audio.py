"""When which packet of the other side is played: the arithmetic of sound, without sound.

Theory of operation. A packet carries a place in the sender's time; `at - place` is how long its way
was, up to a constant, and the least of the last seconds is the fastest way. Playing a packet has a
delay over that fastest way. The target is the delay that nearly all packets of the last seconds
would have been in time for. Everything else follows: less delay than the target is repaired by
stretching, more by merging two packets into one, a packet that is missing when its time has come is
recovered from the next one or concealed, and what comes later than that is dropped.

Whoever pulls may do so in bursts (a sound server asks for 40 ms at once), so the delay that counts
is the least of the last pulls. Milliseconds everywhere; `at` is any steady clock in seconds.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

RATE_HZ = 48_000
FRAME_MS = 20.0
STRETCH_MS = 10.0

FLOOR_MS, CEILING_MS = 10.0, 200.0
"""Least delay kept for the pull's own jitter, and the most that jitter may cost."""

MOST_MS = 500.0
"""Delay over the target at which nothing is merged any more, but skipped."""

_SHARE_IN_TIME = 0.97
_WAYS = 250  # packets, 5 s
_PULLS = 15  # frames, 0.3 s
_HELD = 100  # packets, 2 s
_RESTART_JUMP = 500  # packets, 10 s: another stream, not a gap
_RESTART_AFTER = 3
_STALL_MS = 150.0
_BURST_MS = 5.0
_OUTAGE_MS = 60.0
_LONGEST_FRAME_MS = 60.0


# ---- what to do for the next stretch of sound


@dataclass(frozen=True, slots=True)
class Wait:
    """Silence: nothing has come yet."""


@dataclass(frozen=True, slots=True)
class Decode:
    payload: bytes


@dataclass(frozen=True, slots=True)
class Recover:
    """The packet is missing; `payload` is the next one, which may carry it in small (FEC)."""

    payload: bytes
    ms: float


@dataclass(frozen=True, slots=True)
class Conceal:
    """The packet is missing: `ms` of what might have been."""

    ms: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """`ms` of what might come, without moving on."""

    ms: float = STRETCH_MS


@dataclass(frozen=True, slots=True)
class Merge:
    """Two packets, to be played in less than their time; tell `JitterBuffer.shortened` by what."""

    first: bytes
    second: bytes


Step = Wait | Decode | Recover | Conceal | Stretch | Merge


@dataclass(slots=True)
class Counts:
    """What happened to packets since the start."""

    played: int = 0
    recovered: int = 0
    concealed: int = 0
    stretched: int = 0
    merged: int = 0
    skipped: int = 0
    late: int = 0
    duplicate: int = 0
    starved: int = 0
    """Times that sound ran dry: nothing was there at all."""


@dataclass(frozen=True, slots=True)
class _Packet:
    place_ms: float
    payload: bytes


class JitterBuffer:
    """The policy. `arrive` for each packet, `step` for each piece of sound; not thread-safe."""

    def __init__(self, *, floor_ms: float = FLOOR_MS, ceiling_ms: float = CEILING_MS) -> None:
        self.counts = Counts()
        self.target_ms = floor_ms
        self._floor_ms, self._ceiling_ms = floor_ms, ceiling_ms
        self._restart()

    def _restart(self) -> None:
        self._packets: dict[int, _Packet] = {}
        self._ways: deque[float] = deque(maxlen=_WAYS)
        self._delays: deque[float] = deque(maxlen=_PULLS)
        self._newest: int | None = None
        self._newest_place_ms = self._newest_at_ms = 0.0
        self._fastest_ms = 0.0
        self._stalled = False
        self._odd = 0
        self._position: int | None = None
        self._place_ms = 0.0
        self._frame_ms = FRAME_MS
        self._since_change = 0
        self._is_dry = False

    @property
    def delay_ms(self) -> float:
        """Delay over the fastest packet, the least of the last pulls; 0 before the first."""
        return min(self._delays, default=0.0)

    @property
    def spare_ms(self) -> float:
        return self.delay_ms - self.target_ms

    # ---- packets in

    def arrive(self, sequence: int, timestamp: int, payload: bytes, at: float) -> None:
        """One packet with its RTP numbers (16 and 32 bits, wrapping)."""
        at_ms = at * 1000.0
        if self._newest is None:
            number, place_ms = sequence, timestamp * 1000.0 / RATE_HZ
        else:
            number = self._newest + _nearest(sequence - self._newest, 16)
            known = round(self._newest_place_ms * RATE_HZ / 1000.0)
            place_ms = (known + _nearest(timestamp - known, 32)) * 1000.0 / RATE_HZ
            if abs(number - self._newest) > _RESTART_JUMP:
                self._odd += 1
                if self._odd >= _RESTART_AFTER:
                    self._restart()
                    self.arrive(sequence, timestamp, payload, at)
                return
        self._odd = 0
        self._note_way(number, place_ms, at_ms)
        if self._position is not None and number < self._position:
            self.counts.late += 1
        elif number in self._packets:
            self.counts.duplicate += 1
        else:
            self._packets[number] = _Packet(place_ms, payload)
            self._forget_oldest()

    def _note_way(self, number: int, place_ms: float, at_ms: float) -> None:
        way_ms = at_ms - place_ms
        # A stop of this process, or of the network, lets many packets come at once. It says
        # nothing about the next packets, so it counts once and not for each of them.
        since_ms = at_ms - self._newest_at_ms
        if not self._ways or since_ms < _STALL_MS:
            in_burst = self._stalled and since_ms < _BURST_MS if self._ways else False
            self._stalled = in_burst
            if not in_burst:
                self._ways.append(way_ms)
        else:
            self._stalled = True
        self._newest_at_ms = at_ms
        if self._newest is None or number > self._newest:
            gap_ms = place_ms - self._newest_place_ms
            if self._newest == number - 1 and 0 < gap_ms <= _LONGEST_FRAME_MS:
                self._frame_ms = gap_ms
            self._newest, self._newest_place_ms = number, place_ms
        self._fastest_ms = min(min(self._ways), way_ms)
        ordered = sorted(self._ways)
        spread_ms = ordered[int(_SHARE_IN_TIME * (len(ordered) - 1))] - ordered[0] + 4.0
        self.target_ms = min(max(spread_ms, self._floor_ms), self._ceiling_ms)

    def _forget_oldest(self) -> None:
        while len(self._packets) > _HELD:
            oldest = min(self._packets)
            del self._packets[oldest]
            self.counts.skipped += 1
            if self._position is not None:
                self._move_to(oldest + 1)

    # ---- sound out

    def step(self, at: float, *, ahead_ms: float = 0.0, quiet: bool = False) -> Step:
        """What to play next. `ahead_ms`: sound made before that is still to be played.

        `quiet`: what was made last is hardly heard, so that changing its length is not either.
        """
        now_ms = at * 1000.0 + ahead_ms
        if self._position is None:
            if not self._packets:
                return Wait()
            first = min(self._packets)
            delay_ms = now_ms - self._packets[first].place_ms - self._fastest_ms
            if delay_ms < self.target_ms:
                return Wait()
            self._position, self._place_ms = first, self._packets[first].place_ms
        self._since_change += 1
        self._skip_outage(now_ms)
        packet = self._packets.get(self._position)
        if packet is not None:
            return self._play(packet, now_ms, quiet)
        if not self._packets:
            if not self._is_dry:
                self.counts.starved += 1
            self._is_dry = True
            return self._stretched()
        return self._fill(now_ms)

    def shortened(self, ms: float) -> None:
        """By so much the last `Merge` was shorter than its two packets."""
        self._shift(-ms)

    def clear(self) -> None:
        """Forget what is not played yet."""
        if self._packets and self._position is not None:
            self.counts.skipped += len(self._packets)
            self._move_to(max(self._packets) + 1)
        self._packets.clear()

    def _play(self, packet: _Packet, now_ms: float, quiet: bool) -> Step:
        assert self._position is not None
        self._is_dry = False
        # The sender may have paused (DTX): its clock went on, its numbers did not.
        self._shift(self._place_ms - packet.place_ms)
        self._place_ms = packet.place_ms
        self._delays.append(now_ms - packet.place_ms - self._fastest_ms)
        spare_ms = self.spare_ms
        may_change = quiet or self._since_change >= _pace(spare_ms)
        following = self._packets.get(self._position + 1)
        if may_change and spare_ms > self._frame_ms and following is not None:
            self._since_change = 0
            self.counts.merged += 1
            self.counts.played += 2
            self._leave(self._position)
            self._leave(self._position)
            return Merge(packet.payload, following.payload)
        if may_change and spare_ms < -STRETCH_MS and len(self._delays) == _PULLS:
            self._since_change = 0
            return self._stretched()
        self.counts.played += 1
        self._leave(self._position)
        return Decode(packet.payload)

    def _fill(self, now_ms: float) -> Step:
        """The packet is missing and newer ones are there."""
        assert self._position is not None
        delay_ms = now_ms - self._place_ms - self._fastest_ms
        if delay_ms < self.target_ms - STRETCH_MS / 2:
            return self._stretched()  # it may be on its way
        following = self._packets.get(self._position + 1)
        self._leave(self._position)
        if following is not None:
            self.counts.recovered += 1
            return Recover(following.payload, self._frame_ms)
        self.counts.concealed += 1
        return Conceal(self._frame_ms)

    def _skip_outage(self, now_ms: float) -> None:
        """Do not play what is long past: holes first, then sound beyond the bound."""
        assert self._position is not None
        behind_ms = now_ms - self._place_ms - self._fastest_ms - self.target_ms
        while self._packets and self._position < min(self._packets) and behind_ms > _OUTAGE_MS:
            self.counts.skipped += 1
            self._leave(self._position)
            self._shift(-self._frame_ms)
            behind_ms -= self._frame_ms
        if behind_ms > MOST_MS and len(self._packets) > 1:
            while len(self._packets) > 1 and behind_ms > self._frame_ms:
                oldest = min(self._packets)
                del self._packets[oldest]
                self.counts.skipped += 1
                behind_ms -= self._frame_ms
            self._move_to(min(self._packets))
            self._delays.clear()

    def _stretched(self) -> Stretch:
        self.counts.stretched += 1
        self._shift(STRETCH_MS)
        return Stretch()

    def _shift(self, ms: float) -> None:
        if ms:
            for index, delay_ms in enumerate(self._delays):
                self._delays[index] = delay_ms + ms

    def _leave(self, number: int) -> None:
        self._packets.pop(number, None)
        self._move_to(number + 1)

    def _move_to(self, number: int) -> None:
        assert self._position is not None
        self._place_ms += (number - self._position) * self._frame_ms
        self._position = number


def _pace(spare_ms: float) -> int:
    """Frames from one change of length to the next: the more is to be changed, the fewer."""
    if spare_ms > 200.0:
        return 1
    return 3 if spare_ms > 100.0 else 5


def _nearest(difference: int, bits: int) -> int:
    """`difference` modulo 2^bits, as the number nearest to 0."""
    half = 1 << (bits - 1)
    return ((difference + half) & ((1 << bits) - 1)) - half


# ---- clocks


class Drift:
    """How much faster our clock of sound runs than the sender's, from the delay's trend."""

    EVERY_S = 1.0
    LEAST, MOST = 10, 60  # points
    BOUND_PPM = 500.0
    """Crystals are within 100 ppm; more is a measurement gone wrong."""

    def __init__(self) -> None:
        self.ppm = 0.0
        self._points: deque[tuple[float, float]] = deque(maxlen=self.MOST)
        self._changed_ms = 0.0
        self._least: float | None = None
        self._began: float | None = None

    def changed(self, ms: float) -> None:
        """We added (+) or took away (-) so much sound ourselves: no drift."""
        self._changed_ms += ms

    def note(self, at: float, delay_ms: float) -> None:
        """The delay of one pull. A growing delay: the sender gives more than we take."""
        value = delay_ms - self._changed_ms
        self._began = at if self._began is None else self._began
        self._least = value if self._least is None else min(self._least, value)
        if at - self._began >= self.EVERY_S:
            self._points.append((at, self._least))
            self._began, self._least = at, None
            self._fit()

    def _fit(self) -> None:
        count = len(self._points)
        if count < self.LEAST:
            return
        mean_at = sum(at for at, _ in self._points) / count
        mean_ms = sum(ms for _, ms in self._points) / count
        spread = sum((at - mean_at) ** 2 for at, _ in self._points)
        slope = sum((at - mean_at) * (ms - mean_ms) for at, ms in self._points) / spread
        self.ppm = max(-self.BOUND_PPM, min(self.BOUND_PPM, slope * 1000.0))


# ---- loudness

SILENCE_DBFS = -96.0


class Meter:
    """Loudness since it was last read."""

    def __init__(self) -> None:
        self._power, self._count = 0.0, 0

    def add(self, mean_square: float) -> None:
        """One block: mean of the squared samples, full scale 1.0."""
        self._power += mean_square
        self._count += 1

    def read(self) -> float:
        """dBFS, -96 for silence and for nothing at all."""
        power, count = self._power, self._count
        self._power, self._count = 0.0, 0
        return decibels(power / count) if count else SILENCE_DBFS


def decibels(mean_square: float) -> float:
    """dBFS of a mean square (full scale 1.0), from -96 to 0."""
    if mean_square <= 0.0:
        return SILENCE_DBFS
    return max(SILENCE_DBFS, min(0.0, 10.0 * math.log10(mean_square)))
