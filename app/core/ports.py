"""What the rules ask of the world, and what a view may ask of the program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from app.core.bundle import FlashPart
from app.core.events import Boot, ChipIs, Command


class BoardPort(Protocol):
    """One board on one port: its console, or its ROM loader, never both."""

    async def flash(self, parts: tuple[FlashPart, ...], *, chip: str, virtual: bool) -> ChipIs:
        """Write and verify `parts`; leaves the chip in the loader. Raises Fault."""

    async def boot(self, *, within_s: float) -> Boot:
        """Start the chip from flash, reopen the console, await its `boot` record. Raises Fault."""

    async def send(self, command: Command) -> str:
        """Send and await the reply's text. Raises Fault when refused or unanswered."""


class Actions(Protocol):
    """What a view may ask for. Bound in `compose`; every method may raise Fault."""

    async def choose(self, port: str) -> None:
        """Open the console of the board on this port, without resetting it."""

    async def install(self) -> object:
        """Flash and configure the chosen board, restart it, prove what runs."""

    async def restart(self) -> None:
        """Reset the board; it starts from flash."""

    async def send(self, command: Command) -> None: ...

    async def demo(self) -> None:
        """The whole job on the virtual board."""

    async def save(self, name: str, content: Callable[[], bytes]) -> None:
        """Write what `content` makes, in a thread, to the file `name`, which the user chose."""

    async def log_console(self, name: str) -> None:
        """Write the console to the file `name` from now on, in pieces; empty: no longer."""
