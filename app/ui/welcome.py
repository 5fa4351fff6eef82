"""What stands where the conversation will be: the next thing to do."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.language import tr
from app.ui import icons, style
from app.ui.controls import Button, label


class Emblem(QWidget):
    """The program's sign, large."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(QSize(72, 72))
        self.setAccessibleName("Parley")

    def paintEvent(self, event: QPaintEvent) -> None:
        look = style.theme()
        painter = QPainter(self)
        icons.draw_mark(
            painter, QRectF(4, 4, 64, 64), QColor(look.accent), QColor(look.accent_soft)
        )
        painter.end()


class Welcome(QWidget):
    """What stands where the conversation will be: the next thing to do.

    Signals: demo_asked.
    """

    demo_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.title = label()
        self.title.setFont(style.body_font(steps=4, bold=True))
        self.text = label(role="muted")
        self.text.setWordWrap(True)
        self.text.setMaximumWidth(430)
        self.demo = Button(
            "play",
            tr("Try the &virtual board"),
            tr("Nothing to plug in, no account: a board and a service inside this computer"),
            "Ctrl+D",
            primary=True,
        )
        self.demo.setShortcut("Ctrl+D")
        self.demo.clicked.connect(self.demo_asked)
        for words in (self.title, self.text):
            words.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        rows = QVBoxLayout(self)
        rows.setSpacing(style.GAP)
        rows.addStretch(2)
        middle = Qt.AlignmentFlag.AlignHCenter
        rows.addWidget(Emblem(), 0, middle)
        rows.addWidget(self.title)
        line = QHBoxLayout()
        line.addStretch(1)
        line.addWidget(self.text, 4)
        line.addStretch(1)
        rows.addLayout(line)
        rows.addSpacing(4)
        rows.addWidget(self.demo, 0, middle)
        rows.addStretch(3)
        self.show_first()

    def show_first(self) -> None:
        """No board yet."""
        self.title.setText(tr("Plug a board in, or try the virtual board"))
        self.text.setText(
            tr(
                "An ESP32-S3 board appears in the list above as soon as its cable is in. "
                "The virtual board needs no cable and no account."
            )
        )
        self.demo.show()

    def show_next(self, title: str, text: str) -> None:
        """A board is there: what comes next."""
        self.title.setText(title)
        self.text.setText(text)
        self.demo.hide()
