"""The session object: what an update may do."""

from __future__ import annotations

import copy

import pytest

from app.sim.service.refusal import Refusal
from app.sim.service.session import Session, defaults, effective, merged


def session(patch=None) -> Session:
    return Session(patch, expires_at=1_800_000_000.7)


def test_defaults_are_whole():
    whole = session().snapshot()
    assert whole["id"].startswith("sess_")
    assert whole["object"] == "realtime.session"
    assert whole["expires_at"] == 1_800_000_000
    assert whole["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert whole["audio"]["input"]["transcription"] is None
    assert whole["audio"]["output"]["voice"] == "marin"


def test_an_update_merges_deeply_and_null_clears():
    one = session()
    one.update(
        {
            "type": "realtime",
            "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.7}}},
        }
    )
    detection = one.audio_in["turn_detection"]
    assert (detection["threshold"], detection["silence_duration_ms"]) == (0.7, 500)
    one.update({"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    assert one.audio_in["turn_detection"] is None
    one.update({"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}})
    assert one.audio_in["turn_detection"]["create_response"] is True
    assert one.audio_out["voice"] == "marin"


def test_another_type_brings_its_own_fields():
    one = session()
    one.update(
        {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}
    )
    assert one.audio_in["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }
    one.update({"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}})
    assert one.audio_in["format"] == {"type": "audio/pcmu"}


REFUSED = [
    ({}, "missing_required_parameter", "session.type"),
    ("realtime", "invalid_type", "session"),
    (None, "invalid_type", "session"),
    ([], "invalid_type", "session"),
    ({"type": "transcription"}, "invalid_value", "session.type"),
    ({"type": "realtime", "temperature": 0.8}, "unknown_parameter", "session.temperature"),
    ({"type": "realtime", "voice": "alloy"}, "unknown_parameter", "session.voice"),
    ({"type": "realtime", "model": "another"}, "invalid_value", "session.model"),
    (
        {"type": "realtime", "audio": {"input": {"format": "pcm16"}}},
        "invalid_type",
        "session.audio.input.format",
    ),
    (
        {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "none"}}}},
        "invalid_value",
        "session.audio.input.turn_detection.type",
    ),
    (
        {"type": "realtime", "audio": {"input": {"turn_detection": {"threshold": 0.5}}}},
        "missing_required_parameter",
        "session.audio.input.turn_detection.type",
    ),
    (
        {"type": "realtime", "audio": {"output": {"speed": 2}}},
        "invalid_value",
        "session.audio.output.speed",
    ),
    (
        {"type": "realtime", "output_modalities": ["audio", "text"]},
        "invalid_value",
        "session.output_modalities",
    ),
    (
        {"type": "realtime", "tools": [{"type": "function", "function": {}}]},
        "unknown_parameter",
        "session.tools[0].function",
    ),
    (
        {"type": "realtime", "max_output_tokens": True},
        "invalid_type",
        "session.max_output_tokens",
    ),
    ({"type": "realtime", "instructions": 3}, "invalid_type", "session.instructions"),
]


@pytest.mark.parametrize(("patch", "code", "param"), REFUSED)
def test_a_refused_update_changes_nothing(patch, code, param):
    one = session()
    before = one.snapshot()
    if isinstance(patch, dict) and "type" in patch:
        patch = {**patch, "tool_choice": "none"}
    with pytest.raises(Refusal) as why:
        one.update(patch)
    assert (why.value.code, why.value.param) == (code, param)
    assert one.snapshot() == before


def test_voice_is_fixed_once_it_was_heard():
    one = session()
    other = {"type": "realtime", "audio": {"output": {"voice": "cedar"}}}
    one.update(other)
    one.voice_is_fixed = True
    one.update(other)
    with pytest.raises(Refusal) as why:
        one.update({"type": "realtime", "audio": {"output": {"voice": "ash"}}})
    assert why.value.code == "cannot_update_voice"


def test_everything_the_api_knows_is_accepted():
    effective(
        {
            "type": "realtime",
            "model": "gpt-realtime-2.1-mini",
            "instructions": "",
            "output_modalities": ["text"],
            "parallel_tool_calls": True,
            "reasoning": {"effort": "low"},
            "max_output_tokens": "inf",
            "truncation": {
                "type": "retention_ratio",
                "retention_ratio": 0.8,
                "token_limits": {"post_instructions": 8000},
            },
            "tracing": "auto",
            "tool_choice": {"type": "function", "name": "SetVolume"},
            "tools": [
                {"type": "function", "name": "SetVolume", "parameters": {"type": "object"}},
                {"type": "mcp", "server_label": "x", "server_url": "https://example.com"},
            ],
            "include": ["item.input_audio_transcription.logprobs"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "noise_reduction": {"type": "far_field"},
                    "transcription": {"model": "gpt-transcribe", "languages": ["en", "de"]},
                    "turn_detection": {"type": "semantic_vad", "eagerness": "high"},
                },
                "output": {"voice": {"id": "voice_1"}, "speed": 1.25},
            },
        }
    )


def test_merging_touches_neither_side():
    base, patch = defaults(), {"audio": {"output": {"voice": "ash"}}}
    copies = copy.deepcopy((base, patch))
    result = merged(base, patch)
    result["audio"]["output"]["format"]["rate"] = 1
    assert (base, patch) == copies
