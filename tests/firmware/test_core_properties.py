"""What holds for the firmware core whatever comes in, seen through ctypes and Python's own JSON."""

from __future__ import annotations

import itertools
import json
from typing import Any

import core_door
import pytest
from core_door import World
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.core.events import AnswerTool
from app.core.faults import BadSetting
from app.core.own_tools import ToolsError, names_in
from app.core.wire import encode

KEY = "sk-marked-key-0123456789"
PASSWORD = 'wifi "marked" pässword'
TOKEN = "ek_marked_token_42"
STORE: dict[str, int | str] = {
    "wifi_ssid": "home",
    "wifi_psw": PASSWORD,
    "api_key": KEY,
    "base_url": "http://127.0.0.1:9/v1",
}
BAD_TOOLS = [
    '{"type":"function","name":"a","name":"b"}',
    '{"type":"function","name":"a","parameters":{"most":NaN}}',
    '{"type":"function","name":"a","parameters":{"x":' + "[" * 63 + "]" * 63 + "}}",
    '{"type":"function","name":"\\u0041 b"}',
    '[{"type":"function","name":"A"},{"type":"function","name":"\\u0041"}]',
]
MANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def new_world(**more: int | str) -> World:
    return World(**{**STORE, **more}).boot()


def check_output(world: World) -> None:
    """Every line has its form, no record is missing, no secret is in it."""
    assert [record["n"] for record in world.records] == list(range(len(world.records)))
    whole = b"".join(world.output).decode()
    texts = [whole, *_texts(world.records)]
    for secret in (KEY, PASSWORD, TOKEN):
        assert not any(secret in text for text in texts)


def _texts(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for item in value for text in _texts(item)]
        case dict():
            return [text for item in value.values() for text in _texts(item)]
    return []


# ---- console

SCRIPT = (
    f'#1 vol 5\r\ntext "a"\n#2 set api_key {KEY}\r#3 token {TOKEN}\n'
    f'#4 wifi "ho me" "{PASSWORD.replace(chr(34), chr(92) + chr(34))}"\n'
    f"#5 nonsense {KEY}\n#6 cfg\n#7 help\n#8 scan\n" + "x" * 1100 + "\n#9 stop\n"
).encode()


@MANY
@given(st.lists(st.integers(0, len(SCRIPT)), max_size=12))
@example(list(range(len(SCRIPT))))
def test_any_split_of_the_console_gives_the_same(cuts: list[int]) -> None:
    whole, pieces = new_world(), new_world()
    whole.type(SCRIPT)
    places = [0, *sorted(cuts), len(SCRIPT)]
    for start, end in itertools.pairwise(places):
        pieces.type(SCRIPT[start:end])
    assert pieces.output == whole.output
    assert pieces.store == whole.store
    assert pieces.store["api_key"] == KEY
    assert pieces.calls[-1] == whole.calls[-1]
    assert ("wifi_join", (b"ho me", PASSWORD.encode())) in pieces.calls
    check_output(pieces)


@MANY
@given(st.lists(st.binary(max_size=60), max_size=20))
def test_noise_on_the_console_is_survived(pieces: list[bytes]) -> None:
    world = new_world()
    for piece in pieces:
        world.type(piece)
    world.line("\n#4242 vol 9")
    check_output(world)
    assert world.of_kind("reply")[-1]["to"] == 4242


WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\r\n"), max_size=30
)


@MANY
@given(WORDS)
@example('a"b\\c')
@example("  two  spaces ")
@example("\\")
def test_quoted_words_arrive_as_they_were(text: str) -> None:
    world = new_world(auto_start=0)
    if len(text.encode()) <= 32:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        world.line(f'#1 set dev_name "{quoted}"')
        assert world.of_kind("reply")[-1]["ok"]
        assert world.store["dev_name"] == text


