"""What the offline assistant says: greeting, answers from outputs, small talk, its history."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from test_brain_intents import BOARD, HOUSE

from app.sim.service.brain import Ask, EchoBrain, Say, ToolOutput, Use
from app.sim.service.offline import OfflineBrain

EVENING = OfflineBrain(clock=lambda: datetime(2026, 11, 22, 19, 5))


async def steps(heard: str | None = None, tools=BOARD, brain=EVENING, **ask) -> list:
    whole = {"instructions": "", "spoken": None, "outputs": (), **ask}
    return [step async for step in brain.answer(Ask(tools=tools, heard=heard, **whole))]


def gave(name: str, arguments: dict, output: object) -> ToolOutput:
    text = output if isinstance(output, str) else json.dumps(output)
    return ToolOutput("call_1", name, json.dumps(arguments), text)


def message(role: str, text: str) -> dict:
    return {"type": "message", "role": role, "content": [{"type": "text", "text": text}]}


def used(name: str, arguments: dict, output: str = '{"ok": true}') -> list[dict]:
    return [
        {"type": "function_call", "call_id": "c", "name": name, "arguments": json.dumps(arguments)},
        {"type": "function_call_output", "call_id": "c", "output": output},
    ]


@pytest.mark.parametrize(
    ("instructions", "said"),
    [
        ("", "Hello, I am Parley. How can I help you?"),
        ("You are called Robo. Be brief.", "Hello, I am Robo. How can I help you?"),
        ("You are a helpful assistant.", "Hello, I am Parley. How can I help you?"),
        ('Greet the user: say exactly "Good evening, Sir."', "Good evening, Sir."),
    ],
)
async def test_greeting(instructions, said):
    assert await steps(instructions=instructions) == [Say(said)]


async def test_another_language_is_admitted():
    [hello] = await steps(instructions="Always answer in German.")
    assert "offline I speak English only" in hello.text


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (gave("OpenDoor", {"open": True}, {"ok": True}), "The door is open now."),
        (gave("OpenDoor", {"open": False}, ""), "The door is closed now."),
        (gave("SetVolume", {"volume": 30}, {"volume": 25}), "The volume is 25 percent now."),
        (
            gave(
                "SetLightState",
                {"LightState": True, "LightColor": {"red": 0, "green": 0, "blue": 255}},
                {"ok": True},
            ),
            "The light is blue now.",
        ),
        (gave("SetLightState", {"LightState": False}, "done"), "The light is off now."),
        (
            gave("OpenDoor", {"open": True}, {"ok": False, "error": "the lock is stuck"}),
            "I am sorry, that did not work with the door. The lock is stuck.",
        ),
        (gave("Unknown", {}, "whatever"), "Done."),
    ],
)
async def test_answers_from_outputs(output, said):
    assert await steps(outputs=(output,)) == [Say(said)]


async def test_a_reading_is_reported():
    output = gave("GetTemperature", {}, {"temperature": 21.5})
    assert await steps(tools=HOUSE, outputs=(output,)) == [Say("The temperature is 21.5.")]


async def test_two_outputs_are_one_answer():
    outputs = (gave("OpenDoor", {"open": True}, ""), gave("SetVolume", {"volume": 5}, ""))
    [said] = await steps(outputs=outputs)
    assert said.text == "The door is open now. The volume is 5 percent now."


async def test_a_call_and_words_in_one_answer():
    call, said = await steps("open the door and tell me the time")
    assert call == Use("OpenDoor", {"open": True})
    assert said == Say("It is 7:05 PM.")


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ("what's the date", "Today is Sunday, November 22."),
        ("what is your name", "I am Parley, a small assistant that works offline."),
        (
            "help",
            "I can switch the light on or off and change its color, set the volume, open or close "
            "the door and tell the time and the date.",
        ),
        ("why is the sky blue", "I am a small offline assistant, and I do not know about that."),
    ],
)
async def test_small_talk(heard, said):
    [step] = await steps(heard)
    assert step.text.startswith(said)


async def test_what_it_knows_comes_from_the_history():
    history = (*used("SetVolume", {"volume": 70}), message("user", "louder"))
    assert await steps("louder", history=history) == [Use("SetVolume", {"volume": 80})]
    failed = (*used("SetVolume", {"volume": 70}, '{"ok": false}'), message("user", "louder"))
    assert await steps("louder", history=failed) == [Use("SetVolume", {"volume": 60})]
    assert await steps("what is the volume", history=history) == [
        Say("The volume is 70 percent now.")
    ]
    said = (message("assistant", "The door is open now."), message("user", "repeat that"))
    assert await steps("repeat that", history=said) == [Say("The door is open now.")]


async def test_an_open_call_is_waited_for():
    history = tuple(used("OpenDoor", {"open": True})[:1])
    assert await steps(history=history) == [Say("One moment, I am still waiting for that.")]


async def test_a_question_is_followed_up():
    before = [message("user", "set the volume")]
    [question] = await steps("set the volume", history=tuple(before))
    history = (*before, message("assistant", question.text), message("user", "forty"))
    assert await steps("forty", history=history) == [Use("SetVolume", {"volume": 40})]


async def test_without_tools_it_says_so():
    [said] = await steps("turn the light blue", tools=())
    assert "no tool" in said.text


async def test_echo():
    assert await steps("one two", brain=EchoBrain()) == [Say("one two")]
    assert await steps(brain=EchoBrain()) == [Say("Hello.")]
