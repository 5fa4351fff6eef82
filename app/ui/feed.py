"""Events on their way to the views: gathered, then handed out about 30 times a second.

A board that floods the console tells some 10,000 things a second; drawing each as it comes would
freeze the window for seconds. So `post` only appends, and a timer, which runs only while something
waits, hands out what has come, for at most `BUDGET_MS` before the window gets its turn again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from app.core.events import Event

EVERY_MS = 33
# What is left after a full budget waits this long: long enough for paint and keyboard.
AGAIN_MS = 12
BUDGET_MS = 8.0
# Looking at the clock costs as much as handing out an event; so it is done once in a while.
_LOOK_EVERY = 32


class Feed(QObject):
    """Takes events in the GUI's thread and gives each to those who asked for its type.

    Attributes:
        waiting: number of events not handed out yet.
    Signals:
        drained: a batch was handed out; views repaint once now.
    """

    drained = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue: deque[Event] = deque()
        self._takers: dict[type, list[Callable[[Any], None]]] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._drain)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def on(self, kinds: tuple[type, ...], taker: Callable[[Any], None]) -> None:
        """Call `taker` with every event of exactly these types, in the order they came."""
        for kind in kinds:
            self._takers.setdefault(kind, []).append(taker)

    def post(self, event: Event) -> None:
        """Queue an event. Only from the thread of the window; adapters hop before they tell."""
        self._queue.append(event)
        if not self._timer.isActive():
            self._timer.start(EVERY_MS)

    @Slot()
    def _drain(self) -> None:
        try:
            self._hand_out(perf_counter() + BUDGET_MS / 1000)
        finally:  # one view's bug, reported by the crash hook, does not silence the others
            if self._queue and not self._timer.isActive():
                self._timer.start(AGAIN_MS)
            self.drained.emit()

    def _hand_out(self, until: float) -> None:
        queue, takers = self._queue, self._takers
        while queue:
            for _ in range(min(_LOOK_EVERY, len(queue))):
                event = queue.popleft()
                for taker in takers.get(type(event), ()):
                    taker(event)
            if perf_counter() > until:
                return

    def flush(self) -> None:
        """Hand out everything now: before a picture is taken, before the window closes."""
        while self._queue:
            self._drain()
        self._timer.stop()
