"""The window: board bar, messages, conversation, console, device, load. It shows and asks.

Events come in through `handle`, are gathered by the feed, and go to the panel that asked for their
type; what the user wants goes out through `Actions`. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from time import monotonic, time
from typing import Any

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from app.core import wire
from app.core.events import (
    AskLoad,
    BoardError,
    Boot,
    CheckList,
    Command,
    ConsoleLine,
    DeviceIs,
    Event,
    FlashStage,
    FlashWrote,
    LevelIs,
    LinkClosed,
    LinkOpened,
    LoadIs,
    MediaIs,
    Mute,
    PortsAre,
    Say,
    Scan,
    SessionIs,
    SessionState,
    SetVolume,
    Stage,
    Start,
    Stop,
    ToolAnswered,
    ToolCalled,
    Turn,
    Typed,
    UsageIs,
    WifiIs,
    Words,
)
from app.core.export import Document, console_text, document, file_name, load_csv
from app.core.faults import Fault
from app.core.language import tr
from app.core.load_watch import LoadWatch
from app.core.ports import Actions
from app.core.session_text import fault_of, wifi_fault_of
from app.core.wall_clock import WallClock
from app.ui import style
from app.ui.board_bar import BoardBar
from app.ui.board_state import BoardState
from app.ui.chat_panel import ChatPanel
from app.ui.console_panel import CONSOLE_EVENTS, ConsolePanel
from app.ui.controls import Tone
from app.ui.device_view import DeviceView
from app.ui.feed import Feed
from app.ui.installation import Installation, stage_words
from app.ui.load_view import LoadView, TasksView
from app.ui.message_bar import MessageBar
from app.ui.progress_bar import ProgressBar
from app.ui.report import ReportDialog, report_text
from app.ui.saving import ask_place
from app.ui.store import Forgetful, Store
from app.ui.tasks import Tasks

_DONE_STAYS_MS = 4000


class MainWindow(QMainWindow):
    """Signals: closed, once, when the user closed it; then await `finish`."""

    closed = Signal()

    def __init__(
        self,
        actions: Actions,
        *,
        title: str,
        store: Store | None = None,
        log_place: str = "",
        clock: WallClock | None = None,
    ) -> None:
        super().__init__()
        self._clock = clock or WallClock(time() - monotonic())
        self._actions = actions
        self._store = store or Forgetful()
        self._log_place = log_place
        self._state = BoardState()
        self._watch = LoadWatch()
        self._installation = Installation()
        self._report: ReportDialog | None = None
        self.asking: QFileDialog | None = None
        self.setWindowTitle(title)
        self.setMinimumSize(QSize(900, 560))
        self.feed = Feed(self)
        self.tasks = Tasks(faulted=self._faulted, broke=self._broke)
        self.bar = BoardBar(title)
        self.messages = MessageBar()
        self.progress = ProgressBar(tr("Installation"))
        self.chat = ChatPanel(self._clock)
        self.console = ConsolePanel(self._clock)
        self.device = DeviceView()
        self.load = LoadView()
        self.task_list = TasksView()
        self._done = QTimer(self)
        self._done.setSingleShot(True)
        self._done.setInterval(_DONE_STAYS_MS)
        self._done.timeout.connect(self.progress.hide)
        self._arrange()
        self._subscribe()
        self._connect()
        self._restore()
        self._show_state()

    def handle(self, event: Event) -> None:
        """Takes any event, in the window's thread; shown with the next batch."""
        self.feed.post(event)

    async def finish(self) -> None:
        """End what the window started. The window is of no use afterwards."""
        await self.tasks.close()
        self.feed.flush()

    # ---- form

    def _arrange(self) -> None:
        self.left = _splitter(Qt.Orientation.Vertical, self.chat, self.console)
        self.right = _splitter(Qt.Orientation.Vertical, self.device, self.load, self.task_list)
        # Messages take height; then the column scrolls instead of crushing what is in it.
        column = QScrollArea()
        column.setWidgetResizable(True)
        column.setFrameShape(QFrame.Shape.NoFrame)
        column.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column.setMinimumWidth(350)
        self.right.setProperty("role", "column")
        column.setWidget(self.right)
        self.halves = _splitter(Qt.Orientation.Horizontal, self.left, column)
        for splitter, sizes in (
            (self.left, (450, 240)),
            (self.right, (150, 330, 210)),
            (self.halves, (840, 400)),
        ):
            splitter.setSizes(sizes)
            for place, size in enumerate(sizes):
                splitter.setStretchFactor(place, size)
        self.right.setStretchFactor(0, 0)
        inside = QHBoxLayout()
        inside.setContentsMargins(style.GAP, 8, style.GAP, style.GAP)
        inside.addWidget(self.halves)
        page = QWidget()
        rows = QVBoxLayout(page)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        for widget in (self.bar, self.progress, self.messages):
            rows.addWidget(widget)
        rows.addLayout(inside, 1)
        self.setCentralWidget(page)
        self.resize(1280, 800)

    def _splitters(self) -> tuple[tuple[str, QSplitter], ...]:
        return ("left", self.left), ("right", self.right), ("halves", self.halves)

    def _restore(self) -> None:
        geometry = self._store.read("geometry")
        if geometry:
            self.restoreGeometry(QByteArray(geometry))
        for name, splitter in self._splitters():
            kept = self._store.read(name)
            if kept:
                splitter.restoreState(QByteArray(kept))

    def _keep(self) -> None:
        self._store.write("geometry", bytes(self.saveGeometry().data()))
        for name, splitter in self._splitters():
            self._store.write(name, bytes(splitter.saveState().data()))

    # ---- events in

    def _subscribe(self) -> None:
        on = self.feed.on
        on(CONSOLE_EVENTS, self.console.take)
        on((Words, Turn, ToolCalled, ToolAnswered, SessionIs, Boot, UsageIs), self.chat.take)
        on((LoadIs, MediaIs, SessionIs, ToolCalled, Boot, LevelIs), self.load.take)
        told_of_board = (PortsAre, LinkOpened, LinkClosed, Boot, WifiIs, SessionIs, ConsoleLine)
        on(told_of_board, self._board_told)
        on((LoadIs,), self._loaded)
        on((LoadIs, Boot, LinkClosed), self._watched)
        on((DeviceIs,), self.device.show_device)
        on((CheckList,), self._listed)
        on((FlashStage,), self._staged)
        on((FlashWrote,), self._wrote)
        on((SessionIs,), self._session_told)
        on((WifiIs,), self._wifi_told)
        on((BoardError,), self._error_told)
        on((LinkOpened,), self._opened)
        on((LinkClosed,), self._gone)
        on((PortsAre,), self._ports_told)
        for panel in (self.console, self.chat, self.load):
            self.feed.drained.connect(panel.catch_up)

    def _board_told(self, event: Event) -> None:
        if self._state.take(event):
            self._show_state()

    def _ports_told(self, event: PortsAre) -> None:
        self.bar.show_ports(event.ports, self._state.port)

    def _opened(self, event: LinkOpened) -> None:
        self.messages.settle("link")
        self.bar.show_ports(self._state.ports, event.port)

    def _gone(self, event: LinkClosed) -> None:
        self.device.show_absent()
        if event.reason:
            self.messages.show_message(
                tr("The connection to the board ended."),
                tr("Check the cable. Parley connects again as soon as the board is back."),
                event.reason,
                topic="link",
            )

    def _show_state(self) -> None:
        state = self._state
        self.bar.show_state(*state.chip())
        self.bar.show_talking(state.talking)
        busy = bool(state.busy)
        stoppable = state.busy == "demo" and state.talking
        self.bar.allow(
            board=state.linked, busy=busy, talk=state.startable and (stoppable or not busy)
        )
        self.bar.ports.setEnabled(bool(state.ports) and not busy)
        self.chat.allow_typing(on=state.live)
        self.console.allow(on=state.linked)
        following = state.next_thing()
        if following is None:
            self.chat.welcome.show_first()
        else:
            self.chat.welcome.show_next(*following)

    def _loaded(self, event: LoadIs) -> None:
        self.task_list.show_tasks(self.load.history.tasks)

    def _watched(self, event: Event) -> None:
        for note in self._watch.take(event):
            self.messages.show_message(
                note.what, note.remedy, note.detail, Tone.WARNING, topic=note.topic
            )

    def _listed(self, event: CheckList) -> None:
        self.chat.check_list(event.items)

    def _session_told(self, event: SessionIs) -> None:
        fault = fault_of(event)
        if fault is not None:
            self.messages.show_fault(fault, topic="session")
        elif event.state in (SessionState.LIVE, SessionState.TOKEN, SessionState.OFFER):
            self.messages.settle("session")

    def _wifi_told(self, event: WifiIs) -> None:
        fault = wifi_fault_of(event)
        if fault is not None:
            self.messages.show_fault(fault, topic="wifi")
        elif event.state == "up":
            self.messages.settle("wifi")

    def _error_told(self, event: BoardError) -> None:
        self.messages.show_message(
            tr("The board reports: {message}", message=event.message or event.code),
            tr("The conversation is over. Start again.") if event.fatal else "",
            " ".join(part for part in (event.code, event.key) if part),
            Tone.BAD if event.fatal else Tone.WARNING,
            topic=f"error {event.code} {event.key}",
        )

    def _staged(self, event: FlashStage) -> None:
        self._installation.staged(event)
        self._show_installation()
        if event.stage is Stage.PROVE:
            self._done.start()

    def _wrote(self, event: FlashWrote) -> None:
        self._installation.wrote(event)
        self._show_installation()

    def _show_installation(self) -> None:
        told = self._installation
        if told.stage is None:
            return
        self._done.stop()
        cancellable = bool(self.tasks.running) and told.stage is not Stage.PROVE
        self.progress.show_progress(
            stage_words(told.stage), told.part, told.figures, told.share, cancellable=cancellable
        )

    # ---- wishes out

    def _connect(self) -> None:
        bar = self.bar
        bar.port_chosen.connect(self._choose)
        bar.install_asked.connect(self._install)
        bar.restart_asked.connect(self._restart)
        bar.start_asked.connect(self._start_talking)
        bar.stop_asked.connect(self._stop_talking)
        self.chat.demo_asked.connect(self.start_demo)
        self.chat.say_entered.connect(lambda text: self._send(Say(text)))
        self.chat.save_asked.connect(self._save_conversation)
        self.console.line_entered.connect(lambda line: self._send(Typed(line)))
        self.console.load_asked.connect(lambda: self._send(AskLoad()))
        self.console.scan_asked.connect(lambda: self._send(Scan()))
        self.console.save_asked.connect(self._save_console)
        self.console.log_asked.connect(self._log_console)
        self.load.save_asked.connect(self._save_load)
        self.device.volume_asked.connect(lambda percent: self._send(SetVolume(percent)))
        self.device.mute_asked.connect(lambda on: self._send(Mute(on)))
        self.progress.cancel_asked.connect(self._cancel)
        for keys in ("Ctrl+Return", "Ctrl+Enter"):
            QShortcut(QKeySequence(keys), self).activated.connect(bar.start_now)
        QShortcut(QKeySequence("Ctrl+F"), self).activated.connect(self._find)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Esc comes here only where nothing nearer had a use for it: a search, a message.
        if event.key() == Qt.Key.Key_Escape:
            self.bar.stop_now()
        else:
            super().keyPressEvent(event)

    @Slot(str)
    def _choose(self, port: str) -> None:
        self._work("", self._actions.choose(port), tr("Connecting to the board"))

    @Slot()
    def _install(self) -> None:
        self.messages.clear()
        self._work("install", self._actions.install(), tr("Installing"))

    @Slot()
    def _restart(self) -> None:
        self._work("restart", self._actions.restart(), tr("Restarting the board"))

    @Slot()
    def start_demo(self) -> None:
        """The whole job on the virtual board; does nothing while something is under way."""
        if not self._state.busy:
            self.messages.clear()
            self._work("demo", self._actions.demo(), tr("The demo"))

    @Slot()
    def _start_talking(self) -> None:
        self._work("", self._begin(), tr("Starting the conversation"))

    @Slot()
    def _stop_talking(self) -> None:
        if self._state.busy == "demo":
            self.tasks.cancel()
        self._send(Stop())

    @Slot()
    def _find(self) -> None:
        """Search where one is: in the console, or else in the conversation."""
        here = QApplication.focusWidget()
        in_console = here is not None and self.console.isAncestorOf(here)
        (self.console if in_console else self.chat).search.open()

    @Slot(object)
    def _save_conversation(self, form: Document) -> None:
        rows = self.chat.transcript.rows
        at = rows[0].at if rows else monotonic()
        name = file_name("conversation", form, self._clock, at)
        self.save_as(name, lambda: document(rows, form, self._clock).encode())

    @Slot()
    def _save_console(self) -> None:
        entries = self.console.console.entries()
        name = file_name("console", "txt", self._clock, monotonic())
        self.save_as(name, lambda: console_text(entries, self._clock).encode())

    @Slot(str)
    def _save_load(self, form: str) -> None:
        name = file_name("load", form, self._clock, monotonic())
        picture = self.load.picture() if form == "png" else b""
        table = load_csv(self.load.history, self._clock) if form == "csv" else ""
        self.save_as(name, lambda: picture or table.encode())

    @Slot(bool)
    def _log_console(self, on: bool) -> None:
        self.console.logging.setChecked(not on)  # it is on when the log says so
        if not on:
            self._work("", self._actions.log_console(""), tr("Saving"))
            return
        name = file_name("console", "log", self._clock, monotonic())

        def chosen(path: str) -> None:
            self._work("", self._actions.log_console(path), tr("Saving"))

        self.asking = ask_place(self, name, chosen)

    def save_as(self, name: str, content: Callable[[], bytes]) -> None:
        """Ask where to, then write what `content` makes."""

        def chosen(path: str) -> None:
            self._work("", self._actions.save(path, content), tr("Saving"))

        self.asking = ask_place(self, name, chosen)

    async def _begin(self) -> None:
        await self._tell_board(Start())
        await self._tell_board(AskLoad(every_s=1))

    async def _tell_board(self, command: Command) -> None:
        self.console.sent(wire.mirror(command), monotonic())
        await self._actions.send(command)

    def _send(self, command: Command) -> None:
        self._work("", self._tell_board(command), tr("Telling the board"))

    def _work(self, busy: str, work: Coroutine[Any, Any, object], what: str) -> None:
        """Start what the user asked for; `busy` names what excludes everything else."""
        if busy:
            self._state.busy = busy
        self.tasks.start(work, what=what, ended=self._ended if busy else None)
        self._show_state()

    def _ended(self) -> None:
        self.feed.flush()
        self._state.busy = ""
        if self._installation.stage not in (None, Stage.PROVE):
            self.progress.hide()
        self._show_state()

    @Slot()
    def _cancel(self) -> None:
        self.tasks.cancel()

    # ---- what went wrong

    def _faulted(self, fault: Fault, what: str) -> None:
        self.messages.show_fault(fault)
        self.bar.show_ports(self._state.ports, self._state.port)

    def _broke(self, error: BaseException, what: str) -> None:
        self.show_report(error, what)

    def show_report(self, error: BaseException, what: str) -> None:
        """A bug: told once; while its report is open, further ones are its consequences."""
        if self._report is not None:
            return
        text = report_text(error, what, log_place=self._log_place)
        self._report = ReportDialog(text, self)
        self._report.destroyed.connect(self._report_closed)
        self._report.show()

    @Slot()
    def _report_closed(self) -> None:
        self._report = None

    def closeEvent(self, event: QCloseEvent) -> None:
        self._keep()
        event.accept()
        self.closed.emit()


def _splitter(orientation: Qt.Orientation, *widgets: QWidget) -> QSplitter:
    made = QSplitter(orientation)
    made.setHandleWidth(10)
    made.setChildrenCollapsible(False)
    for widget in widgets:
        made.addWidget(widget)
    return made
