"""The conversation as a scroll area that lays out only what is in sight.

A stock list view asks for the height of every row whenever one is added; with thousands of turns
that is a stall at each word. Here rows out of sight have a guessed height, and the place of the
view is a row and a distance below its top, so a wrong guess moves the scroll bar, never the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea

from app.core.language import tr
from app.core.transcript import (
    Added,
    Change,
    Changed,
    Removed,
    Transcript,
)
from app.ui import style
from app.ui.chat_rows import Laid, Marked, guess_height, lay

_TOP = 12.0
_STEP = 48
# Laid rows kept while they are out of sight; each holds its broken lines.
_MOST_LAID = 400


@dataclass(frozen=True, slots=True)
class Selected:
    """Characters `anchor` to `caret` of a row's text, in either order."""

    row: int
    anchor: int
    caret: int

    @property
    def part(self) -> tuple[int, int]:
        return min(self.anchor, self.caret), max(self.anchor, self.caret)

    def after(self, change: Change) -> Selected | None:
        """Where the selection is after a change of the rows; None when its row is gone."""
        match change:
            case Removed(row) if row == self.row:
                return None
            case Added(row):
                return replace(self, row=self.row + (row <= self.row))
            case Removed(row):
                return replace(self, row=self.row - (row < self.row))
            case Changed():
                return self


