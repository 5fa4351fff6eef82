"""The view's coroutines have one owner, and it is the only place that catches everything.

A `Fault` is for the user and goes to the message bar; a cancelled task is what the user wanted;
anything else is our mistake and goes to the report, with its traceback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from app.core.faults import Fault


class Tasks:
    """Starts coroutines for the window on the loop it was made on, and ends them with it."""

    def __init__(
        self,
        *,
        faulted: Callable[[Fault, str], None],
        broke: Callable[[BaseException, str], None],
    ) -> None:
        # Slots may start work while the loop rests, as it does between two runs of a test.
        self._loop = asyncio.get_event_loop()
        self._faulted = faulted
        self._broke = broke
        self._running: dict[asyncio.Task[None], str] = {}

    @property
    def running(self) -> tuple[str, ...]:
        """What is under way, in the words given to `start`."""
        return tuple(self._running.values())

    def start(
        self,
        work: Coroutine[Any, Any, object],
        *,
        what: str,
        ended: Callable[[], None] | None = None,
    ) -> asyncio.Task[None]:
        """Run `work`; `ended` is called however it ends."""
        task = self._loop.create_task(self._watch(work, what), name=what)
        self._running[task] = what

        def forget(done: asyncio.Task[None]) -> None:
            work.close()  # cancelled before its first step, it would complain of never having run
            del self._running[done]
            if ended is not None:
                ended()

        task.add_done_callback(forget)
        return task

    async def _watch(self, work: Coroutine[Any, Any, object], what: str) -> None:
        try:
            await work
        except Fault as fault:
            self._faulted(fault, what)
        except Exception as error:  # noqa: BLE001  the one place: everything else is a bug to report
            self._broke(error, what)

    def cancel(self) -> None:
        """Ask everything that runs to end; its `ended` is called when it has."""
        for task in tuple(self._running):
            task.cancel()

    async def close(self) -> None:
        """Cancel what runs and wait until it has ended."""
        tasks = list(self._running)
        self.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
