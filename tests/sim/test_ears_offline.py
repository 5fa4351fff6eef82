"""Speech made into sound and understood again, and what is no request left alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "bench"))

import bench_ears

from app.sim.service import recognition
from app.sim.service.ears import Expected, OfflineEars, sentence
from app.sim.service.grammar import grammar_of
from app.sim.service.intents import UNCLEAR
from app.sim.service.recognition import Recogniser, RecognitionMissing
from app.sim.service.skills import skills_of
from app.sim.speech import speak

EARS = OfflineEars()


def expected(tools=bench_ears.TOOLS, said_before: str = "") -> Expected:
    return Expected(0, tuple(tools), said_before)


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return recognition.shared()


def test_the_main_requests_in_clean_rooms(recogniser):
    heard = bench_ears.hear_requests(recogniser, bench_ears.MAIN, rooms=("clean",))
    assert sum(one.right for one in heard) >= 11, heard  # of 12
    assert not any(one.wrong_call for one in heard)


def test_the_main_requests_over_noise(recogniser):
    voices = bench_ears.VOICES[:2]
    heard = bench_ears.hear_requests(recogniser, bench_ears.MAIN, voices, rooms=("20 dB",))
    assert sum(one.right for one in heard) >= 7, heard  # of 8


def test_other_sound_calls_no_tool(recogniser):
    sound = np.concatenate((bench_ears.other_speech(20), bench_ears.music(6), bench_ears.noise(6)))
    turns, wrong, texts = bench_ears.false_calls(recogniser, sound)
    assert turns > 3
    assert wrong == 0, texts


async def test_digital_silence_around_and_soft_speech():
    speech = speak("Turn the light blue.")
    silence = np.zeros(24_000, np.int16)
    loud = np.concatenate((silence, speech, silence))
    assert await EARS.words(loud, expected()) == "Turn the light blue."
    assert await EARS.words((loud / 12).astype(np.int16), expected()) == "Turn the light blue."


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(0, np.int16),
        np.zeros(100, np.int16),
        np.zeros(48_000, np.int16),
        np.full(48_000, 32_767, np.int16),
        np.arange(960, dtype=np.int16),
    ],
)
async def test_what_is_no_speech_is_unclear(sound):
    assert await EARS.words(sound, expected()) == UNCLEAR


async def test_tools_of_the_session_can_be_asked_for():
    robot = {"type": "function", "name": "StartRobot", "description": "", "parameters": {}}
    gate = {
        "type": "function",
        "name": "MoveGate",
        "description": "Opens or closes the gate.",
        "parameters": {"type": "object", "properties": {"open": {"type": "boolean"}}},
    }
    heard = [
        await EARS.words(speak(text), expected((robot, gate)))
        for text in ("start the robot", "open the gate")
    ]
    assert heard == ["Start the robot.", "Open the gate."]


async def test_a_short_answer_is_heard_after_a_question():
    question = "To which number from 0 to 100 shall I set the volume?"
    assert await EARS.words(speak("to thirty"), expected(said_before=question)) == "To thirty."


def test_words_without_a_pronunciation_take_only_their_phrases_along(recogniser):
    tools = (
        {
            "type": "function",
            "name": "SetQwrtz",
            "parameters": {"properties": {"on": {"type": "boolean"}}},
        },
        bench_ears.TOOLS[2],
    )
    text = grammar_of(skills_of(tools), recogniser.knows)
    assert "qwrtz" not in text
    assert "open" in text


async def test_many_grammars_do_not_pile_up():
    recogniser = Recogniser(1)
    ears, sound = OfflineEars(recogniser), speak("stop it")
    for name in (
        "Fan",
        "Gate",
        "Robot",
        "Radio",
        "Heater",
        "Window",
        "Oven",
        "Clock",
        "Pump",
        "Bell",
    ):
        tool = {"type": "function", "name": f"Start{name}", "parameters": {}}
        await ears.words(sound, expected((tool,)))
    with recogniser._decoder() as decoder:
        assert len(decoder._grammars) <= 8


def test_a_missing_recogniser_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(RecognitionMissing) as why:
        Recogniser(1).knows("hello")
    assert why.value.package == "pocketsphinx"


def test_sentences_are_written_as_one_writes():
    assert sentence("what can i do") == "What can I do?"
    assert sentence("open the door") == "Open the door."
    assert sentence("") == ""
