"""Waiting for what events bring about, with a deadline and without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.core.events import Event, Tell


class Moments:
    """Passes events on, and wakes who waits for a condition that an event may have made true."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._listeners: list[Tell] = []
        self._waiting: set[asyncio.Event] = set()

    def tell(self, event: Event) -> None:
        self._tell(event)
        for listener in tuple(self._listeners):
            listener(event)
        self.wake()

    @contextmanager
    def heard_by(self, listener: Tell) -> Iterator[None]:
        """`listener` gets every event, too, while the context lasts."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def wake(self) -> None:
        for waiting in self._waiting:
            waiting.set()

    async def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Whether `condition` came true in time. It is asked now and after each event."""
        waiting = asyncio.Event()
        self._waiting.add(waiting)
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    waiting.clear()
                    await waiting.wait()
        except TimeoutError:
            return condition()
        finally:
            self._waiting.discard(waiting)
        return True
