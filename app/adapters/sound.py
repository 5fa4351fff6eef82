"""Microphones and speakers: the sound card's, files, and silence, behind two small interfaces.

Everything outside works in 48 kHz int16 mono. A card runs at its own rate with 10 ms blocks, one
stream for each side: full duplex streams stalled at their start on PulseAudio. Callbacks only copy
and convert. A card that falls silent is replaced by silence in time, so that the call goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import wave
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np

from app.adapters.opus import FRAME, RATE_HZ, Pcm
from app.core.faults import Fault
from app.core.language import tr

FRAME_S = FRAME / RATE_HZ
BLOCK_S = 0.01
LATE_S = 0.2
"""Behind by more than this, a clock starts anew instead of catching up."""

CARD_SILENT_S = 0.1
_CARD_QUEUE_FRAMES = 10
_SERVER_NAMES = ("pulse", "default", "pipewire", "sysdefault")
_SERVER_LATENCY_S = 0.1
"""Sound servers' ALSA plug-ins underflow below this under load (measured: PulseAudio)."""

Pull = Callable[[int, float], Pcm]
"""Samples wanted and the time → samples."""


class SoundIn(Protocol):
    """Where the user's voice comes from. On one loop."""

    def begin(self) -> None:
        """From now on somebody listens."""

    async def frame(self) -> Pcm:
        """The next 20 ms, when they are due."""

    @property
    def finished(self) -> bool:
        """Nothing more will come but silence."""

    @property
    def trouble(self) -> str:
        """What is wrong with it at present, for an engineer; empty when nothing is."""

    def close(self) -> None: ...


class SoundOut(Protocol):
    """Where the assistant's voice goes."""

    def start(self, pull: Pull) -> None:
        """Calls `pull` on a thread of its own from now on. Raises Fault."""

    @property
    def trouble(self) -> str: ...

    def close(self) -> None: ...


# ---- files and silence


class WavIn:
    """A wav file as a microphone: silence, the file from `begin` on, silence."""

    trouble = ""

    def __init__(self, path: Path | None) -> None:
        """None: nothing but silence. Raises Fault when the file cannot be read."""
        self._sound = read_wav(path) if path is not None else np.zeros(0, np.int16)
        self._began = False
        self._at = 0
        self._due: float | None = None

    def begin(self) -> None:
        self._began = True

    @property
    def finished(self) -> bool:
        return self._at >= len(self._sound)

    async def frame(self) -> Pcm:
        now = asyncio.get_running_loop().time()
        if self._due is None or now - self._due > LATE_S:
            self._due = now
        if self._due > now:
            await asyncio.sleep(self._due - now)
        self._due += FRAME_S
        frame = np.zeros(FRAME, np.int16)
        if self._began:
            piece = self._sound[self._at : self._at + FRAME]
            frame[: len(piece)] = piece
            self._at += len(piece)
        return frame

    def close(self) -> None:
        pass


