"""Waiting for what events bring about."""

from __future__ import annotations

import asyncio

from app.compose.moments import Moments
from app.core.events import Event, ScanDone


async def test_a_condition_that_holds_is_not_waited_for() -> None:
    assert await Moments(lambda event: None).until(lambda: True, within_s=0)


async def test_an_event_wakes_who_waits() -> None:
    told: list[Event] = []
    moments = Moments(told.append)
    waiting = asyncio.create_task(moments.until(lambda: len(told) == 2, within_s=5))
    for at in (1.0, 2.0):
        await asyncio.sleep(0)
        moments.tell(ScanDone(at))
    assert await waiting


async def test_the_deadline_ends_the_wait() -> None:
    assert not await Moments(lambda event: None).until(lambda: False, within_s=0.01)


async def test_a_listener_hears_while_its_context_lasts() -> None:
    heard: list[Event] = []
    moments = Moments(lambda event: None)
    with moments.heard_by(heard.append):
        moments.tell(ScanDone(1))
    moments.tell(ScanDone(2))
    assert heard == [ScanDone(1)]
