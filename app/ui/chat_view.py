"""The conversation under keyboard, mouse and clipboard: choose a row, select in it, search."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import replace

from PySide6.QtCore import QPointF, Qt, Slot
from PySide6.QtGui import (
    QAction,
    QContextMenuEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
)
from PySide6.QtWidgets import QMenu

from app.core import export
from app.core.language import tr
from app.core.transcript import Bubble, Divider, ToolRow, Transcript
from app.ui.chat_scroll import ChatScroll, Selected

_WORD = re.compile(r"\w+|\W")


class ChatView(ChatScroll):
    """Shows a transcript and lets one read, search and copy it."""

    def __init__(self, transcript: Transcript) -> None:
        super().__init__(transcript)
        self.viewport().setCursor(Qt.CursorShape.IBeamCursor)
        self._copy_row = QAction(tr("Copy"), self)
        self._copy_row.triggered.connect(self.copy_row)
        self._copy_all = QAction(tr("Copy the whole conversation"), self)
        self._copy_all.triggered.connect(self.copy_all)
        self.addActions([self._copy_row, self._copy_all])

    # ---- one row at a time: for the keyboard, the screen reader and the clipboard

    def text_of(self, row: int) -> str:
        """A row as one would read it aloud."""
        match self._transcript[row]:
            case Bubble() as bubble:
                return bubble.text
            case ToolRow() as tool:
                return f"{tool.name} {tool.arguments} → {tool.output}"
            case Divider() as divider:
                return divider.text

    def _choose(self, row: int) -> None:
        self._selected = None
        self._current = max(0, min(len(self._heights) - 1, row))
        self.setAccessibleDescription(self.text_of(self._current))
        if self._current not in self.rows_in_sight()[1:-1]:
            self._set_following(on=self._current == len(self._heights) - 1)
            self._anchor, self._below = self._current, 0.0
            self._walk(-self.viewport().height() / 3)
        self._settle()

    # ---- a part of what was said

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        self._current = self._row_at(at)
        if event.button() == Qt.MouseButton.LeftButton:
            place = self._character_at(self._current, event.position())
            row = self._current
            self._selected = None if row is None or place is None else Selected(row, place, place)
        self.viewport().update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        selected = self._selected
        if not event.buttons() & Qt.MouseButton.LeftButton or selected is None:
            return
        place = self._character_at(selected.row, event.position())
        if place is not None:
            self._selected = replace(selected, caret=place)
            self.viewport().update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """The word under the mouse."""
        row = self._row_at(event.position().toPoint())
        place = self._character_at(row, event.position())
        if row is None or place is None:
            return
        text = self.text_of(row)
        words = [word.span() for word in _WORD.finditer(text) if word.end() > place]
        if words:
            self._selected = Selected(row, *words[0])
            self.viewport().update()

    def _character_at(self, row: int | None, at: QPointF) -> int | None:
        """The character of the row's text nearest to a point of the viewport."""
        for each, y in self._tops():
            if each == row:
                laid = self._laid[each]
                return laid.character_at(at, y, self._width()) if laid is not None else None
        return None

    def selected_text(self) -> str:
        """The selected part of a bubble; empty when nothing is selected."""
        if self._selected is None:
            return ""
        start, end = self._selected.part
        return self.text_of(self._selected.row)[start:end]

    # ---- searching

    def search_for(self, text: str) -> int:
        """Mark `text` wherever it is said from now on; how many rows say it. Empty: nothing."""
        self._pattern = re.compile(re.escape(text), re.IGNORECASE) if text else None
        self.viewport().update()
        return len(self._matches())

    def _matches(self) -> list[int]:
        pattern = self._pattern
        if pattern is None:
            return []
        return [row for row in range(len(self._heights)) if pattern.search(self.text_of(row))]

    def go_to_match(self, *, backwards: bool) -> tuple[int, int]:
        """Go to the next row that says it, from the chosen one or the end; its number, and all."""
        rows = self._matches()
        if not rows:
            return 0, 0
        here = self._current
        if backwards:
            place = bisect_left(rows, len(self._heights) if here is None else here) - 1
        else:
            place = bisect_right(rows, -1 if here is None else here) % len(rows)
        self._choose(rows[place])
        return place % len(rows) + 1, len(rows)

    # ---- keyboard and clipboard

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_row()
            return
        bar = self.verticalScrollBar()
        here = len(self._heights) if self._current is None else self._current
        match event.key():
            case Qt.Key.Key_Up if self._heights:
                self._choose(here - 1)
            case Qt.Key.Key_Down if self._heights:
                self._choose(here + 1)
            case Qt.Key.Key_Home:
                bar.setValue(0)
            case Qt.Key.Key_End:
                self.follow()
            case Qt.Key.Key_PageUp:
                bar.setValue(bar.value() - bar.pageStep())
            case Qt.Key.Key_PageDown:
                bar.setValue(bar.value() + bar.pageStep())
            case _:
                super().keyPressEvent(event)

    @Slot()
    def copy_row(self) -> None:
        """What is selected in a bubble, or all of the chosen row."""
        if text := self.selected_text():
            QGuiApplication.clipboard().setText(text)
        elif self._current is not None and self._current < len(self._heights):
            QGuiApplication.clipboard().setText(self.text_of(self._current))

    @Slot()
    def copy_all(self) -> None:
        QGuiApplication.clipboard().setText(export.text(self._transcript.rows))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self._current = self._row_at(event.pos())
        if self._selected is not None and self._selected.row != self._current:
            self._selected = None
        self._copy_row.setEnabled(self._current is not None)
        self._copy_all.setEnabled(bool(self._heights))
        menu = QMenu(self)
        menu.addActions(self.actions())
        menu.exec(event.globalPos())
        menu.deleteLater()
        self._copy_row.setEnabled(True)
