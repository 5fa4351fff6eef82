"""The desktop's conversation and the board's are one: same events in, same words and asks out."""

from __future__ import annotations

import json
from typing import Any

from core_door import World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core import realtime
from app.core.dialogue import Dialogue, Recall
from app.core.events import BoardError, ToolAnswered, ToolCalled, Turn, UsageIs, Words
from app.core.settings import Settings
from app.core.tools import Device

STORE: dict[str, int | str] = {
    "wifi_ssid": "home",
    "api_key": "sk-marked-key-0123456789",
    "base_url": "http://127.0.0.1:9/v1",
    "lang": "de",
    "greeting": "Say hello.",
}
MANY = settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def test_the_session_is_what_the_board_asks_for() -> None:
    world = World(**STORE).boot()
    world.wifi_up()
    [body] = [args[4] for name, args in world.calls if name == "http_post"]
    asked = json.loads(body)["session"]
    ours = Settings({key: value for key, value in STORE.items() if key != "wifi_ssid"})
    assert realtime.session(ours) == asked


# ---- the same random talk to both

ITEMS = st.sampled_from(["u1", "u2", "a1", "a2"])
RESPONSES = st.sampled_from(["r1", "r2"])
TEXT = st.sampled_from(["", "Hello.", "Blue"])
CALLS = st.builds(
    lambda call, name, arguments, status: {
        "id": f"f_{call}",
        "type": "function_call",
        "call_id": call,
        "name": name,
        "arguments": arguments,
        "status": status,
    },
    st.sampled_from(["c1", "c2"]),
    st.sampled_from(["SetVolume", "OpenDoor", "SetLightState", "Nothing"]),
    st.sampled_from(
        ['{"volume":20}', '{"open":true}', '{"LightState":true}', "[]", '{"volume":300}']
    ),
    st.sampled_from(["completed", "incomplete"]),
)
MESSAGES = st.builds(
    lambda item, text: {
        "id": item,
        "type": "message",
        "role": "user" if item[0] == "u" else "assistant",
        "content": [{"type": "output_audio", "transcript": text}],
    },
    ITEMS,
    TEXT,
)


def event(kind: str, **fields: Any) -> Any:
    return st.fixed_dictionaries({"type": st.just(kind), **fields})


RESPONSE_DONE = st.fixed_dictionaries(
    {
        "id": RESPONSES,
        "status": st.sampled_from(["completed", "cancelled", "failed"]),
        "output": st.lists(CALLS | MESSAGES, max_size=2),
        "usage": st.sampled_from([None, {"total_tokens": 7, "output_tokens": 2}]),
        "status_details": st.sampled_from([None, {"reason": "turn_detected"}]),
    }
)
EVENTS = st.one_of(
    event("response.created", response=st.fixed_dictionaries({"id": RESPONSES})),
    event("response.done", response=RESPONSE_DONE),
    event("response.output_item.added", item=MESSAGES | CALLS),
    event("response.output_item.done", item=MESSAGES | CALLS),
    event("conversation.item.added", item=MESSAGES | CALLS, previous_item_id=ITEMS),
    event("conversation.item.done", item=MESSAGES, previous_item_id=ITEMS),
    event("conversation.item.truncated", item_id=ITEMS, audio_end_ms=st.integers(0, 900)),
    event("response.output_audio_transcript.delta", item_id=ITEMS, delta=TEXT),
    event("response.output_audio_transcript.done", item_id=ITEMS, transcript=TEXT),
    event("conversation.item.input_audio_transcription.delta", item_id=ITEMS, delta=TEXT),
    event("conversation.item.input_audio_transcription.completed", item_id=ITEMS, transcript=TEXT),
    event("input_audio_buffer.speech_started", item_id=ITEMS),
    event("input_audio_buffer.speech_stopped", item_id=ITEMS),
    event("input_audio_buffer.committed", item_id=ITEMS, previous_item_id=ITEMS),
    event("output_audio_buffer.started", response_id=RESPONSES),
    event("output_audio_buffer.stopped", response_id=RESPONSES),
    event("output_audio_buffer.cleared", response_id=RESPONSES),
    event("who.knows"),
    event("error", error=st.sampled_from([
        {"code": "conversation_already_has_active_response", "message": "busy"},
        {"code": "invalid_value", "message": "No."},
    ])),
)  # fmt: skip


def board_told(records: list[dict[str, Any]]) -> list[Any]:
    told: list[Any] = []
    for record in records:
        match record["k"]:
            case "words" | "turn" | "call" | "result" | "usage" | "error":
                told.append({k: v for k, v in record.items() if k not in ("n", "t")})
    return told


def desk_told(events: list[Any]) -> list[Any]:
    """Our events in the wire's own words."""
    return [shown for event in events if (shown := _shown(event)) is not None]


def _shown(event: Any) -> dict[str, Any] | None:
    match event:
        case Words():
            shown = {"k": "words", "role": event.role, "item": event.item, "part": event.part,
                     "final": event.final, "text": event.text}  # fmt: skip
            return {**shown, "prev": event.previous} if event.previous else shown
        case Turn():
            shown = {"k": "turn", "role": event.role, "item": event.item, "state": event.state}
            extra = {"ms": event.ms, "cut_ms": event.cut_ms}
            return shown | {k: v for k, v in extra.items() if v is not None}
        case ToolCalled():
            return {"k": "call", "call": event.call, "name": event.name,
                    "arguments": event.arguments}  # fmt: skip
        case ToolAnswered():
            return {"k": "result", "call": event.call, "name": event.name, "ok": event.ok,
                    "ms": event.ms, "output": event.output}  # fmt: skip
        case UsageIs():
            names = ("response", "total", "input", "output", "input_text", "input_audio", "cached",
                     "output_text", "output_audio")  # fmt: skip
            return {"k": "usage", **{name: getattr(event, name) for name in names}}
        case BoardError():
            shown = {"k": "error", "code": event.code, "fatal": event.fatal}
            return shown | ({"message": event.message} if event.message else {})
    return None


@given(st.lists(st.tuples(EVENTS, st.sampled_from([10, 10, 10, 300, 1500, 4000])), max_size=25))
@MANY
def test_board_and_desktop_understand_the_same(script: list[tuple[dict[str, Any], int]]) -> None:
    world = World(**STORE).boot().go_live()
    before = len(world.records)
    desk = Dialogue(Recall(), Device())
    desk.begin(world.now_ms / 1000, greeting="Say hello.")
    for said, after_ms in script:
        world.tick(after_ms)
        desk.tick(world.now_ms / 1000)
        world.say(said)
        desk.receive(json.dumps(said), world.now_ms / 1000)
    effects = desk.take()
    assert [json.loads(text) for text in effects.to_send] == world.sent()
    assert _with_empty(desk_told(effects.told)) == _with_empty(board_told(world.records[before:]))


def _with_empty(told: list[Any]) -> list[Any]:
    """Empty texts and missing ones are the same."""
    return [{k: v for k, v in one.items() if v not in ("", None)} for one in told]
