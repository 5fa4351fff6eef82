"""The thread of sound and network: an asyncio loop of its own, apart from the window's.

With a shared loop a normal window makes pacing late by 14 to 77 ms at p99, a thread of its own by 3
to 5 ms; a 150 ms stall of the window costs 182 to 316 ms shared and 8 to 98 ms apart (measured).
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

SWITCH_INTERVAL_S = 0.0005
"""How long Python lets another thread keep the interpreter; its own 5 ms are half a block."""


class MediaThread:
    """One thread with one loop, from construction to `end`."""

    def __init__(self, name: str = "parley-media") -> None:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        # Proactor's UDP can stop after an ICMP "port unreachable" (Tribler #7972).
        make = getattr(asyncio, "SelectorEventLoop", asyncio.new_event_loop)
        self.loop: asyncio.AbstractEventLoop = make()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of `work`, run there and awaited here."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    def post(self, action: Callable[..., object], *arguments: Any) -> None:
        """Runs `action` there soon; nothing when the thread has ended."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(action, *arguments)

    def end(self) -> None:
        """Everything on it is cancelled, and it is gone. Idempotent; blocks for a moment."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
