"""The window, connected."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

from app.adapters import files
from app.compose.places import BoardKind
from app.compose.program import Program
from app.core.faults import Fault
from app.core.language import tr


def has_display() -> bool:
    """Whether a window can be shown here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class ProgramWithDemo(Program):
    """All that the window may ask for."""

    async def demo(self) -> None:
        from app.compose.demo import Demo

        await Demo(self).run()


def run_window(*, demo_kind: BoardKind | None = None, leave_when_shown: bool = False) -> int:
    """Show the window until it is closed; its exit code. `demo_kind`: run the demo on that board.

    `leave_when_shown` ends it at the first paint, for the benchmark. Raises Fault where no window
    can be shown.
    """
    if not has_display():
        raise Fault(
            tr("There is no screen to show the window on."),
            tr("Run parley demo --terminal, or see parley --help for what works without one."),
        )
    # Media and simulation have threads of their own; what they must not wait for is a window that
    # holds the interpreter for its whole 5 ms slice. Measured: audio late by 100 ms at p99 → 7 ms.
    sys.setswitchinterval(0.0005)

    from app.ui import application
    from app.ui.window import MainWindow

    application.make()
    reports: list[Callable[[BaseException, str], None]] = []

    def broke(error: BaseException) -> None:
        for report in reports:
            report(error, tr("Working"))

    async def show() -> int:
        closed = asyncio.Event()
        program = ProgramWithDemo(lambda event: window.handle(event), kind=demo_kind or "korvo2")
        window = MainWindow(
            program,
            title="Parley",
            store=application.SettingsStore(),
            log_place=str(files.log_directory()),
        )
        reports.append(window.show_report)
        window.closed.connect(closed.set)
        window.show()
        try:
            if leave_when_shown:
                application.paint_now()
                return 0
            await program.list_ports()
            if demo_kind is not None:
                window.start_demo()
            await closed.wait()
        finally:
            await window.finish()
            await program.close()
        return 0

    return application.run(show, broke=broke)
