"""Signs in the load that somebody should look: a stack nearly used up, a heap that only falls.

Each is told once, and again only after it had been well in between.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.events import Boot, Event, LinkClosed, LoadIs
from app.core.language import tr

LITTLE_STACK_BYTES = 512
"""A task that has had less left is near an overflow."""
FALLING_S = 300.0
LEAST_FALL_BYTES = 2048
_STEP_S = 30.0
MOST_TASKS = 100


@dataclass(frozen=True, slots=True)
class Note:
    """For the message bar; a newer one of the same `topic` takes its place."""

    topic: str
    what: str
    remedy: str
    detail: str = ""


class LoadWatch:
    """Samples in, notes out."""

    def __init__(self) -> None:
        self._short: set[str] = set()
        self._fall = _Fall()

    def take(self, event: Event) -> tuple[Note, ...]:
        match event:
            case LoadIs():
                return (*self._stacks(event), *self._heap(event))
            case Boot(repeated=False) | LinkClosed():
                self._short.clear()
                self._fall = _Fall()
        return ()

    def _stacks(self, load: LoadIs) -> list[Note]:
        told = []
        for task in load.tasks[:MOST_TASKS]:
            if task.stack_left >= LITTLE_STACK_BYTES:
                self._short.discard(task.name)
            elif task.name not in self._short and len(self._short) < MOST_TASKS:
                self._short.add(task.name)
                what = tr(
                    "The task {name} has only {bytes} bytes of stack left.",
                    name=task.name,
                    bytes=task.stack_left,
                )
                remedy = tr("Give it a larger stack in the firmware, before it overflows.")
                told.append(Note(f"stack {task.name}", what, remedy))
        return told

    def _heap(self, load: LoadIs) -> list[Note]:
        fallen = self._fall.after(load.at, load.heap.free)
        if fallen is None:
            return []
        what = tr(
            "The board's free memory has been falling for 5 minutes, by {kilobytes} kB.",
            kilobytes=f"{fallen / 1024:.1f}",
        )
        remedy = tr(
            "If it goes on like this the board will restart. Something does not free memory."
        )
        return [Note("heap", what, remedy, f"{load.heap.free} bytes free")]


class _Fall:
    """Least free memory in each half minute, as long as every one is less than the one before."""

    def __init__(self) -> None:
        self._began = float("-inf")
        self._least = 0
        self._first: tuple[float, int] | None = None
        self._last = 0
        self._told = False

    def after(self, at: float, free: int) -> int | None:
        """Bytes fallen when it is time to tell; None otherwise."""
        if not self._began <= at < self._began + _STEP_S:
            ended = self._began > float("-inf")
            fallen = self._step() if ended and at >= self._began else None
            if ended and at < self._began:
                self._first = None  # time went back: another clock
            self._began, self._least = at, free
            return fallen
        self._least = min(self._least, free)
        return None

    def _step(self) -> int | None:
        """A half minute is over."""
        if self._first is None or self._least >= self._last:
            self._first, self._told = (self._began, self._least), False
        self._last = self._least
        since, free = self._first
        fallen = free - self._least
        long_enough = self._began - since >= FALLING_S - _STEP_S
        if self._told or not long_enough or fallen < LEAST_FALL_BYTES:
            return None
        self._told = True
        return fallen
