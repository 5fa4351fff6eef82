"""Rooms in frames: no clock is waited for."""

from __future__ import annotations

import threading

import numpy as np

from app.sim.chip import FRAME, Pcm, Room
from app.sim.room import AUDIBLE_RMS, NOISE_RMS, Echo, Person, SilentRoom, loudness

SOUND = np.full(FRAME, 3_000, np.int16)
QUIET = np.zeros(FRAME, np.int16)


def sentence(frames: float, level: int = 5_000) -> Pcm:
    return np.full(round(frames * FRAME), level, np.int16)


def listen(room: Room, frames: int) -> list[Pcm]:
    return [room.hear() for _ in range(frames)]


def play(room: Room, frame: Pcm, frames: int) -> None:
    for _ in range(frames):
        room.play(frame)


def test_a_silent_room_has_noise_but_no_sound() -> None:
    room = SilentRoom()
    for frame in listen(room, 300):
        assert frame.shape == (FRAME,)
        assert frame.dtype == np.int16
        assert NOISE_RMS / 2 < loudness(frame) < AUDIBLE_RMS / 4


def test_what_is_heard_is_counted() -> None:
    room = SilentRoom(capture=True)
    play(room, QUIET, 5)
    assert (room.heard_s, room.first_heard_at) == (0.0, None)
    play(room, SOUND, 50)
    room.hear()
    assert abs(room.heard_s - 1.0) < 1e-9
    assert room.first_heard_at is not None
    microphone, speaker = room.captured()
    assert (len(microphone), len(speaker)) == (FRAME, 55 * FRAME)


def test_one_who_speaks_first_speaks_at_once() -> None:
    room = Person([sentence(2.5)], speaks_first=True)
    frames = listen(room, 4)
    assert [loudness(frame) > 1_000 for frame in frames] == [True, True, True, False]
    assert abs(int(frames[2][FRAME // 2 - 1]) - 5_000) < 100
    assert abs(int(frames[2][FRAME // 2])) < 100
    assert room.said == (0,)
    assert not room.is_speaking


def test_a_person_waits_for_the_end_of_the_answer() -> None:
    room = Person([sentence(2), sentence(2)])
    listen(room, 100)
    play(room, QUIET, 100)
    listen(room, 1)
    assert room.said == ()
    play(room, SOUND, 10)
    play(room, QUIET, 34)
    listen(room, 1)
    assert room.said == ()
    play(room, QUIET, 1)
    listen(room, 5)
    assert room.said == (0,)
    # No second sentence before the first one was answered.
    play(room, QUIET, 100)
    listen(room, 5)
    assert room.said == (0,)
    play(room, SOUND, 1)
    play(room, QUIET, 35)
    listen(room, 1)
    assert room.said == (0, 1)
    assert room.is_speaking
    # Nothing is left to say.
    listen(room, 5)
    play(room, SOUND, 1)
    play(room, QUIET, 35)
    listen(room, 5)
    assert room.said == (0, 1)


def test_what_the_board_says_meanwhile_is_no_answer() -> None:
    room = Person([sentence(10), sentence(1)], speaks_first=True)
    listen(room, 3)
    play(room, SOUND, 3)
    listen(room, 8)
    play(room, QUIET, 50)
    listen(room, 1)
    assert room.said == (0,)


def test_loud_speech_is_not_wrapped_around() -> None:
    room = Person([sentence(1, 32_767)], speaks_first=True)
    assert int(room.hear().min()) > 32_000


def test_counters_are_read_from_another_thread() -> None:
    room = Person([sentence(1)] * 3, speaks_first=True)
    seen: list[float] = []
    reader = threading.Thread(target=lambda: seen.extend(room.heard_s for _ in range(2_000)))
    reader.start()
    play(room, SOUND, 500)
    reader.join()
    assert seen == sorted(seen)


def test_an_echo_comes_later_and_quieter() -> None:
    room = SilentRoom(echo=Echo(delay_frames=3, gain=0.25))
    loud = np.full(FRAME, 4000, np.int16)
    heard = []
    for frame in range(6):
        room.play(loud if frame == 0 else np.zeros(FRAME, np.int16))
        heard.append(round(loudness(room.hear()), -2))
    assert heard == [0, 0, 0, 1000, 0, 0]
