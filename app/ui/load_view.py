"""How hard the board works: plots on one time axis, and its tasks as they stand."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractTableModel,
    QBuffer,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QSizePolicy,
    QTableView,
    QToolButton,
)

from app.core.events import LevelIs, SessionState, TaskLoad
from app.core.language import tr
from app.core.load import Figure, LoadHistory, Mark, MarkKind
from app.core.load_watch import LITTLE_STACK_BYTES
from app.ui import plot, style
from app.ui.controls import Card, Chooser, Elided, IconButton, label
from app.ui.level_meter import LevelMeter
from app.ui.plot import Curve, Plot

Index = QModelIndex | QPersistentModelIndex
_SPANS_S = (60, 300, 900, 3600)
_LEAST_SPAN_S = 20
_BOTH = (Figure.HEAP_FREE, Figure.RTT_MS)  # one of each kind of sample


def mark_text(mark: Mark) -> str:
    """A mark in the user's words."""
    match mark.kind:
        case MarkKind.TOOL:
            return tr("Tool: {name}", name=mark.text)
        case MarkKind.RESET:
            return tr("The board restarted ({reason})", reason=mark.text)
        case MarkKind.SESSION:
            return {
                SessionState.LIVE.value: tr("Conversation started"),
                SessionState.IDLE.value: tr("Conversation ended"),
            }.get(str(mark.text), tr("Conversation: {state}", state=mark.text))


class LoadView(Card):
    """Five plots; the cursor of one is the cursor of all.

    Signals: save_asked(form), "png" or "csv".
    """

    save_asked = Signal(str)

    def __init__(self) -> None:
        super().__init__(tr("Load"))
        self.history = LoadHistory()
        self._dirty = False
        self.cpu = Plot(tr("CPU"), "%", bounds=(0, 100))
        self.heap = Plot(tr("Heap free"), "kB", least_span=16)
        self.psram = Plot(tr("PSRAM free"), "kB", least_span=64)
        self.rssi = Plot(tr("Wi-Fi signal"), "dBm", least_span=10)
        self.bitrate = Plot(tr("Bit rate"), "kbit/s", least_span=20, floor_zero=True)
        self.plots = (self.cpu, self.heap, self.psram, self.rssi, self.bitrate)
        self.span = Chooser()
        self.span.setProperty("role", "small")
        self.span.setAccessibleName(tr("Length of time shown"))
        self.span.setToolTip(tr("Length of time shown"))
        for seconds in _SPANS_S:
            minutes = seconds // 60
            name = tr("1 hour") if minutes == 60 else tr("{minutes} min", minutes=minutes)
            self.span.addItem(name, seconds)
        self.span.activated.connect(self.show_history)
        self.notes = Elided(role="muted")
        self.saving = IconButton("save", tr("Save the load"))
        menu = QMenu(self)
        for name, form in ((tr("Picture (PNG)"), "png"), (tr("Table (CSV)"), "csv")):
            menu.addAction(name).setData(form)
        menu.triggered.connect(lambda action: self.save_asked.emit(action.data()))
        self.saving.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.saving.setMenu(menu)
        self.head.addWidget(self.notes, 1)
        self.head.addWidget(self.span)
        self.head.addWidget(self.saving)
        self.levels = LevelMeter()
        self._level: LevelIs | None = None
        self.body.setSpacing(5)
        self.body.addWidget(self.levels)
        for each in self.plots:
            self.body.addWidget(each, 1)
            each.pointed.connect(self._point)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def take(self, event: object) -> None:
        if isinstance(event, LevelIs):
            self._level = event  # of a batch only the newest is painted
            return
        self._dirty |= self.history.apply(event)  # type: ignore[arg-type]

    @Slot()
    def catch_up(self) -> None:
        """The batch is complete."""
        if self._level is not None:
            self.levels.show_levels(self._level)
            self._level = None
        if self._dirty:
            self._dirty = False
            self.show_history()

    @Slot()
    def show_history(self) -> None:
        latest, media = self.history.latest, self.history.latest_media
        ends = [sample.at for sample in (latest, media) if sample is not None]
        if not ends:
            return
        # A short history grows from the left edge instead of hiding at the right one.
        firsts = [at for figure in _BOTH for at in self.history.series(figure)[0][:1]]
        start = max(min(firsts), max(ends) - self.span.currentData())
        end = max(*ends, start + _LEAST_SPAN_S)
        # Steps on the way to a conversation are many and say little: its begin and end are enough.
        told = (SessionState.LIVE.value, SessionState.IDLE.value)
        marks = [
            plot.Mark(mark.at, mark_text(mark), mark.kind is MarkKind.TOOL)
            for mark in self.history.marks
            if mark.kind is not MarkKind.SESSION or mark.text in told
        ]
        curve = self._curve
        cores = [
            curve(tr("core {number}", number=number), figure, 0.1)
            for number, figure in enumerate((Figure.CPU_0, Figure.CPU_1))
        ]
        for each, curves in (
            (self.cpu, tuple(core for core in cores if core.times)),
            (self.heap, (curve("", Figure.HEAP_FREE, 1 / 1024),)),
            (self.psram, (curve("", Figure.PSRAM_FREE, 1 / 1024),)),
            (self.rssi, (curve("", Figure.RSSI, 1),)),
            (
                self.bitrate,
                (
                    curve(tr("up"), Figure.UP_BPS, 1e-3),
                    curve(tr("down"), Figure.DOWN_BPS, 1e-3),
                ),
            ),
        ):
            each.show_curves(curves, marks, start, end)
        self._show_notes()

    def picture(self) -> bytes:
        """The card as it is painted now, as PNG."""
        content = QBuffer()
        content.open(QBuffer.OpenModeFlag.WriteOnly)
        self.grab().save(content, "PNG")
        return bytes(content.data().data())

    def _curve(self, name: str, figure: Figure, scale: float) -> Curve:
        times, values = self.history.series(figure)
        return Curve(name, times, [value * scale for value in values])

    def _show_notes(self) -> None:
        media = self.history.latest_media
        parts = []
        if media is not None and media.rtt_ms:
            parts.append(tr("round trip {ms} ms", ms=media.rtt_ms))
        if media is not None and media.loss_permille:
            parts.append(tr("loss {percent} %", percent=f"{media.loss_permille / 10:.1f}"))
        self.notes.setText(" · ".join(parts))

    @Slot(object)
    def _point(self, at: float | None) -> None:
        for each in self.plots:
            each.show_cursor(at)


