"""Arguments of a tool against its JSON schema: the part of JSON Schema that tools use (type, enum,
const, required, properties, additionalProperties, items, minimum, maximum, lengths).

A value that says nothing wrong passes; what is not understood is not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def violation(value: Any, schema: Mapping[str, Any], path: str = "") -> str | None:
    """What is wrong with `value`, in words for the user; None when it fits."""
    name = path or "the request"
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(kinds, list) and not any(_is(value, str(kind)) for kind in kinds):
        return f"{name} should be of type {' or '.join(map(str, kinds))}"
    if "const" in schema and value != schema["const"]:
        return f"{name} should be {schema['const']}"
    choices = schema.get("enum")
    if isinstance(choices, list) and value not in choices:
        return f"{name} should be one of {', '.join(map(str, choices))}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _out_of_range(value, schema, name)
    if isinstance(value, str):
        return _wrong_length(len(value), schema, name, "minLength", "maxLength")
    if isinstance(value, list):
        return _wrong_entries(value, schema, name)
    return _wrong_fields(value, schema, path) if isinstance(value, dict) else None


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(kind, (object,)))


def _out_of_range(value: float, schema: Mapping[str, Any], name: str) -> str | None:
    low, high = schema.get("minimum"), schema.get("maximum")
    if isinstance(low, int | float) and value < low:
        return f"{name} cannot be less than {low:g}"
    if isinstance(high, int | float) and value > high:
        return f"{name} cannot be more than {high:g}"
    return None


def _wrong_length(
    length: int, schema: Mapping[str, Any], name: str, least: str, most: str
) -> str | None:
    low, high = schema.get(least), schema.get(most)
    if isinstance(low, int) and length < low:
        return f"{name} is too short"
    return f"{name} is too long" if isinstance(high, int) and length > high else None


def _wrong_entries(value: list[Any], schema: Mapping[str, Any], name: str) -> str | None:
    inner = schema.get("items")
    if isinstance(inner, Mapping):
        for entry in value:
            if wrong := violation(entry, inner, name):
                return wrong
    return _wrong_length(len(value), schema, name, "minItems", "maxItems")


def _wrong_fields(value: dict[str, Any], schema: Mapping[str, Any], path: str) -> str | None:
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        if isinstance(name, str) and name not in value:
            return f"{name} is missing"
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    for name, entry in value.items():
        inner = properties.get(name)
        if isinstance(inner, Mapping):
            if wrong := violation(entry, inner, name):
                return wrong
        elif name not in properties and schema.get("additionalProperties") is False:
            return f"{path or 'the request'} has no {name}"
    return None
