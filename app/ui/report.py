"""A mistake of ours, told honestly: what it was, which versions, where the log is. No secrets.

The traceback holds code and file names, not values; texts of exceptions may quote what came from
outside, so everything passes through `redacted` once more.
"""

from __future__ import annotations

import platform
import re
import traceback

from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app import __version__
from app.core.language import tr
from app.ui import style
from app.ui.controls import label

# OpenAI's keys and short-lived secrets; anything that looks like one is not shown.
_KEYS = re.compile(r"\b(sk|ek)[-_][A-Za-z0-9_\-]{6,}")


def redacted(text: str) -> str:
    """`text` with everything that looks like a key replaced by dots."""
    return _KEYS.sub("•••", text)


def report_text(error: BaseException, what: str, *, log_place: str = "") -> str:
    """What a developer needs, as plain text."""
    lines = [
        f"Parley {__version__}, Python {platform.python_version()}, Qt {qVersion()}",
        platform.platform(),
        f"While: {what}",
    ]
    if log_place:
        lines.append(f"Log: {log_place}")
    lines += ["", "".join(traceback.format_exception(error)).rstrip()]
    return redacted("\n".join(lines))


class ReportDialog(QDialog):
    """Shown without blocking; one at a time, the window decides."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Something went wrong in Parley"))
        self.setMinimumSize(640, 420)
        self.text = QPlainTextEdit(text)
        self.text.setReadOnly(True)
        self.text.setFont(style.fixed_font(steps=-1))
        self.text.setAccessibleName(tr("Report"))
        self.copy = QPushButton(tr("&Copy the report"))
        self.shut = QPushButton(tr("C&lose"))
        self.shut.setDefault(True)
        self.copy.clicked.connect(self._copy)
        self.shut.clicked.connect(self.close)
        said = label(
            tr(
                "This is a mistake in the program, not yours. It goes on running. "
                "The report below names no keys and no passwords."
            )
        )
        said.setWordWrap(True)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.copy)
        buttons.addWidget(self.shut)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(16, 16, 16, 16)
        rows.setSpacing(style.GAP)
        rows.addWidget(said)
        rows.addWidget(self.text, 1)
        rows.addLayout(buttons)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())
