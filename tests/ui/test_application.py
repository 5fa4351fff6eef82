"""The loop that serves Qt and asyncio, bugs in slots, and colours that follow the system."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QColor

from app.ui import application, style
from app.ui.controls import IconButton


def test_run_returns_what_main_returns(appearance):
    async def main() -> str:
        await asyncio.sleep(0.01)
        return await asyncio.to_thread(lambda: "done")

    assert application.run(main) == "done"


def test_a_bug_in_a_slot_or_a_callback_is_told(appearance):
    told: list[str] = []

    def fail() -> None:
        raise ZeroDivisionError("in a slot")

    async def main() -> None:
        QTimer.singleShot(0, fail)
        await asyncio.sleep(0.02)
        asyncio.get_running_loop().call_soon(fail)
        await asyncio.sleep(0.02)

    before = sys.excepthook
    application.run(main, broke=lambda error: told.append(type(error).__name__))
    assert told == ["ZeroDivisionError", "ZeroDivisionError"]
    assert sys.excepthook is before


def test_a_fault_of_main_comes_out(appearance):
    async def main() -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        application.run(main)


def test_colours_follow_the_system(qtbot, appearance, qapp):
    button = IconButton("stop", "Stop")
    qtbot.addWidget(button)
    button.show()
    qtbot.waitExposed(button)

    def middle() -> QColor:
        picture = button.icon().pixmap(18, 18).toImage()
        return picture.pixelColor(picture.width() // 2, picture.height() // 2)

    hints = qapp.styleHints()
    try:
        hints.colorSchemeChanged.emit(Qt.ColorScheme.Dark)  # what a desktop's theme does
        qtbot.waitUntil(lambda: style.theme() is style.DARK, timeout=2000)
        assert qapp.palette().window().color() == QColor(style.DARK.window)
        qtbot.waitUntil(lambda: middle().lightness() > 128, timeout=2000)
        hints.colorSchemeChanged.emit(Qt.ColorScheme.Light)
        qtbot.waitUntil(lambda: style.theme() is style.LIGHT, timeout=2000)
        qtbot.waitUntil(lambda: middle().lightness() < 128, timeout=2000)
    finally:
        appearance.show(style.LIGHT)


def test_the_window_imports_nothing_heavy():
    """The window is there in a moment: what takes long is imported when it is needed."""
    code = (
        "import sys, app.ui.window, app.ui.application\n"
        "heavy = {'numpy', 'aiortc', 'av', 'esptool', 'serial', 'aiohttp', 'rich', 'sounddevice'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
