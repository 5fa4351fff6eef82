"""The stock tools at the desk."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.events import Source
from app.core.tools import Device, definitions, run

quick = settings(max_examples=25, deadline=None, database=None, derandomize=True)


def test_the_light_takes_its_colour() -> None:
    outcome = run(
        Device(), "SetLightState", '{"LightState":true,"LightColor":{"red":0,"green":2,"blue":255}}'
    )
    assert outcome.output == '{"ok":true}'
    assert outcome.device == Device(light=True, red=0, green=2, blue=255)
    off = run(outcome.device, "SetLightState", '{"LightState":false}').device
    assert (off.light, off.blue) == (False, 255)
    assert off.event(3.0).source is Source.DESKTOP


def test_volume_and_door() -> None:
    assert run(Device(), "SetVolume", '{"volume":30}').device.volume == 30
    assert run(Device(), "SetVolume", '{"volume":30.0}').device.volume == 30
    assert run(Device(), "OpenDoor", '{"open":true}').device.door


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("SetLightState", '{"LightState":1}', "LightState has to be"),
        ("SetLightState", '{"LightState":true,"LightColor":{"red":1}}', "LightColor needs"),
        ("SetLightState", '{"LightState":true,"LightColor":7}', "LightColor needs"),
        ("SetVolume", '{"volume":101}', "volume has to be"),
        ("SetVolume", '{"volume":true}', "volume has to be"),
        ("OpenDoor", "{}", "open has to be"),
        ("OpenDoor", "[]", "no JSON object"),
        ("OpenDoor", "{", "no JSON object"),
        ("OpenDoor", "{" + " " * 1100 + "}", "too long"),
        ("Explode", "{}", "no such tool"),
    ],
)
def test_what_is_wrong_is_told_and_changes_nothing(name, arguments, problem) -> None:
    before = Device(light=True, volume=10)
    outcome = run(before, name, arguments)
    assert problem in json.loads(outcome.output)["error"]
    assert outcome.device == before


@given(st.sampled_from([tool["name"] for tool in definitions()]), st.text(max_size=60))
@quick
def test_any_arguments(name, arguments) -> None:
    json.loads(run(Device(), name, arguments).output)
