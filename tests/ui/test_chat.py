"""The conversation: what is read, where the view stays, and thousands of turns without a stall."""

from __future__ import annotations

import random
import time
from datetime import UTC

import pytest
import ui_script as script
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.core.events import (
    Role,
    SessionIs,
    SessionState,
    Source,
    ToolAnswered,
    ToolCalled,
    Turn,
    TurnState,
    UsageIs,
    Words,
)
from app.core.transcript import MOST_ROWS
from app.core.wall_clock import WallClock
from app.ui.chat_panel import ChatPanel
from app.ui.chat_rows import tidy_json

B = Source.BOARD


@pytest.fixture
def panel(qtbot, appearance):
    made = ChatPanel()
    qtbot.addWidget(made)
    made.resize(700, 500)
    made.show()
    qtbot.waitExposed(made)
    return made


def tell(panel: ChatPanel, *events: object) -> None:
    for event in events:
        panel.take(event)
    panel.catch_up()


def said(number: int, text: str = "") -> Words:
    role = Role.USER if number % 2 else Role.ASSISTANT
    text = text or f"This is turn {number}. " + "It has some more words. " * (number % 7)
    return Words(B, float(number), role, f"i{number}", text, part=1, final=True)


def bottom(panel: ChatPanel) -> str:
    return panel.view.text_of(panel.view.rows_in_sight()[-1])


def test_a_conversation_reads_as_it_was(panel):
    tell(panel, *script.conversation(), *script.interruption())
    view = panel.view
    texts = [view.text_of(row) for row in range(len(panel.transcript))]
    assert texts[0] == "Conversation started"
    assert texts[1] == "Hello, I am Parley. What can I do for you?"
    assert texts[2] == "Please turn the light blue."
    assert texts[3].startswith("SetLightState")
    assert panel.figures.text() == (
        "answers after 508 ms, 95 % within 612 ms · silent after 184 ms"
    )
    assert "when you interrupt: median 184 ms, 95 % within 184 ms" in panel.figures.toolTip()
    assert panel.pages.currentWidget() is view


def test_words_stream_into_their_bubble(panel):
    for word in ("One ", "two ", "three"):
        tell(panel, Words(B, 0, Role.ASSISTANT, "a", word))
    assert panel.view.text_of(0) == "One two three"
    assert len(panel.transcript) == 1
    before = panel.view._heights[0]
    tell(panel, Words(B, 0, Role.ASSISTANT, "a", " and more" * 60))
    assert panel.view._heights[0] > before


def test_it_follows_until_the_user_scrolls_up(panel):
    tell(panel, *(said(n) for n in range(80)))
    assert bottom(panel).startswith("This is turn 79")
    panel.view.verticalScrollBar().setValue(400)
    assert not panel.view.following
    assert panel.newest.isVisible()
    top, below = panel.view._anchor, panel.view._below
    tell(panel, *(said(n) for n in range(80, 120)))
    assert (panel.view._anchor, panel.view._below) == (top, below)
    panel.newest.click()
    assert bottom(panel).startswith("This is turn 119")
    assert not panel.newest.isVisible()


def test_rows_above_that_grow_do_not_move_what_is_read(panel):
    tell(panel, *(said(n) for n in range(60)))
    panel.view.verticalScrollBar().setValue(900)
    reading = panel.view.text_of(panel.view._anchor)
    tell(panel, said(0, "Much longer than before. " * 80))
    assert panel.view.text_of(panel.view._anchor) == reading


def test_wheel_steps_move_by_what_they_say(panel):
    """Guessed heights above never make the text jump."""
    tell(panel, *(said(n) for n in range(400)))
    view = panel.view
    for _ in range(60):
        before = dict(places(view))
        view.verticalScrollBar().setValue(view.verticalScrollBar().value() - 48)
        after = dict(places(view))
        both = before.keys() & after.keys()
        assert both
        assert all(abs(after[row] - before[row] - 48) < 1.5 for row in both)


def places(view) -> list[tuple[int, float]]:
    y = 12.0 - view._below
    found = []
    for row in view.rows_in_sight():
        found.append((row, y))
        y += view._heights[row]
    return found


def test_a_new_width_keeps_the_place(panel):
    tell(panel, *(said(n) for n in range(200)))
    panel.view.verticalScrollBar().setValue(2000)
    reading = panel.view._anchor
    panel.resize(480, 500)
    assert abs(panel.view._anchor - reading) <= 1
    panel.view.follow()
    panel.resize(800, 400)
    assert bottom(panel).startswith("This is turn 199")