def read_wav(path: Path) -> Pcm:
    """The sound of a file, mono 48 kHz, channels mixed. Raises Fault."""
    try:
        with wave.open(str(path)) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            raw = file.readframes(file.getnframes())
    except (OSError, wave.Error, EOFError) as why:
        raise _no_sound_file(path, str(why)) from why
    if width != 2:
        raise _no_sound_file(path, f"{8 * width} bits a sample")
    sound = np.frombuffer(raw[: len(raw) // (2 * channels) * 2 * channels], "<i2")
    mono = sound.reshape(-1, channels).mean(axis=1).astype(np.int16)
    convert = Converter(rate, RATE_HZ)
    return np.concatenate((convert(mono), convert.rest()))


def _no_sound_file(path: Path, why: str) -> Fault:
    return Fault(
        tr("{file} cannot be read as sound.", file=path),
        tr("Take a wav file with 16 bits a sample."),
        why,
    )


class WavOut:
    """A clock in place of a speaker; what it plays is kept in a wav file, or nowhere."""

    trouble = ""

    def __init__(self, path: Path | None = None) -> None:
        """Raises Fault when the file cannot be written."""
        self._file: wave.Wave_write | None = None
        if path is not None:
            try:
                self._raw = path.open("wb")
            except OSError as why:
                raise Fault(
                    tr("{file} cannot be written.", file=path),
                    tr("Choose another place."),
                    str(why),
                ) from why
            self._file = wave.open(self._raw, "wb")  # noqa: SIM115  closed by close()
            self._file.setnchannels(1)
            self._file.setsampwidth(2)
            self._file.setframerate(RATE_HZ)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, pull: Pull) -> None:
        self._thread = threading.Thread(
            target=self._run, args=(pull,), name="parley-speaker", daemon=True
        )
        self._thread.start()

    def _run(self, pull: Pull) -> None:
        due = time.monotonic()
        samples = round(RATE_HZ * BLOCK_S)
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            due = now if now - due > LATE_S else due
            block = pull(samples, due)
            due += BLOCK_S
            if self._file is not None:
                self._file.writeframesraw(block.tobytes())

    def close(self) -> None:
        """Idempotent."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._file is not None:
            self._file.close()
            self._raw.close()
            self._file = None


class Converter:
    """A stream from one rate to another."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._same = from_hz == to_hz
        self._from_hz = from_hz
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=to_hz)

    def __call__(self, pcm: Pcm) -> Pcm:
        if self._same or not len(pcm):
            return pcm
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(pcm)[np.newaxis], format="s16", layout="mono"
        )
        frame.sample_rate = self._from_hz
        return _joined(self._resampler.resample(frame))

    def rest(self) -> Pcm:
        """What is still inside, at the end."""
        return np.zeros(0, np.int16) if self._same else _joined(self._resampler.resample(None))


def _joined(frames: list[Any]) -> Pcm:
    parts = [frame.to_ndarray()[0] for frame in frames]
    return np.concatenate(parts).astype(np.int16) if parts else np.zeros(0, np.int16)


# ---- the card


@dataclass(frozen=True, slots=True)
class SoundDevice:
    """One device; `index` is PortAudio's and holds until the list is made again."""

    index: int
    name: str
    inputs: int
    outputs: int
    rate_hz: int
    is_default_in: bool
    is_default_out: bool


def devices() -> tuple[SoundDevice, ...]:
    """All devices as PortAudio sees them. Raises Fault without PortAudio."""
    sound = _portaudio()
    try:
        listed = sound.query_devices()
        default_in, default_out = sound.default.device
    except sound.PortAudioError as why:
        raise _no_card(str(why)) from why
    return tuple(
        SoundDevice(
            index,
            str(one["name"]),
            int(one["max_input_channels"]),
            int(one["max_output_channels"]),
            round(one["default_samplerate"]),
            index == default_in,
            index == default_out,
        )
        for index, one in enumerate(listed)
    )


def _portaudio() -> Any:
    try:
        import sounddevice
    except OSError as why:  # the package is there, the library it opens is not
        raise _no_card(str(why)) from why
    return sounddevice


def _no_card(why: str) -> Fault:
    return Fault(
        tr("The microphone or the speaker cannot be used."),
        tr("Check that it is plugged in and allowed, or choose another one."),
        why,
    )


@dataclass(frozen=True, slots=True)
class _Opening:
    """What a stream is opened with."""

    index: int | None
    channels: int
    rate_hz: int
    latency: float | str

    @property
    def block(self) -> int:
        return round(self.rate_hz * BLOCK_S)


def _opening(sound: Any, device: int | str | None, kind: str) -> _Opening:
    """Raises Fault when there is no such device."""
    try:
        told = sound.query_devices(device, kind)
    except (sound.PortAudioError, ValueError) as why:
        raise _no_card(str(why)) from why
    channels = 1 if kind == "input" else min(2, int(told[f"max_{kind}_channels"]))
    is_server = str(told["name"]).split(":")[0] in _SERVER_NAMES
    latency: float | str = _SERVER_LATENCY_S if is_server else "low"
    return _Opening(told["index"], channels, round(told["default_samplerate"]), latency)


