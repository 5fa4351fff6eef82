"""Buttons over the conversation that have more to them than a click."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction, QContextMenuEvent, QKeySequence
from PySide6.QtWidgets import QMenu, QToolButton

from app.core.export import Document
from app.core.language import tr
from app.core.transcript import Bubble
from app.ui.captions import Captions
from app.ui.controls import IconButton


class CaptionsButton(IconButton):
    """Opens and closes the captions; its menu says whether clicks go through them."""

    def __init__(self, words: Callable[[], tuple[Bubble, ...]]) -> None:
        super().__init__("captions", tr("Captions above all windows"), "Ctrl+Shift+C", toggles=True)
        self.setShortcut("Ctrl+Shift+C")
        self._words = words
        self.window_of_words: Captions | None = None
        self.glass = QAction(tr("Let clicks through the captions"), self)
        self.glass.setCheckable(True)
        self.glass.toggled.connect(self._let_through)
        self.toggled.connect(self._show)

    @Slot(bool)
    def _show(self, on: bool) -> None:
        if on and self.window_of_words is None:
            made = Captions()
            made.setParent(self, made.windowFlags())  # it goes when the window goes
            made.closed.connect(lambda: self.setChecked(False))
            made.let_clicks_through(self.glass.isChecked())
            self.window_of_words = made
        if self.window_of_words is not None:
            self.window_of_words.setVisible(on)
        self.catch_up()

    @Slot(bool)
    def _let_through(self, on: bool) -> None:
        if self.window_of_words is not None:
            self.window_of_words.let_clicks_through(on)

    def catch_up(self) -> None:
        """The conversation may say something new."""
        if self.isChecked() and self.window_of_words is not None:
            self.window_of_words.show_words(self._words())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.addAction(self.glass)
        menu.exec(event.globalPos())
        menu.deleteLater()


class SaveButton(IconButton):
    """Signals: save_asked(form), a Document."""

    save_asked = Signal(object)

    def __init__(self) -> None:
        super().__init__("save", tr("Save the conversation"), "Ctrl+S")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        for form, name in (
            (Document.TEXT, tr("Text")),
            (Document.MARKDOWN, tr("Markdown")),
            (Document.JSON, tr("JSON")),
            (Document.SRT, tr("Subtitles (SRT)")),
            (Document.VTT, tr("Subtitles (WebVTT)")),
        ):
            action = menu.addAction(name)
            action.setData(form)
            if form is Document.TEXT:
                action.setShortcut(QKeySequence("Ctrl+S"))
        menu.triggered.connect(lambda action: self.save_asked.emit(action.data()))
        self.setMenu(menu)
