"""The words of OpenAI's Realtime interface (GA): what we send, and how we read what comes.

Everything from the service is read through `Fields`, which gives an empty value for what is missing
or of another type: nonsense from outside is never an exception. The rules of the conversation are
in `dialogue`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from app.core import tools
from app.core.settings import Settings

CHANNEL = "oai-events"
EVENT_MOST_BYTES = 60_000
"""A data channel's message has to stay below 64 KiB to reach every stack."""


def session(settings: Settings, *, push_to_talk: bool = False) -> dict[str, Any]:
    """The session as `calls` or a `session.update` carries it: equal to the board's.

    No key the service does not know: it would refuse all of it.
    """
    transcription: dict[str, str] | None = None
    if settings.text("stt_model"):
        transcription = {"model": settings.text("stt_model")}
        if settings.text("lang"):
            transcription["language"] = settings.text("lang")
    detection = {"type": "server_vad", "create_response": True, "interrupt_response": True}
    return {
        "type": "realtime",
        "model": settings.text("model"),
        "instructions": settings.text("instr"),
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "noise_reduction": {"type": "far_field"},
                "transcription": transcription,
                "turn_detection": None if push_to_talk else detection,
            },
            "output": {"voice": settings.text("voice")},
        },
        "tools": tools.definitions(),
        "tool_choice": "auto",
    }


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `after` that differ from `before`, nested objects likewise.

    An object that carries a `type` is sent whole: its keys belong together.
    """
    result: dict[str, Any] = {}
    for key, value in after.items():
        old = before.get(key)
        if value == old:
            continue
        nested = isinstance(value, dict) and isinstance(old, dict) and "type" not in value
        result[key] = changed(old, value) if nested else value  # type: ignore[arg-type]
    return result


# ---- events to the service


def event(kind: str, number: int, **fields: Any) -> str:
    """One client event as text; its id comes back in an error about it."""
    told = {"type": kind, "event_id": event_id(number), **fields}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def event_id(number: int) -> str:
    return f"parley_{number}"


def message(role: str, text: str) -> dict[str, Any]:
    """An item with words of the user or of the system."""
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": role, "content": content}


def tool_output(call: str, output: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call, "output": output}


# ---- events of the service


class Fields:
    """One JSON object of the service; what is missing or of another type is empty."""

    __slots__ = ("_values",)

    def __init__(self, values: object) -> None:
        self._values: Mapping[str, Any] = values if isinstance(values, dict) else {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def text(self, key: str) -> str:
        value = self._values.get(key)
        return value if isinstance(value, str) else ""

    def has_text(self, key: str) -> bool:
        return isinstance(self._values.get(key), str)

    def count(self, key: str) -> int:
        """A whole number of 0 or more; 0 for anything else."""
        value = self.number(key)
        return int(value) if value is not None and value >= 0 else 0

    def number(self, key: str) -> float | None:
        value = self._values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if abs(value) < 1e15 else None  # not for NaN either

    def inner(self, key: str) -> Fields:
        return Fields(self._values.get(key))

    def each(self, key: str) -> Iterator[Fields]:
        values = self._values.get(key)
        return (Fields(value) for value in values) if isinstance(values, list) else iter(())


def read(text: str | bytes) -> Fields | None:
    """One event of the service; None when it is no JSON object with a type."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    fields = Fields(told)
    return fields if fields.has_text("type") else None
