"""The board's output, painted line by line from the ring: only what is visible costs anything.

A text widget lays out every line that arrives and stalls for seconds in a flood; here an arriving
line costs an append, and 30 times a second the visible rows are painted. With wrapping the scroll
bar still counts rows; how many lines a row takes is found out for the visible ones only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import east_asian_width

from PySide6.QtCore import QPoint, QRect, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea

from app.core.console import ConsoleView, Entry, EntryKind, Wanted
from app.core.events import Severity
from app.core.language import tr
from app.ui import style
from app.ui.ansi import plain, spans

_LEFT = 12
_TOP = 4

_spans = lru_cache(maxsize=2048)(spans)
_plain = lru_cache(maxsize=2048)(plain)

LOOK_AT_ONCE = 25_000
"""Entries looked at by a filter before the window gets its turn again: about 25 ms."""
Place = tuple[int, int]
"""The console's index of an entry, and a character of its text."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A row's characters `start` to `end`, painted at `y`; all of it where nothing is wrapped."""

    row: int
    start: int
    end: int
    y: int


@lru_cache(maxsize=4096)
def _wrapped(text: str, cells: int) -> tuple[tuple[int, int], ...]:
    """A text cut into parts that fit `cells` characters; wide ones take two."""
    if len(text) <= cells and text.isascii():
        return ((0, len(text)),)
    parts, start, used = [], 0, 0
    for place, character in enumerate(text):
        width = 2 if east_asian_width(character) in "WF" else 1
        if used + width > cells and place > start:
            parts.append((start, place))
            start, used = place, 0
        used += width
    parts.append((start, len(text)))
    return tuple(parts)


class ConsoleScroll(QAbstractScrollArea):
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
        self._wraps = False
        self._time_of: Callable[[float], str] | None = None
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
        self._filling = QTimer(self)
        self._filling.setSingleShot(True)
        self._filling.timeout.connect(self.catch_up)

    # ---- what is shown

    @property
    def following(self) -> bool:
        return self._following

    def catch_up(self) -> None:
        """Take what came since the last call, let go of what left the ring. Once per batch."""
        gone = self._rows.stale()
        if gone:
            self._rows.forget(gone)
        fresh = self._rows.fresh(LOOK_AT_ONCE)
        self._rows.take(fresh)
        if gone or fresh:
            self._fit(gone)
            self.viewport().update()
        if self._rows.unseen:
            self._filling.start()

    @property
    def held_back(self) -> int:
        """Entries that came while it was held."""
        return self._rows.held

    def hold(self, on: bool) -> None:
        """Show nothing new; what comes waits in the ring."""
        self._rows.hold(on=on)
        self.catch_up()

    def wrap(self, on: bool) -> None:
        """Long lines go on in the next instead of beyond the edge."""
        self._wraps = on
        self._widest = 0.0
        self.horizontalScrollBar().setValue(0)
        self._fit(0)
        self.viewport().update()

    def show_times(self, time_of: Callable[[float], str] | None) -> None:
        """Say in front of each line when it arrived, as `time_of` writes it; None: do not."""
        self._time_of = time_of
        self._widest = 0.0
        self._fit(0)
        self.viewport().update()

    @property
    def _text_left(self) -> float:
        """Where texts begin while nothing is scrolled sideways."""
        return _LEFT + (self._length(self._time_of(0.0)) + 10 if self._time_of else 0.0)

    def _cells(self) -> int:
        room = self.viewport().width() - self._text_left - _LEFT
        return max(10, int(room / self._character))

    def _parts(self, row: int) -> tuple[tuple[int, int], ...]:
        text = _plain(self._rows[row].text)
        return _wrapped(text, self._cells()) if self._wraps else ((0, len(text)),)

    def pieces(self) -> list[Piece]:
        """What is in sight, from the top. A wrapped end is shown to its last line."""
        count = self.viewport().height() // self._line + 1
        first, skipped = self.verticalScrollBar().value(), 0
        if self._wraps and self._following:
            first, skipped = self._last_page()
        made: list[Piece] = []
        row = first
        while row < len(self._rows) and len(made) < count:
            for start, end in self._parts(row)[skipped:]:
                made.append(Piece(row, start, end, _TOP + len(made) * self._line))
            row, skipped = row + 1, 0
        return made[:count]

    def _last_page(self) -> tuple[int, int]:
        """The first row of the last page, and how many of its lines are above the page."""
        room = max(1, (self.viewport().height() - _TOP) // self._line)
        row = len(self._rows)
        while row > 0 and room > 0:
            row -= 1
            room -= len(self._parts(row))
        return row, max(0, -room)

    def choose(self, wanted: Wanted) -> None:
        """Show other rows of the same console."""
        self._rows.choose(wanted)
        self._anchor = self._caret = None
        self.catch_up()
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
        last = self._last_page()[0] if self._wraps else len(self._rows) - page
        bar.setRange(0, max(0, last))
        # Rows leave at the front of a full ring: what is being read must not run away.
        bar.setValue(bar.maximum() if self._following else max(0, value - gone))
        bar.blockSignals(False)
        wide = self.horizontalScrollBar()
        beyond = self._widest + self._text_left + _LEFT - self.viewport().width()
        wide.setRange(0, 0 if self._wraps else max(0, round(beyond)))
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

    # ---- painting

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit(0)

    def visible_texts(self) -> list[str]:
        """The lines in sight, from the top; of a last one that is cut off, nothing."""
        room = self.viewport().height() - self._line
        return [
            _plain(self._rows[piece.row].text)[piece.start : piece.end]
            for piece in self.pieces()
            if piece.y <= room
        ]

    def paintEvent(self, event: QPaintEvent) -> None:
        look = style.theme()
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), QColor(look.console))
        painter.setFont(self.font())
        left = self._text_left - self.horizontalScrollBar().value()
        selected = self._selection()
        widest = self._widest
        for piece in self.pieces():
            index, entry = self._rows.index_of(piece.row), self._rows[piece.row]
            if index == self._found:
                box = QRect(0, piece.y, self.viewport().width(), self._line)
                painter.fillRect(box, QColor(look.warning_soft))
            if selected is not None and selected[0][0] <= index <= selected[1][0]:
                self._paint_selection(painter, selected, index, entry, left, piece)
            if self._time_of is not None and piece.start == 0:
                painter.setPen(QColor(look.muted))
                x = round(left - self._text_left + _LEFT)
                time = self._time_of(entry.at)
                painter.drawText(QPoint(x, round(piece.y + self._ascent)), time)
            widest = max(widest, self._paint_entry(painter, entry, left, piece))
        painter.end()
        if widest > self._widest:
            self._widest = widest
            QTimer.singleShot(0, self, lambda: self._fit(0))

    def _paint_entry(self, painter: QPainter, entry: Entry, left: float, piece: Piece) -> float:
        look = style.theme()
        baseline = round(piece.y + self._ascent)
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
            self._paint_sign(painter, entry.kind, QColor(own), piece.y)
        x, place = left, 0
        for span in _spans(entry.text):
            text = span.text[max(0, piece.start - place) : max(0, piece.end - place)]
            place += len(span.text)
            if not text:
                continue
            painter.setPen(QColor(own if span.colour is None else look.ansi[span.colour]))
            if span.bold:
                painter.setFont(self._bold)
            painter.drawText(QPoint(round(x), baseline), text)
            if span.bold:
                painter.setFont(self.font())
            x += self._length(text)
        return x - left

    def _paint_sign(self, painter: QPainter, kind: EntryKind, front: QColor, y: int) -> None:
        """A bar at the edge says: this is not what the board printed."""
        width = 3 if kind in (EntryKind.LOST, EntryKind.SENT) else 2
        left = _LEFT - 8 - self.horizontalScrollBar().value()
        painter.fillRect(QRect(left, y + 2, width, self._line - 4), front)

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
        piece: Piece,
    ) -> None:
        (low, start), (high, end) = selected
        text = _plain(entry.text)
        first = max(piece.start, start) if index == low else piece.start
        last = min(piece.end, end) if index == high else piece.end
        if first > last:
            return
        begin = self._length(text[piece.start : first])
        finish = self._length(text[piece.start : last]) + (6 if index < high else 0)
        box = QRect(round(left + begin), piece.y, max(1, round(finish - begin)), self._line)
        painter.fillRect(box, style.colour(style.theme().accent, 70))

    def _selection(self) -> tuple[Place, Place] | None:
        if self._anchor is None or self._caret is None or self._anchor == self._caret:
            return None
        return min(self._anchor, self._caret), max(self._anchor, self._caret)
