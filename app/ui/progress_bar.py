"""An installation as it goes: which step, which part, how much, how fast, how long still."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.language import tr
from app.ui import style
from app.ui.controls import Elided, IconButton, label


class Track(QWidget):
    """A slim bar; without a known share it stands full and pale."""

    def __init__(self) -> None:
        super().__init__()
        self._share: float | None = None
        self.setFixedHeight(6)

    def show_share(self, share: float | None) -> None:
        self._share = share
        percent = "" if share is None else f"{share:.0%}"
        self.setAccessibleDescription(percent)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = style.theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        box = QRectF(self.rect())
        painter.setBrush(QColor(look.accent_soft if self._share is None else look.border))
        painter.drawRoundedRect(box, 3, 3)
        if self._share:
            box.setWidth(max(6.0, box.width() * min(1.0, self._share)))
            painter.setBrush(QColor(look.accent))
            painter.drawRoundedRect(box, 3, 3)
        painter.end()


class ProgressBar(QWidget):
    """Hidden while nothing is installed. Signals: cancel_asked."""

    cancel_asked = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.stage = label(role="title")
        self.part = Elided(role="muted")
        self.figures = label(role="muted")
        self.track = Track()
        self.track.setAccessibleName(name)
        self.cancel = IconButton("close", tr("Cancel the installation"))
        self.cancel.clicked.connect(self.cancel_asked)
        words = QHBoxLayout()
        words.setSpacing(10)
        words.addWidget(self.stage)
        words.addWidget(self.part, 1)
        words.addWidget(self.figures)
        words.addWidget(self.cancel)
        both = QVBoxLayout(self)
        both.setContentsMargins(style.GAP + 4, 8, style.GAP + 4, 2)
        both.setSpacing(5)
        both.addLayout(words)
        both.addWidget(self.track)
        self.hide()

    def show_progress(
        self, stage: str, part: str, figures: str, share: float | None, *, cancellable: bool
    ) -> None:
        """`share` is 0..1, or None while it cannot be known."""
        self.cancel.setVisible(cancellable)
        self.stage.setText(stage)
        self.part.setText(part)
        self.figures.setText(figures)
        self.track.show_share(share)
        self.show()
