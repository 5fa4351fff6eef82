"""A line for commands: it remembers what was entered and offers what the board understands."""

from __future__ import annotations

from PySide6.QtCore import QStringListModel, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCompleter, QLineEdit

MOST_REMEMBERED = 200


class CommandLine(QLineEdit):
    """Up and Down walk through what was entered; Tab takes the first of what is offered.

    Signals: entered(str).
    """

    entered = Signal(str)

    def __init__(self, hint: str) -> None:
        super().__init__()
        self.setPlaceholderText(hint)
        self.setAccessibleName(hint)
        self._before: list[str] = []
        self._place = 0
        self._offers = QStringListModel(self)
        completer = QCompleter(self._offers, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.setCompleter(completer)
        self.returnPressed.connect(self._enter)

    def offer(self, commands: tuple[str, ...]) -> None:
        """What can be completed to."""
        self._offers.setStringList(list(commands))

    @Slot()
    def _enter(self) -> None:
        line = self.text().strip()
        if not line:
            return
        # A line with a secret in it is sent and forgotten.
        if line.split()[0] not in ("token", "wifi", "set"):
            self._before = [*(old for old in self._before if old != line), line]
            del self._before[:-MOST_REMEMBERED]
        self._place = len(self._before)
        self.clear()
        self.entered.emit(line)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        self._place = max(0, min(len(self._before), self._place + step))
        self.setText(self._before[self._place] if self._place < len(self._before) else "")
