"""The other side of a window, and pictures of the window."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication

from app.core.events import Command
from app.ui.window import MainWindow

SHOTS = Path(os.environ.get("PARLEY_SHOTS") or Path(tempfile.gettempdir()) / "parley_shots")


class Desk:
    """The other side of a window: what it was asked, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.fault: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.closed_with: BaseException | None = None

    async def _answer(self, wish: object) -> None:
        self.asked.append(wish)
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError as error:
            self.closed_with = error
            raise
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault

    async def choose(self, port: str) -> None:
        await self._answer(("choose", port))

    async def install(self) -> None:
        await self._answer("install")

    async def restart(self) -> None:
        await self._answer("restart")

    async def send(self, command: Command) -> None:
        await self._answer(command)

    async def demo(self) -> None:
        await self._answer("demo")

    async def save(self, name: str, content: Callable[[], bytes]) -> None:
        await self._answer(("save", name, content()))

    async def log_console(self, name: str) -> None:
        await self._answer(("log", name))


def end(window: MainWindow, loop: asyncio.AbstractEventLoop) -> None:
    """Close the window as the program does: first what it started, then what is seen."""
    loop.run_until_complete(window.finish())
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def shoot(window: MainWindow, name: str) -> Path:
    """A picture of the window for people to look at."""
    SHOTS.mkdir(exist_ok=True)
    window.feed.flush()
    QApplication.processEvents()
    path = SHOTS / f"{name}.png"
    assert window.grab().save(str(path))
    return path
