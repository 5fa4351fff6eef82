"""A search: its line, how many were found, and steps back and forth; hidden until asked for."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from app.core.language import tr
from app.ui.controls import IconButton, label, tip

_SETTLE_MS = 180


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


class Search(QObject):
    """The widgets of a search; a panel puts them in a row.

    Signals:
        stepped(text, backwards): go to the next match.
        typed(text): the text is another now; empty when the search was closed.
        closed: the user put it away.
    """

    stepped = Signal(str, bool)
    typed = Signal(str)
    closed = Signal()

    def __init__(self, about: str) -> None:
        super().__init__()
        self.opener = IconButton("search", tr("Find"), "Ctrl+F", toggles=True)
        self.line = SearchLine()
        dress(self.line, tr("Find"), about, "Ctrl+F")
        self.found = label(role="muted")
        self.upwards = IconButton("up", tr("Find previous"), "Shift+Enter")
        self.downwards = IconButton("down", tr("Find next"), "Enter")
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLE_MS)
        self._settled.timeout.connect(self._tell)
        for hidden in self._hidden:
            hidden.hide()
        self.opener.toggled.connect(self._show)
        self.line.textChanged.connect(self._settled.start)
        self.line.asked.connect(self._step)
        self.line.left.connect(self.close)
        self.downwards.clicked.connect(lambda: self._step(False))
        self.upwards.clicked.connect(lambda: self._step(True))

    @property
    def _hidden(self) -> tuple[QWidget, ...]:
        return self.line, self.found, self.upwards, self.downwards

    @property
    def widgets(self) -> tuple[QWidget, ...]:
        """In the order they stand in."""
        return self.opener, *self._hidden

    @property
    def is_open(self) -> bool:
        return self.opener.isChecked()

    def open(self) -> None:
        self.opener.setChecked(True)
        self.line.setFocus()
        self.line.selectAll()

    @Slot()
    def close(self) -> None:
        self.opener.setChecked(False)
        self.closed.emit()

    def show_found(self, number: int, count: int) -> None:
        """Which match of how many is shown; 0: none of them yet."""
        if not self.line.text():
            self.found.setText("")
        elif not count:
            self.found.setText(tr("Not found"))
        elif number:
            self.found.setText(tr("{number} of {count}", number=number, count=count))
        else:
            self.found.setText(tr("{count} found", count=count))

    @Slot(bool)
    def _show(self, on: bool) -> None:
        for widget in self._hidden:
            widget.setVisible(on)
        if on:
            self.line.setFocus()
        self._tell()

    @Slot()
    def _tell(self) -> None:
        self._settled.stop()
        self.typed.emit(self.line.text() if self.is_open else "")

    @Slot(bool)
    def _step(self, backwards: bool) -> None:
        if self._settled.isActive():
            self._tell()
        self.stepped.emit(self.line.text(), backwards)


def dress(line: QLineEdit, hint: str, about: str, shortcut: str = "") -> None:
    """A small line with a hint inside, named for the screen reader."""
    line.setProperty("role", "small")
    line.setPlaceholderText(hint)
    line.setAccessibleName(about)
    line.setToolTip(tip(about, shortcut))
    line.setMaximumWidth(150)
