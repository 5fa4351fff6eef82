"""The console: colours, following, filter, find, selection, memory of the command line, floods."""

from __future__ import annotations

import time
from datetime import UTC

import pytest
import ui_script as script
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.core.console import MOST_ENTRIES
from app.core.events import ConsoleLine, LogIs, RecordsLost, Severity, WireGarbled
from app.core.wall_clock import WallClock
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
    panel.search.open()
    line = panel.search.line
    assert line.isVisible()
    line.setText("line 7")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert "line 7" in "".join(panel.lines.visible_texts())
    assert panel.lines._found == 7
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert panel.lines._found == 7
    line.setText("line")
    QTest.keyClick(line, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert panel.lines._found == 6
    line.setText("nowhere")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert panel.search.found.text() == "Not found"
    QTest.keyClick(line, Qt.Key.Key_Escape)
    assert not line.isVisible()


def test_losses_are_counted_where_one_looks(panel):
    panel.take(RecordsLost(0, 7))
    panel.take(WireGarbled(1, b"\xff", "not text"))
    panel.catch_up()
    assert panel.lost.text() == "7 lost · 1 garbled"
    assert panel.lost.isVisible()


def test_filter_by_tag_and_regular_expression(panel, qtbot):
    tell(panel, 30)
    panel.take(script.log(50, Severity.ERROR, "wifi", "bad password"))
    panel.catch_up()
    assert [panel.tag.itemText(n) for n in range(panel.tag.count())] == ["All tags", "main", "wifi"]
    panel.tag.setCurrentIndex(2)
    panel.tag.activated.emit(2)
    assert [text[-12:] for text in panel.lines.visible_texts()] == ["bad password"]
    panel.tag.setCurrentIndex(0)
    panel.tag.activated.emit(0)
    panel.regex.click()
    panel.filter.setText(r"line \d$")
    qtbot.waitUntil(lambda: len(panel.lines.visible_texts()) == 10, timeout=2000)
    panel.filter.setText("line (")
    qtbot.waitUntil(lambda: "no regular expression" in panel.filter.toolTip(), timeout=2000)
    assert panel.filter.property("bad")
    assert len(panel.lines.visible_texts()) == 10
    panel.regex.click()
    assert not panel.filter.property("bad")
    assert panel.lines.visible_texts() == []


def test_a_pause_loses_nothing(panel):
    tell(panel, 50)
    seen = panel.lines.visible_texts()
    panel.pausing.click()
    tell(panel, 30, 50)
    assert panel.lines.visible_texts() == seen
    assert panel.lost.text() == "30 new"
    panel.pausing.click()
    assert panel.lines.visible_texts()[-1].endswith("line 79")
    assert not panel.lost.isVisible()


def test_long_lines_wrap(panel):
    panel.take(ConsoleLine(0, "first"))
    panel.take(ConsoleLine(1, "x" * 150 + "END"))
    panel.take(ConsoleLine(2, "漢" * 80 + "末"))
    panel.catch_up()
    assert len(panel.lines.visible_texts()) == 3
    panel.wraps.trigger()
    texts = panel.lines.visible_texts()
    assert len(texts) > 4
    assert "".join(texts) == "first" + "x" * 150 + "END" + "漢" * 80 + "末"
    assert panel.lines.horizontalScrollBar().maximum() == 0
    panel.lines.select_all()
    assert panel.lines.selected_text().splitlines()[2] == "漢" * 80 + "末"
    assert not panel.grab().isNull()
    tell(panel, 200)
    for number in range(5):
        panel.take(ConsoleLine(number, f"{number} " + "y" * 700))
    panel.catch_up()
    assert panel.lines.visible_texts()[-1].endswith("y")
    at = QPoint(60, panel.lines.viewport().height() - panel.lines._line)
    assert panel.lines._place(at)[0] == panel.console.end - 1
    panel.wraps.trigger()
    assert panel.lines.visible_texts()[-1].startswith("4 y")


def test_times_of_arrival(panel):
    panel.clock = WallClock(1_700_000_000.0, UTC)
    tell(panel, 3)
    left = panel.lines._text_left
    panel.times.trigger()
    assert panel.lines._text_left > left + 80
    assert panel.lines._time_of(2.0) == "22:13:22.000"
    assert not panel.grab().isNull()
    panel.lines.select_all()
    assert panel.lines.selected_text().count("\n") == 2


def test_a_filter_over_a_full_ring_does_not_stall(panel, qtbot, capsys):
    for number in range(200_000):
        panel.console.apply(ConsoleLine(number, f"line {number} of very many in the ring"))
    longest = 0.0
    panel.filter.setText("99")
    wanted = sum("99" in str(number) for number in range(200_000))

    def done() -> bool:
        return len(panel.lines._rows) == wanted

    until = time.perf_counter() + 10
    while not done() and time.perf_counter() < until:
        began = time.perf_counter()
        QApplication.processEvents()
        longest = max(longest, time.perf_counter() - began)
    assert done()
    with capsys.disabled():
        print(f"\nfilter over 200,000 lines: longest stall {longest * 1000:.0f} ms")
    assert longest < 0.25


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


def test_the_command_line_offers_what_the_board_understands(panel):
    completer = panel.command.completer()
    panel.command.setText("st")
    completer.setCompletionPrefix("st")
    assert completer.currentCompletion() == "start"
    panel.sent("help", 1.0)
    panel.take(ConsoleLine(1.1, "rec2play "))
    completer.setCompletionPrefix("rec")
    assert completer.currentCompletion() == "rec2play"


def test_what_is_asked_for(panel):
    asked: list[object] = []
    panel.load_asked.connect(lambda: asked.append("load"))
    panel.scan_asked.connect(lambda: asked.append("scan"))
    panel.save_asked.connect(lambda: asked.append("save"))
    panel.log_asked.connect(asked.append)
    panel.asking_load.click()
    panel.scanning.click()
    panel.saving.trigger()
    panel.logging.trigger()
    assert asked == ["load", "scan", "save", True]
    panel.take(LogIs(1.0, ""))
    assert not panel.logging.isChecked()


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
