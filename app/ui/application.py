"""The Qt side of the process: the application object, its looks, and the loop that serves both.

qasync runs asyncio on Qt's loop, so that the view's coroutines and its slots share one thread.
Media never runs here; it has a thread and a loop of its own.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from app.ui import icons, style

Result = TypeVar("Result")


class SettingsStore:
    """The window's sizes in the place the system has for such things."""

    def __init__(self, settings: QSettings | None = None) -> None:
        self._settings = settings or QSettings("Parley", "Parley")

    def read(self, key: str) -> bytes | None:
        kept = self._settings.value(f"window/{key}")
        return bytes(kept.data()) if isinstance(kept, QByteArray) else None

    def write(self, key: str, value: bytes) -> None:
        self._settings.setValue(f"window/{key}", QByteArray(value))


def make(arguments: Sequence[str] = ("parley",)) -> QApplication:
    """The application object with its name, icon, fonts and colours. Once per process."""
    application = QApplication(list(arguments))
    application.setApplicationName("parley")
    application.setApplicationDisplayName("Parley")
    application.setDesktopFileName("parley")
    dress(application)
    return application


def dress(application: QApplication) -> style.Appearance:
    """Fonts, colours that follow the system, icon."""
    appearance = style.Appearance(application)
    application.setWindowIcon(icons.mark(QColor("#ffffff"), QColor(style.LIGHT.accent)))
    # The last window closing is where the work of closing begins, not where the loop ends.
    application.setQuitOnLastWindowClosed(False)
    return appearance


def run(
    main: Callable[[], Coroutine[Any, Any, Result]],
    *,
    broke: Callable[[BaseException], None] | None = None,
) -> Result:
    """Run `main()` to its end on a loop that serves Qt and asyncio; `make` comes first.

    `broke` hears of bugs in slots and callbacks, which have no caller; without it they are printed.
    """
    import qasync

    application = QApplication.instance()
    assert application is not None
    loop = qasync.QEventLoop(application)
    asyncio.set_event_loop(loop)
    before = sys.excepthook
    if broke is not None:
        told = broke
        sys.excepthook = lambda kind, error, trace: told(error)
        loop.set_exception_handler(_teller(told))
    try:
        with loop:
            return loop.run_until_complete(main())
    finally:
        sys.excepthook = before
        asyncio.set_event_loop(None)


def _teller(told: Callable[[BaseException], None]) -> Callable[[Any, dict[str, Any]], None]:
    def tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None:
            told(error)
        else:
            loop.default_exception_handler(context)

    return tell


def paint_now() -> None:
    """Handle what is due, so that a window just shown has been painted when this returns."""
    QApplication.processEvents()
