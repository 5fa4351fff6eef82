"""The stock tools: what the service is told of them, and what they do on this computer.

Names and arguments are Espressif's openai_demo's, the definitions are equal to the firmware's
(parley_core, tools.c; a test compares them), so one conversation works on the board and at the
desk. What is wrong with the arguments is told to the model, which can then do better.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.core.events import DeviceIs, Source

ARGUMENTS_MOST = 1024
"""Characters; the board's own limit."""


@dataclass(frozen=True, slots=True)
class Device:
    """What the tools change: light, volume in percent, door."""

    light: bool = False
    red: int = 0
    green: int = 0
    blue: int = 0
    volume: int = 60
    muted: bool = False
    door: bool = False

    def event(self, at: float) -> DeviceIs:
        return DeviceIs(
            Source.DESKTOP,
            at,
            self.light,
            self.red,
            self.green,
            self.blue,
            self.volume,
            self.muted,
            self.door,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call did: the device after it, and what is wrong, empty when nothing is."""

    device: Device
    problem: str = ""

    @property
    def output(self) -> str:
        """JSON for the service."""
        told: dict[str, object] = {"ok": not self.problem}
        if self.problem:
            told["error"] = self.problem
        return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def _function(
    name: str, description: str, properties: dict[str, Any], *required: str
) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": parameters,
    }


def _yes_no(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description}


def _whole(high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "maximum": high}


def definitions() -> list[dict[str, Any]]:
    """`tools` of the session."""
    colour = {
        "type": "object",
        "properties": {name: _whole(255) for name in ("red", "green", "blue")},
        "required": ["red", "green", "blue"],
    }
    return [
        _function(
            "SetLightState",
            "Switches the light on or off and sets its color.",
            {"LightState": _yes_no("true: on"), "LightColor": colour},
            "LightState",
        ),
        _function(
            "SetVolume",
            "Sets the loudness of the speaker in percent.",
            {"volume": _whole(100)},
            "volume",
        ),
        _function("OpenDoor", "Opens or closes the door.", {"open": _yes_no("true: open")}, "open"),
    ]


# ---- carrying out


def run(device: Device, name: str, arguments: str) -> Outcome:
    """The outcome of one call. `arguments` is the JSON text as it came."""
    tool = _TOOLS.get(name)
    if tool is None:
        return Outcome(device, "there is no such tool")
    if len(arguments) >= ARGUMENTS_MOST:
        return Outcome(device, "the arguments are too long")
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return Outcome(device, "the arguments are no JSON object")
    return tool(device, given)


def _whole_within(given: Mapping[str, Any], key: str, high: int) -> int | None:
    value = given.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= high
    return value if fits else None


def _set_light(device: Device, given: Mapping[str, Any]) -> Outcome:
    state = given.get("LightState")
    if not isinstance(state, bool):
        return Outcome(device, "LightState has to be true or false")
    changed = replace(device, light=state)
    if "LightColor" not in given:
        return Outcome(changed)
    colour = given["LightColor"]
    parts = [
        _whole_within(colour, name, 255) if isinstance(colour, dict) else None
        for name in ("red", "green", "blue")
    ]
    match parts:
        case [int(red), int(green), int(blue)]:
            return Outcome(replace(changed, red=red, green=green, blue=blue))
    return Outcome(device, "LightColor needs red, green and blue, whole numbers from 0 to 255")


def _set_volume(device: Device, given: Mapping[str, Any]) -> Outcome:
    volume = _whole_within(given, "volume", 100)
    if volume is None:
        return Outcome(device, "volume has to be a whole number from 0 to 100")
    return Outcome(replace(device, volume=volume))


def _open_door(device: Device, given: Mapping[str, Any]) -> Outcome:
    is_open = given.get("open")
    if not isinstance(is_open, bool):
        return Outcome(device, "open has to be true or false")
    return Outcome(replace(device, door=is_open))


_TOOLS: dict[str, Callable[[Device, Mapping[str, Any]], Outcome]] = {
    "SetLightState": _set_light,
    "SetVolume": _set_volume,
    "OpenDoor": _open_door,
}
