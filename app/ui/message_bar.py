"""What went wrong and what to do about it, without a box that stops everything."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.core.faults import Fault
from app.core.language import tr
from app.ui import style
from app.ui.controls import IconButton, Tone, label, tone_colours

MOST = 2


class Message(QFrame):
    """One fault: what happened, the remedy, and the engineer's detail on demand."""

    def __init__(self, what: str, remedy: str, detail: str, tone: Tone, topic: str) -> None:
        super().__init__()
        self.what, self.remedy, self.detail, self.tone = what, remedy, detail, tone
        self.topic = topic
        self.count = 1
        self.setAccessibleName(f"{what} {remedy}")
        self._what = label(what, role="title")
        self._remedy = label(remedy)
        for text in (self._what, self._remedy):
            text.setWordWrap(True)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.details = QPushButton(tr("Details"))
        self.details.setCheckable(True)
        self.details.setProperty("role", "small")
        self.close_button = IconButton("close", tr("Close this message"), "Esc")
        self._detail = QLabel(detail)
        self._detail.setTextFormat(Qt.TextFormat.PlainText)
        self._detail.setWordWrap(True)
        self._detail.setFont(style.fixed_font(steps=-1))
        self._detail.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._detail.hide()
        self.details.toggled.connect(self._detail.setVisible)
        grid = QGridLayout(self)
        grid.setContentsMargins(40, 8, 8, 8)
        grid.setVerticalSpacing(2)
        grid.addWidget(self._what, 0, 0)
        grid.addWidget(self._remedy, 1, 0)
        grid.addWidget(self._detail, 2, 0, 1, 3)
        grid.addWidget(self.details, 0, 1, 2, 1)
        grid.addWidget(self.close_button, 0, 2, 2, 1)
        grid.setColumnStretch(0, 1)
        self.details.setVisible(bool(detail))  # now that it has a parent: alone it were a window

    def again(self) -> None:
        """The same thing happened once more."""
        self.count += 1
        self._what.setText(f"{self.what}  ×{self.count}")

    def texts(self) -> str:
        return "\n".join(text for text in (self._what.text(), self.remedy) if text)

    def paintEvent(self, event: QPaintEvent) -> None:
        front, back = tone_colours(self.tone)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(back)
        painter.drawRoundedRect(QRectF(self.rect()), 8, 8)
        painter.setBrush(front)
        disc = QRectF(12, min(14.0, self.height() / 2 - 9), 18, 18)
        painter.drawEllipse(disc)
        painter.setPen(back)
        painter.setFont(style.body_font(bold=True))
        painter.drawText(disc, Qt.AlignmentFlag.AlignCenter, "!" if self.tone != Tone.GOOD else "i")
        painter.end()


class MessageBar(QWidget):
    """The newest messages, at most two; one that repeats is counted, not stacked."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Messages"))
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(style.GAP, 8, style.GAP, 0)
        self._rows.setSpacing(6)
        self._messages: list[Message] = []
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.hide()

    @property
    def texts(self) -> tuple[str, ...]:
        """What can be read now, newest first."""
        return tuple(message.texts() for message in self._messages)

    def show_fault(self, fault: Fault, topic: str = "") -> None:
        self.show_message(fault.what, fault.remedy, fault.detail, Tone.BAD, topic)

    def show_message(
        self,
        what: str,
        remedy: str = "",
        detail: str = "",
        tone: Tone = Tone.WARNING,
        topic: str = "",
    ) -> None:
        """Show on top; it replaces what was said about its `topic`, and the oldest makes room."""
        for present in tuple(self._messages):
            if (present.what, present.remedy, present.tone) == (what, remedy, tone):
                present.again()
                return
            if topic and present.topic == topic:
                self._drop(present)
        message = Message(what, remedy, detail, tone, topic)
        message.close_button.clicked.connect(lambda: self._drop(message))
        self._messages.insert(0, message)
        self._rows.insertWidget(0, message)
        while len(self._messages) > MOST:
            self._drop(self._messages[-1])
        self.show()

    def settle(self, topic: str) -> None:
        """What was said about `topic` is over."""
        for message in tuple(self._messages):
            if message.topic == topic:
                self._drop(message)

    def _drop(self, message: Message) -> None:
        self._messages.remove(message)
        self._rows.removeWidget(message)
        message.hide()
        message.deleteLater()
        self.setVisible(bool(self._messages))

    def close_newest(self) -> None:
        if self._messages:
            self._drop(self._messages[0])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._messages:
            self.close_newest()
        else:
            super().keyPressEvent(event)

    def clear(self) -> None:
        """A new attempt begins: what was said about the last one is over."""
        for message in tuple(self._messages):
            self._drop(message)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, super().minimumSizeHint().height())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            for message in self._messages:
                message.update()