class ChatScroll(QAbstractScrollArea):
    """Shows a transcript; it stays at the newest row until the user scrolls up.

    Signals:
        following_changed(bool): whether new rows stay in sight.
    """

    following_changed = Signal(bool)

    def __init__(self, transcript: Transcript) -> None:
        super().__init__()
        self._transcript = transcript
        self._heights: list[float] = []
        self._laid: list[Laid | None] = []
        self._laid_count = 0
        self._ends: list[float] = [_TOP]  # where each row begins; true before `_moved`
        self._moved = 0
        self._anchor = 0
        self._below = 0.0
        self._following = True
        self._current: int | None = None
        self._value = 0
        self._time_of: Callable[[float], str] | None = None
        self._pattern: re.Pattern[str] | None = None
        self._selected: Selected | None = None
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr("Conversation"))
        self.verticalScrollBar().setSingleStep(_STEP)
        self.verticalScrollBar().valueChanged.connect(self._scrolled)

    # ---- what the panel tells

    def take(self, changes: tuple[Change, ...]) -> None:
        """Rows changed, in the transcript's order; painted at the end of the batch."""
        for change in changes:
            row = change.row
            self._moved = min(self._moved, row)
            if self._selected is not None:
                self._selected = self._selected.after(change)
            match change:
                case Added():
                    self._heights.insert(row, 0.0)
                    self._laid.insert(row, None)
                    self._anchor += row < self._anchor
                    if self._current is not None:
                        self._current += row <= self._current
                case Changed():
                    self._laid[row] = None
                    self._heights[row] = 0.0
                case Removed():
                    del self._heights[row], self._laid[row]
                    self._anchor = max(0, self._anchor - (row < self._anchor))
                    if self._current is not None:
                        self._current -= row < self._current

    def catch_up(self) -> None:
        """The batch is complete: place and paint."""
        for row in range(self._moved, len(self._heights)):
            if not self._heights[row]:
                self._heights[row] = guess_height(self._transcript[row], self._width())
        if len(self._heights) and self._current is not None:
            self._current = min(self._current, len(self._heights) - 1)
        self._settle()

    # ---- geometry

    @property
    def following(self) -> bool:
        return self._following

    def _width(self) -> float:
        return float(self.viewport().width())

    def _measure(self, row: int) -> float:
        """The true height of a row, which is laid out if it is not."""
        if self._laid[row] is None:
            self._laid_count += 1
            shown = self._transcript[row]
            made = lay(shown, self._width(), self._time_of(shown.at) if self._time_of else "")
            self._laid[row] = made
            if made.height != self._heights[row]:
                self._heights[row] = made.height
                self._moved = min(self._moved, row)
        return self._heights[row]

    def _settle(self) -> None:
        """Find the top row in sight, then tell the scroll bar."""
        page = float(self.viewport().height())
        if self._following:
            self._to_end(page)
        else:
            self._anchor = min(self._anchor, max(0, len(self._heights) - 1))
            filled, row = _TOP - self._below, self._anchor
            while row < len(self._heights) and filled < page:
                filled += self._measure(row)
                row += 1
        self._forget_far()
        self._add_up()
        bar = self.verticalScrollBar()
        bar.blockSignals(True)
        bar.setPageStep(round(page))
        bar.setRange(0, max(0, round(self._ends[-1] - page)))
        if self._following:
            bar.setValue(bar.maximum())
        elif self._heights:
            bar.setValue(round(self._ends[self._anchor] + self._below - _TOP))
        self._value = bar.value()
        bar.blockSignals(False)
        self.viewport().update()

    def _add_up(self) -> None:
        """Where rows begin, from the first that moved: the rest is as it was."""
        begin = self._ends[self._moved]
        del self._ends[self._moved :]
        self._ends += accumulate(self._heights[self._moved :], initial=begin)
        self._moved = len(self._heights)

    def _to_end(self, page: float) -> None:
        """The newest row at the bottom; a conversation shorter than the page starts at the top."""
        row, filled = len(self._heights), 0.0
        while row > 0 and filled < page:
            row -= 1
            filled += self._measure(row)
        self._anchor = row
        self._below = max(0.0, filled + _TOP - page)

    def _forget_far(self) -> None:
        if self._laid_count <= _MOST_LAID:
            return
        near = range(self._anchor - 60, self._anchor + 120)
        for row, laid in enumerate(self._laid):
            if laid is not None and row not in near:
                self._laid[row] = None
        self._laid_count = sum(laid is not None for laid in self._laid)

    @Slot(int)
    def _scrolled(self, value: int) -> None:
        moved = value - self._value
        if abs(moved) <= 4 * self.viewport().height() and value not in (
            0,
            self.verticalScrollBar().maximum(),
        ):
            self._walk(float(moved))
        elif self._heights:
            row = max(0, min(len(self._heights) - 1, bisect_right(self._ends, value + _TOP) - 1))
            self._anchor, self._below = row, max(0.0, value + _TOP - self._ends[row])
        self._set_following(on=value >= self.verticalScrollBar().maximum())
        self._settle()

    def _walk(self, moved: float) -> None:
        """Move by pixels through true heights, so that guesses above do not make the text jump."""
        self._below += moved
        while self._below < 0 and self._anchor > 0:
            self._anchor -= 1
            self._below += self._measure(self._anchor)
        while self._anchor < len(self._heights) - 1 and self._below >= self._measure(self._anchor):
            self._below -= self._measure(self._anchor)
            self._anchor += 1
        self._below = max(0.0, self._below)

    def _set_following(self, *, on: bool) -> None:
        if on != self._following:
            self._following = on
            self.following_changed.emit(on)

    @Slot()
    def follow(self) -> None:
        """Back to the newest row."""
        self._set_following(on=True)
        self._settle()

    def resizeEvent(self, event: QResizeEvent) -> None:
        if event.oldSize().width() != event.size().width():
            self.lay_out_again()
        else:
            self._settle()

    def lay_out_again(self) -> None:
        """Width or font changed: every height is a guess again."""
        width = self._width()
        self._laid = [None] * len(self._heights)
        self._laid_count = 0
        self._heights = [
            guess_height(self._transcript[row], width) for row in range(len(self._heights))
        ]
        self._moved = 0
        self._settle()

    def show_times(self, time_of: Callable[[float], str] | None) -> None:
        """Say when each row began, as `time_of` writes it; None: no times."""
        self._time_of = time_of
        self.lay_out_again()

    # ---- painting

    def rows_in_sight(self) -> range:
        """Rows of which something is visible."""
        row, y = self._anchor, _TOP - self._below
        while row < len(self._heights) and y < self.viewport().height():
            y += self._heights[row]
            row += 1
        return range(self._anchor, row)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(event.rect(), QColor(style.theme().surface))
        for row, y in self._tops():
            laid = self._laid[row]
            assert laid is not None
            marked = Marked(self._pattern, self._selection_in(row))
            chosen = row == self._current and (self.hasFocus() or self._pattern is not None)
            laid.paint(painter, y, self._width(), chosen=chosen, marked=marked)
        painter.end()

    def _selection_in(self, row: int) -> tuple[int, int] | None:
        selected = self._selected
        return selected.part if selected is not None and selected.row == row else None

    def _row_at(self, at: QPoint) -> int | None:
        return next((row for row, y in self._tops() if at.y() < y + self._heights[row]), None)

    def _tops(self) -> Iterator[tuple[int, float]]:
        """Rows in sight, each with its top edge in the viewport."""
        y = _TOP - self._below
        for row in self.rows_in_sight():
            yield row, y
            y += self._heights[row]
