"""How loud it is: microphone, speaker, and the echo that is left, as three thin bars."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.core.events import LevelIs
from app.core.language import tr
from app.ui import style

_FLOOR_DB = -60.0
_LOUD_DB, _CLIPS_DB = -9.0, -3.0


def share_of(decibels: float) -> float:
    """0..1 of the bar for a level in dBFS."""
    return min(1.0, max(0.0, 1.0 - decibels / _FLOOR_DB))


class LevelMeter(QWidget):
    """Hidden until a board tells levels; repainted only when a bar moves by a pixel."""

    def __init__(self) -> None:
        super().__init__()
        self._names = (tr("Microphone"), tr("Speaker"), tr("Echo left"))
        self._levels = (_FLOOR_DB, _FLOOR_DB, _FLOOR_DB)
        self._painted: tuple[int, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Levels"))
        self.hide()

    def sizeHint(self) -> QSize:
        return QSize(300, round(QFontMetricsF(style.body_font(steps=-2)).height()) + 9)

    def show_levels(self, level: LevelIs) -> None:
        """The newest levels, in dBFS."""
        self._levels = (level.microphone, level.speaker, level.echo)
        pixels = tuple(round(share_of(each) * self._width()) for each in self._levels)
        if self.isHidden():
            self.show()
        if pixels != self._painted:
            self._painted = pixels
            self.update()

    def texts(self) -> list[str]:
        """The levels as one reads them."""
        return [
            f"{name} {round(level)} dB".replace("-", "−")
            for name, level in zip(self._names, self._levels, strict=True)
        ]

    def _width(self) -> float:
        return max(20.0, (self.width() - 20) / 3)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = style.theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = style.body_font(steps=-2)
        painter.setFont(font)
        for number, (name, level) in enumerate(zip(self._names, self._levels, strict=True)):
            left = number * (self._width() + 10)
            painter.setPen(QColor(look.muted))
            box = QRectF(left, 0, self._width(), self.height() - 8)
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft, name)
            bar = QRectF(left, self.height() - 6, self._width(), 4)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(look.border))
            painter.drawRoundedRect(bar, 2, 2)
            loud = look.warning if level > _LOUD_DB else look.accent
            painter.setBrush(QColor(look.bad if level > _CLIPS_DB else loud))
            bar.setWidth(max(0.0, share_of(level) * self._width()))
            painter.drawRoundedRect(bar, 2, 2)
        painter.end()
        self.setToolTip("\n".join(self.texts()))
