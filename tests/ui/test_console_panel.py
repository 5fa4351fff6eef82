"""The console: colours, following, filter, find, selection, memory of the command line, floods."""

from __future__ import annotations

import time

import pytest
import ui_script as script
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from app.core.console import MOST_ENTRIES
from app.core.events import ConsoleLine, RecordsLost, Severity, WireGarbled
from app.ui.ansi import LONGEST, Span, plain, spans
from app.ui.console_panel import ConsolePanel
from app.ui.feed import Feed


@pytest.fixture
def panel(qtbot, appearance):
    made = ConsolePanel()
    qtbot.addWidget(made)
    made.resize(700, 300)
    made.show()
    qtbot.waitExposed(made)
    return made


def tell(panel: ConsolePanel, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        panel.take(script.log(number, Severity.INFO, "main", f"line {number}"))
    panel.catch_up()


# ---- colours


def test_colours_of_esp_idf():
    assert spans("\x1b[0;31mE (1) wifi: no\x1b[0m") == (Span("E (1) wifi: no", 1),)
    assert spans("a\x1b[1;32mb\x1b[22mc\x1b[39md") == (
        Span("a"),
        Span("b", 2, True),
        Span("c", 2),
        Span("d"),
    )
    assert plain("\x1b[2J\x1b[Hboot\x07\tend\r") == "boot·    end·"


@given(st.text(alphabet=st.sampled_from("\x1b[0;1m3A \x00\tΩ漢\x9b")))
def test_any_codes_give_clean_text(line):
    text = plain(line)
    assert "\x1b" not in text
    assert all(ord(char) >= 32 and not 0x7F <= ord(char) < 0xA0 for char in text)


def test_a_line_without_end_is_cut():
    assert len(plain("x" * 1_000_000)) <= 2 * LONGEST


# ---- following


def test_it_follows_until_the_user_scrolls_up(panel):
    tell(panel, 100)
    assert panel.lines.visible_texts()[-1].endswith("line 99")
    panel.lines.verticalScrollBar().setValue(20)
    assert not panel.lines.following
    assert not panel.following.isChecked()
    seen = panel.lines.visible_texts()
    tell(panel, 100, 100)
    assert panel.lines.visible_texts() == seen
    panel.following.click()
    assert panel.lines.visible_texts()[-1].endswith("line 199")
    assert panel.following.isChecked()


def test_the_end_key_follows_again(panel):
    tell(panel, 100)
    QTest.keyClick(panel.lines, Qt.Key.Key_PageUp)
    assert not panel.lines.following
    QTest.keyClick(panel.lines, Qt.Key.Key_End)
    assert panel.lines.following


def test_what_is_read_stays_while_old_lines_leave(panel):
    panel.console._most_entries = 200
    tell(panel, 200)
    panel.lines.verticalScrollBar().setValue(150)
    seen = panel.lines.visible_texts()
    tell(panel, 50, 200)
    assert panel.console.count == 200
    assert panel.lines.visible_texts() == seen


# ---- finding what one wants


def test_filter_by_text_and_level(panel, qtbot):
    tell(panel, 30)
    panel.take(script.log(50, Severity.ERROR, "wifi", "bad password"))
    panel.take(RecordsLost(51, 7))
    panel.catch_up()
    panel.filter.setText("line 1")
    qtbot.waitUntil(lambda: len(panel.lines.visible_texts()) == 11, timeout=2000)
    panel.filter.clear()
    panel.level.setCurrentIndex(1)
    panel.level.activated.emit(1)
    texts = panel.lines.visible_texts()
    assert "bad password" in texts[0]
    assert texts[1].startswith("7 messages")
    tell(panel, 5, 60)
    assert panel.lines.visible_texts() == texts


def test_find_goes_round(panel):
    tell(panel, 60)
    panel.open_search()
    assert panel.search.isVisible()
    panel.search.setText("line 7")
    QTest.keyClick(panel.search, Qt.Key.Key_Return)
    assert "line 7" in "".join(panel.lines.visible_texts())
    assert panel.lines._found == 7
    QTest.keyClick(panel.search, Qt.Key.Key_Return)
    assert panel.lines._found == 7
    panel.search.setText("line")
    QTest.keyClick(panel.search, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert panel.lines._found == 6
    panel.search.setText("nowhere")
    QTest.keyClick(panel.search, Qt.Key.Key_Return)
    assert panel.found.text() == "Not found"
    QTest.keyClick(panel.search, Qt.Key.Key_Escape)
    assert not panel.search.isVisible()


def test_losses_are_counted_where_one_looks(panel):
    panel.take(RecordsLost(0, 7))
    panel.take(WireGarbled(1, b"\xff", "not text"))
    panel.catch_up()
    assert panel.lost.text() == "7 lost · 1 garbled"
    assert panel.lost.isVisible()


# ---- clipboard and clearing


def test_copying_a_part(panel):
    panel.take(ConsoleLine(0, "\x1b[0;32mfirst line\x1b[0m"))
    panel.take(ConsoleLine(1, "second 漢字 line"))
    panel.catch_up()
    view = panel.lines
    y = view._line // 2 + 4
    width = round(view._character)
    press, until = QPoint(12 + 6 * width, y), QPoint(12 + 6 * width, y + view._line)
    QTest.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=press)
    QTest.mouseMove(view.viewport(), until)
    view._caret = view._place(until)
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=until)
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "line\nsecond"
    view.select_all()
    assert view.selected_text() == "first line\nsecond 漢字 line"


