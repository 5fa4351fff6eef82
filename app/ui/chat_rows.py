"""Rows of the conversation laid out for a width, and painted: bubbles, tool calls, dividers.

A laid row holds its text broken into lines; it is made when the row comes into sight or changes,
and thrown away when it is far off. Heights of rows never seen are guessed by `guess_height`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPen,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)

from app.core.events import Role, Source
from app.core.language import tr
from app.core.transcript import Bubble, Divider, Row, ToolRow
from app.ui import icons, style

GAP = 10
_SIDE = 16
_PAD_X, _PAD_Y = 13, 9
_WIDEST = 640
_TOOL_GAP = 6
# Painted of one text. A spoken answer has some hundred; copying gives all of a longer one.
MOST_SHOWN = 12_000


@dataclass(frozen=True, slots=True)
class Marked:
    """What stands out in a row: what is searched for, and the characters that are selected."""

    pattern: re.Pattern[str] | None = None
    selected: tuple[int, int] | None = None


class Laid(Protocol):
    """A row ready to be painted: `height` includes the gap below it."""

    height: float

    def paint(
        self, painter: QPainter, y: float, width: float, *, chosen: bool, marked: Marked
    ) -> None: ...

    def character_at(self, at: QPointF, y: float, width: float) -> int | None:
        """The character of the row's text nearest to `at`, when the row stands at `y`."""


_PLAIN = Marked()


class Paragraph:
    """A text broken into lines no wider than `width`; `width` then is what it really takes."""

    def __init__(self, text: str, font: QFont, width: float) -> None:
        if len(text) > MOST_SHOWN:
            text = text[:MOST_SHOWN] + " …"
        self._text = text
        self._layout = QTextLayout(text.replace("\n", "\u2028"), font)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self._layout.setTextOption(option)
        self._layout.setCacheEnabled(True)
        self._layout.beginLayout()
        self.height, self.width = 0.0, 0.0
        line = self._layout.createLine()
        while line.isValid():
            line.setLineWidth(width)
            line.setPosition(QPointF(0, self.height))
            self.height += line.height() + 1
            self.width = max(self.width, line.naturalTextWidth())
            line = self._layout.createLine()
        self._layout.endLayout()

    def paint(
        self, painter: QPainter, x: float, y: float, colour: QColor, marked: Marked = _PLAIN
    ) -> None:
        painter.setPen(colour)
        self._layout.draw(painter, QPointF(x, y), self._formats(marked))

    def _formats(self, marked: Marked) -> list[QTextLayout.FormatRange]:
        look = style.theme()
        formats = []
        if marked.pattern is not None:
            for found in marked.pattern.finditer(self._text):
                back, front = QColor(look.warning_soft), QColor(look.warning)
                formats.append(self._format(*found.span(), back, front))
        if marked.selected is not None:
            front = QColor(look.accent_text)
            formats.append(self._format(*marked.selected, QColor(look.accent_hover), front))
        return formats

    def _format(self, start: int, end: int, back: QColor, front: QColor) -> QTextLayout.FormatRange:
        made = QTextLayout.FormatRange()
        made.start = _units(self._text[:start])
        made.length = _units(self._text[start:end])
        form = QTextCharFormat()
        form.setBackground(back)
        form.setForeground(front)
        made.format = form
        return made

    def character_at(self, x: float, y: float) -> int:
        """The place between characters nearest to a point, counted from the paragraph's corner."""
        lines = [self._layout.lineAt(number) for number in range(self._layout.lineCount())]
        if not lines:
            return 0
        line = next((line for line in lines if y < line.y() + line.height()), lines[-1])
        units = line.xToCursor(x)
        before = self._text.encode("utf-16-le", "surrogatepass")[: 2 * units]
        return len(before.decode("utf-16-le", "surrogatepass"))


