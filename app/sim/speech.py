"""Text to speech with espeak-ng's command, one short process for each new sentence.

The command and not the shared library: libespeak-ng keeps its voice, rate and callback in globals
of the process, so two services would have to queue behind one lock and a fault in it would take
the program along. A process costs some 15 ms (Debian 12, 2 cores), and sentences are remembered.

Where espeak-ng is not installed, macOS speaks with its own `say` and Windows with SAPI through
pyttsx3; there, voices differ by sex only. Both are written from their documentation and have not
been run by the tests.
"""

from __future__ import annotations

import importlib
import io
import shutil
import subprocess
import sys
import tempfile
import wave
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from app.sim.chip import Pcm

RATE_HZ = 48_000
WORDS_PER_MINUTE = 165
"""espeak-ng's own 175 is a little hasty for short answers."""

SAY_WITHIN_S = 10.0
_WPM_LOW, _WPM_HIGH = 80, 450
TAIL = 4_800
"""Samples of silence kept at the end (0.1 s); espeak-ng adds a third of a second."""

QUIET = 64
"""Peak of what counts as silence there; espeak-ng's is digital zero plus ringing."""


class SpeechMissing(RuntimeError):  # noqa: N818 - a state of the computer
    """This computer cannot speak; `package` is the system package to install."""

    def __init__(self, reason: str, package: str = "espeak-ng") -> None:
        super().__init__(f"{reason}; install the system package {package!r}")
        self.package = package


def speak(text: str, *, voice: str = "en-us", speed: float = 1.0) -> Pcm:
    """The sentence as sound: int16, mono, 48 kHz, read-only; empty for a text without words.

    Callable from any thread; blocks for some 20 ms the first time a text is asked for.
    `voice` is an espeak-ng voice name with optional variant (`en-us+f3`). Raises SpeechMissing
    when espeak-ng is not there or does not know the voice.
    """
    return _spoken(text.strip(), voice, round(WORDS_PER_MINUTE * speed))


@lru_cache(maxsize=64)
def _spoken(text: str, voice: str, words_per_minute: int) -> Pcm:
    if not text:
        return _frozen(np.zeros(0, np.int16))
    rate = min(max(words_per_minute, _WPM_LOW), _WPM_HIGH)
    if program := shutil.which("espeak-ng"):
        sound = _by_espeak(program, text, voice, rate)
    elif sys.platform == "darwin" and (program := shutil.which("say")):
        sound = _by_say(program, text, voice, rate)
    elif sys.platform == "win32":
        sound = _by_sapi(text, voice, rate)
    else:
        raise SpeechMissing("espeak-ng was not found")
    return _frozen(_without_tail(_resampled(*_read_wav(sound))))


def _by_espeak(program: str, text: str, voice: str, rate: int) -> bytes:
    # The text goes through stdin: an argument would be read as an option or seen in `ps`.
    said = subprocess.run(  # noqa: S603 - list argv, program found by which
        [program, "-v", voice, "-s", str(rate), "-b", "1", "--stdin", "--stdout"],
        input=text.encode(),
        capture_output=True,
        timeout=SAY_WITHIN_S,
        check=False,
    )
    if said.returncode != 0 or not said.stdout.startswith(b"RIFF"):
        detail = said.stderr.decode(errors="replace").strip()[:200]
        raise SpeechMissing(f"espeak-ng could not speak with voice {voice!r} ({detail})")
    return said.stdout


def _is_female(voice: str) -> bool:
    return "+f" in voice


def _by_say(program: str, text: str, voice: str, rate: int) -> bytes:
    """macOS. `say` writes files only, and reads its text from stdin with `-f -`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "said.wav")
        name = "Samantha" if _is_female(voice) else "Daniel"
        said = subprocess.run(  # noqa: S603 - list argv, program found by which
            [program, "-v", name, "-r", str(rate), "-o", str(file), "--file-format=WAVE",
             "--data-format=LEI16@22050", "-f", "-"],
            input=text.encode(),
            capture_output=True,
            timeout=SAY_WITHIN_S,
            check=False,
        )  # fmt: skip
        if said.returncode != 0 or not file.exists():
            detail = said.stderr.decode(errors="replace").strip()[:200]
            raise SpeechMissing(f"say could not speak ({detail})", "espeak-ng")
        return file.read_bytes()


def _by_sapi(text: str, voice: str, rate: int) -> bytes:
    """Windows. An engine of its own for each sentence: SAPI objects belong to their thread."""
    try:
        engine: Any = importlib.import_module("pyttsx3").init()
    except ImportError as why:
        raise SpeechMissing("pyttsx3 is not installed", "pyttsx3") from why
    voices = engine.getProperty("voices")
    if voices:
        engine.setProperty("voice", voices[-1 if _is_female(voice) else 0].id)
    engine.setProperty("rate", rate)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "said.wav")
        engine.save_to_file(text, str(file))
        engine.runAndWait()
        engine.stop()
        return file.read_bytes()


def _read_wav(data: bytes) -> tuple[Pcm, int]:
    with wave.open(io.BytesIO(data)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2)
        # A WAV written to a pipe carries a made-up length; the data that came is what counts.
        body = sound.readframes(len(data) // 2)
        return np.frombuffer(body[: len(body) // 2 * 2], np.int16), sound.getframerate()


def _resampled(pcm: Pcm, rate_hz: int) -> Pcm:
    if rate_hz == RATE_HZ or not len(pcm):
        return pcm.copy()
    frame = av.AudioFrame.from_ndarray(pcm[np.newaxis, :], format="s16", layout="mono")
    frame.sample_rate = rate_hz
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in parts]).astype(np.int16, copy=False)


def _without_tail(pcm: Pcm) -> Pcm:
    loud = np.flatnonzero((pcm > QUIET) | (pcm < -QUIET))
    return pcm[: loud[-1] + 1 + TAIL].copy() if len(loud) else pcm[:0].copy()


def _frozen(pcm: Pcm) -> Pcm:
    """Remembered arrays are shared between callers, so nobody may change one."""
    pcm.setflags(write=False)
    return pcm
