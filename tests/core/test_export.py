"""A conversation as a document: what people and players read."""

from __future__ import annotations

import json
import re
from datetime import UTC
from itertools import pairwise
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import events as ev
from app.core import export
from app.core.console import Console
from app.core.events import Role, Source
from app.core.export import Document, document
from app.core.load import LoadHistory
from app.core.transcript_rows import Bubble, Divider, Row, ToolRow
from app.core.wall_clock import WallClock

quick = settings(max_examples=25, deadline=None, database=None, derandomize=True)
BOARD, USER, ASSISTANT = Source.BOARD, Role.USER, Role.ASSISTANT
CLOCK = WallClock(1_700_000_000.0, UTC)
OUTPUT = '{"ok":true}'


def tool(ok: bool | None) -> ToolRow:
    return ToolRow(BOARD, 3.0, "c", "SetLightState", '{"on":true}', ok, OUTPUT if ok else "", 3)


STORY: tuple[Row, ...] = (
    Divider(BOARD, 0.5, True),
    Bubble(BOARD, 1.0, USER, "u", "Light *on*, <b>please", final=True, spoken=True, until=2.0),
    tool(True),
    tool(False),
    tool(None),
    Bubble(BOARD, 4.0, ASSISTANT, "a", "Sure & done.", interrupted=True, spoken=True, until=5.5),
    Bubble(BOARD, 5.0, USER, "t", "Thanks.", final=True),
    Divider(BOARD, 9.0, False, "expired"),
)


def test_text():
    assert document(STORY, Document.TEXT) == (
        "--- Conversation started ---\n"
        "You: Light *on*, <b>please\n"
        '  SetLightState {"on":true} → {"ok":true} (3 ms)\n'
        '  SetLightState {"on":true} → failed:  (3 ms)\n'
        '  SetLightState {"on":true} → no answer yet (3 ms)\n'
        "Parley (interrupted): Sure & done.\n"
        "You (typed): Thanks.\n"
        "--- The conversation reached the time limit of the service. ---\n"
    )
    assert "[22:13:21] You: Light" in document(STORY, Document.TEXT, CLOCK)


def test_markdown_is_escaped():
    told = document(STORY, Document.MARKDOWN)
    assert r"**You**: Light \*on\*, \<b\>please" in told
    assert '> SetLightState \\{"on":true\\} → ' in told
    assert "---\n\n*Conversation started*" in told
    assert r"\[22:13:21\] **You**: Light" in document(STORY, Document.MARKDOWN, CLOCK)


def test_json():
    rows = json.loads(document(STORY, Document.JSON, CLOCK))
    assert [row["row"] for row in rows] == [
        *("session", "words", "tool", "tool", "tool", "words", "words", "session"),
    ]
    assert rows[1]["text"] == "Light *on*, <b>please"
    assert rows[1]["time"] == "2023-11-14T22:13:21.000+00:00"
    assert rows[2]["ok"] is True
    assert "time" not in json.loads(document(STORY, Document.JSON))[0]


def test_srt():
    assert document(STORY, Document.SRT) == (
        "1\n00:00:00,500 --> 00:00:01,500\nYou: Light *on*, <b>please\n\n"
        "2\n00:00:03,500 --> 00:00:04,500\nParley: Sure & done. —\n\n"
        "3\n00:00:04,500 --> 00:00:05,500\nYou: Thanks.\n\n"
    )


def test_vtt():
    told = document(STORY, Document.VTT)
    assert told.startswith("WEBVTT\n\n00:00:00.500 --> 00:00:01.500\n<v You>Light *on*, &lt;b&gt;")
    assert "<v Parley>Sure &amp; done. —\n" in told


def test_a_long_answer_is_cut_into_readable_parts():
    long = Bubble(BOARD, 0.0, ASSISTANT, "a", "word " * 60, until=30.0)
    parts = export.cues((long,))
    assert len(parts) == 4
    assert all(len(part.text) <= export.CUE_MOST_CHARACTERS for part in parts)
    assert (parts[0].begin_ms, parts[-1].end_ms) == (0, 30_000)
    chinese = Bubble(BOARD, 0.0, ASSISTANT, "a", "灯" * 200)
    assert [len(part.text) for part in export.cues((chinese,))] == [84, 84, 32]


def test_the_load_as_a_table():
    history = LoadHistory()
    heap = ev.Heap(100, 50, 40)
    history.apply(ev.LoadIs(1.0, 1000, (10, 20), heap, heap, -50))
    history.apply(ev.MediaIs(BOARD, 1.5, 1, 2, 3, 4, 5, 6))
    head, first, second, end = export.load_csv(history, CLOCK).split("\r\n")
    assert head.startswith("time,cpu_0,cpu_1,heap_free,")
    assert first == "2023-11-14T22:13:21.000+00:00,10,20,100,50,40,100,50,40,-50,,,,,,"
    assert second == "2023-11-14T22:13:21.500+00:00,,,,,,,,,,1,2,3,4,5,6"
    assert end == ""


def test_the_console_as_a_file():
    console = Console()
    console.apply(ev.ConsoleLine(1.0, "\x1b[31mE (1) a: b\x1b[0m"))
    console.sent("vol 5", 1.25)
    console.apply(ev.RecordsLost(2.0, 3))
    assert export.console_text(console.entries(), CLOCK).splitlines() == [
        "22:13:21.000 E (1) a: b",
        "22:13:21.250 > vol 5",
        "22:13:22.000 !! 3 messages of the board were lost here.",
    ]


def test_names_of_files():
    assert export.file_name("conversation", "srt", CLOCK, 1.0) == (
        "parley-conversation-20231114-221321.srt"
    )


@pytest.mark.parametrize("at", [-1e300, 1e300, inf, -inf, nan])
def test_a_time_that_cannot_be_has_a_text(at):
    assert len(CLOCK.time(at)) == 8
    assert len(CLOCK.fine_time(at)) == 12


TEXTS = st.one_of(st.text(max_size=30), st.just("--> 漢字 🎤 مرحبا " * 20))
BUBBLES = st.builds(
    Bubble,
    *(st.just(BOARD), st.floats(-5, 5), st.sampled_from(Role), st.just("i"), TEXTS),
    until=st.one_of(st.none(), st.floats(-5, 5)),
    interrupted=st.booleans(),
)


@quick
@given(st.lists(BUBBLES, max_size=8))
def test_cues_are_in_order_and_players_can_read_them(rows):
    made = export.cues(rows)
    for cue, following in pairwise(made):
        assert 0 <= cue.begin_ms < following.begin_ms
        assert cue.begin_ms < cue.end_ms <= following.begin_ms
    for form in (Document.SRT, Document.VTT):
        told = document(rows, form)
        blocks = [block for block in told.removeprefix("WEBVTT\n\n").split("\n\n") if block]
        assert len(blocks) == len(made)
        assert all(len(re.findall("-->", block)) == 1 for block in blocks)
    for form in (Document.TEXT, Document.MARKDOWN, Document.JSON):
        document(rows, form, CLOCK)
