"""Where speech begins and ends in the sound that arrives.

Two judges have to agree on a frame: WebRTC's detector, which knows the spectrum of speech, and the
level over an adaptive noise floor, which knows this room. The floor is the quietest level of the
last seconds (minimum statistics), so steady noise and steady tones are learnt within that time and
speech, which has gaps, is not. Music with a beat passes both: that it is no request is found out
by the recogniser.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import webrtcvad

from app.sim.chip import FRAME, Pcm

RATE_HZ = 48_000
FRAME_MS = 20


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """`at_ms`: position in all audio of the call, prefix padding already taken off."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """`at_ms`: position in all audio of the call, with the silence that proved it."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """Only with semantic detection: quiet for long enough that the sentence may be complete."""


Moment = SpeechBegan | SpeechPaused | SpeechEnded


LONGEST_WAIT_MS = {"low": 8_000, "medium": 4_000, "auto": 4_000, "high": 2_000}
"""Semantic detection: how long to wait for the rest of an unfinished sentence (the API's own)."""

PAUSE_MS = {"low": 900, "medium": 500, "auto": 500, "high": 300}
"""And how soon to look whether it is a whole one."""

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


class SpeechDetector:
    """Voice activity detection on consecutive 20 ms frames, see the module."""

    def __init__(self, turn_detection: Mapping[str, Any]) -> None:
        self._levels: deque[float] = deque(maxlen=int(FLOOR_S * 1000 / FRAME_MS))
        self._recent: deque[bool] = deque(maxlen=ONSET_OF)
        self._speaking = False
        self._paused = False
        self._quiet_ms = 0
        self._spectrum = webrtcvad.Vad()
        self.configure(turn_detection)

    def configure(self, turn_detection: Mapping[str, Any]) -> None:
        """Takes over new settings; speech under way goes on."""
        threshold = float(turn_detection.get("threshold", 0.5))
        self._padding_ms = int(turn_detection.get("prefix_padding_ms", 300))
        self._margin_db = MARGIN_DB + MARGIN_BY_THRESHOLD_DB * threshold
        self._spectrum.set_mode(min(int(threshold * 4), 3))
        eagerness = str(turn_detection.get("eagerness", "auto"))
        self._pause_ms: int | None = None
        if turn_detection.get("type") == "semantic_vad":
            self._pause_ms = PAUSE_MS.get(eagerness, PAUSE_MS["auto"])
            self._silence_ms = LONGEST_WAIT_MS.get(eagerness, LONGEST_WAIT_MS["auto"])
        else:
            self._silence_ms = int(turn_detection.get("silence_duration_ms", 500))

    @property
    def quiet(self) -> bool:
        """Between words, or nobody speaks."""
        return self._quiet_ms > 0 or not self._speaking

    def hear(self, frame: Pcm, at_ms: int) -> Iterator[Moment]:
        """960 samples that end at `at_ms` of the call's audio."""
        level = level_db(frame)
        self._levels.append(level)
        floor = min(max(min(self._levels), FLOOR_LOW_DB), FLOOR_HIGH_DB)
        # Once begun, speech may fall a little lower before it counts as silence.
        loud = level > floor + self._margin_db - (4.0 if self._speaking else 0.0)
        speech = loud and self._spectrum.is_speech(frame.tobytes(), RATE_HZ)
        self._recent.append(speech)
        if not self._speaking:
            if sum(self._recent) >= ONSET_FRAMES:
                self._speaking, self._paused, self._quiet_ms = True, False, 0
                onset_ms = at_ms - len(self._recent) * FRAME_MS
                yield SpeechBegan(max(onset_ms - self._padding_ms, 0))
            return
        self._quiet_ms = 0 if speech else self._quiet_ms + FRAME_MS
        if self._quiet_ms >= max(self._silence_ms, FRAME_MS):
            yield self.end(at_ms)
        elif self._pause_ms is not None:
            if self._quiet_ms >= self._pause_ms and not self._paused:
                self._paused = True
                yield SpeechPaused()
            elif speech:
                self._paused = False

    def end(self, at_ms: int) -> SpeechEnded:
        """The speech under way is over, whatever the silence."""
        self._speaking = False
        self._recent.clear()
        return SpeechEnded(at_ms)


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

    def heard(self) -> Pcm:
        """All of it so far."""
        return np.concatenate(self._frames) if self._frames else np.zeros(0, np.int16)

    def take(self) -> Pcm:
        """All of it, and the buffer is empty."""
        sound = self.heard()
        self._frames.clear()
        return sound

    def clear(self) -> None:
        self._frames.clear()