def test_clearing(panel):
    tell(panel, 50)
    panel.clear()
    assert panel.lines.visible_texts() == []
    tell(panel, 2, 50)
    assert [text[-7:] for text in panel.lines.visible_texts()] == ["line 50", "line 51"]


# ---- the command line


def test_the_command_line_remembers(panel):
    sent: list[str] = []
    panel.line_entered.connect(sent.append)
    for line in ("help", "vol 40", "wifi home secret-password", "help"):
        panel.command.setText(line)
        QTest.keyClick(panel.command, Qt.Key.Key_Return)
    assert sent == ["help", "vol 40", "wifi home secret-password", "help"]
    walked = []
    for _ in range(3):
        QTest.keyClick(panel.command, Qt.Key.Key_Up)
        walked.append(panel.command.text())
    assert walked == ["help", "vol 40", "vol 40"]
    QTest.keyClick(panel.command, Qt.Key.Key_Down)
    QTest.keyClick(panel.command, Qt.Key.Key_Down)
    assert panel.command.text() == ""


# ---- a flood


def test_a_flood_keeps_the_window_alive(panel, qtbot, capsys):
    """50,000 lines at once: the longest gap of a 5 ms heartbeat, beside the time of the whole."""
    feed = Feed()
    feed.on((ConsoleLine,), panel.take)
    feed.drained.connect(panel.catch_up)
    gaps: list[float] = []
    last = [0.0]
    beat = QTimer()
    beat.setTimerType(Qt.TimerType.PreciseTimer)

    def tick() -> None:
        now = time.perf_counter()
        gaps.append(now - last[0])
        last[0] = now

    beat.timeout.connect(tick)
    lines = [script.log(n, Severity.INFO, "flood", f"line {n} of very many") for n in range(50_000)]
    began = last[0] = time.perf_counter()
    beat.start(5)
    for line in lines:
        feed.post(line)
    gaps.clear()
    last[0] = time.perf_counter()
    qtbot.waitUntil(lambda: feed.waiting == 0, timeout=20_000)
    took = time.perf_counter() - began
    beat.stop()
    with capsys.disabled():
        print(
            f"\n50,000 lines: {took:.2f} s, longest gap {max(gaps) * 1000:.0f} ms, "
            f"{len(gaps)} beats"
        )
    assert panel.console.count == 50_000 <= MOST_ENTRIES
    assert panel.lines.visible_texts()[-1].endswith("line 49999 of very many")
    # In one freeze there would be one beat; how long the gaps are is the machine's affair, too.
    assert len(gaps) > 5
