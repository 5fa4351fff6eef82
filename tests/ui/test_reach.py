"""Keyboard, screen reader and language: every control, walked through in the real widget tree."""

from __future__ import annotations

import ast
import json
import re
import string
from pathlib import Path

import ui_script as script
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QApplication,
    QComboBox,
    QLineEdit,
    QScrollArea,
    QScrollBar,
    QWidget,
)

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "resources" / "language" / "zh_CN.json"
CONTROLS = (QAbstractButton, QLineEdit, QComboBox, QAbstractSlider, QAbstractScrollArea)


def controls(window: QWidget) -> list[QWidget]:
    """What a user can do something with."""
    found = []
    for widget in window.findChildren(QWidget):
        if not isinstance(widget, CONTROLS) or isinstance(widget, QScrollBar | QScrollArea):
            continue
        if not widget.isVisible() or not widget.isEnabled():
            continue
        if isinstance(widget.parent(), QComboBox | QAbstractItemView | QLineEdit):
            continue
        if widget.metaObject().className().startswith(("QHeaderView", "QTableCornerButton")):
            continue
        found.append(widget)
    return found


def test_every_control_has_a_name_for_the_screen_reader(window):
    for event in script.demo():
        window.handle(event)
    window.feed.flush()
    nameless = [
        type(widget).__name__
        for widget in controls(window)
        if not widget.accessibleName()
        and not (isinstance(widget, QAbstractButton) and widget.text())
    ]
    assert nameless == []


def test_every_control_is_reached_with_tab(window, qtbot):
    for event in script.demo():
        window.handle(event)
    window.feed.flush()
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window, 3000)
    wanted = {
        widget for widget in controls(window) if widget.focusPolicy() != Qt.FocusPolicy.NoFocus
    }
    window.bar.ports.setFocus()
    order: list[QWidget] = []
    for _ in range(len(wanted) * 2 + 20):
        here = QApplication.focusWidget()
        assert here is not None
        if order and here is order[0]:
            break
        order.append(here)
        QTest.keyClick(here, Qt.Key.Key_Tab)
    missed = [widget.accessibleName() or type(widget).__name__ for widget in wanted - set(order)]
    assert missed == []
    names = [widget.accessibleName() for widget in order]
    # From the top to the bottom, panel by panel.
    places = [
        names.index("Port of the board"),
        names.index("Stop"),
        names.index("Conversation"),
        names.index("Type to the assistant"),
        names.index("Console of the board"),
        names.index("Volume"),
        names.index("Length of time shown"),
        names.index("Tasks"),
    ]
    assert places == sorted(places), names


def test_tool_tips_name_shortcuts_that_work(window):
    assert window.bar.install.toolTip().endswith("(Ctrl+I)")
    assert window.bar.talk.toolTip().endswith("(Ctrl+Return)")


# ---- language


def texts() -> dict[str, str]:
    """Every English text of the program → the file it stands in."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tr":
                text = node.args[0]
                if isinstance(text, ast.Constant):
                    found[str(text.value)] = str(path.relative_to(ROOT))
    return found


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_chinese_catalogue_is_complete():
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    missing = {text: place for text, place in texts().items() if text not in catalogue}
    assert missing == {}


def test_translations_keep_their_values_and_mnemonics():
    catalogue: dict[str, str] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    wrong = [text for text, other in catalogue.items() if fields(text) != fields(other)]
    assert wrong == []
    for text, other in catalogue.items():
        letter = re.search(r"&(\w)", text)
        assert (letter is None) == ("&" not in other), text
        if letter:
            assert f"(&{letter.group(1).upper()})" in other


def test_sentences_are_whole_and_friendly():
    """Rules for what a user reads: no exclamation marks, no words for the layers."""
    for text, place in texts().items():
        assert "!" not in text, place
        assert not re.search(r"\b(exception|traceback|null|stderr)\b", text, re.I), (text, place)