class CardIn:
    """A microphone. Made on the loop that takes its frames."""

    finished = False

    def __init__(self, device: int | str | None = None) -> None:
        """`device`: index or part of the name; None: the system's choice. Raises Fault."""
        sound = _portaudio()
        opening = _opening(sound, device, "input")
        self._loop = asyncio.get_running_loop()
        self._convert = Converter(opening.rate_hz, RATE_HZ)
        self._frames: asyncio.Queue[Pcm] = asyncio.Queue()
        self._pending = np.zeros(0, np.int16)
        self._silent_s = 0.0
        self._lost = False
        self._closing = False
        self._stream = _opened(
            sound,
            lambda: sound.InputStream(
                device=opening.index,
                channels=opening.channels,
                samplerate=opening.rate_hz,
                blocksize=opening.block,
                dtype="int16",
                latency=opening.latency,
                callback=self._heard,
                finished_callback=self._finished,
            ),
        )

    def begin(self) -> None:
        pass

    @property
    def trouble(self) -> str:
        if self._lost:
            return "the microphone is gone"
        return "the microphone gives no sound" if self._silent_s > 2.0 else ""

    def _heard(self, data: Any, frames: int, at: Any, status: Any) -> None:
        pcm = self._convert(data[:, 0].copy())
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._came, pcm)

    def _came(self, pcm: Pcm) -> None:
        self._pending = np.concatenate((self._pending, pcm))
        while len(self._pending) >= FRAME:
            self._frames.put_nowait(self._pending[:FRAME])
            self._pending = self._pending[FRAME:]
        while self._frames.qsize() > _CARD_QUEUE_FRAMES:
            self._frames.get_nowait()  # nobody took them in time: what is old is worth nothing

    def _finished(self) -> None:
        self._lost = not self._closing

    async def frame(self) -> Pcm:
        try:
            async with asyncio.timeout(CARD_SILENT_S if self._silent_s == 0 else FRAME_S):
                frame = await self._frames.get()
        except TimeoutError:
            self._silent_s += CARD_SILENT_S if self._silent_s == 0 else FRAME_S
            return np.zeros(FRAME, np.int16)
        self._silent_s = 0.0
        return frame

    def close(self) -> None:
        """Idempotent."""
        self._closing = True
        self._stream.close(ignore_errors=True)


class CardOut:
    """A speaker."""

    def __init__(self, device: int | str | None = None) -> None:
        """`device`: index or part of the name; None: the system's choice. Raises Fault."""
        self._sound = _portaudio()
        self._opening = _opening(self._sound, device, "output")
        self._convert = Converter(RATE_HZ, self._opening.rate_hz)
        self._ready = np.zeros(0, np.int16)
        self._pull: Pull | None = None
        self._stream: Any = None
        self._lost = self._closing = False

    @property
    def trouble(self) -> str:
        return "the speaker is gone" if self._lost else ""

    def start(self, pull: Pull) -> None:
        self._pull = pull
        opening = self._opening
        self._stream = _opened(
            self._sound,
            lambda: self._sound.OutputStream(
                device=opening.index,
                channels=opening.channels,
                samplerate=opening.rate_hz,
                blocksize=opening.block,
                dtype="int16",
                latency=opening.latency,
                callback=self._wanted,
                finished_callback=self._finished,
            ),
        )

    def _wanted(self, out: Any, frames: int, at: Any, status: Any) -> None:
        assert self._pull is not None
        while len(self._ready) < frames:
            block = self._pull(round(RATE_HZ * BLOCK_S), time.monotonic())
            self._ready = np.concatenate((self._ready, self._convert(block)))
        out[:] = self._ready[:frames, np.newaxis]
        self._ready = self._ready[frames:]

    def _finished(self) -> None:
        self._lost = not self._closing

    def close(self) -> None:
        """Idempotent."""
        self._closing = True
        if self._stream is not None:
            self._stream.close(ignore_errors=True)
            self._stream = None


def _opened(sound: Any, make: Callable[[], Any]) -> Any:
    try:
        stream = make()
        stream.start()
    except (sound.PortAudioError, ValueError) as why:
        raise _no_card(str(why)) from why
    return stream


class FarEnd:
    """What the speaker really played, for the echo canceller: 10 ms blocks, thread-safe."""

    MOST = 20  # blocks: 0.2 s

    def __init__(self, block: int) -> None:
        self._block = block
        self._blocks: deque[Pcm] = deque(maxlen=self.MOST)
        self._silent: Pcm = np.zeros(block, np.int16)

    def played(self, pcm: Pcm) -> None:
        for start in range(0, len(pcm) - self._block + 1, self._block):
            self._blocks.append(pcm[start : start + self._block])

    def take(self) -> Pcm:
        """The next block; silence when nothing was played."""
        try:
            return self._blocks.popleft()
        except IndexError:
            return self._silent
