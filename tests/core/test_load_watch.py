"""When the load is worth a note, and when it is not."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import events as ev
from app.core.load_watch import LoadWatch, Note

PSRAM = ev.Heap(8000, 7000, 6000)
quick = settings(max_examples=25, deadline=None, database=None, derandomize=True)


def sample(at: float, free: int = 100_000, **stacks: int) -> ev.LoadIs:
    tasks = tuple(ev.TaskLoad(name, 0, 10, left, 1) for name, left in stacks.items())
    return ev.LoadIs(at, 0, (1, 2), ev.Heap(free, 1, 1), PSRAM, -50, tasks)


def told(*samples: ev.Event) -> list[Note]:
    watch = LoadWatch()
    return [note for each in samples for note in watch.take(each)]


def test_a_stack_nearly_used_up_is_told_once():
    notes = told(
        sample(1, audio=511, main=512),
        sample(2, audio=400),
        sample(3, audio=2000),
        sample(4, audio=100),
        ev.Boot(5.0, "", "", "", "", "panic", 1, "", 0, 0),
        sample(6, audio=100),
    )
    assert [note.topic for note in notes] == ["stack audio"] * 3
    assert notes[0].what == "The task audio has only 511 bytes of stack left."


def falling(seconds: int, per_s: float, wave: int = 0) -> list[ev.Event]:
    return [
        sample(float(at), round(200_000 - at * per_s + (at % 7) * wave)) for at in range(seconds)
    ]


def test_a_heap_that_only_falls_is_told_after_five_minutes():
    assert told(*falling(290, 100)) == []
    (note,) = told(*falling(1200, 100, wave=50))
    assert (note.topic, note.what) == (
        "heap",
        "The board's free memory has been falling for 5 minutes, by 26.2 kB.",
    )


def test_a_heap_that_goes_up_and_down_is_well():
    saw = [sample(float(at), 150_000 - (at % 200) * 100) for at in range(3000)]
    assert told(*saw) == []
    assert told(*falling(1200, 0)) == []
    assert told(*falling(1200, 0.5)) == []  # 150 bytes in five minutes say nothing


def test_a_restart_begins_anew():
    half = falling(200, 100)
    boot = ev.Boot(0.0, "", "", "", "", "panic", 1, "", 0, 0)
    assert told(*half, boot, *half) == []
    assert told(*half, *half) == []  # time went back


@quick
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 1 << 32)), max_size=40))
def test_any_samples(samples):
    told(*(sample(at, free, t=free) for at, free in samples))
