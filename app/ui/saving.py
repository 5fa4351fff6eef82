"""Where to save: the system's own dialog, without blocking; the writing is done elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from PySide6.QtCore import QDir, Qt
from PySide6.QtWidgets import QFileDialog, QWidget

from app.core.language import tr


def ask_place(parent: QWidget, name: str, chosen: Callable[[str], None]) -> QFileDialog:
    """Ask for a place for a new file called `name`; `chosen` gets its path, if there is one."""
    dialog = QFileDialog(parent, tr("Save"), QDir.homePath())
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setFileMode(QFileDialog.FileMode.AnyFile)
    ending = PurePath(name).suffix.removeprefix(".")
    dialog.setDefaultSuffix(ending)
    dialog.setNameFilter(f"*.{ending}")
    dialog.selectFile(name)
    dialog.fileSelected.connect(chosen)
    dialog.open()
    return dialog
