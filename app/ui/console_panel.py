"""The console with its tools: filters, find, pause, a file to log to, and a command line."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QToolButton, QWidget

from app.core.completion import Completion
from app.core.console import Console, ConsoleView, Wanted, pattern_of
from app.core.events import (
    Boot,
    ConsoleLine,
    LinkClosed,
    LinkOpened,
    LogIs,
    NetworkFound,
    RecordsLost,
    RecordUnknown,
    ScanDone,
    Severity,
    WireGarbled,
)
from app.core.faults import BadSetting
from app.core.language import tr
from app.core.wall_clock import WallClock
from app.ui.command_line import CommandLine
from app.ui.console_view import ConsoleLines
from app.ui.controls import Card, Chooser, IconButton, label, tip
from app.ui.search_line import Search, dress

_SETTLE_MS = 180
CONSOLE_EVENTS = (
    *(ConsoleLine, WireGarbled, RecordsLost, RecordUnknown, LinkOpened, LinkClosed),
    *(Boot, NetworkFound, ScanDone, LogIs),
)


class ConsolePanel(Card):
    """Signals:
    line_entered(str): a command for the board as the user typed it.
    load_asked, scan_asked: one sample of the load, the Wi-Fi networks in reach.
    save_asked: all of the console into a file. log_asked(on): from now on, or no longer.
    """

    line_entered = Signal(str)
    load_asked = Signal()
    scan_asked = Signal()
    save_asked = Signal()
    log_asked = Signal(bool)

    def __init__(self, clock: WallClock | None = None) -> None:
        super().__init__(tr("Console"))
        self.clock = clock or WallClock()
        self.console = Console()
        self.completion = Completion()
        self.lines = ConsoleLines(ConsoleView(self.console))
        self._dirty = False
        self._tags_shown = 0
        self.search = Search(tr("Find a text in the console"))
        self.filter = QLineEdit()
        dress(self.filter, tr("Filter"), tr("Show only lines with this text"), "Ctrl+L")
        self.regex = IconButton("regex", tr("The filter is a regular expression"), toggles=True)
        self.tag = _chooser(tr("Tag shown"))
        self.tag.addItem(tr("All tags"), "")
        self.level = _chooser(tr("Least severity shown"))
        for name, severity in (
            (tr("All lines"), None),
            (tr("Errors"), Severity.ERROR),
            (tr("Warnings"), Severity.WARNING),
            (tr("Info"), Severity.INFO),
            (tr("Debug"), Severity.DEBUG),
        ):
            self.level.addItem(name, severity)
        self.lost = label(role="muted")
        self.lost.hide()
        self.pausing = IconButton("pause", tr("Pause; nothing is lost"), "Ctrl+P", toggles=True)
        self.pausing.setShortcut("Ctrl+P")
        self.clearing = IconButton("clear", tr("Clear the console"), "Ctrl+K")
        self.following = IconButton("follow", tr("Follow new lines"), "End", toggles=True)
        self.following.setChecked(True)
        self.more = IconButton("more", tr("More for the console"))
        self.asking_load = IconButton("chart", tr("Ask the board for its load"))
        self.scanning = IconButton("wifi", tr("Look for Wi-Fi networks"))
        self.command = CommandLine(tr("Command for the board, for example: help"))
        self.command.setProperty("role", "small")
        self.command.offer(self.completion.commands)
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLE_MS)
        self._make_menu()
        self._arrange()
        self._connect()

    def _make_menu(self) -> None:
        menu = QMenu(self)
        self.times = _toggle(menu, tr("Show when lines arrived"))
        self.wraps = _toggle(menu, tr("Wrap long lines"))
        menu.addSeparator()
        self.copying = menu.addAction(tr("Copy selected lines"))
        self.saving = menu.addAction(tr("Save the console"))
        self.logging = _toggle(menu, tr("Write everything to a file from now on"))
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setMenu(menu)

    def _arrange(self) -> None:
        self.body.setContentsMargins(14, 8, 10, 8)
        self.body.setSpacing(6)
        self.head.addStretch(1)
        tools = (
            *self.search.widgets,
            *(self.filter, self.regex, self.tag, self.level),
            *(self.pausing, self.clearing, self.following, self.more),
        )
        for widget in tools:
            self.head.addWidget(widget)
        self.body.addWidget(self.lines, 1)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 4, 0)
        for widget in (self.command, self.lost, self.asking_load, self.scanning):
            line.addWidget(widget)
        self.body.addLayout(line)
        order: list[QWidget] = [*tools, self.lines]
        order += [self.command, self.asking_load, self.scanning]
        for before, after in pairwise(order):
            QWidget.setTabOrder(before, after)

    def _connect(self) -> None:
        self.filter.textChanged.connect(self._settled.start)
        self.regex.toggled.connect(self._choose)
        self.level.activated.connect(self._choose)
        self.tag.activated.connect(self._choose)
        self._settled.timeout.connect(self._choose)
        self.search.typed.connect(self._search_typed)
        self.search.stepped.connect(self._search_stepped)
        self.search.closed.connect(self.lines.setFocus)
        self.search.opener.toggled.connect(self._make_room)
        self.pausing.toggled.connect(self._pause)
        self.times.toggled.connect(self._show_times)
        self.wraps.toggled.connect(self.lines.wrap)
        self.copying.triggered.connect(self.lines.copy)
        self.saving.triggered.connect(self.save_asked)
        self.logging.triggered.connect(self.log_asked)
        self.clearing.clicked.connect(self.clear)
        self.following.clicked.connect(self._follow)
        self.lines.following_changed.connect(self.following.setChecked)
        self.command.entered.connect(self.line_entered)
        self.asking_load.clicked.connect(self.load_asked)
        self.scanning.clicked.connect(self.scan_asked)
        for keys, slot in (("Ctrl+L", self.filter.setFocus), ("Ctrl+K", self.clear)):
            QShortcut(QKeySequence(keys), self).activated.connect(slot)

    # ---- what the window tells

    def take(self, event: object) -> None:
        """A console event; it is painted at the end of the batch."""
        self._dirty |= self.console.apply(event)  # type: ignore[arg-type]
        match event:
            case ConsoleLine(at=at, text=text):
                if self.completion.heard(text, at):
                    self.command.offer(self.completion.commands)
            case LogIs(path=path):
                self.logging.setChecked(bool(path))

    @Slot()
    def catch_up(self) -> None:
        """The batch is complete."""
        if self._dirty:
            self._dirty = False
            self.lines.catch_up()
            self._tell_losses()
            self._tell_tags()

    def sent(self, line: str, at: float) -> None:
        """A command went out; secrets are hidden already."""
        self.console.sent(line, at)
        self.completion.sent(line, at)
        self.lines.catch_up()

    def allow(self, *, on: bool) -> None:
        """Whether there is a board to talk to."""
        for widget in (self.command, self.asking_load, self.scanning):
            widget.setEnabled(on)

    def _tell_losses(self) -> None:
        told = []
        if self.lines.held_back:
            told.append(tr("{count} new", count=f"{self.lines.held_back:,}"))
        if self.console.lost_records:
            told.append(tr("{count} lost", count=self.console.lost_records))
        if self.console.garbled:
            told.append(tr("{count} garbled", count=self.console.garbled))
        self.lost.setText(" · ".join(told))
        self.lost.setVisible(bool(told))

    def _tell_tags(self) -> None:
        if len(self.console.tags) == self._tags_shown:
            return
        chosen = self.tag.currentData()
        self._tags_shown = len(self.console.tags)
        self.tag.clear()
        self.tag.addItem(tr("All tags"), "")
        for name in sorted(self.console.tags):
            self.tag.addItem(name, name)
        self.tag.setCurrentIndex(max(0, self.tag.findData(chosen)))

    # ---- what the user does

    @Slot()
    def _choose(self) -> None:
        text = self.filter.text()
        pattern = None
        try:
            pattern = pattern_of(text) if text and self.regex.isChecked() else None
            problem = ""
        except BadSetting as fault:
            problem = f"{fault.what}\n{fault.remedy}"
        about = tr("Show only lines with this text")
        self.filter.setToolTip(problem or tip(about, "Ctrl+L"))
        self.filter.setAccessibleDescription(problem)
        self.filter.setProperty("bad", bool(problem))
        self.filter.style().unpolish(self.filter)
        self.filter.style().polish(self.filter)
        if problem:
            return  # what was shown before says more than nothing
        plain_text = "" if pattern is not None else text
        tag = self.tag.currentData() or ""
        self.lines.choose(Wanted(self.level.currentData(), tag, plain_text, pattern))

    @Slot(bool)
    def _pause(self, on: bool) -> None:
        self.lines.hold(on)
        self.pausing.rename(tr("Go on") if on else tr("Pause; nothing is lost"), "Ctrl+P")
        self._tell_losses()

    @Slot(bool)
    def _show_times(self, on: bool) -> None:
        self.lines.show_times(self.clock.fine_time if on else None)

    @Slot()
    def _follow(self) -> None:
        self.pausing.setChecked(False)
        self.lines.follow()
        self.following.setChecked(True)

    @Slot()
    def clear(self) -> None:
        self.console.clear()
        self.lines.forget_all()

    @Slot(bool)
    def _make_room(self, searching: bool) -> None:
        """A search takes the filters' place in a narrow window."""
        for widget in (self.filter, self.regex, self.tag, self.level):
            widget.setVisible(not searching)

    @Slot(str)
    def _search_typed(self, text: str) -> None:
        self.search.found.setText("")
        if not text:
            self.lines.find_text("", backwards=False)

    @Slot(str, bool)
    def _search_stepped(self, text: str, backwards: bool) -> None:
        found = self.lines.find_text(text, backwards=backwards)
        self.search.found.setText("" if found or not text else tr("Not found"))


def _chooser(name: str) -> Chooser:
    made = Chooser()
    made.setProperty("role", "small")
    made.setAccessibleName(name)
    made.setToolTip(name)
    made.setMaximumWidth(130)
    return made


def _toggle(menu: QMenu, text: str) -> QAction:
    action = menu.addAction(text)
    action.setCheckable(True)
    return action
