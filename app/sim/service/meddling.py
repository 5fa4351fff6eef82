"""Faults that concern the stream of events: what a client is sent in place of each event.

All of it is allowed by the API's own rules (types and keys may be added, transcripts come when they
come), or was seen from the real service (a late `output_audio_buffer.started`, lost and doubled
`session.updated`), so a good client goes on as if nothing were the matter.
"""

from __future__ import annotations

import base64
from typing import Any

from app.sim.service.refusal import new_id

Json = dict[str, Any]

LARGE_BYTES = 200_000
TRANSCRIPT = "conversation.item.input_audio_transcription."


class Meddling:
    """One call's stream under the fault of a name; any other name lets everything pass."""

    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._held: list[Json] = []
        self._holding = False

    def instead_of(self, event: Json) -> list[Json]:
        """What is sent now, in order."""
        kind = event["type"]
        match self._fault:
            case "updated_lost" if kind == "session.updated":
                return []
            case "updated_twice" if kind == "session.updated":
                return [event, {**event, "event_id": new_id("event")}]
            case "unknown_events":
                return [_unheard_of(), {**event, "obfuscation": "x7Qk", "x_new": {"deep": [1]}}]
            case "large_event" if kind == "session.created":
                return [event, _large()]
            case "transcript_late":
                return self._late(event, held=TRANSCRIPT, since="input_audio_buffer.committed")
            case "started_late":
                return self._late(
                    event, held="output_audio_buffer.started", since="response.created"
                )
        return [event]

    def _late(self, event: Json, *, held: str, since: str) -> list[Json]:
        kind = event["type"]
        if kind == since:
            self._holding = True
        if kind == "response.done":
            self._holding, released, self._held = False, self._held, []
            return [event, *released]
        if self._holding and kind.startswith(held):
            self._held.append(event)
            return []
        return [event]


def _unheard_of() -> Json:
    return {"type": "session.rumour.heard", "event_id": new_id("event"), "rumour": {"of": None}}


def _large() -> Json:
    sound = base64.b64encode(bytes(LARGE_BYTES * 3 // 4)).decode()
    return {
        "type": "conversation.item.retrieved",
        "event_id": new_id("event"),
        "item": {
            "id": new_id("item"),
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "audio": sound, "transcript": "A long story."}],
        },
    }
