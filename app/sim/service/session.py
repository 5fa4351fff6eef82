"""The session object: defaults, deep merge, and what may still be changed.

An update is checked as a whole before anything is merged, so a refused one leaves no trace. Objects
are merged field by field; one whose `type` changes is replaced, because its fields belong to the
type; null clears.
"""

from __future__ import annotations

import copy
from typing import Any

from app.sim.service import rules
from app.sim.service.refusal import Refusal, new_id

Json = dict[str, Any]

DEFAULT_MODEL = "gpt-realtime-2.1"
DEFAULT_INSTRUCTIONS = (
    "You are a helpful voice assistant. Keep answers short and friendly, and use the tools you "
    "were given when they fit."
)
SERVER_VAD: Json = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
SEMANTIC_VAD: Json = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_FILLED: dict[str, Json] = {"server_vad": SERVER_VAD, "semantic_vad": SEMANTIC_VAD}


def defaults() -> Json:
    """A session nobody has configured yet, without id and expiry."""
    pcm: Json = {"type": "audio/pcm", "rate": 24_000}
    return {
        "type": "realtime",
        "object": "realtime.session",
        "model": DEFAULT_MODEL,
        "output_modalities": ["audio"],
        "instructions": DEFAULT_INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "include": None,
        "audio": {
            "input": {
                "format": dict(pcm),
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": dict(SERVER_VAD),
            },
            "output": {"format": dict(pcm), "voice": "marin", "speed": 1.0},
        },
    }


def merged(base: Json, patch: Json) -> Json:
    """`base` changed by `patch`; neither is touched."""
    result = copy.deepcopy(base)
    for name, value in patch.items():
        old = result.get(name)
        if isinstance(value, dict):
            kind = value.get("type")
            if not isinstance(old, dict) or (kind is not None and kind != old.get("type")):
                old = _FILLED.get(str(kind), {}) if name == "turn_detection" else {}
            result[name] = merged(old, value)
        else:
            result[name] = copy.deepcopy(value)
    return result


class Session:
    """The settings of one call, changed only by accepted updates."""

    def __init__(self, patch: Json | None, *, expires_at: float) -> None:
        """`patch` is what the secret or the call asked for; None is a session of defaults.

        Raises Refusal.
        """
        self._object = effective(patch)
        self._object["id"] = new_id("sess")
        self._object["expires_at"] = int(expires_at)
        self.voice_is_fixed = False
        """Set once sound went out: the voice cannot change any more."""

    def snapshot(self) -> Json:
        """The whole object, to be sent; nobody else holds it."""
        return copy.deepcopy(self._object)

    def __getitem__(self, name: str) -> Any:
        return self._object[name]

    @property
    def audio_in(self) -> Json:
        found: Json = self._object["audio"]["input"]
        return found

    @property
    def audio_out(self) -> Json:
        found: Json = self._object["audio"]["output"]
        return found

    def update(self, patch: Any) -> None:
        """Merges a session.update's `session`. Raises Refusal and changes nothing."""
        rules.SESSION(patch, "session")
        model = patch.get("model", self._object["model"])
        if model != self._object["model"]:
            raise Refusal(
                "Cannot update a conversation's model.", code="invalid_value", param="session.model"
            )
        tracing = self._object["tracing"]
        if tracing is not None and patch.get("tracing", tracing) != tracing:
            raise Refusal(
                "Tracing cannot be changed once it is on.",
                code="invalid_value",
                param="session.tracing",
            )
        proposed = merged(self._object, patch)
        voice = proposed["audio"]["output"].get("voice")
        if self.voice_is_fixed and voice != self.audio_out["voice"]:
            raise Refusal(
                "Cannot update a conversation's voice if assistant audio is present.",
                code="cannot_update_voice",
                param="session.audio.output.voice",
            )
        self._object = proposed


def effective(patch: Any) -> Json:
    """Defaults with `patch` merged in. Raises Refusal."""
    if patch is None:
        return defaults()
    rules.SESSION(patch, "session")
    return merged(defaults(), patch)
