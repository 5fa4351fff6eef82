"""The small parts all panels are made of: card, chip, chooser, button with a drawn icon."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.ui import icons, style


class Tone(Enum):
    """What a colour says; the word beside it says the same."""

    QUIET = "quiet"
    GOOD = "good"
    BUSY = "busy"
    WARNING = "warning"
    BAD = "bad"


def tone_colours(tone: Tone) -> tuple[QColor, QColor]:
    """Front and back for a tone in the theme in use."""
    look = style.theme()
    front, back = {
        Tone.QUIET: (look.muted, look.raised),
        Tone.GOOD: (look.good, look.good_soft),
        Tone.BUSY: (look.accent, look.accent_soft),
        Tone.WARNING: (look.warning, look.warning_soft),
        Tone.BAD: (look.bad, look.bad_soft),
    }[tone]
    return QColor(front), QColor(back)


def label(text: str = "", *, role: str = "") -> QLabel:
    """A label with a role of the style sheet: `muted` or `title`."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        made.setProperty("role", role)
    return made


def tip(text: str, shortcut: str = "") -> str:
    """A tool tip that names the shortcut."""
    return f"{text}  ({shortcut})" if shortcut else text


class Card(QFrame):
    """A framed panel with a title line; `head` takes what stands right of the title."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setAccessibleName(title)
        self.title = label(title, role="title")
        self.head = QHBoxLayout()
        self.head.setSpacing(style.SMALL_GAP)
        self.head.addWidget(self.title)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(14, 10, 14, 12)
        self.body.setSpacing(8)
        self.body.addLayout(self.head)


class Chip(QWidget):
    """A state in one word with a coloured dot; never only the colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._tone = Tone.QUIET
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        return self._text

    def show_state(self, text: str, tone: Tone, hint: str = "") -> None:
        """Show a word; `hint` is the longer story behind it."""
        self._text, self._tone = text, tone
        self.setToolTip(hint)
        self.setAccessibleName(text)
        self.setAccessibleDescription(hint)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(self.font())
        return QSize(int(metrics.horizontalAdvance(self._text)) + 36, 28)

    def paintEvent(self, event: QPaintEvent) -> None:
        front, back = tone_colours(self._tone)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(back)
        box = QRectF(self.rect())
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        painter.setBrush(front)
        painter.drawEllipse(QRectF(11, box.center().y() - 4, 8, 8))
        painter.setPen(front)
        words = box.adjusted(26, 0, -8, 0)
        painter.drawText(
            words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self._text
        )
        painter.end()


class Chooser(QComboBox):
    """A combo box in the form of the other controls. Only its closed face is painted here."""

    def __init__(self, icon: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = icon
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        texts = [self.itemText(index) for index in range(self.count())] or [self.placeholderText()]
        widest = max(metrics.horizontalAdvance(text) for text in texts)
        return QSize(widest + 40 + (24 if self._icon else 0), self._height())

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self._height())

    def _height(self) -> int:
        return style.CONTROL_HEIGHT if self.property("role") != "small" else 26

    def paintEvent(self, event: QPaintEvent) -> None:
        look = style.theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.75, 0.75, -0.75, -0.75)
        focused = self.hasFocus()
        painter.setPen(QPen(QColor(look.accent if focused else look.border), 2 if focused else 1))
        hover = self.underMouse() and self.isEnabled()
        painter.setBrush(QColor(look.raised if hover else look.surface))
        painter.drawRoundedRect(box, 8, 8)
        left = 10.0
        front = QColor(look.text if self.isEnabled() else look.muted)
        middle = box.center().y()
        if self._icon:
            icons.draw(painter, self._icon, QRectF(9, middle - 9, 18, 18), QColor(look.muted))
            left = 34.0
        icons.draw(
            painter, "down", QRectF(box.right() - 24, middle - 8, 16, 16), QColor(look.muted)
        )
        words = QRectF(left, box.top(), box.width() - left - 24, box.height())
        text = self.currentText() or self.placeholderText()
        if not self.currentText():
            front = QColor(look.muted)
        painter.setPen(front)
        shown = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(words.width()))
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
        painter.end()


class IconButton(QToolButton):
    """A button of one drawn icon; its name is in the tool tip and for the screen reader."""

    _icon = ""

    def __init__(self, icon: str, name: str, shortcut: str = "", *, toggles: bool = False) -> None:
        super().__init__()
        self._icon = icon
        self.setCheckable(toggles)
        self.setIconSize(QSize(18, 18))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.rename(name, shortcut)
        self._draw()

    def rename(self, name: str, shortcut: str = "") -> None:
        self.setAccessibleName(name)
        self.setToolTip(tip(name, shortcut))

    def _draw(self) -> None:
        look = style.theme()
        self.setIcon(icons.icon(self._icon, QColor(look.text), style.colour(look.muted, 120)))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._icon:
            self._draw()


class Button(QPushButton):
    """A button with a drawn icon and a word; `primary` is the one thing to do next."""

    _icon = ""

    def __init__(
        self, icon: str, text: str, hint: str, shortcut: str = "", *, primary: bool = False
    ) -> None:
        super().__init__(text)
        self._icon = icon
        self.setIconSize(QSize(16, 16))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setProperty("role", "primary" if primary else "")
        self.show_as(icon, text, hint, shortcut)

    def show_as(self, icon: str, text: str, hint: str, shortcut: str = "") -> None:
        """Another face for the same button, as Start and Stop are."""
        self._icon = icon
        self.setText(text)
        self.setToolTip(tip(hint, shortcut))
        self.setAccessibleName(text.replace("&", ""))
        self._draw()

    def _draw(self) -> None:
        look = style.theme()
        primary = self.property("role") == "primary"
        front = QColor(look.accent_text if primary else look.text)
        self.setIcon(icons.icon(self._icon, front, QColor(look.muted), side=16))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._icon:
            self._draw()


class Elided(QLabel):
    """A line that ends in "…" where it does not fit, and shows all of itself in the tool tip."""

    def __init__(self, text: str = "", *, role: str = "") -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        if role:
            self.setProperty("role", role)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(40)

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setToolTip(text)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        if self.property("role") == "muted":
            painter.setPen(QColor(style.theme().muted))
        shown = self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, self.width()
        )
        painter.drawText(self.rect(), self.alignment() | Qt.AlignmentFlag.AlignVCenter, shown)
        painter.end()
