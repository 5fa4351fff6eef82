"""Captions: the last words of both sides in large type above all windows, for a noisy room, a talk,
or who hears badly.

The window is moved with the mouse. With clicks let through it is glass: then only the button that
opened it reaches it, which is why that choice is made there.
"""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QColor,
    QFont,
    QGuiApplication,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QTextLayout,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizeGrip, QVBoxLayout, QWidget

from app.core.events import Role
from app.core.language import tr
from app.core.transcript import Bubble
from app.ui import style

_PAD = 18
_LEAST_POINTS, _MOST_POINTS = 14, 72
# Words of long ago say nothing in a caption, and laying them out costs.
_MOST_CHARACTERS = 600


class Captions(QWidget):
    """Signals: closed, when the user closed it."""

    closed = Signal()

    def __init__(self) -> None:
        super().__init__(None, self._form(glass=False))
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setWindowTitle(tr("Captions"))
        self.setAccessibleName(tr("Captions"))
        self.setToolTip(tr("Drag to move; the wheel changes the size of the letters"))
        self._bubbles: tuple[Bubble, ...] = ()
        self._points = 26
        self._grip: QPoint | None = None
        rows = QVBoxLayout(self)
        rows.setContentsMargins(4, 4, 4, 4)
        rows.addStretch(1)
        corner = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom
        rows.addWidget(QSizeGrip(self), 0, corner)
        self.resize(QSize(900, 190))
        self._to_the_bottom()

    @staticmethod
    def _form(*, glass: bool) -> Qt.WindowType:
        kind = Qt.WindowType
        form = kind.Tool | kind.FramelessWindowHint | kind.WindowStaysOnTopHint
        return form | kind.WindowTransparentForInput if glass else form

    def _to_the_bottom(self) -> None:
        screen = QGuiApplication.primaryScreen()
        if screen is not None:
            free = screen.availableGeometry()
            at = free.center() - self.rect().center()
            self.move(at.x(), free.bottom() - self.height() - 40)

    @property
    def glass(self) -> bool:
        """Whether clicks go to what is below."""
        return bool(self.windowFlags() & Qt.WindowType.WindowTransparentForInput)

    def let_clicks_through(self, on: bool) -> None:
        seen = self.isVisible()
        self.setWindowFlags(self._form(glass=on))  # hides the window
        self.setVisible(seen)

    def show_words(self, bubbles: tuple[Bubble, ...]) -> None:
        """The newest bubbles, oldest first; only their ends are shown."""
        if bubbles != self._bubbles:
            self._bubbles = bubbles
            self.setAccessibleDescription("\n".join(self.lines()))
            self.update()

    def lines(self) -> list[str]:
        """What is shown, one text for each side."""
        return [f"{_speaker(bubble)}: {_end_of(bubble)}" for bubble in self._bubbles]

    # ---- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(10, 14, 18, 215))
        painter.drawRoundedRect(QRectF(self.rect()), 16, 16)
        bottom = self.height() - _PAD * 0.8
        if not self._bubbles:
            painter.setPen(QColor(255, 255, 255, 150))
            painter.setFont(self._font(0.7))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, tr("Nothing said yet"))
        for place, bubble in enumerate(reversed(self._bubbles)):
            bottom = self._paint_end(painter, bubble, bottom, newest=place == 0)
            if bottom < _PAD:
                break
        painter.end()

    def _font(self, share: float) -> QFont:
        font = style.body_font(bold=True)
        font.setPointSizeF(self._points * share)
        return font

    def _paint_end(
        self, painter: QPainter, bubble: Bubble, bottom: float, *, newest: bool
    ) -> float:
        """Paints a bubble's last lines above `bottom`; the top edge of what was painted."""
        layout = QTextLayout(
            f"{_speaker(bubble)}: {_end_of(bubble)}", self._font(1 - 0.3 * (not newest))
        )
        layout.beginLayout()
        lines = []
        line = layout.createLine()
        while line.isValid():
            line.setLineWidth(self.width() - 2 * _PAD)
            lines.append(line)
            line = layout.createLine()
        layout.endLayout()
        front = QColor("#ffffff" if bubble.role is Role.USER else "#7fe3da")
        front.setAlpha(255 if newest else 170)
        painter.setPen(front)
        for line in reversed(lines):
            bottom -= line.height() + 2
            if bottom < _PAD * 0.4:
                return bottom
            line.draw(painter, QPointF(_PAD, bottom - line.y()))
        return bottom - 4

    # ---- mouse and keyboard

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._grip = event.globalPosition().toPoint() - self.pos()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is not None:
            self.move(event.globalPosition().toPoint() - self._grip)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grip = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.enlarge(2 if event.angleDelta().y() > 0 else -2)

    def enlarge(self, points: int) -> None:
        self._points = max(_LEAST_POINTS, min(_MOST_POINTS, self._points + points))
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Escape:
                self.close()
            case Qt.Key.Key_Plus:
                self.enlarge(2)
            case Qt.Key.Key_Minus:
                self.enlarge(-2)
            case _:
                super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        event.accept()
        self.closed.emit()


def _speaker(bubble: Bubble) -> str:
    return tr("You") if bubble.role is Role.USER else tr("Parley")


def _end_of(bubble: Bubble) -> str:
    text = " ".join(bubble.text.split()) or "…"
    return text if len(text) <= _MOST_CHARACTERS else f"…{text[-_MOST_CHARACTERS:]}"