class TaskModel(QAbstractTableModel):
    """Tasks, busiest first: name, core, share of a core in percent, stack never used in bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: tuple[TaskLoad, ...] = ()
        self._heads = (tr("Task"), tr("Core"), tr("CPU"), tr("Stack left"))

    def show_tasks(self, tasks: tuple[TaskLoad, ...]) -> None:
        if len(tasks) != len(self.tasks):
            self.beginResetModel()
            self.tasks = tasks
            self.endResetModel()
        elif tasks:
            self.tasks = tasks
            self.dataChanged.emit(self.index(0, 0), self.index(len(tasks) - 1, 3))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  Qt's own signature
        return 0 if parent.isValid() else len(self.tasks)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._heads)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._heads[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(section)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self.tasks):
            return None
        task, column = self.tasks[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return (
                task.name,
                str(task.core) if task.core >= 0 else tr("any"),
                f"{task.permille / 10:.1f} %",
                f"{task.stack_left:,} B",
            )[column]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(column)
        if role == Qt.ItemDataRole.ForegroundRole and column == 3:
            short = task.stack_left < LITTLE_STACK_BYTES
            return QColor(style.theme().bad) if short else None
        if role == Qt.ItemDataRole.ToolTipRole:
            return tr("Priority {number}", number=task.priority)
        return None


def _side(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter


class TasksView(Card):
    """The table of tasks."""

    def __init__(self) -> None:
        super().__init__(tr("Tasks"))
        self.model = TaskModel()
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setAccessibleName(tr("Tasks"))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTabKeyNavigation(False)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setFont(style.body_font(steps=-0.5))
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(23)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setFont(style.body_font(steps=-1.5))
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.count = label(role="muted")
        self.head.addStretch(1)
        self.head.addWidget(self.count)
        self.body.setSpacing(4)
        self.body.addWidget(self.table, 1)
        self.setMinimumHeight(120)

    def show_tasks(self, tasks: tuple[TaskLoad, ...]) -> None:
        self.model.show_tasks(tasks)
        self.count.setText(str(len(tasks)) if tasks else "")
