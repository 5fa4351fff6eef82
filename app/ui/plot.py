"""One quantity over time: a name, up to four lines, their latest figures, and what happened when.

A plotting library would add hundreds of files to the frozen program; a line, a scale and a read-out
are two hundred lines. All plots share one time axis and one cursor, so that a moment can be read
across them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.core.language import tr
from app.ui import style

FIGURES_WIDTH = 112
_EDGE = 4.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A line: `times` in seconds, rising, and a value for each."""

    name: str
    times: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at `at`: a thin line across all plots."""

    at: float
    text: str
    strong: bool = False


def nice_range(low: float, high: float, *, least: float) -> tuple[float, float]:
    """A range around `low`..`high` that ends at round numbers and spans at least `least`."""
    if high - low < least:
        middle = (low + high) / 2
        low, high = middle - least / 2, middle + least / 2
    step = 10.0 ** floor(log10((high - low) / 2))
    while (high - low) / step > 5:
        step *= 2
    return floor(low / step) * step, ceil(high / step) * step


def clock(seconds: float) -> str:
    """A length of time before now: "12 s", "3 min 5 s"."""
    whole = round(seconds)
    if whole < 60:
        return tr("{seconds} s", seconds=whole)
    return tr("{minutes} min {seconds} s", minutes=whole // 60, seconds=whole % 60)


class Plot(QWidget):
    """A row of the load card. Values are painted as given; units belong to `unit`.

    Signals:
        pointed(object): the moment under the mouse in seconds, or None when it left.
    """

    pointed = Signal(object)

    def __init__(
        self,
        title: str,
        unit: str,
        *,
        bounds: tuple[float, float] | None = None,
        least_span: float = 1.0,
        floor_zero: bool = False,
    ) -> None:
        super().__init__()
        self.title, self.unit = title, unit
        self._bounds = bounds
        self._least_span = least_span
        self._floor_zero = floor_zero
        self._curves: tuple[Curve, ...] = ()
        self._marks: Sequence[Mark] = ()
        self._start, self._end = 0.0, 60.0
        self._cursor: float | None = None
        self.setMouseTracking(True)
        self.setAccessibleName(title)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(36)

    def sizeHint(self) -> QSize:
        return QSize(300, 58)

    def show_curves(
        self, curves: tuple[Curve, ...], marks: Sequence[Mark], start: float, end: float
    ) -> None:
        """Paint these lines between two moments, both in the clock of the samples."""
        self._curves, self._marks, self._start, self._end = curves, marks, start, end
        self.setAccessibleDescription(", ".join(self.figures()))
        self.update()

    def show_cursor(self, at: float | None) -> None:
        """Read the values at this moment; None: the latest."""
        self._cursor = at
        self.update()

    def figures(self) -> list[str]:
        """What stands at the right: one text for each line."""
        return [f"{name or self.title} {value}" for name, value in self._readings()]

    def _readings(self) -> list[tuple[str, str]]:
        read = []
        for curve in self._curves:
            index = self._index(curve)
            value = f"{curve.values[index]:,.0f}".replace("-", "−") if index is not None else "–"
            read.append((curve.name, f"{value} {self.unit}"))
        return read

    def _index(self, curve: Curve) -> int | None:
        if not curve.times:
            return None
        if self._cursor is None:
            return len(curve.times) - 1
        after = bisect_left(curve.times, self._cursor)
        if after == 0:
            return 0
        if after == len(curve.times):
            return after - 1
        nearer = self._cursor - curve.times[after - 1] < curve.times[after] - self._cursor
        return after - 1 if nearer else after

    # ---- geometry

    def _field(self) -> QRectF:
        return QRectF(0.5, 0.5, max(10, self.width() - FIGURES_WIDTH), self.height() - 1)

    def _range(self) -> tuple[float, float]:
        if self._bounds is not None:
            return self._bounds
        seen: list[float] = []
        for curve in self._curves:
            first = max(0, bisect_left(curve.times, self._start) - 1)
            seen.extend(curve.values[first:])
        if not seen:
            return 0.0, self._least_span
        low, high = nice_range(min(seen), max(seen), least=self._least_span)
        if self._floor_zero and (low < 0 or min(seen) < 0.5 * max(seen)):
            low = 0.0
        return low, high

    def _x(self, at: float, field: QRectF) -> float:
        share = (at - self._start) / max(1e-6, self._end - self._start)
        return field.left() + _EDGE + share * (field.width() - 2 * _EDGE)

    def _moment(self, x: float) -> float:
        field = self._field()
        share = (x - field.left() - _EDGE) / max(1.0, field.width() - 2 * _EDGE)
        return self._start + min(1.0, max(0.0, share)) * (self._end - self._start)

    # ---- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        look = style.theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        is_empty = not any(curve.times for curve in self._curves)
        field = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5) if is_empty else self._field()
        painter.setPen(QPen(QColor(look.border), 1))
        painter.setBrush(QColor(look.raised))
        painter.drawRoundedRect(field, 6, 6)
        if is_empty:
            painter.setPen(QColor(look.muted))
            painter.setFont(style.body_font(steps=-1.5))
            painter.drawText(field, Qt.AlignmentFlag.AlignCenter, self.title)
            painter.end()
            return
        low, high = self._range()
        painter.save()
        painter.setClipRect(field.adjusted(1, 1, -1, -1))
        self._paint_marks(painter, field)
        for number, curve in enumerate(self._curves):
            self._paint_curve(painter, field, curve, QColor(look.series[number]), low, high)
        self._paint_cursor(painter, field, low, high)
        painter.restore()
        self._paint_scale(painter, field, low, high)
        self._paint_figures(painter, field)
        painter.end()

    def _y(self, value: float, field: QRectF, low: float, high: float) -> float:
        top, bottom = field.top() + 5, field.bottom() - 4
        return bottom - (value - low) / max(1e-9, high - low) * (bottom - top)

    def _paint_marks(self, painter: QPainter, field: QRectF) -> None:
        look = style.theme()
        for mark in self._marks:
            if self._start <= mark.at <= self._end:
                x = self._x(mark.at, field)
                line = QColor(look.accent if mark.strong else look.muted)
                painter.setPen(QPen(line, 1, Qt.PenStyle.DotLine))
                painter.drawLine(QPointF(x, field.top()), QPointF(x, field.bottom()))

    def _paint_curve(
        self, painter: QPainter, field: QRectF, curve: Curve, front: QColor, low: float, high: float
    ) -> None:
        first = max(0, bisect_left(curve.times, self._start) - 1)
        # More points than pixels say nothing more, and an hour at 1 Hz is 3,600 of them.
        step = max(1, (len(curve.times) - first) // max(1, int(field.width())))
        line = QPolygonF()
        for index in range(first, len(curve.times), step):
            x = self._x(curve.times[index], field)
            line.append(QPointF(x, self._y(curve.values[index], field, low, high)))
        if line.isEmpty():
            return
        painter.setPen(QPen(front, 1.6))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(line)
        if len(self._curves) == 1:
            area = QPolygonF(line)
            area.append(QPointF(line.last().x(), field.bottom()))
            area.append(QPointF(line.first().x(), field.bottom()))
            front.setAlpha(28)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(front)
            painter.drawPolygon(area)

    def _paint_cursor(self, painter: QPainter, field: QRectF, low: float, high: float) -> None:
        if self._cursor is None:
            return
        look = style.theme()
        x = self._x(self._cursor, field)
        painter.setPen(QPen(QColor(look.muted), 1))
        painter.drawLine(QPointF(x, field.top()), QPointF(x, field.bottom()))
        for number, curve in enumerate(self._curves):
            index = self._index(curve)
            if index is not None:
                painter.setBrush(QColor(look.series[number]))
                painter.setPen(QPen(QColor(look.surface), 1.5))
                y = self._y(curve.values[index], field, low, high)
                painter.drawEllipse(QPointF(self._x(curve.times[index], field), y), 3.5, 3.5)

    def _paint_scale(self, painter: QPainter, field: QRectF, low: float, high: float) -> None:
        look = style.theme()
        font = style.body_font(steps=-2.5)
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        height = metrics.height()
        for value, top in ((high, field.top() + 2), (low, field.bottom() - height - 2)):
            text = f"{value:,.0f}".replace("-", "−")
            width = metrics.horizontalAdvance(text)
            box = QRectF(field.left() + 4, top, width + 5, height)
            painter.fillRect(box, style.colour(look.raised, 190))
            painter.setPen(QColor(look.muted))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_figures(self, painter: QPainter, field: QRectF) -> None:
        look = style.theme()
        names, values = style.body_font(steps=-1.5), style.body_font(bold=True)
        left, width = field.right() + 10, self.width() - field.right() - 10
        readings = self._readings()
        several = len(readings) > 1
        if not several:
            # One line: its name above its value. Two lines: each name beside its value.
            readings = [(self.title, readings[0][1] if readings else "–")]
        line = min(QFontMetricsF(values).height() + 1, field.height() / 2)
        rows = len(readings) if several else 2
        top = field.center().y() - line * rows / 2
        leading = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        for number, (name, value) in enumerate(readings):
            box = QRectF(left, top + number * line, width, line)
            painter.setFont(names)
            painter.setPen(QColor(look.muted))
            painter.drawText(box, leading, name)
            painter.setFont(values)
            painter.setPen(QColor(look.series[number]))
            if several:
                painter.drawText(
                    box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, value
                )
            else:
                painter.drawText(box.translated(0, line), leading, value)

    # ---- mouse

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = self._moment(event.position().x())
        self.pointed.emit(at)
        said = [tr("{time} ago", time=clock(self._end - at)), *self.figures()]
        reach = (self._end - self._start) / max(1.0, self._field().width()) * 5
        said += [mark.text for mark in self._marks if abs(mark.at - at) < reach]
        self.setToolTip("\n".join(said))

    def leaveEvent(self, event: QEvent) -> None:
        self.pointed.emit(None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.update()