# ---- realtime

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)
TYPES = st.sampled_from(
    [
        "response.created",
        "response.done",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_audio_transcript.delta",
        "response.output_audio_transcript.done",
        "response.output_text.delta",
        "response.function_call_arguments.done",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.truncated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "output_audio_buffer.cleared",
        "error",
        "session.created",
        "conversation.item.input_audio_transcription.completed",
        "new.type",
    ]
)
KEYS = st.sampled_from(
    [
        "item_id",
        "response_id",
        "previous_item_id",
        "item",
        "response",
        "error",
        "call_id",
        "name",
        "arguments",
        "delta",
        "transcript",
        "text",
        "content_index",
        "audio_end_ms",
        "session",
    ]
)
IDS = st.sampled_from(["i1", "i2", "r1", "call_1", "SetVolume", '{"volume":3}', KEY, PASSWORD])


@st.composite
def service_events(draw: st.DrawFn) -> dict[str, Any]:
    event = draw(st.dictionaries(KEYS, IDS | WORDS | JSON, max_size=6))
    inner = draw(
        st.dictionaries(
            st.sampled_from(
                ["id", "type", "role", "status", "code", "message", "output", "content", "call_id"]
            ),
            IDS | st.sampled_from(["message", "function_call", "assistant", "completed"]) | JSON,
            max_size=6,
        )
    )
    for key in draw(st.sets(st.sampled_from(["item", "response", "error"]))):
        event[key] = inner
    return {**event, "type": draw(TYPES)}


@MANY
@given(st.lists(service_events(), max_size=25), st.booleans())
def test_any_service_keeps_the_form(events: list[dict[str, Any]], is_ascii: bool) -> None:
    world = new_world().go_live(TOKEN)
    for event in events:
        world.say(json.dumps(event, ensure_ascii=is_ascii).encode())
        world.tick(after_ms=700)
    check_output(world)
    # What goes to the service is JSON as well; sent() reads it.
    assert all("type" in event for event in world.sent())


@MANY
@given(st.binary(max_size=200))
def test_bytes_that_are_no_json_are_one_error(noise: bytes) -> None:
    world = new_world().go_live(TOKEN)
    before = len(world.of_kind("error"))
    world.say(noise)
    world.say(b'{"type":"' + noise)
    check_output(world)
    assert len(world.of_kind("error")) == before + 2


@MANY
@given(JSON)
def test_json_is_read_as_python_reads_it(value: Any) -> None:
    """An event with any JSON in it is accepted; the same text cut short is not."""
    world = new_world().go_live(TOKEN)
    before = len(world.of_kind("error"))
    text = json.dumps({"type": "odd", "value": value}, ensure_ascii=False).encode()
    world.say(text)
    assert len(world.of_kind("error")) == before
    world.say(text[:-1])
    assert len(world.of_kind("error")) == before + 1


@MANY
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4000))
@example('"\\\x1e\x1b\x7f\n' * 700)
@example("€😀" * 1500)
def test_long_words_come_whole_in_parts(text: str) -> None:
    world = new_world().go_live(TOKEN)
    world.say({"type": "response.output_text.done", "item_id": "i1", "text": text})
    parts = world.of_kind("words")
    assert "".join(record["text"] for record in parts) == text
    assert [record["part"] for record in parts] == list(range(1, len(parts) + 1))
    assert [record["final"] for record in parts] == [False] * (len(parts) - 1) + [True]
    check_output(world)


# ---- HTTP and the world around

ECHOES = [KEY, PASSWORD, f"sk-proj-{'x' * 40}", f"{TOKEN} and more"]


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("status", [200, 401, 429, 502])
@pytest.mark.parametrize("is_json", [True, False])
def test_a_service_that_echoes_secrets(echo: str, status: int, is_json: bool) -> None:
    world = new_world(auto_start=0)
    world.wifi_up()
    world.line("start")
    body = json.dumps({"error": {"message": f"bad: {echo}!"}}) if is_json else f"<p>{echo}</p>"
    world.http(world.last_id("http_post"), status, body.encode())
    check_output(world)
    ended = world.of_kind("session")[-1]
    assert ended["state"] == "idle"
    assert echo.split()[0] not in ended["reason"]
    world.line("#1 start")
    assert world.of_kind("session")[-1]["state"] == "token"


