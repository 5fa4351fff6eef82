"""The shape of a session object as a table of rules, because the API refuses the whole update for
one unknown or badly typed field (GA; the beta forgave). A rule takes a value and its dotted path
and raises Refusal; nothing is returned and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.sim.service.refusal import Refusal, missing, unknown, wrong_type, wrong_value

Rule = Callable[[Any, str], None]


def text(value: Any, path: str) -> None:
    if not isinstance(value, str):
        raise wrong_type(path, "a string", value)


def boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        raise wrong_type(path, "a boolean", value)


def anything(value: Any, path: str) -> None:
    """Left to others to understand (JSON Schema, MCP)."""


def number(low: float, high: float, *, whole: bool = False) -> Rule:
    def check(value: Any, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise wrong_type(path, "an integer" if whole else "a number", value)
        if not low <= value <= high:
            raise wrong_value(path, f"a number from {low:g} to {high:g}")

    return check


def one_of(*names: str) -> Rule:
    def check(value: Any, path: str) -> None:
        text(value, path)
        if value not in names:
            raise wrong_value(path, "one of " + ", ".join(f"'{name}'" for name in names))

    return check


def or_null(rule: Rule) -> Rule:
    def check(value: Any, path: str) -> None:
        if value is not None:
            rule(value, path)

    return check


def either(*rules: Rule) -> Rule:
    """The first rule that fits; when none does, what the last one said."""

    def check(value: Any, path: str) -> None:
        said: Refusal | None = None
        for rule in rules:
            try:
                rule(value, path)
            except Refusal as why:
                said = why
            else:
                return
        assert said is not None
        raise said

    return check


def list_of(rule: Rule) -> Rule:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise wrong_type(path, "an array", value)
        for index, entry in enumerate(value):
            rule(entry, f"{path}[{index}]")

    return check


def fields(known: Mapping[str, Rule], *, required: tuple[str, ...] = ()) -> Rule:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        for name in required:
            if name not in value:
                raise missing(f"{path}.{name}")
        for name, entry in value.items():
            if name not in known:
                raise unknown(f"{path}.{name}")
            known[name](entry, f"{path}.{name}")

    return check


def by_type(kinds: Mapping[str, Mapping[str, Rule]], *, required: tuple[str, ...] = ()) -> Rule:
    """An object whose `type` says which fields it may have."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        if "type" not in value:
            raise missing(f"{path}.type")
        one_of(*kinds)(value["type"], f"{path}.type")
        fields({"type": text, **kinds[value["type"]]}, required=required)(value, path)

    return check


FORMAT = by_type(
    {"audio/pcm": {"rate": number(24_000, 24_000)}, "audio/pcmu": {}, "audio/pcma": {}}
)
ANSWERS: dict[str, Rule] = {"create_response": boolean, "interrupt_response": boolean}
TURN_DETECTION = by_type(
    {
        "server_vad": {
            **ANSWERS,
            "threshold": number(0, 1),
            "prefix_padding_ms": number(0, 5_000, whole=True),
            "silence_duration_ms": number(0, 10_000, whole=True),
            "idle_timeout_ms": or_null(number(5_000, 30_000, whole=True)),
        },
        "semantic_vad": {**ANSWERS, "eagerness": one_of("low", "medium", "high", "auto")},
    }
)
TRANSCRIPTION = fields(
    {
        "model": text,
        "language": text,
        "languages": list_of(text),
        "prompt": text,
        "keywords": list_of(text),
        "delay": one_of("minimal", "low", "medium", "high", "xhigh"),
    }
)
NOISE_REDUCTION = fields(
    {"type": one_of("near_field", "far_field"), "strength": number(0, 1)}, required=("type",)
)
VOICE = either(fields({"id": text}, required=("id",)), text)
FUNCTION: dict[str, Rule] = {"name": text, "description": text, "parameters": anything}
MCP_FIELDS = (
    "server_label",
    "server_url",
    "connector_id",
    "tunnel_id",
    "authorization",
    "headers",
    "allowed_tools",
    "require_approval",
    "server_description",
)
TOOLS = list_of(by_type({"function": FUNCTION, "mcp": dict.fromkeys(MCP_FIELDS, anything)}))
TOOL_CHOICE = either(
    by_type({"function": {"name": text}, "mcp": {"server_label": text, "name": or_null(text)}}),
    one_of("auto", "none", "required"),
)
MAX_TOKENS = either(one_of("inf"), number(1, 4096, whole=True))


def modalities(value: Any, path: str) -> None:
    list_of(one_of("audio", "text"))(value, path)
    if len(value) != 1:
        raise wrong_value(path, "either ['audio'] or ['text']")


REASONING = fields({"effort": one_of("minimal", "low", "medium", "high", "xhigh")})
TRUNCATION = either(
    by_type({"retention_ratio": {"retention_ratio": number(0, 1), "token_limits": anything}}),
    one_of("auto", "disabled"),
)
TRACING = either(
    fields({"workflow_name": text, "group_id": text, "metadata": anything}), one_of("auto")
)
AUDIO_INPUT = fields(
    {
        "format": FORMAT,
        "noise_reduction": or_null(NOISE_REDUCTION),
        "transcription": or_null(TRANSCRIPTION),
        "turn_detection": or_null(TURN_DETECTION),
    }
)
AUDIO_OUTPUT = fields({"format": FORMAT, "voice": VOICE, "speed": number(0.25, 1.5)})
SESSION = fields(
    {
        "type": one_of("realtime"),
        "model": text,
        "instructions": text,
        "output_modalities": modalities,
        "audio": fields({"input": AUDIO_INPUT, "output": AUDIO_OUTPUT}),
        "tools": TOOLS,
        "tool_choice": TOOL_CHOICE,
        "parallel_tool_calls": boolean,
        "reasoning": or_null(REASONING),
        "max_output_tokens": MAX_TOKENS,
        "truncation": TRUNCATION,
        "tracing": or_null(TRACING),
        "prompt": or_null(anything),
        "include": or_null(list_of(one_of("item.input_audio_transcription.logprobs"))),
    },
    required=("type",),
)

METADATA_PAIRS, METADATA_NAME_CHARS, METADATA_CHARS = 16, 64, 512


def metadata(value: Any, path: str) -> None:
    if not isinstance(value, dict):
        raise wrong_type(path, "an object", value)
    if len(value) > METADATA_PAIRS:
        raise wrong_value(path, f"at most {METADATA_PAIRS} pairs")
    for name, entry in value.items():
        text(entry, f"{path}.{name[:METADATA_NAME_CHARS]}")
        if len(name) > METADATA_NAME_CHARS or len(entry) > METADATA_CHARS:
            raise wrong_value(
                path, f"names of {METADATA_NAME_CHARS} and texts of {METADATA_CHARS} characters"
            )


RESPONSE = fields(
    {
        "conversation": one_of("auto", "none"),
        "input": list_of(anything),
        "instructions": text,
        "output_modalities": modalities,
        "audio": fields({"output": fields({"format": FORMAT, "voice": VOICE})}),
        "tools": TOOLS,
        "tool_choice": TOOL_CHOICE,
        "parallel_tool_calls": boolean,
        "reasoning": or_null(REASONING),
        "max_output_tokens": MAX_TOKENS,
        "metadata": or_null(metadata),
        "prompt": or_null(anything),
    }
)
