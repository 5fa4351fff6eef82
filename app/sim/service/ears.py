"""Where speech begins and ends in the sound that arrives.

Energy over an adaptive noise floor: the floor is the quietest level of the last seconds (minimum
statistics), so steady noise is learnt within that time and speech, which has gaps, is not. It
works on clean rooms and on synthetic speech; anything better takes its place behind `Ears`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from app.sim.chip import FRAME, Pcm

FRAME_MS = 20


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """`at_ms`: position in all audio of the call, prefix padding already taken off."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """`at_ms`: position in all audio of the call, with the silence that proved it."""

    at_ms: int


Moment = SpeechBegan | SpeechEnded


class Ears(Protocol):
    """Voice activity detection on consecutive 20 ms frames."""

    def hear(self, frame: Pcm, at_ms: int) -> Iterator[Moment]:
        """960 samples that end at `at_ms` of the call's audio."""

    def configure(self, turn_detection: Mapping[str, Any]) -> None:
        """Takes over new settings; speech under way goes on."""


EAGERNESS_MS = {"low": 1_200, "medium": 700, "auto": 700, "high": 400}
"""Semantic detection is not built; a patient one waits longer. The API's limits are 8, 4 and 2 s,
but those are for speech that sounds unfinished."""

FLOOR_S = 3.0
FLOOR_LOW_DB, FLOOR_HIGH_DB = -65.0, -38.0
"""The floor stays between a silent line and loud speech that starts with the call."""

MARGIN_DB = 6.0
MARGIN_BY_THRESHOLD_DB = 14.0
"""Threshold 0.5, the API's default, asks for 13 dB over the floor."""

ONSET_FRAMES, ONSET_OF = 3, 5
"""A click is one frame; a syllable is more."""


def level_db(frame: Pcm) -> float:
    """Level of a frame in dB of full scale, -96 for silence."""
    samples = frame.astype(np.float32)
    power = float(np.dot(samples, samples)) / max(len(samples), 1)
    return max(10.0 * float(np.log10(power / 32768.0**2 + 1e-12)), -96.0)


class EnergyEars:
    """The detector of today, see the module."""

    def __init__(self, turn_detection: Mapping[str, Any]) -> None:
        self._levels: deque[float] = deque(maxlen=int(FLOOR_S * 1000 / FRAME_MS))
        self._recent: deque[bool] = deque(maxlen=ONSET_OF)
        self._speaking = False
        self._quiet_ms = 0
        self.configure(turn_detection)

    def configure(self, turn_detection: Mapping[str, Any]) -> None:
        self._padding_ms = int(turn_detection.get("prefix_padding_ms", 300))
        threshold = float(turn_detection.get("threshold", 0.5))
        self._margin_db = MARGIN_DB + MARGIN_BY_THRESHOLD_DB * threshold
        eager = EAGERNESS_MS.get(str(turn_detection.get("eagerness", "auto")), 700)
        self._silence_ms = int(turn_detection.get("silence_duration_ms", eager))

    def hear(self, frame: Pcm, at_ms: int) -> Iterator[Moment]:
        level = level_db(frame)
        self._levels.append(level)
        floor = min(max(min(self._levels), FLOOR_LOW_DB), FLOOR_HIGH_DB)
        # Once begun, speech may fall a little lower before it counts as silence.
        loud = level > floor + self._margin_db - (4.0 if self._speaking else 0.0)
        self._recent.append(loud)
        if not self._speaking:
            if sum(self._recent) >= ONSET_FRAMES:
                self._speaking, self._quiet_ms = True, 0
                onset_ms = at_ms - len(self._recent) * FRAME_MS
                yield SpeechBegan(max(onset_ms - self._padding_ms, 0))
            return
        self._quiet_ms = 0 if loud else self._quiet_ms + FRAME_MS
        if self._quiet_ms >= max(self._silence_ms, FRAME_MS):
            self._speaking = False
            self._recent.clear()
            yield SpeechEnded(at_ms)


class HeardAudio:
    """The input audio buffer: what was heard since the last commit or clear, and its position.

    Bounded to `KEEP_S`; between turns only the padding before a possible beginning is kept.
    """

    KEEP_S = 120

    def __init__(self) -> None:
        self._frames: deque[Pcm] = deque(maxlen=self.KEEP_S * 1000 // FRAME_MS)
        self.now_ms = 0

    @property
    def length_ms(self) -> int:
        return len(self._frames) * FRAME_MS

    def add(self, frame: Pcm) -> None:
        """One frame of 960 samples."""
        assert len(frame) == FRAME
        self._frames.append(frame)
        self.now_ms += FRAME_MS

    def keep_last(self, span_ms: int) -> None:
        while self.length_ms > max(span_ms, FRAME_MS):
            self._frames.popleft()

    def take(self) -> Pcm:
        """All of it, and the buffer is empty."""
        sound = np.concatenate(self._frames) if self._frames else np.zeros(0, np.int16)
        self._frames.clear()
        return sound

    def clear(self) -> None:
        self._frames.clear()
