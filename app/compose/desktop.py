"""The window, connected."""

from __future__ import annotations

import asyncio
import os
import sys

from app.compose.places import BoardKind


def has_display() -> bool:
    """Whether a window can be shown here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def run_window(*, demo_kind: BoardKind | None = None, leave_when_shown: bool = False) -> int:
    """Show the window until it is closed; its exit code. `demo_kind`: run the demo on that board.

    `leave_when_shown` ends it at the first paint, for the benchmark.
    """
    # Media and simulation have threads of their own; what they must not wait for is a window that
    # holds the interpreter for its whole 5 ms slice (facts measured: audio late by 100 ms → 7 ms).
    sys.setswitchinterval(0.0005)

    from app.ui import application

    application.make()
    from app.adapters import files
    from app.compose.program import Program
    from app.ui.window import MainWindow

    class WithDemo(Program):
        async def demo(self) -> None:
            from app.compose.demo import Demo

            await Demo(self).run()

    async def show() -> int:
        closed = asyncio.Event()
        program = WithDemo(lambda event: window.handle(event), kind=demo_kind or "korvo2")
        window = MainWindow(
            program,
            title="Parley",
            store=application.SettingsStore(),
            log_place=str(files.log_directory()),
        )
        window.closed.connect(closed.set)
        window.show()
        try:
            await program.list_ports()
            if leave_when_shown:
                await asyncio.sleep(0)  # lets the first paint happen
                return 0
            if demo_kind is not None:
                window.start_demo()
            await closed.wait()
        finally:
            await window.finish()
            await program.close()
        return 0

    return application.run(show)
