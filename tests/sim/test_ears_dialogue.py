"""Ears and brain at work in a dialogue: sound in, tool calls and words out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "bench"))

import bench_ears
import numpy as np
from service_caller import SESSION
from test_service_dialogue import Talk

from app.sim.service.ears import EarsFailed, Expected, OfflineEars, ScriptedEars
from app.sim.service.offline import OfflineBrain
from app.sim.speech import speak

SILENCE = np.zeros(48_000, np.int16)
REAL = {**SESSION, "tools": list(bench_ears.TOOLS)}


def semantic(eagerness: str) -> dict:
    detection = {"type": "semantic_vad", "eagerness": eagerness}
    return {**REAL, "audio": {"input": {**SESSION["audio"]["input"], "turn_detection": detection}}}


def real_talk(session: dict = REAL) -> Talk:
    return Talk(OfflineBrain(), session, OfflineEars())


async def test_a_spoken_request_becomes_a_call_and_an_answer():
    async with real_talk() as talk:
        talk.hear(np.concatenate((speak("Please turn the light blue."), SILENCE)))
        call = await talk.until("response.function_call_arguments.done")
        assert call["name"] == "SetLightState"
        assert json.loads(call["arguments"])["LightColor"] == {"red": 0, "green": 0, "blue": 255}
        heard = await talk.until("conversation.item.input_audio_transcription.completed")
        assert heard["transcript"] == "Please turn the light blue."
        await talk.until("response.done")
        after = len(talk.sent)
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "{}"}
        talk.send("conversation.item.create", item=output)
        talk.send("response.create")
        said = await talk.until("response.output_audio_transcript.done", after=after)
        assert said["transcript"] == "The light is blue now."


async def test_two_calls_in_one_response():
    async with real_talk() as talk:
        talk.hear(np.concatenate((speak("turn the light red and open the door"), SILENCE)))
        done = await talk.until("response.done")
        names = [item["name"] for item in done["response"]["output"]]
        assert names == ["SetLightState", "OpenDoor"]


async def test_no_tool_is_called_when_the_session_forbids_it():
    async with real_talk({**REAL, "tool_choice": "none"}) as talk:
        talk.hear(np.concatenate((speak("open the door"), SILENCE)))
        done = await talk.until("response.done")
        assert [item["type"] for item in done["response"]["output"]] == ["message"]


async def test_a_whole_sentence_ends_a_semantic_turn_early():
    async with real_talk(semantic("medium")) as talk:
        talk.hear(np.concatenate((speak("open the door"), SILENCE[:33_600])))  # 0.7 s of quiet
        await talk.until("input_audio_buffer.speech_started")
        await talk.until("response.function_call_arguments.done")


async def test_an_unfinished_one_is_waited_for():
    class Unclear:
        async def words(self, utterance: np.ndarray, expected: Expected) -> str:
            return "(unclear)"

    async with Talk(OfflineBrain(), semantic("high"), Unclear()) as talk:
        talk.hear(np.concatenate((speak("open the"), SILENCE)))
        assert "input_audio_buffer.speech_stopped" not in talk.types()
        talk.hear(np.concatenate((SILENCE, SILENCE[:4_800])))  # the two seconds of "high" are over
        assert "input_audio_buffer.speech_stopped" in talk.types()


async def test_ears_that_fail_are_told_and_the_call_goes_on():
    class Deaf:
        async def words(self, utterance: np.ndarray, expected: Expected) -> str:
            raise EarsFailed("I cannot reach the speech recogniser. Is it running?")

    async with Talk(OfflineBrain(), REAL, Deaf()) as talk:
        talk.hear(np.concatenate((speak("open the door"), SILENCE)))
        failed = await talk.until("conversation.item.input_audio_transcription.failed")
        assert "Is it running?" in failed["error"]["message"]
        done = await talk.until("response.done")
        assert done["response"]["status"] == "completed"
        assert "Is it running?" in done["response"]["output"][0]["content"][0]["transcript"]


async def test_scripted_ears_with_a_real_brain():
    ears = ScriptedEars(("open the door", "close the door"))
    async with Talk(OfflineBrain(), REAL, ears) as talk:
        for opened in (True, False):
            after = len(talk.sent)
            talk.hear(np.concatenate((speak("Whatever."), SILENCE)))
            call = await talk.until("response.function_call_arguments.done", after=after)
            assert json.loads(call["arguments"]) == {"open": opened}
            await talk.until("response.done", after=after)
