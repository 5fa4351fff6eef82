"""Which board, how it is, and what can be asked of it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QWidget

from app.core.events import Port
from app.core.language import tr
from app.ui import icons, style
from app.ui.controls import Button, Chip, Chooser, Tone


class Mark(QWidget):
    """The program's sign and name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.setAccessibleName(name)
        width = style.body_font(steps=2, bold=True)
        self.setFont(width)
        self.setFixedSize(36 + self.fontMetrics().horizontalAdvance(name) + 8, 36)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = style.theme()
        painter = QPainter(self)
        icons.draw_mark(
            painter, QRectF(0, 5, 26, 26), QColor(look.accent_text), QColor(look.accent)
        )
        painter.setPen(QColor(look.text))
        words = QRectF(self.rect()).adjusted(35, 0, 0, 0)
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, self._name)
        painter.end()


class BoardBar(QFrame):
    """The line at the top.

    Signals:
        port_chosen(str): the user wants this port.
        install_asked, restart_asked, start_asked, stop_asked: what the buttons say.
    """

    port_chosen = Signal(str)
    install_asked = Signal()
    restart_asked = Signal()
    start_asked = Signal()
    stop_asked = Signal()

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.setAccessibleName(tr("Board"))
        self._talking = False
        self.ports = Chooser("board")
        self.ports.setPlaceholderText(tr("No board found"))
        self.ports.setAccessibleName(tr("Port of the board"))
        self.ports.setToolTip(tr("The port the board is plugged into"))
        self.ports.setMinimumWidth(150)
        self.ports.setMaximumWidth(340)
        self.ports.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.ports.activated.connect(self._activated)
        self.state = Chip()
        self.install = Button(
            "install",
            tr("&Install"),
            tr("Put the firmware and your settings on the board"),
            "Ctrl+I",
        )
        self.install.setShortcut("Ctrl+I")
        self.restart = Button(
            "restart", tr("&Restart"), tr("Restart the board, as its button does"), "Ctrl+R"
        )
        self.restart.setShortcut("Ctrl+R")
        self.talk = Button("play", "", "", primary=True)
        self.install.clicked.connect(self.install_asked)
        self.restart.clicked.connect(self.restart_asked)
        self.talk.clicked.connect(self.toggle)
        line = QHBoxLayout(self)
        line.setContentsMargins(16, 9, 16, 9)
        line.setSpacing(10)
        line.addWidget(Mark(title))
        line.addSpacing(6)
        line.addWidget(self.ports, 3)
        line.addWidget(self.state)
        line.addStretch(1)
        for button in (self.install, self.restart, self.talk):
            line.addWidget(button)
        self.show_talking(False)
        self.show_state(tr("Not connected"), Tone.QUIET)
        self.allow(board=False, busy=False, talk=False)

    def show_ports(self, ports: tuple[Port, ...], chosen: str) -> None:
        """The ports present; the chosen one stays chosen while it is there."""
        self.ports.blockSignals(True)
        self.ports.clear()
        for port in ports:
            self.ports.addItem(port.title or port.name, port.name)
            about = " · ".join(part for part in (port.name, port.serial_number) if part)
            self.ports.setItemData(self.ports.count() - 1, about, Qt.ItemDataRole.ToolTipRole)
        self.ports.setCurrentIndex(self.ports.findData(chosen))
        self.ports.setPlaceholderText(tr("Choose a board") if ports else tr("No board found"))
        self.ports.blockSignals(False)
        self.ports.setEnabled(bool(ports))

    def show_state(self, word: str, tone: Tone, hint: str = "") -> None:
        self.state.show_state(word, tone, hint)

    def show_talking(self, talking: bool) -> None:
        """Start and Stop are one button with one place and one key."""
        self._talking = talking
        if talking:
            self.talk.show_as("stop", tr("S&top"), tr("End the conversation"), "Esc")
        else:
            self.talk.show_as("play", tr("&Start"), tr("Start a conversation"), "Ctrl+Return")

    def allow(self, *, board: bool, busy: bool, talk: bool) -> None:
        """Only what can be asked now is enabled."""
        self.install.setEnabled(board and not busy)
        self.restart.setEnabled(board and not busy)
        self.talk.setEnabled(talk)

    @Slot()
    def toggle(self) -> None:
        if self.talk.isEnabled():
            (self.stop_asked if self._talking else self.start_asked).emit()

    def start_now(self) -> None:
        if self.talk.isEnabled() and not self._talking:
            self.start_asked.emit()

    def stop_now(self) -> None:
        if self.talk.isEnabled() and self._talking:
            self.stop_asked.emit()

    @Slot(int)
    def _activated(self, index: int) -> None:
        name = self.ports.itemData(index)
        if name:
            self.port_chosen.emit(name)
