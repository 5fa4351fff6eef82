"""Own tools: which definitions are taken, and that the settings refuse the others."""

from __future__ import annotations

import json

import pytest

from app.core.faults import BadSetting
from app.core.own_tools import ToolsError, names_in
from app.core.settings import Settings, check


def tool(name: str, **more: object) -> dict[str, object]:
    return {"type": "function", "name": name, **more}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("[]", ()),
        (json.dumps(tool("Water")), ("Water",)),
        (
            json.dumps([tool("a"), tool("b-_9", description="x", parameters={})], indent=1),
            ("a", "b-_9"),
        ),
    ],
)
def test_names(text: str, names: tuple[str, ...]) -> None:
    assert names_in(text) == names
    assert check("tools0", text) == text


BAD = [
    "[",
    "5",
    "[1]",
    "{}",
    "[[]]",
    json.dumps({"name": "a"}),
    json.dumps(tool("")),
    json.dumps(tool("a b")),
    json.dumps(tool("ä")),
    json.dumps(tool("a\n")),
    json.dumps(tool("x" * 65)),
    json.dumps(tool("a", description=5)),
    json.dumps(tool("a", parameters=[])),
    json.dumps(tool("a", strict=True)),
    json.dumps(tool("OpenDoor")),
    json.dumps([tool("a"), tool("a")]),
    '{"type":"function","name":"a","name":"b"}',
    '{"type":"function","name":"a","parameters":{"most":NaN}}',
    json.dumps(tool("a", parameters={"x": json.loads("[" * 63 + "]" * 63)})),
    "[" * 1400,
]


@pytest.mark.parametrize("text", BAD)
def test_refused(text: str) -> None:
    with pytest.raises(ToolsError):
        names_in(text)
    with pytest.raises(BadSetting, match="own tools") as caught:
        check("tools2", text)
    assert caught.value.detail.startswith("tools2: ")


def test_depth_as_the_board_counts_it() -> None:
    assert names_in(json.dumps(tool("a", parameters={"x": json.loads("[" * 62 + "]" * 62)}))) == (
        "a",
    )


def test_a_name_twice_over_all_settings() -> None:
    with pytest.raises(BadSetting, match="own tools") as caught:
        Settings({"tools0": json.dumps(tool("a")), "tools3": json.dumps([tool("b"), tool("a")])})
    assert caught.value.detail == "tools3: the name a is there already"
    assert Settings({"tools0": json.dumps(tool("a"))}).text("tools0")


def test_too_long() -> None:
    with pytest.raises(BadSetting, match="too long"):
        check("tools0", json.dumps(tool("a", description="x" * 1500)))
