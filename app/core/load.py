"""Load over time: the last hour of samples, marks of what happened meanwhile, tasks as they stand.

Views ask for one figure at a time and get times and values of equal length, oldest first; times are
the events' own (monotonic seconds on the computer). Nothing grows beyond its bound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from app.core.events import (
    Boot,
    Event,
    LoadIs,
    MediaIs,
    SessionIs,
    Source,
    TaskLoad,
    ToolCalled,
)

SPAN_S = 3600.0
MOST_SAMPLES = 3600
MOST_MARKS = 1000


class Figure(Enum):
    """What can be drawn. CPU in permille of one core, memory in bytes, RSSI in dBm."""

    CPU_0 = auto()
    CPU_1 = auto()
    HEAP_FREE = auto()
    HEAP_MIN = auto()
    HEAP_LARGEST = auto()
    PSRAM_FREE = auto()
    PSRAM_MIN = auto()
    PSRAM_LARGEST = auto()
    RSSI = auto()
    UP_BPS = auto()
    DOWN_BPS = auto()
    LOSS_PERMILLE = auto()
    JITTER_MS = auto()
    RTT_MS = auto()
    UNDERRUNS = auto()


class MarkKind(Enum):
    """Events worth a line across the plots."""

    SESSION = auto()
    RESET = auto()
    TOOL = auto()


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at `at`; `text` is the state, the reset's reason or the tool."""

    at: float
    kind: MarkKind
    text: str


def _cpu(core: int) -> Callable[[LoadIs], int | None]:
    return lambda load: load.cpu_permille[core] if core < len(load.cpu_permille) else None


_OF_LOAD: Mapping[Figure, Callable[[LoadIs], int | None]] = {
    Figure.CPU_0: _cpu(0),
    Figure.CPU_1: _cpu(1),
    Figure.HEAP_FREE: lambda load: load.heap.free,
    Figure.HEAP_MIN: lambda load: load.heap.min,
    Figure.HEAP_LARGEST: lambda load: load.heap.largest or None,
    Figure.PSRAM_FREE: lambda load: load.psram.free,
    Figure.PSRAM_MIN: lambda load: load.psram.min,
    Figure.PSRAM_LARGEST: lambda load: load.psram.largest or None,
    Figure.RSSI: lambda load: load.rssi or None,  # 0 dBm is no radio's
}
_OF_MEDIA: Mapping[Figure, Callable[[MediaIs], int]] = {
    Figure.UP_BPS: lambda media: media.up_bps,
    Figure.DOWN_BPS: lambda media: media.down_bps,
    Figure.LOSS_PERMILLE: lambda media: media.loss_permille,
    Figure.JITTER_MS: lambda media: media.jitter_ms,
    Figure.RTT_MS: lambda media: media.rtt_ms,
    Figure.UNDERRUNS: lambda media: media.underruns,
}


class LoadHistory:
    """Samples of one source's session and of the board's chip."""

    def __init__(self, source: Source = Source.BOARD, span_s: float = SPAN_S) -> None:
        self._source = source
        self._span_s = span_s
        self._load: deque[LoadIs] = deque(maxlen=MOST_SAMPLES)
        self._media: deque[MediaIs] = deque(maxlen=MOST_SAMPLES)
        self._marks: deque[Mark] = deque(maxlen=MOST_MARKS)
        self.tasks: tuple[TaskLoad, ...] = ()
        """The latest sample's tasks, busiest first."""

    def apply(self, event: Event) -> bool:
        """Takes a sample or a mark; whether `event` was one."""
        match event:
            case LoadIs():
                self.tasks = tuple(sorted(event.tasks, key=lambda task: -task.permille))
                self._load.append(replace(event, tasks=()))  # an hour of task tables is 100 MB
            case MediaIs(source=self._source):
                self._media.append(event)
            case SessionIs(source=self._source, at=at, state=state):
                self._marks.append(Mark(at, MarkKind.SESSION, state))
            case ToolCalled(source=self._source, at=at, name=name):
                self._marks.append(Mark(at, MarkKind.TOOL, name))
            case Boot(at=at, reset=reset, repeated=False):
                self._marks.append(Mark(at, MarkKind.RESET, reset))
            case _:
                return False
        self._forget_before(event.at - self._span_s)
        return True

    @property
    def latest(self) -> LoadIs | None:
        """The newest sample, its tasks left out."""
        return self._load[-1] if self._load else None

    @property
    def latest_media(self) -> MediaIs | None:
        return self._media[-1] if self._media else None

    @property
    def marks(self) -> tuple[Mark, ...]:
        return tuple(self._marks)

    def series(self, figure: Figure) -> tuple[list[float], list[int]]:
        """Times and values of `figure`; samples that lack it are left out."""
        if figure in _OF_MEDIA:
            take_media = _OF_MEDIA[figure]
            return _columns((media.at, take_media(media)) for media in self._media)
        take_load = _OF_LOAD[figure]
        return _columns((load.at, take_load(load)) for load in self._load)

    def _forget_before(self, oldest: float) -> None:
        queues: tuple[deque[LoadIs] | deque[MediaIs] | deque[Mark], ...]
        queues = (self._load, self._media, self._marks)
        for queue in queues:
            while queue and queue[0].at < oldest:
                queue.popleft()


def _columns(samples: Iterable[tuple[float, int | None]]) -> tuple[list[float], list[int]]:
    times: list[float] = []
    values: list[int] = []
    for at, value in samples:
        if value is not None:
            times.append(at)
            values.append(value)
    return times, values
