"""The conversation: order by predecessor, streaming, tools, sessions, figures."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import events as ev
from app.core import transcript as transcripts
from app.core.events import Role, SessionState, Source, TurnState
from app.core.transcript import Added, Bubble, Changed, Divider, Removed, Row, ToolRow, Transcript

quick = settings(max_examples=60, deadline=None, database=None, derandomize=True)
BOARD, USER, ASSISTANT = Source.BOARD, Role.USER, Role.ASSISTANT


def words(role, item, text, part=0, *, final=False, prev="", source=BOARD):
    return ev.Words(source, 1.0, role, item, text, part, final, prev)


def turn(role, item, state, ms=None, cut_ms=None):
    return ev.Turn(BOARD, 1.0, role, item, state, ms, cut_ms)


def session(state, code="", reason="", source=BOARD):
    return ev.SessionIs(source, 2.0, state, code, reason)


def call(name="call_1"):
    return ev.ToolCalled(BOARD, 1.0, name, "SetLightState", '{"LightState":true}')


def answer(name="call_1", *, ok=True):
    return ev.ToolAnswered(BOARD, 1.0, name, "SetLightState", ok, '{"ok":true}', 3)


def told(*events: ev.Event) -> Transcript:
    transcript = Transcript()
    for event in events:
        transcript.apply(event)
    return transcript


def texts(transcript: Transcript) -> list[str]:
    return [row.text if isinstance(row, Bubble) else type(row).__name__ for row in transcript.rows]


# ---- words


def test_deltas_stream_and_the_whole_text_replaces_them():
    transcript = Transcript()
    assert transcript.apply(words(ASSISTANT, "a", "He")) == (Added(0),)
    assert transcript.apply(words(ASSISTANT, "a", "lo")) == (Changed(0),)
    assert texts(transcript) == ["Helo"]
    assert transcript.apply(words(ASSISTANT, "a", "Hello, ", 1)) == (Changed(0),)
    assert transcript.apply(words(ASSISTANT, "a", "you.", 2, final=True)) == (Changed(0),)
    assert texts(transcript) == ["Hello, you."]
    assert transcript[0].final
    assert transcript.apply(words(ASSISTANT, "a", " late")) == ()
    assert texts(transcript) == ["Hello, you."]
    assert transcript[0].final


def test_a_whole_text_may_come_again():
    transcript = told(words(USER, "u", "one", 1, final=True), words(USER, "u", "two", 1))
    assert texts(transcript) == ["two"]
    transcript.apply(words(USER, "u", "", 2, final=True))
    assert texts(transcript) == ["two"]


def test_a_lost_part_does_not_mix_the_text():
    streamed = told(words(ASSISTANT, "a", "All of it"), words(ASSISTANT, "a", "it", 2, final=True))
    assert texts(streamed) == ["All of it"]
    assert streamed[0].final
    bare = told(words(USER, "u", "the end", 3, final=True))
    assert texts(bare) == ["…the end"]
    gap = told(words(USER, "u", "A", 1), words(USER, "u", "C", 3), words(USER, "u", "D", 4))
    assert texts(gap) == ["A"]


def test_a_bubble_is_bounded(monkeypatch):
    monkeypatch.setattr(transcripts, "MOST_CHARACTERS", 10)
    assert texts(told(*[words(ASSISTANT, "a", "1234")] * 9)) == ["1234123412"]


def test_words_without_an_item():
    transcript = told(
        words(ASSISTANT, "", "He"),
        words(USER, "", "Yes", final=True),
        words(ASSISTANT, "", "llo", final=True),
        words(ASSISTANT, "", "Again"),
        words(USER, "u", "named"),
        words(USER, "", "unnamed"),
    )
    assert texts(transcript) == ["Hello", "Yes", "Again", "named", "unnamed"]


# ---- order


def test_the_bubble_of_the_user_is_reserved_when_speech_begins():
    transcript = told(turn(USER, "u", TurnState.STARTED))
    assert transcript[0].speaking
    assert transcript[0].text == ""
    transcript.apply(turn(USER, "u", TurnState.ENDED))
    transcript.apply(words(ASSISTANT, "a", "Sure", prev="u"))
    transcript.apply(words(USER, "u", "Light on.", 1, final=True))
    assert texts(transcript) == ["Light on.", "Sure"]
    assert not transcript[0].speaking
    assert not transcript[0].typed


def test_words_that_come_late_stand_before_their_answer():
    transcript = told(words(ASSISTANT, "a", "Sure", prev="u"))
    assert transcript.apply(words(USER, "u", "Light on.", 1, final=True)) == (Added(0),)
    assert texts(transcript) == ["Light on.", "Sure"]
    assert transcript[0].typed


def test_an_answer_stands_behind_its_question_and_the_tools():
    transcript = told(
        words(USER, "u1", "one", 1, final=True),
        call(),
        turn(USER, "u2", TurnState.STARTED),
        words(ASSISTANT, "a1", "answer", prev="u1"),
    )
    assert texts(transcript) == ["one", "ToolRow", "answer", ""]


def test_a_row_moves_when_its_predecessor_becomes_known():
    transcript = told(
        words(USER, "u1", "one", 1, final=True, prev="root"),
        turn(USER, "u2", TurnState.STARTED),
        words(ASSISTANT, "a1", "answer"),
    )
    assert texts(transcript) == ["one", "", "answer"]
    changes = transcript.apply(words(USER, "u2", "two", 1, final=True, prev="a1"))
    assert changes == (Changed(1), Removed(1), Added(2))
    assert texts(transcript) == ["one", "answer", "two"]
    assert (
        transcript.apply(words(USER, "u2", "two", 1, final=True, prev="a1"))
        == (
            # `next_part` and text as before: nothing to show
        )
    )
    assert transcript.apply(words(USER, "u2", "two", 1, final=True, prev="u1")) == (
        Changed(2),
        Removed(2),
        Added(1),
    )


def test_a_named_predecessor_that_is_already_right_or_unknown_moves_nothing():
    transcript = told(words(USER, "u1", "one"), words(ASSISTANT, "a1", "answer"))
    assert transcript.apply(words(ASSISTANT, "a1", "!", prev="u1")) == (Changed(1),)
    assert transcript.apply(words(ASSISTANT, "a1", "!", prev="elsewhere")) == (Changed(1),)
    assert transcript.apply(words(ASSISTANT, "a1", "!", prev="a1")) == (Changed(1),)
    assert texts(transcript) == ["one", "answer!!!"]


# ---- turns and tools


def test_latency_and_interruption():
    transcript = told(
        turn(ASSISTANT, "a", TurnState.STARTED, 640),
        words(ASSISTANT, "a", "Long story"),
        turn(ASSISTANT, "a", TurnState.INTERRUPTED, 180, 940),
    )
    bubble = transcript[0]
    assert (bubble.latency_ms, bubble.silence_ms, bubble.cut_ms) == (640, 180, 940)
    assert bubble.interrupted
    assert not bubble.speaking
    transcript.apply(turn(USER, "u", TurnState.STARTED, 5))
    transcript.apply(turn(USER, "u", TurnState.INTERRUPTED, 5))
    assert (transcript[1].latency_ms, transcript[1].silence_ms) == (None, None)


def test_figures():
    assert told().figures() == transcripts.Figures(0, None, None, None, None)
    transcript = told(
        *(turn(ASSISTANT, f"a{ms}", TurnState.STARTED, ms) for ms in range(100, 2100, 100)),
        turn(ASSISTANT, "a100", TurnState.INTERRUPTED, 150),
        turn(ASSISTANT, "a200", TurnState.INTERRUPTED),
        turn(USER, "u", TurnState.STARTED, 9),
    )
    assert transcript.figures() == transcripts.Figures(20, 1050, 1900, 150, 150)


def test_tools():
    transcript = told(call())
    tool = transcript[0]
    assert isinstance(tool, ToolRow)
    assert (tool.name, tool.arguments, tool.ok) == ("SetLightState", '{"LightState":true}', None)
    assert transcript.apply(answer()) == (Changed(0),)
    tool = transcript[0]
    assert isinstance(tool, ToolRow)
    assert (tool.ok, tool.output, tool.ms) == (True, '{"ok":true}', 3)


def test_an_answer_may_overtake_its_call():
    transcript = told(answer(), call())
    assert texts(transcript) == ["ToolRow"]
    tool = transcript[0]
    assert isinstance(tool, ToolRow)
    assert (tool.ok, tool.arguments) == (True, '{"LightState":true}')


# ---- sessions


def dividers(transcript: Transcript) -> list[tuple[bool, str, str]]:
    return [(r.live, r.code, r.text) for r in transcript.rows if isinstance(r, Divider)]


def test_sessions_are_separated():
    transcript = told(
        session(SessionState.IDLE),
        session(SessionState.CONNECTING),
        session(SessionState.LIVE),
        session(SessionState.LIVE),
        words(USER, "item_1", "first"),
        session(SessionState.CLOSING),
        session(SessionState.IDLE, "stopped"),
        session(SessionState.IDLE, "stopped"),
        session(SessionState.LIVE),
        words(USER, "item_1", "second"),
        session(SessionState.WAITING, "peer_lost"),
        session(SessionState.LIVE),
        session(SessionState.IDLE),
    )
    assert dividers(transcript) == [
        (True, "", "Conversation started"),
        (False, "stopped", "The conversation was ended."),
        (True, "", "Conversation started"),
        (False, "peer_lost", "The voice connection was lost."),
        (True, "", "Conversation started"),
        (False, "", "Conversation ended"),
    ]
    bubbles = [row for row in transcript.rows if isinstance(row, Bubble)]
    assert [(row.text, row.final) for row in bubbles] == [("first", True), ("second", True)]


def test_a_session_that_never_came_up():
    assert dividers(told(session(SessionState.WAITING, "timeout"))) == []
    transcript = told(session(SessionState.IDLE, "unauthorized", "HTTP 401"))
    assert dividers(transcript) == [
        (False, "unauthorized", "The service did not accept the key."),
    ]


def test_a_restart_ends_the_session():
    boot = ev.Boot(3.0, "", "", "", "", "panic", 1, "", 0, 0)
    transcript = told(boot, session(SessionState.LIVE), boot, boot)
    assert dividers(transcript)[1:] == [(False, "restarted", "The board restarted.")]


def test_board_and_desktop_are_two_conversations():
    transcript = told(
        session(SessionState.LIVE),
        session(SessionState.LIVE, source=Source.DESKTOP),
        words(USER, "item_1", "board"),
        words(USER, "item_1", "desktop", source=Source.DESKTOP),
        session(SessionState.IDLE, "stopped"),
    )
    bubbles = [row for row in transcript.rows if isinstance(row, Bubble)]
    assert [(row.text, row.final) for row in bubbles] == [("board", True), ("desktop", False)]


def test_rows_are_bounded(monkeypatch):
    monkeypatch.setattr(transcripts, "MOST_ROWS", 3)
    transcript = told(*(words(USER, f"u{n}", str(n)) for n in range(5)))
    assert texts(transcript) == ["2", "3", "4"]
    assert len(transcript) == 3
    assert transcript.apply(words(USER, "u9", "9")) == (Added(3), Removed(0))
    monkeypatch.setattr(transcripts, "MOST_CHARACTERS_IN_ALL", 6)
    transcript.apply(words(USER, "u10", "12345"))
    assert texts(transcript) == ["9", "12345"]
    transcript.apply(ev.ToolAnswered(BOARD, 1.0, "c", "tool", True, "x" * 9))
    assert texts(transcript) == ["ToolRow"]


def test_ten_thousand_turns_cost_what_the_first_did():
    """Rows are found by key: ten times the turns, about ten times the time, not a hundred times."""

    def fill(count: int) -> float:
        transcript = Transcript()
        began = time.perf_counter()
        for n in range(count):
            transcript.apply(turn(USER, f"u{n}", TurnState.STARTED))
            transcript.apply(words(ASSISTANT, f"a{n}", "Sure", prev=f"u{n}"))
            transcript.apply(words(USER, f"u{n}", "Light on.", 1, final=True, prev=f"a{n - 1}"))
            transcript.apply(turn(ASSISTANT, f"a{n}", TurnState.STARTED, n % 1000))
        assert len(transcript) == 2 * count
        return time.perf_counter() - began

    fill(100)
    assert fill(2_000) < 40 * fill(200)


# ---- any order

ITEMS = st.sampled_from(["", "a", "b", "c", "d"])
SOURCES = st.sampled_from(Source)
ROLES = st.sampled_from(Role)
EVENTS = st.one_of(
    st.builds(
        ev.Words,
        SOURCES,
        st.just(1.0),
        ROLES,
        ITEMS,
        st.text(max_size=3),
        st.integers(0, 3),
        st.booleans(),
        ITEMS,
    ),
    st.builds(
        ev.Turn,
        *(SOURCES, st.just(1.0), ROLES, ITEMS, st.sampled_from(TurnState)),
        st.one_of(st.none(), st.integers(0, 5)),
    ),
    st.builds(ev.ToolCalled, SOURCES, st.just(1.0), ITEMS, st.just("tool"), st.just("{}")),
    st.builds(
        ev.ToolAnswered,
        *(SOURCES, st.just(1.0), ITEMS, st.just("tool"), st.booleans(), st.just("{}")),
    ),
    st.builds(ev.SessionIs, SOURCES, st.just(1.0), st.sampled_from(SessionState), ITEMS),
    st.just(ev.Boot(3.0, "", "", "", "", "panic", 1, "", 0, 0)),
    st.just(ev.TokenWanted(1.0)),
)


@quick
@given(st.lists(EVENTS, max_size=40), st.sampled_from([4, 1000]))
def test_any_order_of_events_keeps_view_and_transcript_equal(events, most_rows):
    transcript = Transcript()
    shown: list[Row | None] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcripts, "MOST_ROWS", most_rows)
        for event in events:
            touched: list[int] = []
            for change in transcript.apply(event):
                match change:
                    case Added(row):
                        touched = [place + (place >= row) for place in touched] + [row]
                        shown.insert(row, None)
                    case Removed(row):
                        touched = [place - (place > row) for place in touched if place != row]
                        del shown[row]
                    case Changed(row):
                        touched.append(row)
            for row in touched:
                shown[row] = transcript[row]
            assert tuple(shown) == transcript.rows
    keys = [row.key for row in transcript.rows if not isinstance(row, Divider)]
    assert len(set(keys)) == len(keys)
    bubbles = [row for row in transcript.rows if isinstance(row, Bubble)]
    latencies = sorted(row.latency_ms for row in bubbles if row.latency_ms is not None)
    figures = transcript.figures()
    assert figures.turns == sum(row.role is ASSISTANT for row in bubbles)
    assert figures.latency_p95_ms in ({*latencies} if latencies else {None})


def test_a_repeated_boot_record_ends_no_conversation():
    transcript = Transcript()
    transcript.apply(ev.SessionIs(ev.Source.BOARD, 1.0, ev.SessionState.LIVE))
    rows = transcript.rows
    transcript.apply(ev.Boot(3.0, "", "", "", "", "usb", 1, "", 0, 0, 9000, repeated=True))
    assert transcript.rows == rows
    transcript.apply(ev.Boot(4.0, "", "", "", "", "panic", 1, "", 0, 0))
    assert len(transcript.rows) > len(rows)
