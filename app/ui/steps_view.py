"""The demo as a check list: what has happened, with its evidence, and what is still to come."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from app.core.events import CheckItem
from app.core.language import tr
from app.ui import icons, style

_DISC = 20.0
_LEAST_LINE = 20.0


class StepsView(QWidget):
    """All steps, one a line; the evidence stands at the right where there is room."""

    def __init__(self) -> None:
        super().__init__()
        self.items: tuple[CheckItem, ...] = ()
        self.setProperty("role", "steps")
        self.setAccessibleName(tr("Steps of the demo"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_items(self, items: Iterable[CheckItem]) -> None:
        self.items = tuple(items)
        done = sum(item.evidence is not None for item in self.items)
        self.setAccessibleDescription(tr("{done} of {all} steps", done=done, all=len(self.items)))
        self.setToolTip(
            "\n".join(f"{item.title}: {item.evidence}" for item in self.items if item.evidence)
        )
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(420, 26 * max(8, len(self.items)))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, round(_LEAST_LINE * len(self.items)) + 16)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.items:
            return
        look = style.theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = max(_LEAST_LINE, min(34.0, (self.height() - 16) / len(self.items)))
        disc = min(_DISC, line - 3)
        titles, small = style.body_font(), style.body_font(steps=-1.5)
        widest = max(QFontMetricsF(titles).horizontalAdvance(item.title) for item in self.items)
        top = max(8.0, (self.height() - line * len(self.items)) / 2)
        content = min(self.width() - 48.0, 760.0)
        left = (self.width() - content) / 2
        following = next((n for n, item in enumerate(self.items) if item.evidence is None), None)
        for number, item in enumerate(self.items):
            middle = top + number * line + line / 2
            self._paint_link(painter, left, middle, line, disc, last=number + 1 == len(self.items))
            self._paint_disc(
                painter, QPointF(left + disc / 2, middle), disc, item, now=number == following
            )
            words = QRectF(left + disc + 14, middle - line / 2, content - disc - 14, line)
            painter.setFont(titles)
            bright = item.evidence is not None or number == following
            painter.setPen(QColor(look.text if bright else look.muted))
            painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, item.title)
            painter.setFont(small)
            painter.setPen(QColor(look.muted))
            rest = words.adjusted(widest + 24, 0, 0, 0)
            if item.evidence and rest.width() > 60:
                shown = QFontMetricsF(small).elidedText(
                    " ".join(item.evidence.split()), Qt.TextElideMode.ElideRight, rest.width()
                )
                painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, shown)
        painter.end()

    @staticmethod
    def _paint_link(
        painter: QPainter, left: float, middle: float, line: float, disc: float, *, last: bool
    ) -> None:
        if not last:
            painter.setPen(QPen(QColor(style.theme().border), 2))
            x = left + disc / 2
            painter.drawLine(QPointF(x, middle + disc / 2), QPointF(x, middle + line - disc / 2))

    @staticmethod
    def _paint_disc(
        painter: QPainter, middle: QPointF, disc: float, item: CheckItem, *, now: bool
    ) -> None:
        look = style.theme()
        if item.evidence is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(look.accent))
            painter.drawEllipse(middle, disc / 2, disc / 2)
            tick = QRectF(
                middle.x() - disc * 0.34, middle.y() - disc * 0.34, disc * 0.68, disc * 0.68
            )
            icons.draw(painter, "tick", tick, QColor(look.accent_text), width=3.4)
            return
        painter.setPen(QPen(QColor(look.accent if now else look.border), 2))
        painter.setBrush(QColor(look.surface))
        painter.drawEllipse(middle, disc / 2 - 1, disc / 2 - 1)
        if now:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(look.accent))
            painter.drawEllipse(middle, disc / 5, disc / 5)


class StepsStrip(QAbstractButton):
    """The same in one line above the conversation; pressed, the whole list shows."""

    def __init__(self) -> None:
        super().__init__()
        self._items: tuple[CheckItem, ...] = ()
        self.setCheckable(True)
        self.setFixedHeight(30)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(tr("Steps of the demo"))
        self.setToolTip(tr("Show or hide the steps of the demo"))
        self.hide()

    def show_items(self, items: tuple[CheckItem, ...]) -> None:
        self._items = items
        self.setVisible(bool(items))
        self.setAccessibleDescription(self.text_shown())
        self.update()

    def text_shown(self) -> str:
        """What the line says: how far, and the step that came last."""
        done = [item for item in self._items if item.evidence is not None]
        count = tr("{done} of {all} steps", done=len(done), all=len(self._items))
        return f"{count} · {done[-1].title}" if done else count

    def sizeHint(self) -> QSize:
        return QSize(300, 30)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = style.theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        painter.setPen(QPen(QColor(look.accent), 1.5) if self.hasFocus() else Qt.PenStyle.NoPen)
        painter.setBrush(QColor(look.accent_soft))
        painter.drawRoundedRect(box, 8, 8)
        icons.draw(
            painter,
            "up" if self.isChecked() else "down",
            QRectF(box.right() - 26, box.center().y() - 8, 16, 16),
            QColor(look.accent),
        )
        dots = min(len(self._items) * 10.0, box.width() * 0.4)
        step = dots / max(1, len(self._items))
        painter.setPen(Qt.PenStyle.NoPen)
        for number, item in enumerate(self._items):
            painter.setBrush(
                QColor(look.accent) if item.evidence is not None else style.colour(look.accent, 60)
            )
            middle = QPointF(box.left() + 16 + number * step, box.center().y())
            painter.drawEllipse(middle, 3, 3)
        painter.setPen(QColor(look.text))
        painter.setFont(style.body_font(steps=-0.5))
        words = box.adjusted(dots + 22, 0, -34, 0)
        shown = QFontMetricsF(painter.font()).elidedText(
            self.text_shown(), Qt.TextElideMode.ElideRight, words.width()
        )
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, shown)
        painter.end()
