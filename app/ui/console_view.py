"""The board's output, painted line by line from the ring: only what is visible costs anything.

A text widget lays out every line that arrives and stalls for seconds in a flood; here an arriving
line costs an append, and 30 times a second the visible rows are painted.
"""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPoint, QRect, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QAction,
    QColor,
    QContextMenuEvent,
    QFontMetricsF,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QMenu

from app.core.console import ConsoleView, Entry, EntryKind, Wanted
from app.core.events import Severity
from app.core.language import tr
from app.ui import style
from app.ui.ansi import plain, spans

_LEFT = 12
_TOP = 4

_spans = lru_cache(maxsize=2048)(spans)
_plain = lru_cache(maxsize=2048)(plain)

Place = tuple[int, int]
"""The console's index of an entry, and a character of its text."""


class ConsoleLines(QAbstractScrollArea):
    """Shows the rows of a `ConsoleView`. It follows the newest line until the user scrolls up, and
    again when they return to the end.

    Signals:
        following_changed(bool): whether new lines stay in sight.
    """

    following_changed = Signal(bool)

    def __init__(self, rows: ConsoleView) -> None:
        super().__init__()
        self._rows = rows
        self._following = True
        self._anchor: Place | None = None
        self._caret: Place | None = None
        self._found: int | None = None
        self._widest = 0.0
        self._mouse = QPoint()
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr("Console of the board"))
        self.viewport().setCursor(Qt.CursorShape.IBeamCursor)
        self.setFont(style.fixed_font())
        self._bold = style.fixed_font()
        self._bold.setBold(True)
        metrics = QFontMetricsF(self.font())
        self._metrics = metrics
        self._line = max(1, round(metrics.height() + 2))
        self._ascent = metrics.ascent() + 1
        self._character = metrics.horizontalAdvance("M")
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        self._creeping = QTimer(self)
        self._creeping.setInterval(50)
        self._creeping.timeout.connect(self._creep)
        for text, slot in ((tr("Copy"), self.copy), (tr("Select all"), self.select_all)):
            action = QAction(text, self)
            action.triggered.connect(slot)
            self.addAction(action)

    # ---- what is shown

    @property
    def following(self) -> bool:
        return self._following

    def catch_up(self) -> None:
        """Take what came since the last call, let go of what left the ring. Once per batch."""
        gone = self._rows.stale()
        if gone:
            self._rows.forget(gone)
        fresh = self._rows.fresh()
        self._rows.take(fresh)
        if gone or fresh:
            self._fit(gone)
            self.viewport().update()

    def choose(self, wanted: Wanted) -> None:
        """Show other rows of the same console."""
        self._rows.choose(wanted)
        self._anchor = self._caret = None
        self._fit(0)
        self.follow()

    def forget_all(self) -> None:
        """The console was cleared."""
        self._anchor = self._caret = self._found = None
        self._widest = 0.0
        self.catch_up()
        self._fit(0)
        self.follow()

    def follow(self) -> None:
        """Back to the newest line."""
        self._set_following(on=True)
        bar = self.verticalScrollBar()
        bar.setValue(bar.maximum())
        self.viewport().update()

    def _fit(self, gone: int) -> None:
        """Set the scroll bars' ranges after `gone` rows left in front."""
        page = max(1, (self.viewport().height() - _TOP) // self._line)
        bar = self.verticalScrollBar()
        bar.blockSignals(True)
        value = bar.value()
        bar.setPageStep(page)
        bar.setRange(0, max(0, len(self._rows) - page))
        # Rows leave at the front of a full ring: what is being read must not run away.
        bar.setValue(bar.maximum() if self._following else max(0, value - gone))
        bar.blockSignals(False)
        wide = self.horizontalScrollBar()
        wide.setRange(0, max(0, round(self._widest + 2 * _LEFT - self.viewport().width())))
        wide.setPageStep(self.viewport().width())
        wide.setSingleStep(round(self._character * 4))

    @Slot(int)
    def _scrolled(self, value: int) -> None:
        self._set_following(on=value >= self.verticalScrollBar().maximum())
        self.viewport().update()

    def _set_following(self, *, on: bool) -> None:
        if on != self._following:
            self._following = on
            self.following_changed.emit(on)

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

    # ---- painting

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit(0)

    def visible_texts(self) -> list[str]:
        """The lines in sight, from the top."""
        first = self.verticalScrollBar().value()
        last = min(len(self._rows), first + self.verticalScrollBar().pageStep())
        return [_plain(self._rows[row].text) for row in range(first, last)]

    def paintEvent(self, event: QPaintEvent) -> None:
        look = style.theme()
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), QColor(look.console))
        painter.setFont(self.font())
        first = self.verticalScrollBar().value()
        left = _LEFT - self.horizontalScrollBar().value()
        selected = self._selection()
        widest = self._widest
        for place in range(self.viewport().height() // self._line + 1):
            row = first + place
            if row >= len(self._rows):
                break
            index, entry = self._rows.index_of(row), self._rows[row]
            y = _TOP + place * self._line
            if index == self._found:
                box = QRect(0, y, self.viewport().width(), self._line)
                painter.fillRect(box, QColor(look.warning_soft))
            if selected is not None and selected[0][0] <= index <= selected[1][0]:
                self._paint_selection(painter, selected, index, entry, left, y)
            widest = max(widest, self._paint_entry(painter, entry, left, y))
        painter.end()
        if widest > self._widest:
            self._widest = widest
            QTimer.singleShot(0, self, lambda: self._fit(0))

    def _paint_entry(self, painter: QPainter, entry: Entry, left: float, y: int) -> float:
        look = style.theme()
        baseline = round(y + self._ascent)
        own = {
            EntryKind.LOG: look.console_text,
            EntryKind.SENT: look.accent,
            EntryKind.NOTE: look.muted,
            EntryKind.LOST: look.warning,
            EntryKind.GARBLED: look.muted,
        }[entry.kind]
        if entry.kind is EntryKind.LOG and entry.severity is not None:
            own = {
                Severity.ERROR: look.bad,
                Severity.WARNING: look.warning,
                Severity.INFO: look.console_text,
            }.get(entry.severity, look.muted)
        if entry.kind is not EntryKind.LOG:
            self._paint_sign(painter, entry.kind, QColor(own), left, y)
        x = left
        for span in _spans(entry.text):
            painter.setPen(QColor(own if span.colour is None else look.ansi[span.colour]))
            if span.bold:
                painter.setFont(self._bold)
            painter.drawText(QPoint(round(x), baseline), span.text)
            if span.bold:
                painter.setFont(self.font())
            x += self._length(span.text)
        return x - left

    def _paint_sign(
        self, painter: QPainter, kind: EntryKind, front: QColor, left: float, y: int
    ) -> None:
        """A bar at the edge says: this is not what the board printed."""
        width = 3 if kind in (EntryKind.LOST, EntryKind.SENT) else 2
        painter.fillRect(QRect(round(left) - 8, y + 2, width, self._line - 4), front)

    def _length(self, text: str) -> float:
        if text.isascii():
            return len(text) * self._character
        return self._metrics.horizontalAdvance(text)

    def _paint_selection(
        self,
        painter: QPainter,
        selected: tuple[Place, Place],
        index: int,
        entry: Entry,
        left: float,
        y: int,
    ) -> None:
        (low, start), (high, end) = selected
        text = _plain(entry.text)
        begin = self._length(text[:start]) if index == low else 0.0
        finish = self._length(text[:end]) if index == high else self._length(text) + 6
        box = QRect(round(left + begin), y, max(1, round(finish - begin)), self._line)
        painter.fillRect(box, style.colour(style.theme().accent, 70))

    # ---- selection

    def _selection(self) -> tuple[Place, Place] | None:
        if self._anchor is None or self._caret is None or self._anchor == self._caret:
            return None
        return min(self._anchor, self._caret), max(self._anchor, self._caret)

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
                text = _plain(self._rows[row].text)
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
            self._caret = (self._rows.index_of(last), len(_plain(self._rows[last].text)))
            self.viewport().update()

    def _place(self, at: QPoint) -> Place | None:
        if not len(self._rows):
            return None
        row = self.verticalScrollBar().value() + (at.y() - _TOP) // self._line
        row = max(0, min(len(self._rows) - 1, row))
        text = _plain(self._rows[row].text)
        x = at.x() - _LEFT + self.horizontalScrollBar().value()
        if text.isascii():
            column = max(0, min(len(text), round(x / self._character)))
        else:
            column = 0
            while column < len(text) and self._length(text[: column + 1]) <= x:
                column += 1
        return self._rows.index_of(row), column

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
