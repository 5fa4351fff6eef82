"""Files, rates, the speaker's clock, and the echo canceller on a simulated room."""

from __future__ import annotations

import asyncio
import threading
import wave
from pathlib import Path

import numpy as np
import pytest

from app.adapters import sound
from app.adapters.echo import BLOCK, NoCanceller, WebRtcCanceller
from app.adapters.sound import Converter, FarEnd, WavIn, WavOut, read_wav
from app.core.faults import Fault
from app.sim.speech import speak


def tone(hz: float, rate: int, seconds: float) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)


def write(path: Path, pcm: np.ndarray, rate: int, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(np.repeat(pcm, channels).tobytes())
    return path


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_a_file_of_any_rate_is_read_as_48_khz_mono(tmp_path, rate, channels) -> None:
    pcm = read_wav(write(tmp_path / "a.wav", tone(440, rate, 0.5), rate, channels))
    assert len(pcm) == pytest.approx(24_000, abs=100)
    spectrum = np.abs(np.fft.rfft(pcm[1000:23_000].astype(float)))
    assert np.argmax(spectrum) * 48_000 / 22_000 == pytest.approx(440, abs=3)


def test_what_is_no_sound_is_told(tmp_path: Path) -> None:
    nonsense = tmp_path / "a.wav"
    nonsense.write_bytes(b"RIFFnonsense")
    for path in (nonsense, tmp_path / "missing.wav"):
        with pytest.raises(Fault):
            read_wav(path)
    with pytest.raises(Fault):
        read_wav(write(tmp_path / "b.wav", tone(440, 8000, 0.1), 8000, width=1))
    with pytest.raises(Fault):
        WavOut(tmp_path / "no" / "such" / "folder.wav")


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 96_000])
def test_a_stream_keeps_its_length_in_any_pieces(rate: int) -> None:
    convert, chance = Converter(rate, 48_000), np.random.default_rng(1)
    pcm, at, out = tone(300, rate, 1.0), 0, 0
    while at < len(pcm):
        size = int(chance.integers(1, 900))
        out += len(convert(pcm[at : at + size]))
        at += size
    out += len(convert.rest())
    assert out == pytest.approx(48_000, abs=64)


async def test_a_file_is_silent_until_somebody_listens(tmp_path: Path) -> None:
    source = WavIn(write(tmp_path / "a.wav", tone(440, 48_000, 0.06), 48_000))
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert not (await source.frame()).any()
    source.begin()
    heard = [await source.frame() for _ in range(4)]
    assert [frame.any() for frame in heard] == [True, True, True, False]
    assert source.finished
    assert 0.06 < loop.time() - began < 1.0


def test_a_speaker_file_holds_what_was_pulled(tmp_path: Path) -> None:
    enough, pulled = threading.Event(), []

    def pull(samples: int, at: float) -> np.ndarray:
        pulled.append(at)
        if len(pulled) >= 10:
            enough.set()
        return np.full(samples, len(pulled), np.int16)

    out = WavOut(tmp_path / "out.wav")
    out.start(pull)
    assert enough.wait(5)
    out.close()
    out.close()
    pcm = read_wav(tmp_path / "out.wav")
    assert len(pcm) == len(pulled) * 480
    assert list(pcm[::480]) == list(range(1, len(pulled) + 1))
    assert np.diff(pulled)[:9] == pytest.approx(0.01, abs=1e-6)  # no drift of its own


def test_what_was_played_is_bounded_and_in_order() -> None:
    far = FarEnd(480)
    far.played(np.repeat(np.arange(1, 31, dtype=np.int16), 480))
    assert [int(far.take()[0]) for _ in range(22)] == [*range(11, 31), 0, 0]


class NoPortAudio:
    """What PortAudio says on a computer without any device."""

    class PortAudioError(Exception):
        pass

    def query_devices(self, *_: object) -> object:
        raise self.PortAudioError("Error querying device -1")


def test_no_device_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "_portaudio", NoPortAudio)
    with pytest.raises(Fault, match="microphone"):
        sound.devices()
    with pytest.raises(Fault, match="microphone"):
        sound.CardOut()


# ---- echo


def in_room(far: np.ndarray, delay_ms: int = 80, level_db: float = -6.0) -> np.ndarray:
    """What of the speaker comes back: delayed, with 30 ms of decaying room, quieter."""
    chance = np.random.default_rng(1)
    room = chance.standard_normal(1440) * np.exp(-np.arange(1440) / 480)
    room[0] = 3.0
    room *= 10 ** (level_db / 20) / np.sqrt((room**2).sum())
    echo = np.convolve(far.astype(float), room)[: len(far)]
    return np.concatenate((np.zeros(delay_ms * 48), echo))[: len(far)]


def cancelled(canceller, near: np.ndarray, far: np.ndarray) -> np.ndarray:
    blocks = range(0, len(far) - BLOCK + 1, BLOCK)
    return np.concatenate(
        [canceller.process(near[at : at + BLOCK], far[at : at + BLOCK]) for at in blocks]
    )


def power_db(pcm: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(pcm.astype(float) ** 2) + 1.0))


def test_the_speaker_is_taken_out_and_the_user_is_not() -> None:
    far = np.concatenate([speak("The quick brown fox jumps over the lazy dog, again.")] * 4)
    far = far[: 48_000 * 10]
    user = np.zeros(len(far))
    voice = speak("Please turn the light blue.", voice="en-us+m3")
    user[48_000 * 7 : 48_000 * 7 + len(voice)] = voice[: len(far) - 48_000 * 7]
    noise = np.random.default_rng(2).standard_normal(len(far)) * 5
    near = np.clip(in_room(far) + user + noise, -32768, 32767).astype(np.int16)
    clean = cancelled(WebRtcCanceller(gain_control=False), near, far)
    span = slice(48_000 * 3, 48_000 * 7)
    loss = power_db(near[span]) - power_db(clean[span])
    talk = slice(48_000 * 7, 48_000 * 7 + len(voice))
    kept = power_db(clean[talk]) - power_db(user[talk])
    print(f"echo return loss enhancement {loss:.1f} dB; user's voice over it {kept:+.1f} dB")
    assert loss >= 25
    assert kept > -8
    assert cancelled(NoCanceller(), near, far) == pytest.approx(near[: len(clean)])
