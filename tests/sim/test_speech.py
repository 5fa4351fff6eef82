from __future__ import annotations

import threading
import wave

import numpy as np
import pytest

from app.sim import speech
from app.sim.speech import SpeechMissing, speak


def test_sentence_is_sound_at_48_khz():
    pcm = speak("Hello there, this is a test.")
    assert pcm.dtype == np.int16
    assert pcm.ndim == 1
    assert 1.0 < len(pcm) / 48_000 < 3.5
    assert np.abs(pcm.astype(int)).max() > 3_000
    spectrum = np.abs(np.fft.rfft(pcm.astype(float)))
    at_hz = np.fft.rfftfreq(len(pcm), 1 / 48_000)
    # Resampled properly, nothing is mirrored above the source's own 11 kHz.
    assert spectrum[at_hz > 12_000].sum() < 0.01 * spectrum.sum()


def test_ends_soon_after_the_last_word():
    loud = np.flatnonzero(np.abs(speak("Stop.").astype(int)) > 300)
    assert (len(speak("Stop.")) - loud[-1]) / 48_000 < 0.15
    assert loud[0] / 48_000 < 0.15


def test_nothing_to_say_is_no_sound():
    assert len(speak("")) == 0
    assert len(speak("  \n")) == 0
    assert len(speak("...")) == 0


def test_text_is_never_an_option():
    assert len(speak("--version")) > 10_000


def test_speed_and_voice_are_heard():
    assert len(speak("Hello there.", speed=1.5)) < len(speak("Hello there.")) * 0.85
    assert not np.array_equal(speak("Hello there.", voice="en-us+f3"), speak("Hello there."))


def test_sentences_are_remembered_and_cannot_be_changed():
    pcm = speak("Remember me.")
    assert speak("Remember me.") is pcm
    with pytest.raises(ValueError, match="read-only"):
        pcm[0] = 1


def test_many_threads_may_speak():
    said: dict[int, int] = {}

    def say(number: int) -> None:
        said[number] = len(speak(f"Number {number % 4}."))

    threads = [threading.Thread(target=say, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(said[n] == len(speak(f"Number {n % 4}.")) > 10_000 for n in range(8))


def test_missing_program_names_the_package(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SpeechMissing, match="espeak-ng") as why:
        speak("Something nobody said before.")
    assert why.value.package == "espeak-ng"


def test_unknown_voice_is_told():
    with pytest.raises(SpeechMissing, match="nobody"):
        speak("Hello.", voice="nobody")


def test_a_sound_at_the_right_rate_is_left_alone():
    pcm = np.arange(100, dtype=np.int16)
    assert np.array_equal(speech._resampled(pcm, 48_000), pcm)


def test_macos_speaks_with_its_own_command(monkeypatch, tmp_path):
    program = tmp_path / "say"
    wav = tmp_path / "given.wav"
    with wave.open(str(wav), "wb") as made:
        made.setparams((1, 2, 22_050, 0, "NONE", ""))
        made.writeframes(np.full(22_050, 5_000, "<i2").tobytes())
    program.write_text(
        "#!/bin/sh\n"
        'while [ "$1" != -o ]; do shift; done\n'
        f'cat > {tmp_path}/text; cat {wav} > "$2"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(speech.sys, "platform", "darwin")
    found = {"say": str(program)}
    monkeypatch.setattr(speech.shutil, "which", lambda name: found.get(name))
    assert 0.9 < len(speak("Only said here.")) / 48_000 < 1.2
    assert (tmp_path / "text").read_text() == "Only said here."
