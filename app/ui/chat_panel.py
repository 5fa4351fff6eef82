"""The conversation: how quick the answers are, the rows, a line to type; or what to do first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QStackedWidget,
    QWidget,
)

from app.core.events import CheckItem, SessionIs, Turn, UsageIs
from app.core.language import tr
from app.core.tokens import Tokens
from app.core.transcript import Bubble, Transcript
from app.core.wall_clock import WallClock
from app.ui.chat_buttons import CaptionsButton, SaveButton
from app.ui.chat_rows import seconds
from app.ui.chat_view import ChatView
from app.ui.controls import Card, Elided, IconButton
from app.ui.search_line import Search
from app.ui.steps_view import StepsStrip, StepsView
from app.ui.welcome import Welcome


def tokens_text(tokens: Tokens) -> str:
    """Sums in words: what came in, what went out, text and sound apart."""
    return tr(
        "Tokens: {total}. Heard: {input_audio} sound, {input_text} text, {cached} of it known "
        "already. Said: {output_audio} sound, {output_text} text.",
        total=f"{tokens.total:,}",
        input_audio=f"{tokens.input_audio:,}",
        input_text=f"{tokens.input_text:,}",
        cached=f"{tokens.cached:,}",
        output_audio=f"{tokens.output_audio:,}",
        output_text=f"{tokens.output_text:,}",
    )


class ChatPanel(Card):
    """Signals: say_entered(str), demo_asked, save_asked(form), a Document."""

    say_entered = Signal(str)
    demo_asked = Signal()
    save_asked = Signal(object)

    def __init__(self, clock: WallClock | None = None) -> None:
        super().__init__(tr("Conversation"))
        self.clock = clock or WallClock()
        self.transcript = Transcript()
        self.tokens = Tokens()
        self.view = ChatView(self.transcript)
        self.welcome = Welcome()
        self.steps = StepsView()
        self.strip = StepsStrip()
        self.figures = Elided(role="muted")
        self.figures.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.search = Search(tr("Find a text in the conversation"))
        self.times = IconButton("clock", tr("Show times"), toggles=True)
        self.captions = CaptionsButton(self._newest_words)
        self.saving = SaveButton()
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
        self.search.typed.connect(self._search_typed)
        self.search.stepped.connect(self._search_stepped)
        self.search.closed.connect(self.view.setFocus)
        self.search.opener.toggled.connect(lambda on: self.figures.setVisible(not on))
        self.times.toggled.connect(self._show_times)
        self.saving.save_asked.connect(self.save_asked)
        self.allow_typing(on=False)

    def _arrange(self) -> None:
        self.body.setContentsMargins(0, 10, 0, 10)
        self.head.setContentsMargins(14, 0, 10, 0)
        self.head.addWidget(self.figures, 1)
        tools = (self.newest, *self.search.widgets, self.times, self.captions, self.saving)
        for widget in tools:
            self.head.addWidget(widget)
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
        order: list[QWidget] = [*tools, self.strip, self.welcome.demo, self.view]
        for before, after in pairwise([*order, self.line, self.send]):
            QWidget.setTabOrder(before, after)

    # ---- what the window tells

    def take(self, event: object) -> None:
        if isinstance(event, UsageIs):
            self.tokens = self.tokens.after(event)
            self._dirty = self._figures_dirty = True
            return
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
        self.captions.catch_up()
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
        short, whole = [], []
        if figures.latency_median_ms is not None and figures.latency_p95_ms is not None:
            median, p95 = seconds(figures.latency_median_ms), seconds(figures.latency_p95_ms)
            short.append(
                tr("answers after {median}", median=median)
                if median == p95
                else tr("answers after {median}, 95 % within {p95}", median=median, p95=p95)
            )
            whole.append(
                tr(
                    "From the end of your words to the first sound of the answer, on the board: "
                    "median {median}, 95 % within {p95}",
                    median=median,
                    p95=p95,
                )
            )
        if figures.silence_median_ms is not None and figures.silence_p95_ms is not None:
            median, p95 = seconds(figures.silence_median_ms), seconds(figures.silence_p95_ms)
            short.append(tr("silent after {median}", median=median))
            whole.append(
                tr(
                    "From your first word to silence when you interrupt: "
                    "median {median}, 95 % within {p95}",
                    median=median,
                    p95=p95,
                )
            )
        if self.tokens.responses:
            whole.append(tokens_text(self.tokens))
        self.figures.setText(" · ".join(short) or self._count_text())
        self.figures.setToolTip("\n".join(whole))

    def _count_text(self) -> str:
        return tr("{count} tokens", count=f"{self.tokens.total:,}") if self.tokens.total else ""

    @Slot(str)
    def _search_typed(self, text: str) -> None:
        self.search.show_found(0, self.view.search_for(text))

    @Slot(str, bool)
    def _search_stepped(self, text: str, backwards: bool) -> None:
        self.search.show_found(*self.view.go_to_match(backwards=backwards))

    @Slot(bool)
    def _show_times(self, on: bool) -> None:
        self.view.show_times(self.clock.time if on else None)

    def _newest_words(self) -> tuple[Bubble, ...]:
        """The last two bubbles with words in them, for the captions."""
        found: list[Bubble] = []
        for row in range(len(self.transcript) - 1, max(-1, len(self.transcript) - 30), -1):
            match self.transcript[row]:
                case Bubble() as bubble if bubble.text:
                    found.append(bubble)
            if len(found) == 2:
                break
        return tuple(reversed(found))

    @Slot(bool)
    def _following(self, on: bool) -> None:
        self.newest.setVisible(not on)

    @Slot()
    def _say(self) -> None:
        text = self.line.text().strip()
        if text and self.line.isEnabled():
            self.line.clear()
            self.say_entered.emit(text)
