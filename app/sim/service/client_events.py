"""What a client may send on the data channel: the eleven events and their fields."""

from __future__ import annotations

import json
from typing import Any

from app.sim.service import rules
from app.sim.service.refusal import Refusal, missing, unknown, wrong_type
from app.sim.service.session import Json

_ID: dict[str, rules.Rule] = {"type": rules.text, "event_id": rules.or_null(rules.text)}
_ITEM_ID: dict[str, rules.Rule] = {**_ID, "item_id": rules.text}
_COUNT = rules.number(0, 2**31, whole=True)

KNOWN: dict[str, tuple[dict[str, rules.Rule], tuple[str, ...]]] = {
    "session.update": ({**_ID, "session": rules.anything}, ("session",)),
    "conversation.item.create": (
        {**_ID, "item": rules.anything, "previous_item_id": rules.or_null(rules.text)},
        ("item",),
    ),
    "conversation.item.retrieve": (_ITEM_ID, ("item_id",)),
    "conversation.item.delete": (_ITEM_ID, ("item_id",)),
    "conversation.item.truncate": (
        {**_ITEM_ID, "content_index": _COUNT, "audio_end_ms": _COUNT},
        ("item_id", "content_index", "audio_end_ms"),
    ),
    "input_audio_buffer.append": ({**_ID, "audio": rules.text}, ("audio",)),
    "input_audio_buffer.commit": (_ID, ()),
    "input_audio_buffer.clear": (_ID, ()),
    "output_audio_buffer.clear": (_ID, ()),
    "response.create": ({**_ID, "response": rules.or_null(rules.RESPONSE)}, ()),
    "response.cancel": ({**_ID, "response_id": rules.or_null(rules.text)}, ()),
}
"""Fields and the required ones, by type."""


def read_event(text: str | bytes) -> Json:
    """One event, an object at least; `checked` says whether it is a good one. Raises Refusal."""
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal(
            "The event is not valid JSON or not text. Events are JSON objects.",
            code="invalid_event",
        ) from None
    if not isinstance(event, dict):
        raise Refusal("An event must be a JSON object.", code="invalid_event")
    return event


def checked(event: Json) -> Json:
    """The event itself when its type and fields are right. Raises Refusal."""
    kind: Any = event.get("type")
    if kind is None:
        raise missing("type")
    if not isinstance(kind, str):
        raise wrong_type("type", "a string", kind)
    if kind not in KNOWN:
        names = ", ".join(f"'{name}'" for name in KNOWN)
        raise Refusal(
            f"Invalid value: '{kind[:64]}'. Supported values are: {names}.",
            code="invalid_value",
            param="type",
        )
    known, required = KNOWN[kind]
    for name, value in event.items():
        if name not in known:
            raise unknown(name)
        known[name](value, name)
    for name in required:
        if name not in event:
            raise missing(name)
    return event
