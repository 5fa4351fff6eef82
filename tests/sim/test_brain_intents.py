"""What a sentence means for tools that nobody told the brain about, typed and as it is heard."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sim.service.arguments import violation
from app.sim.service.intents import Chat, Do, Known, Wonder, understand
from app.sim.service.skills import Kind, skills_of
from app.sim.service.vocabulary import in_words, name_words, number_in, words_of


def tool(name: str, description: str = "", required: tuple[str, ...] = (), **properties) -> dict:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "name": name, "description": description, "parameters": schema}


BYTE = {"type": "integer", "minimum": 0, "maximum": 255}
RGB = {
    "type": "object",
    "properties": {"red": BYTE, "green": BYTE, "blue": BYTE},
    "required": ["red", "green", "blue"],
}
PERCENT = {"type": "integer", "minimum": 0, "maximum": 100}
FLAG = {"type": "boolean"}
BOARD = (
    tool(
        "SetLightState",
        "Switches the light on or off and sets its color.",
        ("LightState",),
        LightState={"type": "boolean", "description": "true: on"},
        LightColor=RGB,
    ),
    tool("SetVolume", "Sets the loudness of the speaker.", ("volume",), volume=PERCENT),
    tool("OpenDoor", "Opens or closes the door.", ("open",), open=FLAG),
)
HOUSE = (
    tool("kitchen_lamp", "Controls it", ("on",), on=FLAG, color={"type": "string"}),
    tool(
        "set_thermostat", "", ("degrees",), degrees={"type": "number", "minimum": 5, "maximum": 30}
    ),
    tool("lock_gate", "Locks or unlocks the gate", ("locked",), locked=FLAG),
    tool(
        "ChangeMode", "", ("mode",), mode={"type": "string", "enum": ["eco", "party", "deep sleep"]}
    ),
    tool("GetTemperature", "Reads the temperature outside"),
    tool("StartRobot", "Starts the vacuum robot"),
    tool("sendMessage", "Sends a message", ("text",), text={"type": "string", "maxLength": 40}),
    tool("fan", "", ("state",), state={"type": "string", "enum": ["on", "off"]}),
)


def color(red: int, green: int, blue: int) -> dict:
    return {"red": red, "green": green, "blue": blue}


def asked(text: str, tools=BOARD, **known) -> list:
    found = understand(text, skills_of(tools), Known(**known))
    return [(i.skill.tool, i.arguments) if isinstance(i, Do) else i for i in found]


BLUE = ("SetLightState", {"LightState": True, "LightColor": color(0, 0, 255)})
SENTENCES = [
    ("Please turn the light blue.", [BLUE]),
    ("could you make the lamp blue", [BLUE]),
    ("light off", [("SetLightState", {"LightState": False})]),
    ("Turn on the light!", [("SetLightState", {"LightState": True})]),
    ("turn the light on and make it blue", [BLUE]),
    ("set the volume to thirty", [("SetVolume", {"volume": 30})]),
    ("volume 75 %", [("SetVolume", {"volume": 75})]),
    ("set the volume to maximum", [("SetVolume", {"volume": 100})]),
    ("louder", [("SetVolume", {"volume": 60})]),
    ("turn the volume down by twenty five", [("SetVolume", {"volume": 25})]),
    ("mute", [("SetVolume", {"volume": 0})]),
    ("Open the door, please.", [("OpenDoor", {"open": True})]),
    ("shut the door", [("OpenDoor", {"open": False})]),
    (
        "turn the light red and open the door",
        [
            ("SetLightState", {"LightState": True, "LightColor": color(255, 0, 0)}),
            ("OpenDoor", {"open": True}),
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_the_boards_own_tools(text, expected):
    assert asked(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("switch the lamp on", ("kitchen_lamp", {"on": True})),
        ("kitchen light green", ("kitchen_lamp", {"on": True, "color": "green"})),
        ("set the thermostat to twenty one", ("set_thermostat", {"degrees": 21})),
        ("set the heating to 20.5", ("set_thermostat", {"degrees": 20.5})),
        ("unlock the gate", ("lock_gate", {"locked": False})),
        ("change the mode to deep sleep", ("ChangeMode", {"mode": "deep sleep"})),
        ("what is the temperature", ("GetTemperature", {})),
        ("start the robot", ("StartRobot", {})),
        ("turn the fan off", ("fan", {"state": "off"})),
        ("send a message: dinner is ready", ("sendMessage", {"text": "dinner is ready"})),
    ],
)
def test_tools_nobody_has_seen_before(text, expected):
    assert asked(text, HOUSE) == [expected]


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("what time is it", "time"),
        ("which day is it", "date"),
        ("help", "help"),
        ("stop", "stop"),
        ("say that again", "repeat"),
        ("thank you", "thanks"),
        ("who are you", "name"),
        ("the weather was nice", "lost"),
        ("don't open the door", "left"),
        ("is the door open", "state"),
        ("(unclear)", "unclear"),
        ("", "unclear"),
    ],
)
def test_small_talk(text, topic):
    [intent] = asked(text)
    assert isinstance(intent, Chat)
    assert intent.topic == topic


def test_it_asks_back_and_understands_the_answer():
    [question] = asked("set the volume")
    assert isinstance(question, Wonder)
    assert "from 0 to 100" in question.question
    known = {"question": question.question, "asked_about": "set the volume"}
    assert asked("thirty", **known) == [("SetVolume", {"volume": 30})]
    assert asked("open the door", **known) == [("OpenDoor", {"open": True})]
    [offer] = asked("the robot", HOUSE)
    assert offer == Wonder("Shall I start the robot?")
    assert asked("yes", HOUSE, question=offer.question) == [("StartRobot", {})]
    assert asked("no", HOUSE, question=offer.question) == [Chat("stop")]


def test_arguments_outside_of_the_schema_are_not_sent():
    [question] = asked("set the volume to two hundred")
    assert question == Wonder(
        "I cannot do that with the volume: volume cannot be more than 100. What shall it be?"
    )


def test_up_and_down_begin_where_the_volume_is():
    used = {"SetVolume": {"volume": 95}}
    assert asked("volume up", used=used) == [("SetVolume", {"volume": 100})]
    assert asked("make it quieter", used=used) == [("SetVolume", {"volume": 85})]


def test_the_opposite_of_a_tool_is_not_done_by_it():
    garage = (tool("OpenGarage"),)
    assert asked("open the garage", garage) == [("OpenGarage", {})]
    assert asked("close the garage", garage) == [Wonder("Shall I open the garage?")]
    pair = (tool("TurnLightOn"), tool("TurnLightOff"))
    assert asked("turn the light off", pair) == [("TurnLightOff", {})]


def test_without_a_tool_nothing_is_done():
    assert asked("turn the light blue", ()) == [Chat("lost")]


def test_kinds_of_slots():
    kinds = {skill.tool: [slot.kind for slot in skill.slots] for skill in skills_of(HOUSE)}
    assert kinds["kitchen_lamp"] == [Kind.SWITCH, Kind.COLOR]
    assert kinds["lock_gate"] == [Kind.OPENING]
    assert kinds["fan"] == [Kind.SWITCH]
    assert kinds["ChangeMode"] == [Kind.CHOICE]


def test_names_and_numbers():
    assert name_words("SetLEDState2") == ("set", "led", "state")
    assert name_words("open_the-door") == ("open", "the", "door")
    for number in range(0, 1000, 7):
        assert number_in(words_of(in_words(number))) == number
    assert number_in(["one", "hundred", "and", "five"]) == 105
    assert number_in(["volume"]) is None


@pytest.mark.parametrize(
    ("value", "schema", "wrong"),
    [
        (3, {"type": "integer"}, False),
        (True, {"type": "integer"}, True),
        (3.5, {"type": "integer"}, True),
        (None, {"type": ["string", "null"]}, False),
        ("a", {"enum": ["b"]}, True),
        (5, {"maximum": 4}, True),
        ({}, {"required": ["x"]}, True),
        ({"y": 1}, {"properties": {}, "additionalProperties": False}, True),
        ([1, "a"], {"items": {"type": "integer"}}, True),
        ("abc", {"maxLength": 2}, True),
    ],
)
def test_arguments_are_checked(value, schema, wrong):
    assert (violation(value, schema) is not None) == wrong


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "properties",
                    "required",
                    "enum",
                    "minimum",
                    "maximum",
                    "red",
                    "description",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(
    st.text(max_size=60) | st.sampled_from([text for text, _ in SENTENCES]),
    json_values,
    st.text(max_size=12),
)
def test_no_sentence_and_no_schema_breaks_it(text, schema, name):
    strange = {"type": "function", "name": name, "description": text, "parameters": schema}
    for intent in understand(text, skills_of((*BOARD, strange)), Known()):
        if isinstance(intent, Do):
            assert violation(intent.arguments, intent.skill.schema) is None