def test_keyboard_and_clipboard(panel):
    tell(panel, *(said(n, f"turn {n}") for n in range(30)))
    view = panel.view
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Up)
    assert view.accessibleDescription() == "turn 29"
    for _ in range(20):
        QTest.keyClick(view, Qt.Key.Key_Up)
    assert view.accessibleDescription() == "turn 9"
    assert 9 in view.rows_in_sight()
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "turn 9"
    view.copy_all()
    assert QGuiApplication.clipboard().text().count("turn ") == 30
    QTest.keyClick(view, Qt.Key.Key_End)
    assert view.following


def test_typing(panel):
    sent: list[str] = []
    panel.say_entered.connect(sent.append)
    assert not panel.line.isEnabled()
    panel.allow_typing(on=True)
    QTest.keyClicks(panel.line, "  Hello there ")
    QTest.keyClick(panel.line, Qt.Key.Key_Return)
    QTest.keyClick(panel.line, Qt.Key.Key_Return)
    assert sent == ["Hello there"]
    assert panel.line.text() == ""


def test_what_stands_before_the_first_word(panel):
    assert panel.pages.currentWidget() is panel.welcome
    panel.check_list(script.steps(3).items)
    assert panel.pages.currentWidget() is panel.steps_page
    assert not panel.strip.isVisible()
    tell(panel, *script.conversation())
    assert panel.pages.currentWidget() is panel.view
    assert panel.strip.isVisible()
    assert panel.strip.text_shown() == "3 of 15 steps · Firmware and settings written"
    panel.strip.click()
    assert panel.pages.currentWidget() is panel.steps_page
    panel.strip.click()
    assert panel.pages.currentWidget() is panel.view


def test_json_is_tidied_and_nonsense_left():
    assert tidy_json('{"a":1,"b":[2,"漢"]}') == '{"a": 1, "b": [2, "漢"]}'
    assert tidy_json('{"a":') == '{"a":'
    assert tidy_json("[" * 100_000)[:3] == "[[["


event = st.one_of(
    st.builds(
        Words,
        st.just(B),
        st.floats(0, 9),
        st.sampled_from(Role),
        st.sampled_from(["", "a", "b", "c"]),
        st.one_of(st.text(max_size=40), st.just("مرحبا 漢字 🎤 " * 30)),
        st.integers(0, 3),
        st.booleans(),
        st.sampled_from(["", "a", "z"]),
    ),
    st.builds(
        Turn,
        st.just(B),
        st.floats(0, 9),
        st.sampled_from(Role),
        st.sampled_from(["", "a", "b"]),
        st.sampled_from(TurnState),
        st.one_of(st.none(), st.integers(-5, 2**40)),
        st.one_of(st.none(), st.integers(-5, 2**40)),
    ),
    st.builds(ToolCalled, st.just(B), st.floats(0, 9), st.sampled_from("xy"), st.text(), st.text()),
    st.builds(
        ToolAnswered,
        st.just(B),
        st.floats(0, 9),
        st.sampled_from("xy"),
        st.text(),
        st.booleans(),
        st.text(),
        st.integers(0, 9),
    ),
    st.builds(SessionIs, st.just(B), st.floats(0, 9), st.sampled_from(SessionState), st.text()),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(event, max_size=30), st.booleans())
def test_any_events_in_any_order(panel, events, at_once):
    """The view's rows are always the transcript's, whatever came."""
    for each in events:
        panel.take(each)
        if not at_once:
            panel.catch_up()
    panel.catch_up()
    view = panel.view
    assert len(view._heights) == len(view._laid) == len(panel.transcript)
    assert not panel.grab().isNull()
    assert all(height > 0 for height in view._heights)


