"""The console under keyboard, mouse and clipboard: find, select, copy."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, QTimer, Slot
from PySide6.QtGui import (
    QAction,
    QContextMenuEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
)
from PySide6.QtWidgets import QMenu

from app.core.console import ConsoleView
from app.core.language import tr
from app.ui.ansi import plain
from app.ui.console_scroll import ConsoleScroll, Place


class ConsoleLines(ConsoleScroll):
    """Shows the rows of a `ConsoleView` and lets one find and copy them."""

    def __init__(self, rows: ConsoleView) -> None:
        super().__init__(rows)
        self._mouse = QPoint()
        self._creeping = QTimer(self)
        self._creeping.setInterval(50)
        self._creeping.timeout.connect(self._creep)
        for text, slot in ((tr("Copy"), self.copy), (tr("Select all"), self.select_all)):
            action = QAction(text, self)
            action.triggered.connect(slot)
            self.addAction(action)

    # ---- finding

    def find_text(self, text: str, *, backwards: bool) -> bool:
        """Go to the next row with `text` in it, from the last found or the visible ones; wraps."""
        count = len(self._rows)
        if not count or not text:
            self._found = None
            self.viewport().update()
            return False
        wanted = text.casefold()
        step = -1 if backwards else 1
        here = self._row_of(self._found)
        start = self.verticalScrollBar().value() - step if here is None else here
        for distance in range(1, count + 1):
            row = (start + step * distance) % count
            if wanted in self._rows[row].plain.casefold():
                self._show_found(row)
                return True
        self._found = None
        self.viewport().update()
        return False

    def _show_found(self, row: int) -> None:
        self._found = self._rows.index_of(row)
        bar = self.verticalScrollBar()
        if not bar.value() <= row < bar.value() + bar.pageStep():
            bar.setValue(max(0, row - bar.pageStep() // 2))
        self.viewport().update()

    def _row_of(self, index: int | None) -> int | None:
        """The row that shows the console's entry `index`, by halves."""
        if index is None:
            return None
        low, high = 0, len(self._rows)
        while low < high:
            middle = (low + high) // 2
            if self._rows.index_of(middle) < index:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self._rows) and self._rows.index_of(low) == index else None

    # ---- selection

    def selected_text(self) -> str:
        """The selected text without colours; empty when nothing is selected."""
        selected = self._selection()
        if selected is None:
            return ""
        (low, start), (high, end) = selected
        lines = []
        for row in range(len(self._rows)):
            index = self._rows.index_of(row)
            if low <= index <= high:
                text = plain(self._rows[row].text)
                lines.append(
                    text[start if index == low else 0 : end if index == high else len(text)]
                )
        return "\n".join(lines)

    @Slot()
    def copy(self) -> None:
        text = self.selected_text()
        if text:
            QGuiApplication.clipboard().setText(text)

    @Slot()
    def select_all(self) -> None:
        if len(self._rows):
            last = len(self._rows) - 1
            self._anchor = (self._rows.index_of(0), 0)
            self._caret = (self._rows.index_of(last), len(plain(self._rows[last].text)))
            self.viewport().update()

    def _place(self, at: QPoint) -> Place | None:
        pieces = self.pieces()
        if not pieces:
            return None
        number = (at.y() - pieces[0].y) // self._line
        piece = pieces[max(0, min(len(pieces) - 1, number))]
        text = plain(self._rows[piece.row].text)[piece.start : piece.end]
        x = at.x() - self._text_left + self.horizontalScrollBar().value()
        if text.isascii():
            column = max(0, min(len(text), round(x / self._character)))
        else:
            column = 0
            while column < len(text) and self._length(text[: column + 1]) <= x:
                column += 1
        return self._rows.index_of(piece.row), piece.start + column

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._anchor = self._caret = self._place(event.position().toPoint())
            self.viewport().update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton and self._anchor is not None:
            self._mouse = event.position().toPoint()
            self._caret = self._place(self._mouse)
            if not self.viewport().rect().contains(self._mouse) and not self._creeping.isActive():
                self._creeping.start()
            self.viewport().update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._creeping.stop()

    @Slot()
    def _creep(self) -> None:
        """The mouse is held beyond an edge: scroll towards it and go on selecting."""
        below = self._mouse.y() - self.viewport().height()
        beyond = below if below > 0 else min(0, self._mouse.y())
        if not beyond:
            self._creeping.stop()
            return
        bar = self.verticalScrollBar()
        bar.setValue(bar.value() + (1 + abs(beyond) // 20) * (1 if beyond > 0 else -1))
        self._caret = self._place(self._mouse)
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
            return
        if event.matches(QKeySequence.StandardKey.SelectAll):
            self.select_all()
            return
        bar = self.verticalScrollBar()
        step = {
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_PageUp: -bar.pageStep(),
            Qt.Key.Key_PageDown: bar.pageStep(),
            Qt.Key.Key_Home: -bar.maximum(),
            Qt.Key.Key_End: bar.maximum(),
        }.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            bar.setValue(bar.value() + step)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.addActions(self.actions())
        menu.exec(event.globalPos())
        menu.deleteLater()
