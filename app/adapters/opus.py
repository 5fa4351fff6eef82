"""libopus by ctypes: 48 kHz mono, with in-band FEC and concealment.

PyAV's own Opus hides both (its decoder has no "there was no packet"), and its wheel brings the
library along, so nothing more is installed. 20 ms encode in some 180 us, decode in 30 us (measured,
Debian 12).
"""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.faults import Fault
from app.core.language import tr

Pcm = NDArray[np.int16]

RATE_HZ = 48_000
FRAME = 960
"""Samples of the 20 ms we send."""

LONGEST = 5_760
"""Samples of the longest packet there is, 120 ms."""

BIT_RATE = 32_000
_VOIP = 2048
_SET_BITRATE, _SET_COMPLEXITY, _SET_FEC, _SET_LOSS = 4002, 4010, 4012, 4014
_PACKET_MOST_BYTES = 1500


@cache
def library() -> ctypes.CDLL:
    """The wheel's libopus, else the system's. Raises Fault when there is none."""
    import av

    package = Path(av.__file__).parent
    folders = (package.with_name("av.libs"), package / ".dylibs", package)
    found = [str(path) for folder in folders for path in sorted(folder.glob("*opus*"))]
    names = [name for name in found if ".so" in name or name.endswith((".dll", ".dylib"))]
    for name in (*names, ctypes.util.find_library("opus")):
        if name:
            return _typed(ctypes.CDLL(name))
    raise Fault(
        tr("The part that codes speech is missing."),
        tr("Install Parley again."),
        "no libopus in the av package or on the system",
    )


def _typed(opus: ctypes.CDLL) -> ctypes.CDLL:
    number, pointer = ctypes.c_int, ctypes.c_void_p
    for name in ("opus_encoder_create", "opus_decoder_create"):
        getattr(opus, name).restype = pointer
    # The one variadic function: its fixed arguments only, or arm64 macOS passes the rest wrongly.
    opus.opus_encoder_ctl.argtypes = [pointer, number]
    opus.opus_encode.argtypes = [pointer, pointer, number, ctypes.c_char_p, ctypes.c_int32]
    opus.opus_decode.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int32, pointer, number, number]
    opus.opus_encoder_destroy.argtypes = opus.opus_decoder_destroy.argtypes = [pointer]
    return opus


class Encoder:
    """One stream out: 20 ms of int16 mono at a time."""

    def __init__(self, *, bit_rate: int = BIT_RATE, loss_percent: int = 5) -> None:
        """`loss_percent`: what the line is expected to lose; FEC is sized by it."""
        self._opus = library()
        error = ctypes.c_int()
        self._state = self._opus.opus_encoder_create(RATE_HZ, 1, _VOIP, ctypes.byref(error))
        assert error.value == 0, error.value
        for request, value in (
            (_SET_BITRATE, bit_rate),
            (_SET_COMPLEXITY, 5),
            (_SET_FEC, 1),
            (_SET_LOSS, loss_percent),
        ):
            self._opus.opus_encoder_ctl(self._state, request, ctypes.c_int32(value))
        self._out = ctypes.create_string_buffer(_PACKET_MOST_BYTES)

    def encode(self, pcm: Pcm) -> bytes:
        """The packet of 960 samples."""
        sound = np.ascontiguousarray(pcm)
        assert sound.dtype == np.int16
        assert len(sound) == FRAME
        count = self._opus.opus_encode(
            self._state, sound.ctypes.data, FRAME, self._out, _PACKET_MOST_BYTES
        )
        assert count > 0, count
        return self._out.raw[:count]

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._opus.opus_encoder_destroy(self._state)


class Decoder:
    """One stream in."""

    def __init__(self) -> None:
        self._opus = library()
        error = ctypes.c_int()
        self._state = self._opus.opus_decoder_create(RATE_HZ, 1, ctypes.byref(error))
        assert error.value == 0, error.value

    def decode(self, payload: bytes) -> Pcm:
        """The sound of a packet; of nonsense: 20 ms of concealment."""
        sound = self._decode(payload, LONGEST, recover=False)
        return sound if len(sound) else self.conceal(FRAME)

    def recover(self, following: bytes, samples: int) -> Pcm:
        """The packet before `following`, from its FEC where it has some, else concealed."""
        sound = self._decode(following, samples, recover=True)
        return sound if len(sound) else self.conceal(samples)

    def conceal(self, samples: int) -> Pcm:
        """What might have been; a multiple of 2.5 ms."""
        return self._decode(None, samples, recover=False)

    def _decode(self, payload: bytes | None, samples: int, *, recover: bool) -> Pcm:
        out = np.empty(samples, np.int16)
        count = self._opus.opus_decode(
            self._state,
            payload,
            len(payload) if payload else 0,
            out.ctypes.data,
            samples,
            int(recover),
        )
        return out[: max(count, 0)]

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._opus.opus_decoder_destroy(self._state)
