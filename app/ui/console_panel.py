"""The console with its tools: filter, find, clear, follow, and a command line with a memory."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from app.core.console import Console, ConsoleView, Wanted
from app.core.events import (
    ConsoleLine,
    LinkClosed,
    LinkOpened,
    RecordsLost,
    RecordUnknown,
    Severity,
    WireGarbled,
)
from app.core.language import tr
from app.ui.console_view import ConsoleLines
from app.ui.controls import Card, Chooser, IconButton, label, tip

MOST_REMEMBERED = 200
_SETTLE_MS = 180
CONSOLE_EVENTS = (
    ConsoleLine,
    WireGarbled,
    RecordsLost,
    RecordUnknown,
    LinkOpened,
    LinkClosed,
)


class SearchLine(QLineEdit):
    """Enter finds the next, Shift+Enter the one before, Esc puts the search away."""

    asked = Signal(bool)
    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self.asked.emit(bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
            case Qt.Key.Key_Escape:
                self.left.emit()
            case _:
                super().keyPressEvent(event)


class CommandLine(QLineEdit):
    """A line that remembers what was entered; Up and Down walk through it."""

    entered = Signal(str)

    def __init__(self, hint: str) -> None:
        super().__init__()
        self.setPlaceholderText(hint)
        self.setAccessibleName(hint)
        self._before: list[str] = []
        self._place = 0
        self.returnPressed.connect(self._enter)

    @Slot()
    def _enter(self) -> None:
        line = self.text().strip()
        if not line:
            return
        # A line with a secret in it is sent and forgotten.
        if line.split()[0] not in ("token", "wifi", "set"):
            self._before = [*(old for old in self._before if old != line), line]
            del self._before[:-MOST_REMEMBERED]
        self._place = len(self._before)
        self.clear()
        self.entered.emit(line)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        self._place = max(0, min(len(self._before), self._place + step))
        self.setText(self._before[self._place] if self._place < len(self._before) else "")


class ConsolePanel(Card):
    """Signals: line_entered(str), a command for the board as the user typed it."""

    line_entered = Signal(str)

    def __init__(self) -> None:
        super().__init__(tr("Console"))
        self.console = Console()
        self.lines = ConsoleLines(ConsoleView(self.console))
        self._dirty = False
        self.level = Chooser()
        self.level.setProperty("role", "small")
        self.level.setAccessibleName(tr("Least severity shown"))
        self.level.setToolTip(tr("Least severity shown"))
        for name, severity in (
            (tr("All lines"), None),
            (tr("Errors"), Severity.ERROR),
            (tr("Warnings"), Severity.WARNING),
            (tr("Info"), Severity.INFO),
            (tr("Debug"), Severity.DEBUG),
        ):
            self.level.addItem(name, severity)
        self.filter = QLineEdit()
        _dress(self.filter, tr("Filter"), tr("Show only lines with this text"), "Ctrl+L")
        self.search = SearchLine()
        _dress(self.search, tr("Find"), tr("Find a text in the console"), "Ctrl+F")
        self.search.hide()
        self.finding = IconButton("search", tr("Find"), "Ctrl+F", toggles=True)
        self.upwards = IconButton("up", tr("Find previous"), "Shift+Enter")
        self.downwards = IconButton("down", tr("Find next"), "Enter")
        self.found = label(role="muted")
        for hidden in (self.upwards, self.downwards, self.found):
            hidden.hide()
        self.lost = label(role="muted")
        self.lost.hide()
        self.copying = IconButton("copy", tr("Copy selected lines"), "Ctrl+C")
        self.clearing = IconButton("clear", tr("Clear the console"), "Ctrl+K")
        self.following = IconButton("follow", tr("Follow new lines"), "End", toggles=True)
        self.following.setChecked(True)
        self.command = CommandLine(tr("Command for the board, for example: help"))
        self.command.setProperty("role", "small")
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLE_MS)
        self._arrange()
        self._connect()

    def _arrange(self) -> None:
        self.body.setContentsMargins(14, 8, 10, 8)
        self.body.setSpacing(6)
        self.head.addWidget(self.lost)
        self.head.addStretch(1)
        for widget in (
            *(self.finding, self.search, self.found, self.upwards, self.downwards),
            *(self.filter, self.level, self.copying, self.clearing, self.following),
        ):
            self.head.addWidget(widget)
        self.body.addWidget(self.lines, 1)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 4, 0)
        line.addWidget(self.command)
        self.body.addLayout(line)
        order: list[QWidget] = [self.finding, self.search, self.upwards, self.downwards]
        order += [self.filter, self.level, self.copying, self.clearing, self.following]
        order += [self.lines, self.command]
        for before, after in pairwise(order):
            QWidget.setTabOrder(before, after)

    def _connect(self) -> None:
        self.filter.textChanged.connect(self._settled.start)
        self.level.activated.connect(self._choose)
        self._settled.timeout.connect(self._choose)
        self.finding.toggled.connect(self._show_search)
        self.search.asked.connect(self._find)
        self.search.left.connect(self.close_search)
        self.downwards.clicked.connect(lambda: self._find(False))
        self.upwards.clicked.connect(lambda: self._find(True))
        self.copying.clicked.connect(self.lines.copy)
        self.clearing.clicked.connect(self.clear)
        self.following.clicked.connect(self._follow)
        self.lines.following_changed.connect(self.following.setChecked)
        self.command.entered.connect(self.line_entered)
        for keys, slot in (
            ("Ctrl+F", self.open_search),
            ("Ctrl+L", self.filter.setFocus),
            ("Ctrl+K", self.clear),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(slot)

    # ---- what the window tells

    def take(self, event: object) -> None:
        """A console event; it is painted at the end of the batch."""
        self._dirty |= self.console.apply(event)  # type: ignore[arg-type]

    @Slot()
    def catch_up(self) -> None:
        """The batch is complete."""
        if self._dirty:
            self._dirty = False
            self.lines.catch_up()
            self._tell_losses()

    def sent(self, line: str, at: float) -> None:
        """A command went out; secrets are hidden already."""
        self.console.sent(line, at)
        self.lines.catch_up()

    def _tell_losses(self) -> None:
        told = []
        if self.console.lost_records:
            told.append(tr("{count} lost", count=self.console.lost_records))
        if self.console.garbled:
            told.append(tr("{count} garbled", count=self.console.garbled))
        self.lost.setText(" · ".join(told))
        self.lost.setVisible(bool(told))

    # ---- what the user does

    @Slot()
    def _choose(self) -> None:
        wanted = Wanted(severity=self.level.currentData(), text=self.filter.text())
        self.lines.choose(wanted)

    @Slot()
    def _follow(self) -> None:
        self.lines.follow()
        self.following.setChecked(True)

    @Slot()
    def clear(self) -> None:
        self.console.clear()
        self.lines.forget_all()

    @Slot()
    def open_search(self) -> None:
        self.finding.setChecked(True)
        self.search.setFocus()
        self.search.selectAll()

    @Slot()
    def close_search(self) -> None:
        self.finding.setChecked(False)
        self.lines.setFocus()

    @Slot(bool)
    def _show_search(self, on: bool) -> None:
        for widget in (self.search, self.found, self.upwards, self.downwards):
            widget.setVisible(on)
        if on:
            self.search.setFocus()
        else:
            self.lines.find_text("", backwards=False)

    @Slot(bool)
    def _find(self, backwards: bool) -> None:
        found = self.lines.find_text(self.search.text(), backwards=backwards)
        self.found.setText("" if found or not self.search.text() else tr("Not found"))


def _dress(line: QLineEdit, hint: str, about: str, shortcut: str) -> None:
    line.setProperty("role", "small")
    line.setPlaceholderText(hint)
    line.setAccessibleName(about)
    line.setToolTip(tip(about, shortcut))
    line.setMaximumWidth(150)
