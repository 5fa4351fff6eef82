"""A display for the tests, the program's looks, a window and its recorded other side."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from ui_desk import Desk, end

from app.core import language
from app.core.faults import Fault

_display: subprocess.Popen[bytes] | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Before pytest-qt makes the application: a display, if there is none."""
    global _display
    if not sys.platform.startswith("linux") or os.environ.get("DISPLAY"):
        return
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        return
    reading, writing = os.pipe()
    # -displayfd: the server takes a free number and says which, once it answers.
    _display = subprocess.Popen(
        [xvfb, "-displayfd", str(writing), "-screen", "0", "1400x1000x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as told:
        number = told.readline().strip()
    assert number, "Xvfb did not start"
    os.environ["DISPLAY"] = f":{number}"
    os.environ["QT_QPA_PLATFORM"] = "xcb"


def pytest_unconfigure(config: pytest.Config) -> None:
    if _display is not None:
        _display.terminate()
        _display.wait(10)
        del os.environ["DISPLAY"]


@pytest.fixture(scope="session")
def appearance(qapp):
    from app.ui import application

    return application.dress(qapp)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    language.use({})
    yield
    language.use({})


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def gone() -> Fault:
    return Fault("The board is gone.", "Plug its cable in again.", "OSError(5)")


@pytest.fixture
def loop(qapp) -> Iterator[asyncio.AbstractEventLoop]:
    """Qt's loop as asyncio's, running while a test drives it."""
    import qasync

    loop = qasync.QEventLoop(qapp, already_running=False)
    asyncio.set_event_loop(loop)
    yield loop
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def turn(loop) -> Callable[[float], None]:
    """Let both loops run for some seconds."""

    def run(seconds: float = 0.05) -> None:
        loop.run_until_complete(asyncio.sleep(seconds))

    return run


@pytest.fixture
def window(qtbot, appearance, loop, desk):
    """An open window at 1280x800, fed by `window.handle`."""
    from app.ui import style
    from app.ui.window import MainWindow

    appearance.show(style.LIGHT)
    made = MainWindow(desk, title="Parley")
    made.show()
    qtbot.waitExposed(made)
    yield made
    end(made, loop)
