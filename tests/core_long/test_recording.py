"""A session as a file: everything comes back, nothing secret goes in, nothing foreign comes out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import events as ev
from app.core import recording
from app.core.faults import Fault
from app.core.recording import Recording
from app.core.secret import Secret
from app.core.wall_clock import WallClock

quick = settings(max_examples=40, deadline=None, database=None, derandomize=True)
HEAD = recording.head(WallClock(1_700_000_000.5), "0.1.0")
KINDS = sorted(recording._CLASSES.values(), key=lambda kind: kind.__name__)

st.register_type_strategy(float, st.floats(-1e9, 1e9).map(lambda value: round(value, 6)))
st.register_type_strategy(int, st.integers(-(1 << 52), 1 << 52))
st.register_type_strategy(str, st.text(max_size=8).filter(lambda text: "sk-" not in text))


def opened(*lines: str) -> list[ev.Event]:
    return list(Recording((HEAD, *lines)))


@quick
@given(st.one_of(*(st.builds(kind) for kind in KINDS)))
def test_every_event_comes_back(event):
    line = recording.line(event)
    assert "\n" not in line
    assert opened(line) == [event]


def test_all_kinds_of_events_are_known():
    assert {"Words", "LoadIs", "PortsAre", "WireGarbled", "CheckList"} <= set(recording._CLASSES)
    assert len(KINDS) > 25


def test_no_event_can_carry_a_secret():
    for kind, hints in recording._HINTS.items():
        assert all(Secret.__name__ not in str(hint) for hint in hints.values()), kind


def test_what_looks_like_a_key_is_masked():
    line = recording.line(ev.ConsoleLine(1.0, "key is sk-proj-abc_DEF123 and ek_0123456789"))
    assert "abc_DEF" not in line
    assert "0123" not in line
    (back,) = opened(line)
    assert back == ev.ConsoleLine(1.0, "key is ••• and •••")


def test_its_clock():
    assert Recording([HEAD]).clock.epoch_s == 1_700_000_000.5
    assert Recording(['{"recording":"parley","version":1,"epoch_s":null}']).clock.epoch_s == 0.0


@pytest.mark.parametrize("text", ["", "not JSON", "[]", '{"recording":"other"}', "[" * 100_000])
def test_what_is_no_recording(text):
    with pytest.raises(Fault, match="no recording"):
        Recording([text])


def test_a_later_version():
    with pytest.raises(Fault, match="newer"):
        Recording(['{"recording":"parley","version":2}'])


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"event":"Nothing"}',
        '{"event":"Words"}',
        '{"event":"Start"}',
        '{"event":["Words"]}',
        '{"event":"LevelIs","source":"board","at":1,"microphone":true,"speaker":0,"echo":0}',
        '{"event":"LevelIs","source":"moon","at":1,"microphone":1,"speaker":0,"echo":0}',
        '{"event":"LevelIs","source":"board","at":1e999,"microphone":1,"speaker":0,"echo":0}',
        '{"event":"WireGarbled","at":1,"raw":"%%%","reason":""}',
        '{"event":"PortsAre","ports":[1]}',
        '{"event":"PortsAre","ports":{"name":"x"}}',
        '{"event":"Reply","at":1,"to":' + "9" * 4000 + ',"ok":true}',
        '{"event":"Reply","at":1,"to":1.5,"ok":true}',
    ],
)
def test_damaged_lines_are_left_out_and_counted(text):
    file = Recording([HEAD, text, "", recording.line(ev.ScanDone(1.0))])
    assert list(file) == [ev.ScanDone(1.0)]
    assert file.damaged == 1


def test_keys_nobody_knows_are_ignored():
    assert opened('{"event":"ScanDone","at":1,"later":5}') == [ev.ScanDone(1.0)]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
FIELDS = sorted({name for hints in recording._HINTS.values() for name in hints})


@quick
@given(
    st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8), st.text()
)
def test_any_values(kind, fields, text):
    for event in opened(json.dumps({"event": kind.__name__, **fields}), text):
        assert opened(recording.line(event)) == [event]


def test_lone_surrogates_do_not_break_the_file():
    line = recording.line(ev.ConsoleLine(1.0, "a\ud800b"))
    line.encode()
    (back,) = opened(line)
    assert recording.line(back) == line
