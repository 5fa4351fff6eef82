"""The conversation: how quick the answers are, the rows, a line to type; or what to do first."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.core.events import CheckItem, SessionIs, Turn
from app.core.language import tr
from app.core.transcript import Transcript
from app.ui import icons, style
from app.ui.chat_rows import seconds
from app.ui.chat_view import ChatView
from app.ui.controls import Button, Card, IconButton, label
from app.ui.steps_view import StepsStrip, StepsView


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


class ChatPanel(Card):
    """Signals: say_entered(str), demo_asked."""

    say_entered = Signal(str)
    demo_asked = Signal()

    def __init__(self) -> None:
        super().__init__(tr("Conversation"))
        self.transcript = Transcript()
        self.view = ChatView(self.transcript)
        self.welcome = Welcome()
        self.steps = StepsView()
        self.strip = StepsStrip()
        self.figures = label(role="muted")
        self.figures.setToolTip(
            tr("From the end of your words to the first sound of the answer, on the board")
        )
        self.newest = IconButton("follow", tr("Go to the newest words"), "End")
        self.newest.hide()
        self.line = QLineEdit()
        self.line.setPlaceholderText(tr("Type to the assistant"))
        self.line.setAccessibleName(tr("Type to the assistant"))
        self.send = IconButton("send", tr("Send"), "Enter")
        self._dirty = self._figures_dirty = False
        self._arrange()
        self.view.following_changed.connect(self._following)
        self.newest.clicked.connect(self.view.follow)
        self.strip.toggled.connect(self._show_page)
        self.line.returnPressed.connect(self._say)
        self.send.clicked.connect(self._say)
        self.welcome.demo_asked.connect(self.demo_asked)
        self.allow_typing(on=False)

    def _arrange(self) -> None:
        self.body.setContentsMargins(0, 10, 0, 10)
        self.head.setContentsMargins(14, 0, 10, 0)
        self.head.addStretch(1)
        self.head.addWidget(self.figures)
        self.head.addWidget(self.newest)
        self.pages = QStackedWidget()
        self.steps_page = QScrollArea()
        self.steps_page.setWidget(self.steps)
        self.steps_page.setWidgetResizable(True)
        self.steps_page.setFrameShape(QFrame.Shape.NoFrame)
        self.steps_page.setAccessibleName(tr("Steps of the demo"))
        for page in (self.welcome, self.steps_page, self.view):
            self.pages.addWidget(page)
        above = QHBoxLayout()
        above.setContentsMargins(14, 0, 14, 0)
        above.addWidget(self.strip)
        self.body.addLayout(above)
        self.body.addWidget(self.pages, 1)
        below = QHBoxLayout()
        below.setContentsMargins(14, 0, 10, 0)
        below.addWidget(self.line, 1)
        below.addWidget(self.send)
        self.body.addLayout(below)
        QWidget.setTabOrder(self.strip, self.welcome.demo)
        QWidget.setTabOrder(self.welcome.demo, self.view)
        QWidget.setTabOrder(self.view, self.line)
        QWidget.setTabOrder(self.line, self.send)

    # ---- what the window tells

    def take(self, event: object) -> None:
        changes = self.transcript.apply(event)  # type: ignore[arg-type]
        if changes:
            self._dirty = True
            self._figures_dirty |= isinstance(event, Turn | SessionIs)
            self.view.take(changes)

    @Slot()
    def catch_up(self) -> None:
        """The batch is complete."""
        if not self._dirty:
            return
        self._dirty = False
        self._show_page()
        self.view.catch_up()
        if self._figures_dirty:
            self._figures_dirty = False
            self._show_figures()

    def check_list(self, items: Iterable[CheckItem]) -> None:
        """The demo's steps as they stand; none: no demo."""
        self.steps.show_items(items)
        self._show_page()

    def allow_typing(self, *, on: bool) -> None:
        self.line.setEnabled(on)
        self.send.setEnabled(on)
        self.line.setToolTip("" if on else tr("Start a conversation first"))

    # ---- inside

    @Slot()
    def _show_page(self) -> None:
        talked, demo = len(self.transcript) > 0, bool(self.steps.items)
        self.strip.show_items(self.steps.items if talked else ())
        if demo and (not talked or self.strip.isChecked()):
            self.pages.setCurrentWidget(self.steps_page)
        elif talked:
            self.pages.setCurrentWidget(self.view)
        else:
            self.pages.setCurrentWidget(self.welcome)

    def _show_figures(self) -> None:
        figures = self.transcript.figures()
        if figures.latency_median_ms is None or figures.latency_p95_ms is None:
            self.figures.setText("")
            return
        if figures.latency_median_ms == figures.latency_p95_ms:
            median = seconds(figures.latency_median_ms)
            self.figures.setText(tr("answers after {median}", median=median))
            return
        self.figures.setText(
            tr(
                "answers after {median}, 95 % within {p95}",
                median=seconds(figures.latency_median_ms),
                p95=seconds(figures.latency_p95_ms),
            )
        )

    @Slot(bool)
    def _following(self, on: bool) -> None:
        self.newest.setVisible(not on)

    @Slot()
    def _say(self) -> None:
        text = self.line.text().strip()
        if text and self.line.isEnabled():
            self.line.clear()
            self.say_entered.emit(text)