def test_thousands_of_turns(panel, capsys):
    """As many rows as the transcript keeps: a streamed word costs no more than with few."""

    def word_cost() -> float:
        times = []
        for number in range(60):
            began = time.perf_counter()
            tell(panel, Words(B, 0, Role.ASSISTANT, "last", f"word{number} "))
            panel.view.viewport().repaint()
            times.append(time.perf_counter() - began)
        return sorted(times)[len(times) // 2]

    tell(panel, *(said(n) for n in range(100)))
    few = word_cost()
    for start in range(100, MOST_ROWS + 100, 500):
        tell(panel, *(said(n) for n in range(start, start + 500)))
    tell(panel, Words(B, 0, Role.ASSISTANT, "last", "Back again. "))
    many = word_cost()
    bar = panel.view.verticalScrollBar()
    jumps = []
    chance = random.Random(1)
    for _ in range(40):
        began = time.perf_counter()
        bar.setValue(chance.randrange(bar.maximum()))
        panel.view.viewport().repaint()
        jumps.append(time.perf_counter() - began)
    with capsys.disabled():
        print(
            f"\na word with 100 rows {few * 1000:.1f} ms, with {len(panel.transcript)} rows "
            f"{many * 1000:.1f} ms; longest jump {max(jumps) * 1000:.0f} ms"
        )
    assert len(panel.transcript) == MOST_ROWS
    assert many < few * 10 + 0.02


# ---- reading more closely


def test_searching_counts_and_goes_round(panel, qtbot):
    tell(panel, *(said(n, f"turn {n} of many") for n in range(100)))
    tell(panel, ToolCalled(B, 1.0, "c", "SetVolume", '{"volume": 7}'))
    panel.search.open()
    panel.search.line.setText("TURN 7")
    qtbot.waitUntil(lambda: panel.search.found.text() == "11 found", timeout=2000)
    seen = []
    for _ in range(3):
        QTest.keyClick(panel.search.line, Qt.Key.Key_Return)
        seen.append((panel.search.found.text(), panel.view._current))
    assert seen == [("1 of 11", 7), ("2 of 11", 70), ("3 of 11", 71)]
    for _ in range(3):
        shift = Qt.KeyboardModifier.ShiftModifier
        QTest.keyClick(panel.search.line, Qt.Key.Key_Return, shift)
    assert (panel.search.found.text(), panel.view._current) == ("11 of 11", 79)
    assert 79 in panel.view.rows_in_sight()
    assert not panel.grab().isNull()
    panel.search.line.setText('"volume"')
    QTest.keyClick(panel.search.line, Qt.Key.Key_Return)
    assert panel.search.found.text() == "1 of 1"
    panel.search.line.setText("(")
    QTest.keyClick(panel.search.line, Qt.Key.Key_Return)
    assert panel.search.found.text() == "Not found"
    QTest.keyClick(panel.search.line, Qt.Key.Key_Escape)
    assert not panel.search.line.isVisible()


def test_a_part_of_a_bubble_is_selected_and_copied(panel):
    tell(panel, said(0, "🎤 one two three"), said(1, "another"))
    view = panel.view
    laid = view._laid[0]
    y = 12.0 - view._below

    def place(number: int) -> QPoint:
        x = next(x for x in range(0, 600) if at(x) >= number)
        return QPoint(x, round(y + 20))

    def at(x: int) -> int:
        return laid.character_at(QPointF(x, y + 20), y, view._width())

    QTest.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=place(2))
    moved = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(place(9)),
        view.viewport().mapToGlobal(QPointF(place(9))),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(view.viewport(), moved)
    assert view.selected_text() == "one two"
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "one two"
    assert not panel.grab().isNull()
    tell(panel, Words(B, 0, Role.USER, "first", "Before all", previous="", final=True))
    assert view.selected_text() == "one two"
    QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place(12))
    assert view.selected_text() == "three"
    QTest.keyClick(view, Qt.Key.Key_Up)
    assert view.selected_text() == ""


def test_times_are_shown_when_asked(panel):
    panel.clock = WallClock(1_700_000_000.0, UTC)
    tell(panel, *script.conversation())
    before = panel.view._heights[1]
    panel.times.click()
    assert panel.view._laid[1]._foot.startswith("22:13:5")
    panel.times.click()
    assert panel.view._heights[1] == before


def test_tokens_stand_in_the_tool_tip(panel):
    usage = UsageIs(B, 1.0, "r", 1500, 1000, 500, input_text=300, input_audio=700, cached=10)
    tell(panel, *script.conversation(), usage, usage)
    assert "Tokens: 3,000. Heard: 1,400 sound" in panel.figures.toolTip()


def test_captions_show_the_last_words(panel, qtbot):
    tell(panel, *script.conversation())
    panel.captions.click()
    captions = panel.captions.window_of_words
    assert captions.isVisible()
    assert captions.lines() == [
        "You: Please turn the light blue.",
        "Parley: Done. The light is blue now.",
    ]
    tell(panel, said(7, "Thank you. " * 200))
    assert captions.lines()[-1].endswith("Thank you.")
    assert len(captions.lines()[-1]) < 700
    assert not captions.grab().isNull()
    assert not captions.glass
    panel.captions.glass.setChecked(True)
    assert captions.glass
    assert captions.isVisible()
    panel.captions.glass.setChecked(False)
    QTest.keyClick(captions, Qt.Key.Key_Plus)
    assert captions._points == 28
    QTest.keyClick(captions, Qt.Key.Key_Escape)
    assert not panel.captions.isChecked()
    assert not captions.isVisible()
