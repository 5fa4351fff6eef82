"""The pinned PySide6 keeps the interpreter's own objects alive.

6.12.0 on Python 3.11 loses a reference of None with each void call and of True with each emit, and
the process aborts after some thousand of them; so the pin in pyproject.toml stays below it. From
3.12 on these objects are immortal and their counts do not move.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QLabel

CALLS = 3000
MOVES_BY_ITSELF = 300  # other code takes and gives references, too


class Bell(QObject):
    rung = Signal(bool)


def test_void_calls_and_emits_lose_no_reference(qtbot):
    label, bell = QLabel(), Bell()
    qtbot.addWidget(label)
    before = sys.getrefcount(None), sys.getrefcount(True)
    for number in range(CALLS):
        label.setText(str(number))
        bell.rung.emit(True)
    after = sys.getrefcount(None), sys.getrefcount(True)
    assert all(abs(a - b) < MOVES_BY_ITSELF for a, b in zip(after, before, strict=True))
