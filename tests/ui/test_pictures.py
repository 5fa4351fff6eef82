"""Pictures of the window in every form, for people to look at; the checks are of what must fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import ui_script as script
from PySide6.QtCore import QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel
from ui_desk import SHOTS, Desk, end, shoot

from app.core import language
from app.core.events import LevelIs, Source
from app.core.faults import Fault
from app.ui import style
from app.ui.controls import Elided
from app.ui.window import MainWindow

CATALOGUE = Path(__file__).parents[2] / "resources" / "language" / "zh_CN.json"


@pytest.fixture
def make(qtbot, appearance, loop, request):
    made: list[MainWindow] = []

    def build(look: str, size: QSize, tongue: str = "") -> MainWindow:
        if tongue:
            language.use(json.loads(CATALOGUE.read_text(encoding="utf-8")))
        appearance.show(style.DARK if look == "dark" else style.LIGHT)
        window = MainWindow(Desk(), title="Parley")
        window.resize(size)
        window.show()
        qtbot.waitExposed(window)
        made.append(window)
        return window

    yield build
    for window in made:
        end(window, loop)
    appearance.show(style.LIGHT)


def clipped(window: MainWindow) -> list[str]:
    """Texts of visible labels and buttons that are wider than their widgets."""
    wide = []
    for widget in window.findChildren(QLabel) + window.findChildren(QAbstractButton):
        if not widget.isVisible() or isinstance(widget, Elided) or not widget.text():
            continue
        if isinstance(widget, QLabel) and widget.wordWrap():
            if widget.heightForWidth(widget.width()) > widget.height() + 1:
                wide.append(widget.text())
            continue
        if widget.minimumSizeHint().width() > widget.width() + 1:
            wide.append(widget.text())
    return wide


LARGE, SMALL = QSize(1280, 800), QSize(1000, 650)


@pytest.mark.parametrize("tongue", ["", "zh"])
@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize(("name", "size"), [("1280x800", LARGE), ("1000x650", SMALL)])
def test_a_lively_session(make, look, name, size, tongue):
    window = make(look, size, tongue)
    for event in script.demo():
        window.handle(event)
    for event in script.interruption():
        window.handle(event)
    path = shoot(window, f"session-{look}-{name}{'-' + tongue if tongue else ''}")
    assert path.stat().st_size > 20_000
    assert clipped(window) == []
    assert window.size() == size


@pytest.mark.parametrize("look", ["light", "dark"])
def test_the_empty_window(make, look):
    window = make(look, LARGE)
    window.handle(script.PortsAre((script.VIRTUAL,)))
    shoot(window, f"empty-{look}")
    assert clipped(window) == []


@pytest.mark.parametrize("tongue", ["", "zh"])
def test_while_installing(make, tongue):
    window = make("light" if not tongue else "dark", LARGE, tongue)
    for event in script.arrival():
        window.handle(event)
    for event in script.flashing("parley", 0.4):
        window.handle(event)
    shoot(window, f"installing{'-' + tongue if tongue else ''}")
    assert clipped(window) == []


@pytest.mark.parametrize("look", ["light", "dark"])
def test_when_things_go_wrong(make, look):
    window = make(look, SMALL)
    for event in script.demo():
        window.handle(event)
    for event in script.troubles():
        window.handle(event)
    window.feed.flush()
    window.messages.show_fault(
        Fault(
            "Another program is using this board.",
            "Close its serial monitor, then try again.",
            "SerialException(16, 'Device or resource busy: /dev/ttyUSB0')",
        )
    )
    window.messages._messages[0].details.click()
    shoot(window, f"troubles-{look}")
    assert clipped(window) == []


def test_the_report(make):
    window = make("light", LARGE)
    try:
        raise RuntimeError("the answer had no sdp")
    except RuntimeError as error:
        window.show_report(error, "Starting the conversation")
    assert window._report is not None
    window._report.adjustSize()
    QApplication.processEvents()
    assert window._report.grab().save(str(SHOTS / "report.png"))
    window._report.close()


def test_the_list_of_steps_over_a_conversation(make):
    window = make("dark", SMALL)
    for event in script.demo():
        window.handle(event)
    window.feed.flush()
    window.chat.strip.click()
    shoot(window, "steps-dark")


@pytest.mark.parametrize(("look", "tongue"), [("light", ""), ("dark", "zh")])
def test_reading_closely(make, look, tongue):
    """Times, a search and captions over a lively session."""
    window = make(look, SMALL, tongue)
    for event in script.demo():
        window.handle(event)
    for event in script.interruption():
        window.handle(event)
    window.handle(LevelIs(Source.BOARD, 90.0, -24.0, -7.0, -52.0))
    window.feed.flush()
    window.chat.times.click()
    window.console.times.trigger()
    window.console.wraps.trigger()
    window.chat.search.open()
    window.chat.search.line.setText("light" if not tongue else "l")
    QTest.keyClick(window.chat.search.line, Qt.Key.Key_Return)
    shoot(window, f"reading-{look}{'-' + tongue if tongue else ''}")
    assert clipped(window) == []
    window.chat.search.close()
    window.chat.captions.click()
    captions = window.chat.captions.window_of_words
    assert captions is not None
    QApplication.processEvents()
    assert captions.grab().save(str(SHOTS / f"captions-{look}.png"))
