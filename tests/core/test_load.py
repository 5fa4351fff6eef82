"""Load over time: figures, bounds, marks, tasks."""

from __future__ import annotations

from app.core import events as ev
from app.core.events import Source
from app.core.load import MOST_MARKS, MOST_SAMPLES, Figure, LoadHistory, Mark, MarkKind

HEAP = ev.Heap(100, 50, 40)
PSRAM = ev.Heap(8000, 7000, 6000)


def sample(at: float, *cpu: int, tasks: tuple[ev.TaskLoad, ...] = ()) -> ev.LoadIs:
    return ev.LoadIs(at, round(at * 1000), cpu, HEAP, PSRAM, -50, tasks)


def test_every_figure():
    history = LoadHistory()
    assert history.latest is None
    assert history.latest_media is None
    assert history.series(Figure.RSSI) == ([], [])
    assert history.apply(sample(1.0, 10, 20))
    assert history.apply(ev.MediaIs(Source.BOARD, 2.0, 1, 2, 3, 4, 5, 6))
    assert {figure.name: history.series(figure)[1] for figure in Figure} == {
        "CPU_0": [10],
        "CPU_1": [20],
        "HEAP_FREE": [100],
        "HEAP_MIN": [50],
        "HEAP_LARGEST": [40],
        "PSRAM_FREE": [8000],
        "PSRAM_MIN": [7000],
        "PSRAM_LARGEST": [6000],
        "RSSI": [-50],
        "UP_BPS": [1],
        "DOWN_BPS": [2],
        "LOSS_PERMILLE": [3],
        "JITTER_MS": [4],
        "RTT_MS": [5],
        "UNDERRUNS": [6],
    }
    assert history.series(Figure.RSSI)[0] == [1.0]
    assert history.latest_media is not None


def test_a_missing_core_leaves_no_hole():
    history = LoadHistory()
    history.apply(sample(1.0, 10))
    history.apply(sample(2.0, 10, 20))
    assert history.series(Figure.CPU_1) == ([2.0], [20])


def test_an_hour_and_no_more():
    history = LoadHistory()
    for second in range(4000):
        history.apply(sample(float(second), 1, 2))
    times, values = history.series(Figure.CPU_0)
    assert len(times) == len(values) == MOST_SAMPLES
    assert times[0] == 400.0
    for _ in range(MOST_SAMPLES + 10):
        history.apply(sample(4000.0, 1))
    assert len(history.series(Figure.CPU_0)[0]) == MOST_SAMPLES
    history.apply(sample(9000.0, 1))
    assert history.series(Figure.CPU_0)[0] == [9000.0]


def test_marks():
    history = LoadHistory()
    history.apply(ev.Boot(1.0, "", "", "", "", "panic", 1, "", 0, 0))
    history.apply(ev.SessionIs(Source.BOARD, 2.0, ev.SessionState.LIVE))
    history.apply(ev.ToolCalled(Source.BOARD, 3.0, "c", "SetVolume", "{}"))
    assert history.marks == (
        Mark(1.0, MarkKind.RESET, "panic"),
        Mark(2.0, MarkKind.SESSION, "live"),
        Mark(3.0, MarkKind.TOOL, "SetVolume"),
    )
    for _ in range(MOST_MARKS + 5):
        history.apply(ev.ToolCalled(Source.BOARD, 3.0, "c", "OpenDoor", "{}"))
    assert len(history.marks) == MOST_MARKS


def test_other_sources_and_events_are_not_ours():
    history = LoadHistory()
    assert not history.apply(ev.MediaIs(Source.DESKTOP, 2.0, 1, 2, 3, 4, 5, 6))
    assert not history.apply(ev.SessionIs(Source.DESKTOP, 2.0, ev.SessionState.LIVE))
    assert not history.apply(ev.TokenWanted(1.0))
    assert LoadHistory(Source.DESKTOP).apply(ev.MediaIs(Source.DESKTOP, 2.0, 1, 2, 3, 4, 5, 6))


def test_tasks_are_the_latest_busiest_first():
    history = LoadHistory()
    idle, busy = ev.TaskLoad("idle", 0, 5, 1, 0), ev.TaskLoad("audio", 1, 400, 1, 18)
    history.apply(sample(1.0, 1, tasks=(idle, busy)))
    assert history.tasks == (busy, idle)
    assert history.latest == sample(1.0, 1)
    history.apply(sample(2.0, 1))
    assert history.tasks == ()
