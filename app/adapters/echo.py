"""Taking the speaker out of the microphone: WebRTC's audio processing behind two methods.

pywebrtc-audio is young (three releases), so its version is pinned exactly and nothing else of it is
used; `livekit`'s module is the second choice. Not thread-safe: one thread, 10 ms at a time.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from app.adapters.opus import RATE_HZ, Pcm
from app.core.faults import Fault
from app.core.language import tr

BLOCK = RATE_HZ // 100
"""Samples of 10 ms."""

_NOISE_MODERATE = 1


class EchoCanceller(Protocol):
    """`near` is what the microphone heard, `far` what the speaker played; 480 samples each."""

    def process(self, near: Pcm, far: Pcm) -> Pcm: ...

    def reset(self) -> None:
        """The room has changed: another device."""


class WebRtcCanceller:
    """AEC3 with noise suppression, high-pass and, when asked, gain control."""

    def __init__(self, *, gain_control: bool = True) -> None:
        """Raises Fault where the package has no build for this computer."""
        try:
            from pywebrtc_audio import AudioProcessor
        except ImportError as why:
            raise Fault(
                tr("Echo cancelling is not there for this computer."),
                tr("Use a headset, and switch echo cancelling off."),
                str(why),
            ) from why
        self._processor: Any = AudioProcessor(
            sample_rate=RATE_HZ,
            num_channels=1,
            echo_cancellation=True,
            noise_suppression=True,
            high_pass_filter=True,
            auto_gain_control=gain_control,
            ns_level=_NOISE_MODERATE,
        )

    def process(self, near: Pcm, far: Pcm) -> Pcm:
        clean: Pcm = self._processor.process(near, far)
        return clean

    def reset(self) -> None:
        self._processor.reset()


class NoCanceller:
    """A headset, a file: nothing to take out."""

    def process(self, near: Pcm, far: Pcm) -> Pcm:
        return near

    def reset(self) -> None:
        pass


SILENT_BLOCK: Pcm = np.zeros(BLOCK, np.int16)