def _units(text: str) -> int:
    """Length of a text as Qt counts: characters beyond the first plane are two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def lay(row: Row, width: float, time: str = "") -> Laid:
    """The row broken into lines for a view of this width; `time` says when it began."""
    match row:
        case Bubble():
            return LaidBubble(row, width, time)
        case ToolRow():
            return LaidTool(row, width, time)
        case Divider():
            return LaidDivider(row, width, time)


def guess_height(row: Row, width: float) -> float:
    """About how high the row will be, without laying it out."""
    if isinstance(row, Divider):
        return 38.0
    if isinstance(row, ToolRow):
        return 74.0
    per_line = max(10.0, _bubble_width(width) / 8)
    return 46.0 + (len(row.text) // per_line) * 18


def _bubble_width(width: float) -> float:
    return max(120.0, min(_WIDEST, (width - 2 * _SIDE) * 0.8) - 2 * _PAD_X)


def seconds(ms: int) -> str:
    """A time as one says it: "420 ms", "1.4 s"."""
    return tr("{ms} ms", ms=ms) if ms < 1000 else tr("{seconds} s", seconds=f"{ms / 1000:.1f}")


class LaidBubble:
    """What someone said: the user at the right, the assistant at the left."""

    def __init__(self, row: Bubble, width: float, time: str) -> None:
        self._row = row
        self._time = time
        self._is_user = row.role is Role.USER
        room = _bubble_width(width)
        self._waiting = not row.text
        shown = row.text or ("…" if not row.final else tr("(no words)"))
        font = style.body_font(steps=0.5)
        self._words = Paragraph(shown, font, room)
        self._small = style.body_font(steps=-1.5)
        self._foot = self._remarks()
        foot_height = QFontMetricsF(self._small).height() + 3 if self._foot else 0.0
        self._box = QRectF(0, 0, self._words.width + 2 * _PAD_X, self._words.height + 2 * _PAD_Y)
        self._cut_height = 0.0
        if row.interrupted:
            self._box.setWidth(max(self._box.width(), self._cut_width() + 2 * _PAD_X))
            self._cut_height = QFontMetricsF(self._small).height() + 4
        self._box.setHeight(self._box.height() + self._cut_height)
        self.height = self._box.height() + foot_height + GAP

    def _remarks(self) -> str:
        row = self._row
        parts = [self._time] if self._time else []
        if row.source is Source.DESKTOP:
            parts.append(tr("at the computer"))
        if row.typed:
            parts.append(tr("typed"))
        if row.latency_ms is not None:
            parts.append(tr("answered after {time}", time=seconds(row.latency_ms)))
        if row.silence_ms is not None:
            parts.append(tr("silent after {time}", time=seconds(row.silence_ms)))
        if row.speaking:
            parts.append(tr("speaking") if not self._is_user else tr("listening"))
        return " · ".join(parts)

    def _cut_text(self) -> str:
        if self._row.cut_ms is None:
            return tr("cut here")
        return tr("cut here, {time} heard", time=seconds(self._row.cut_ms))

    def _cut_width(self) -> float:
        return QFontMetricsF(self._small).horizontalAdvance(self._cut_text()) + 50

    def _left(self, width: float) -> float:
        return width - _SIDE - self._box.width() if self._is_user else _SIDE

    def character_at(self, at: QPointF, y: float, width: float) -> int | None:
        if self._waiting:
            return None
        return self._words.character_at(at.x() - self._left(width) - _PAD_X, at.y() - y - _PAD_Y)

    def paint(
        self, painter: QPainter, y: float, width: float, *, chosen: bool, marked: Marked
    ) -> None:
        look = style.theme()
        box = self._box.translated(self._left(width), y)
        back = QColor(look.bubble_user if self._is_user else look.bubble_other)
        front = QColor(look.bubble_user_text if self._is_user else look.text)
        painter.setPen(QPen(QColor(look.accent), 2) if chosen else Qt.PenStyle.NoPen)
        painter.setBrush(back)
        painter.drawPath(_bubble_path(box, is_user=self._is_user))
        if self._waiting:
            front.setAlpha(170)
        self._words.paint(painter, box.left() + _PAD_X, box.top() + _PAD_Y, front, marked)
        if self._row.interrupted:
            self._paint_cut(painter, box, front)
        if self._foot:
            painter.setFont(self._small)
            painter.setPen(QColor(look.muted))
            side = Qt.AlignmentFlag.AlignRight if self._is_user else Qt.AlignmentFlag.AlignLeft
            foot = QRectF(_SIDE + 4, box.bottom() + 3, width - 2 * _SIDE - 8, 20)
            painter.drawText(foot, side | Qt.AlignmentFlag.AlignTop, self._foot)

    def _paint_cut(self, painter: QPainter, box: QRectF, front: QColor) -> None:
        """A dashed line where the voice stopped, and the word for it."""
        line = QRectF(
            box.left() + _PAD_X,
            box.bottom() - _PAD_Y - self._cut_height + 3,
            box.width() - 2 * _PAD_X,
            self._cut_height,
        )
        soft = QColor(style.theme().warning) if not self._is_user else QColor(front)
        painter.setFont(self._small)
        text = self._cut_text()
        words = QFontMetricsF(self._small).horizontalAdvance(text)
        painter.setPen(soft)
        painter.drawText(line, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter, text)
        painter.setPen(QPen(soft, 1, Qt.PenStyle.DashLine))
        middle, half = line.center().y(), (line.width() - words) / 2 - 6
        if half > 4:
            painter.drawLine(QPointF(line.left(), middle), QPointF(line.left() + half, middle))
            painter.drawLine(QPointF(line.right() - half, middle), QPointF(line.right(), middle))


def _bubble_path(box: QRectF, *, is_user: bool) -> QPainterPath:
    """Round on three corners; the fourth points at who speaks."""
    path = QPainterPath()
    path.addRoundedRect(box, 14, 14)
    corner = QPainterPath()
    x = box.right() - 18 if is_user else box.left()
    corner.addRoundedRect(QRectF(x, box.bottom() - 18, 18, 18), 4, 4)
    return path.united(corner)


def tidy_json(text: str) -> str:
    """JSON text in one line with blanks after the marks; anything else as it came."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, separators=(", ", ": "))
    except (ValueError, RecursionError):
        return text