@MANY
@given(st.integers(100, 599), st.binary(max_size=300), st.binary(max_size=100))
def test_any_answer_is_an_end_or_a_step(status: int, body: bytes, location: bytes) -> None:
    world = new_world(auto_start=0)
    world.wifi_up()
    world.line("start")
    world.http(world.last_id("http_post"), status, body, location)
    assert world.of_kind("session")[-1]["state"] == "idle"
    world.line("start")
    world.http(world.last_id("http_post"), 200, json.dumps({"value": TOKEN}).encode())
    world.peer("peer_offer", world.last_id("peer_open"), b"v=0\r\n")
    world.http(world.last_id("http_post"), status, b"v=0" + body, location)
    is_taken = 200 <= status <= 299
    assert world.of_kind("session")[-1]["state"] == ("connecting" if is_taken else "closing")
    check_output(world)


@MANY
@given(st.binary(max_size=32), st.integers(-127, 0), st.integers(-1, 9), st.integers(1, 14))
def test_any_network_name_can_be_shown(ssid: bytes, rssi: int, security: int, channel: int) -> None:
    world = new_world()
    world.line("scan")
    world.network(ssid, rssi, security, channel)
    check_output(world)
    found = world.of_kind("scan")[-1]
    assert (found["rssi"], found["channel"]) == (rssi, channel)


@MANY
@given(st.lists(st.binary(max_size=15), max_size=40))
def test_any_task_names_make_a_load_record(names: list[bytes]) -> None:
    world = new_world()
    world.line("i")
    world.load(names)
    check_output(world)
    load = world.of_kind("load")[-1]
    assert len(load["tasks"]) + load["more"] == len(names)
    busy = [row[2] for row in load["tasks"]]
    assert busy == sorted(busy, reverse=True)


def test_a_short_token_from_the_computer_is_not_echoed() -> None:
    world = new_world(token_mode=1)
    world.wifi_up()
    world.line(f"#1 token {TOKEN}")
    world.line(f"#2 token {TOKEN}")
    assert [record["ok"] for record in world.of_kind("reply")] == [True, False]
    check_output(world)


def test_size_of_one_core() -> None:
    assert core_door.library().parley_core_size() < 48 * 1024


# ---- own tools: what the app takes, the board takes

PIECES = st.sampled_from(
    ["type", "name", "description", "parameters", "function", "a", "b", "OpenDoor", "x y", ""]
)
DEFINITIONS = st.lists(
    st.dictionaries(PIECES, PIECES | st.just({}) | JSON, max_size=4)
    | st.builds(
        lambda name, more: {"type": "function", "name": name, **more},
        PIECES,
        st.dictionaries(PIECES, PIECES | st.just({}), max_size=1),
    ),
    max_size=3,
)


@MANY
@given(DEFINITIONS, st.booleans(), st.integers(0, 400))
def test_app_and_board_agree_about_tools(tools: list[Any], alone: bool, cut: int) -> None:
    text = json.dumps(tools[0] if alone and tools else tools)
    text = text[:-cut] if cut < 3 and cut else text
    try:
        accepted = bool(names_in(text)) or True
    except ToolsError:
        accepted = False
    if len(text) <= 1500:
        assert unfit(new_world(tools1=text)) == ([] if accepted else ["tools1"])


def unfit(world: World) -> list[str]:
    errors = world.of_kind("error")
    return [error["key"] for error in errors if error["message"].startswith("unfit")]


@pytest.mark.parametrize("text", BAD_TOOLS)
def test_the_board_refuses_what_the_app_refuses(text: str) -> None:
    with pytest.raises(ToolsError):
        names_in(text)
    assert unfit(new_world(tools1=text)) == ["tools1"]


@MANY
@given(JSON)
def test_an_answer_reaches_the_model_as_it_is(value: Any) -> None:
    tools = json.dumps({"type": "function", "name": "Mow"})
    world = new_world(tools1=tools, greeting="").go_live(TOKEN)
    world.say({**CALL, "call_id": "c1", "arguments": "{}"})
    output = json.dumps(value, ensure_ascii=False)
    try:
        world.type(encode(AnswerTool("c1", output), 9))
    except BadSetting:
        return  # longer than a line, or a control character of Unicode in it
    assert world.of_kind("reply")[-1]["ok"]
    answer, create = world.sent()
    told = {"type": "function_call_output", "call_id": "c1", "output": output}
    assert answer["item"] == told
    assert create["type"] == "response.create"
    check_output(world)


CALL = {"type": "response.function_call_arguments.done", "name": "Mow"}
