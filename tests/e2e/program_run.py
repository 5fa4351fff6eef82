"""The program with all its real parts, and a record of everything it told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from app.compose.program import Program, install, read_virtual_bundle
from app.core.events import Event, SessionIs, WifiIs


@dataclass
class Run:
    """A program on a virtual board; `told` is all it told, in order."""

    program: Program
    told: list[Event] = field(default_factory=list)

    async def until(self, condition: Callable[[], bool], within_s: float = 15) -> None:
        """Wait for a condition that events bring about; fail with the last events otherwise."""
        if not await self.program.moments.until(condition, within_s):
            last = "\n".join(map(repr, self.told[-15:]))
            pytest.fail(f"did not happen within {within_s} s; last events:\n{last}")

    def sessions(self, since: int = 0) -> list[SessionIs]:
        return [event for event in self.told[since:] if isinstance(event, SessionIs)]

    async def install(self) -> None:
        """Firmware and settings of this world onto the board; waits for its Wi-Fi."""
        world = self.program.world
        await self.program.choose(world.port.name)
        await install(
            self.program.board, read_virtual_bundle(), world.settings(), self.program.moments.tell
        )
        await self.until(lambda: any(isinstance(e, WifiIs) and e.state == "up" for e in self.told))

    async def session_reaches(self, *states: str, since: int, within_s: float = 15) -> SessionIs:
        """The first session event of one of `states` after position `since`."""

        def found() -> SessionIs | None:
            return next((e for e in self.sessions(since) if e.state in states), None)

        await self.until(lambda: found() is not None, within_s)
        event = found()
        assert event is not None
        return event