class LaidTool:
    """A tool call as a card: name, arguments, what came back, how long it took."""

    def __init__(self, row: ToolRow, width: float, time: str) -> None:
        self._row = row
        self._time = time
        room = _bubble_width(width) - 28
        small, fixed = style.body_font(steps=-1), style.fixed_font(steps=-1.5)
        self._name_font = style.body_font(steps=-0.5, bold=True)
        self._small = small
        self._name_height = QFontMetricsF(self._name_font).height() + 2
        self._arguments = Paragraph(tidy_json(row.arguments) or "{}", fixed, room)
        self._output = (
            Paragraph(tidy_json(row.output) or "–", fixed, room - 20)
            if row.ok is not None
            else None
        )
        state_width = QFontMetricsF(small).horizontalAdvance(self._state()) + 40
        name_width = QFontMetricsF(self._name_font).horizontalAdvance(row.name)
        inner = max(
            self._arguments.width,
            self._output.width + 20 if self._output else 0.0,
            name_width + state_width,
        )
        below = self._output.height + 3 if self._output else 0.0
        self._box = QRectF(
            0, 0, inner + 28 + 26, self._name_height + self._arguments.height + below + 16
        )
        self.height = self._box.height() + GAP

    def _state(self) -> str:
        words = {None: tr("running"), True: tr("done"), False: tr("failed")}
        parts = [self._time, words[self._row.ok], seconds(self._row.ms) if self._row.ms else ""]
        return " · ".join(part for part in parts if part)

    def character_at(self, at: QPointF, y: float, width: float) -> int | None:
        return None

    def paint(
        self, painter: QPainter, y: float, width: float, *, chosen: bool, marked: Marked
    ) -> None:
        look = style.theme()
        row = self._row
        box = self._box.translated(_SIDE, y)
        painter.setBrush(QColor(look.surface))
        painter.setPen(QPen(QColor(look.accent if chosen else look.border), 2 if chosen else 1))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 10, 10)
        tone = {None: look.accent, True: look.good, False: look.bad}[row.ok]
        icons.draw(painter, "tool", QRectF(box.left() + 11, box.top() + 9, 18, 18), QColor(tone))
        left, top = box.left() + 38, box.top() + 8
        name = QRectF(left, top, box.width() - 38 - 14, self._name_height)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(self._name_font)
        painter.setPen(QColor(look.text))
        painter.drawText(name, middle | Qt.AlignmentFlag.AlignLeft, row.name)
        painter.setFont(self._small)
        painter.setPen(QColor(tone))
        painter.drawText(name, middle | Qt.AlignmentFlag.AlignRight, self._state())
        top += self._name_height
        marked = Marked(marked.pattern)
        self._arguments.paint(painter, left, top, QColor(look.muted), marked)
        if self._output is not None:
            top += self._arguments.height + 3
            painter.setPen(QColor(tone))
            painter.drawText(QRectF(left, top, 20, 18), Qt.AlignmentFlag.AlignLeft, "→")
            front = QColor(look.text if row.ok else look.bad)
            self._output.paint(painter, left + 20, top, front, marked)


class LaidDivider:
    """Between sessions: a line with what happened in its middle."""

    def __init__(self, row: Divider, width: float, time: str) -> None:
        self._row = row
        self._font = style.body_font(steps=-1)
        self._failed = row.code not in ("", "stopped")
        text = row.text
        if row.source is Source.DESKTOP:
            text = tr("{words} (at the computer)", words=text)
        if time:
            text = f"{time} · {text}"
        self._words = Paragraph(text, self._font, max(80.0, width - 2 * _SIDE - 80))
        self.height = self._words.height + 10 + GAP

    def character_at(self, at: QPointF, y: float, width: float) -> int | None:
        return None

    def paint(
        self, painter: QPainter, y: float, width: float, *, chosen: bool, marked: Marked
    ) -> None:
        look = style.theme()
        front = QColor(look.bad if self._failed else look.muted)
        left = (width - self._words.width) / 2
        self._words.paint(painter, left, y + 5, front, marked)
        painter.setPen(QPen(QColor(look.accent if chosen else look.border), 1))
        middle = y + 5 + self._words.height / 2
        painter.drawLine(QPointF(_SIDE, middle), QPointF(left - 12, middle))
        painter.drawLine(
            QPointF(left + self._words.width + 12, middle), QPointF(width - _SIDE, middle)
        )
