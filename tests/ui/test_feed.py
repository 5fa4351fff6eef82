"""Events are handed out in order, in batches, and a flood never holds the window for long."""

from __future__ import annotations

import time

import pytest

from app.core.events import ConsoleLine, LinkOpened, ScanDone
from app.ui.feed import BUDGET_MS, Feed


@pytest.fixture
def feed(qapp):
    return Feed()


def test_order_and_types(feed, qtbot):
    seen: list[object] = []
    feed.on((ConsoleLine, LinkOpened), seen.append)
    sent = [ConsoleLine(0, "a"), LinkOpened(1, "p"), ConsoleLine(2, "b")]
    with qtbot.waitSignal(feed.drained, timeout=2000):
        for event in (*sent, ScanDone(3)):
            feed.post(event)
        assert seen == []
    assert seen == sent


def test_the_timer_runs_only_while_something_waits(feed, qtbot):
    drained: list[bool] = []
    feed.drained.connect(lambda: drained.append(True))
    feed.post(ScanDone(0))
    qtbot.waitUntil(lambda: feed.waiting == 0, timeout=2000)
    assert not feed._timer.isActive()
    assert drained == [True]


def test_a_batch_ends_when_its_time_is_over(feed, qtbot):
    longest: list[float] = []

    def slow(event: ConsoleLine) -> None:
        until = time.perf_counter() + 0.0005
        while time.perf_counter() < until:
            pass

    feed.on((ConsoleLine,), slow)
    began = [0.0]
    feed.drained.connect(lambda: longest.append(feed.waiting))
    for number in range(200):
        feed.post(ConsoleLine(number, ""))
    qtbot.waitUntil(lambda: feed.waiting == 0, timeout=5000)
    # 100 ms of work in portions of one budget and at most 32 events more.
    assert len(longest) >= 3, f"{began} {BUDGET_MS}"
    assert longest == sorted(longest, reverse=True)


def test_events_posted_by_a_taker_come_later(feed, qtbot):
    seen: list[object] = []

    def answer(event: ScanDone) -> None:
        if event.at < 3:
            feed.post(ScanDone(event.at + 1))
        seen.append(event.at)

    feed.on((ScanDone,), answer)
    feed.post(ScanDone(0))
    qtbot.waitUntil(lambda: seen == [0, 1, 2, 3], timeout=2000)


def test_a_failing_view_does_not_silence_the_others(feed, qtbot):
    seen: list[object] = []

    def broken(event: ScanDone) -> None:
        raise ZeroDivisionError

    feed.on((ScanDone,), broken)
    feed.on((ConsoleLine,), seen.append)
    with qtbot.captureExceptions() as raised:
        feed.post(ScanDone(0))
        feed.post(ConsoleLine(1, "after"))
        qtbot.waitUntil(lambda: len(seen) == 1, timeout=2000)
    assert [kind for kind, _, _ in raised] == [ZeroDivisionError]
