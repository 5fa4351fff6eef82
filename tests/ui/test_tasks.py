"""Faults go to the user, mistakes to the report, and nothing is left running."""

from __future__ import annotations

import asyncio

import pytest

from app.core.faults import Fault
from app.ui.tasks import Tasks


class Heard:
    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []
        self.bugs: list[tuple[str, str]] = []

    def tasks(self) -> Tasks:
        return Tasks(
            faulted=lambda fault, what: self.faults.append((fault.what, what)),
            broke=lambda error, what: self.bugs.append((type(error).__name__, what)),
        )


async def fails(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


async def everything_else() -> None:
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=5)
    await asyncio.sleep(0)


@pytest.fixture
def heard() -> Heard:
    return Heard()


async def test_where_each_end_goes(heard):
    tasks, ended = heard.tasks(), []
    tasks.start(fails(Fault("Gone.", "Plug in.")), what="A", ended=lambda: ended.append("A"))
    tasks.start(fails(ZeroDivisionError()), what="B", ended=lambda: ended.append("B"))
    tasks.start(asyncio.sleep(0), what="C", ended=lambda: ended.append("C"))
    assert tasks.running == ("A", "B", "C")
    await everything_else()
    assert heard.faults == [("Gone.", "A")]
    assert heard.bugs == [("ZeroDivisionError", "B")]
    assert sorted(ended) == ["A", "B", "C"]


async def test_cancelled_is_what_the_user_wanted(heard):
    tasks = heard.tasks()
    tasks.start(asyncio.sleep(60), what="long")
    await asyncio.sleep(0)
    tasks.cancel()
    await everything_else()
    assert (heard.faults, heard.bugs) == ([], [])


async def test_close_also_ends_what_never_began(heard):
    tasks = heard.tasks()
    tasks.start(asyncio.sleep(60), what="never began")
    await tasks.close()
    assert tasks.running == ()


async def test_close_waits_for_the_end_of_the_work(heard):
    tasks, steps = heard.tasks(), []

    async def careful() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            steps.append("put away")

    tasks.start(careful(), what="careful")
    await asyncio.sleep(0)
    await tasks.close()
    assert steps == ["put away"]
