"""The whole job through the window: one press, then what a user reads. Nothing is scripted here:
the virtual board, unmodified esptool, the local service and a real WebRTC session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ui_desk import shoot

from app.compose.desktop import ProgramWithDemo
from app.core.load import Figure
from app.ui import style
from app.ui.window import MainWindow

WITHIN_S = 60


async def until(condition: Callable[[], bool], window: MainWindow) -> None:
    """Wait, batch by batch, until what is shown fulfils `condition`."""
    shown = asyncio.Event()
    window.feed.drained.connect(shown.set)
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            shown.clear()
            await shown.wait()


def read(window: MainWindow) -> list[str]:
    view = window.chat.view
    return [view.text_of(row) for row in range(len(window.chat.transcript))]


def done(window: MainWindow) -> int:
    return sum(item.evidence is not None for item in window.chat.steps.items)


async def drive(window: MainWindow, program: ProgramWithDemo) -> None:
    await program.list_ports()
    await until(lambda: window.bar.ports.count() > 0, window)
    window.chat.welcome.demo.click()
    await until(lambda: window.progress.isVisible(), window)
    await until(lambda: window.bar.state.text == "In conversation", window)
    await until(lambda: window.device.light.text() == "On, blue", window)
    await until(lambda: len(window.load.history.series(Figure.CPU_0)[0]) > 2, window)
    shoot(window, "demo-running")
    await until(lambda: done(window) == len(window.chat.steps.items), window)
    shoot(window, "demo-done")


def test_one_press_runs_the_whole_job(qtbot, appearance, loop):
    appearance.show(style.LIGHT)

    async def whole() -> MainWindow:
        program = ProgramWithDemo(lambda event: window.handle(event))
        window = MainWindow(program, title="Parley")
        window.show()
        try:
            await drive(window, program)
        finally:
            await window.finish()
            await program.close()
        return window

    window = loop.run_until_complete(whole())
    rows = read(window)
    assert rows[0] == "Conversation started"
    assert any("light blue" in row for row in rows)
    assert any(row.startswith("SetLightState") for row in rows)
    assert window.messages.texts == ()
    assert window.bar.state.text == "Ready"
    assert window.chat.strip.text_shown().startswith("15 of 15 steps")
    assert window.task_list.model.rowCount() > 3
    assert window._report is None
    window.close()
    window.deleteLater()
