"""The window through a whole demo, and every wish it passes on. Real widgets, real events."""

from __future__ import annotations

import asyncio

import pytest
import ui_script as script
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from ui_desk import Desk, end

from app.core import recording
from app.core.console import Console
from app.core.events import (
    AskLoad,
    Boot,
    DeviceIs,
    FlashStage,
    LevelIs,
    LinkClosed,
    LinkOpened,
    LogIs,
    Mute,
    PortsAre,
    Say,
    SessionIs,
    SessionState,
    SetVolume,
    Source,
    Stage,
    Start,
    Stop,
    Typed,
    WifiIs,
)
from app.core.faults import Fault
from app.core.journey import Step
from app.core.recording import Recording
from app.core.transcript import Transcript
from app.core.wall_clock import WallClock
from app.ui.window import MainWindow

B = Source.BOARD


def tell(window: MainWindow, *events: object) -> None:
    for event in events:
        window.handle(event)  # type: ignore[arg-type]
    window.feed.flush()


@pytest.fixture
def ready(window) -> MainWindow:
    """A board that could start."""
    tell(window, *script.arrival(), *script.flashing(), *script.boot())
    return window


@pytest.fixture
def active(window, qtbot) -> MainWindow:
    """Shortcuts need an active window."""
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window, 3000)
    return window


# ---- the demo as it is read


def test_before_anything(window):
    assert window.bar.state.text == "Not connected"
    assert window.bar.ports.placeholderText() == "No board found"
    assert window.chat.welcome.title.text() == "Plug a board in, or try the virtual board"
    assert window.chat.welcome.demo.isVisible()
    for button in (window.bar.install, window.bar.restart, window.bar.talk):
        assert not button.isEnabled()


def test_a_board_arrives(window):
    tell(window, PortsAre((script.VIRTUAL, script.KORVO)))
    assert window.bar.ports.placeholderText() == "Choose a board"
    assert window.bar.ports.currentIndex() == -1
    tell(window, *script.arrival())
    assert window.bar.ports.currentText() == script.VIRTUAL.title
    assert window.bar.state.text == "No firmware"
    assert window.bar.install.isEnabled()
    assert not window.bar.talk.isEnabled()


def test_an_installation_is_shown(window):
    tell(window, *script.arrival(), *script.flashing("parley", 0.5))
    assert window.progress.isVisible()
    assert window.progress.stage.text() == "Writing"
    assert window.progress.part.text() == "parley"
    assert "of 1448 kB" in window.progress.figures.text()
    assert "178 kB/s" in window.progress.figures.text()
    assert "s left" in window.progress.figures.text()
    assert 0.49 < window.progress.track._share < 0.52


def test_the_end_of_an_installation_goes_away(ready, qtbot):
    assert ready.progress.stage.text() == "Installed"
    ready._done.setInterval(10)
    ready._done.start()
    qtbot.waitUntil(lambda: not ready.progress.isVisible(), timeout=2000)


def test_a_conversation_is_shown(ready):
    assert ready.bar.state.text == "Ready"
    assert ready.bar.talk.text() == "&Start"
    tell(ready, *script.conversation())
    assert ready.bar.state.text == "In conversation"
    assert ready.bar.talk.text() == "S&top"
    assert ready.chat.line.isEnabled()
    rows = [ready.chat.view.text_of(row) for row in range(len(ready.chat.transcript))]
    assert "Please turn the light blue." in rows
    assert rows[-1] == "Done. The light is blue now."
    assert ready.device.light.text() == "On, blue"
    assert ready.device.door.value.text() == "closed"
    assert "session: live" in "\n".join(ready.console.lines.visible_texts())


def test_load_over_a_minute(ready):
    tell(ready, *script.conversation(), *script.load(31.0, 60))
    assert ready.load.cpu.figures() == ["core 0 34 %", "core 1 28 %"]
    assert ready.load.heap.figures() == ["Heap free 141 kB"]
    assert ready.load.rssi.figures() == ["Wi-Fi signal −54 dBm"]
    assert ready.load.bitrate.figures() == ["up 37 kbit/s", "down 44 kbit/s"]
    assert ready.load.notes.text() == "round trip 38 ms · loss 0.4 %"
    model = ready.task_list.model
    first = [model.index(0, column).data() for column in range(4)]
    assert first == ["IDLE0", "0", "68.7 %", "1,004 B"]
    by_name = {model.index(row, 0).data(): row for row in range(model.rowCount())}
    assert model.index(by_name["tiT"], 1).data() == "any"
    assert model.index(by_name["parley_core"], 3).data(Qt.ItemDataRole.ForegroundRole) is None
    tell(ready, script.short_stack(100.0))
    by_name = {model.index(row, 0).data(): row for row in range(model.rowCount())}
    short = model.index(by_name["parley_core"], 3)
    assert short.data(Qt.ItemDataRole.ForegroundRole) is not None


def test_the_steps_of_the_demo(window):
    tell(window, *script.demo())
    assert len(script.STEPS) == len(Step)
    assert window.chat.strip.text_shown() == "13 of 15 steps · Load figures arrived"


def test_an_interruption_and_a_failed_tool(ready):
    tell(ready, *script.conversation(), *script.interruption())
    assert ready.chat.figures.text().startswith("answers after 508 ms, 95 % within 612 ms")
    rows = [ready.chat.view.text_of(row) for row in range(len(ready.chat.transcript))]
    assert "door stuck" in rows[-1]


def test_what_goes_wrong_is_said(ready):
    tell(ready, *script.conversation(), *script.troubles())
    told = "\n".join(ready.messages.texts)
    assert "The voice connection was lost.\nCheck the board's Wi-Fi, then start again." in told
    assert "The connection to the board ended." in told
    assert ready.console.lost.text() == "3 lost · 1 garbled"
    assert ready.bar.state.text == "Not connected"
    assert ready.device.door.value.text() == "–"
    tell(ready, LinkOpened(99, script.VIRTUAL.name))
    assert "The connection to the board ended." not in "\n".join(ready.messages.texts)


@pytest.mark.parametrize(
    ("events", "word"),
    [
        ([WifiIs(1, "joining", "home")], "Joining Wi-Fi"),
        ([WifiIs(1, "waiting", "home", code="not_found")], "No Wi-Fi"),
        ([SessionIs(B, 1, SessionState.OFFER)], "Connecting"),
        ([SessionIs(B, 1, SessionState.CLOSING)], "Ending"),
        ([SessionIs(B, 1, SessionState.WAITING, "timeout", retry_ms=2500)], "Trying again soon"),
        ([SessionIs(Source.DESKTOP, 1, SessionState.LIVE)], "Ready"),
        ([LinkClosed(1, script.VIRTUAL.name)], "Not connected"),
    ],
)
def test_states_in_words(ready, events, word):
    tell(ready, *events)
    assert ready.bar.state.text == word


def test_a_retry_replaces_its_message_and_success_takes_it_away(ready):
    for retry_ms in (1000, 2000, 4000):
        tell(ready, SessionIs(B, 1, SessionState.WAITING, "timeout", retry_ms=retry_ms))
    assert ready.messages.texts == (
        "The service did not answer in time.\nThe board tries again in 4 s by itself.",
    )
    tell(ready, SessionIs(B, 2, SessionState.LIVE))
    assert ready.messages.texts == ()
    assert not ready.messages.isVisible()


def test_a_reset_starts_anew(ready):
    tell(ready, *script.conversation())
    tell(ready, Boot(99, "0.1.0", "b", "korvo2", "v5", "panic", 1, "c", 0, 0))
    assert ready.bar.state.text == "Ready"
    assert not ready.chat.line.isEnabled()


# ---- what the user asks for


def test_choosing_a_port(window, desk, turn):
    tell(window, PortsAre((script.VIRTUAL, script.KORVO)))
    window.bar.ports.activated.emit(1)
    turn()
    assert desk.asked == [("choose", "/dev/ttyUSB0")]


def test_a_port_that_does_not_open(window, desk, turn, gone):
    tell(window, PortsAre((script.VIRTUAL, script.KORVO)))
    desk.fault = gone
    window.bar.ports.setCurrentIndex(1)
    window.bar.ports.activated.emit(1)
    turn()
    assert window.messages.texts == ("The board is gone.\nPlug its cable in again.",)
    assert window.bar.ports.currentIndex() == -1


def test_start_and_stop(ready, desk, turn):
    ready.bar.talk.click()
    turn()
    assert desk.asked == [Start(), AskLoad(every_s=1)]
    tell(ready, *script.conversation())
    ready.bar.talk.click()
    turn()
    assert desk.asked[2:] == [Stop()]
    assert ready.console.lines.visible_texts()[-1] == "stop"


def test_keys(ready, active, desk, turn):
    QTest.keyClick(ready, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    turn()
    assert desk.asked == [Start(), AskLoad(every_s=1)]
    tell(ready, *script.conversation())
    QTest.keyClick(ready, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    turn()
    assert desk.asked[2:] == []
    QTest.keyClick(ready.chat.view, Qt.Key.Key_Escape)
    turn()
    assert desk.asked[2:] == [Stop()]
    QTest.keyClick(ready, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert ready.chat.search.line.hasFocus()
    ready.console.lines.setFocus()
    QTest.keyClick(ready.console.lines, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert ready.console.search.line.hasFocus()
    QTest.keyClick(ready.console.search.line, Qt.Key.Key_Escape)
    assert not ready.console.search.line.isVisible()
    assert desk.asked[3:] == []


def test_typing_to_the_assistant_and_to_the_board(ready, desk, turn):
    tell(ready, *script.conversation())
    QTest.keyClicks(ready.chat.line, "And now red")
    QTest.keyClick(ready.chat.line, Qt.Key.Key_Return)
    QTest.keyClicks(ready.console.command, "wifi home secret-password")
    QTest.keyClick(ready.console.command, Qt.Key.Key_Return)
    turn()
    assert desk.asked == [Say("And now red"), Typed("wifi home secret-password")]
    shown = "\n".join(ready.console.lines.visible_texts())
    assert 'text "And now red"' in shown
    assert "secret-password" not in shown


def test_volume_and_microphone(ready, desk, turn, qtbot):
    ready.device.volume.setValue(35)
    qtbot.waitUntil(lambda: SetVolume(35) in desk.asked or bool(turn(0.02)), timeout=3000)
    ready.device.mute.click()
    turn()
    assert desk.asked == [SetVolume(35), Mute(True)]
    tell(ready, DeviceIs(B, 50, False, 0, 0, 0, 35, True, True))
    assert ready.device.microphone.value.text() == "muted"
    assert ready.device.door.value.text() == "open"
    assert ready.device.mute.accessibleName() == "Unmute the microphone"


def test_installing_excludes_the_rest(ready, desk, turn):
    desk.gate = asyncio.Event()
    ready.bar.install.click()
    turn()
    assert ready.bar.state.text == "Installing"
    assert not ready.bar.install.isEnabled()
    assert not ready.bar.talk.isEnabled()
    assert not ready.bar.ports.isEnabled()
    tell(ready, FlashStage(60, Stage.CONNECT))
    assert ready.progress.cancel.isVisible()
    desk.gate.set()
    turn()
    assert ready.bar.install.isEnabled()
    assert not ready.progress.isVisible()


def test_cancelling_an_installation(ready, desk, turn):
    desk.gate = asyncio.Event()
    ready.bar.install.click()
    turn()
    tell(ready, FlashStage(60, Stage.CONNECT))
    ready.progress.cancel.click()
    turn()
    assert isinstance(desk.closed_with, asyncio.CancelledError)
    assert ready.messages.texts == ()
    assert ready.bar.install.isEnabled()


def test_a_failed_installation_can_be_repeated(ready, desk, turn, gone):
    desk.fault = gone
    ready.bar.install.click()
    turn()
    assert ready.messages.texts == ("The board is gone.\nPlug its cable in again.",)
    ready.messages._messages[0].details.click()
    assert ready.messages.findChild(QLabel, "") is not None
    assert "OSError(5)" in [label.text() for label in ready.messages.findChildren(QLabel)]
    ready.bar.install.click()
    turn()
    assert desk.asked == ["install", "install"]
    assert ready.messages.texts == ()


def test_the_demo_is_one_press(window, desk, turn):
    desk.gate = asyncio.Event()
    window.chat.welcome.demo.click()
    window.start_demo()
    turn()
    assert desk.asked == ["demo"]
    desk.gate.set()
    turn()
    window.start_demo()
    turn()
    assert desk.asked == ["demo", "demo"]


def test_a_bug_is_reported_once_and_names_no_key(ready, desk, turn):
    desk.fault = RuntimeError("bad header Bearer sk-proj-abcdefgh12345678")
    ready.bar.restart.click()
    turn()
    report = ready._report
    assert report is not None
    assert report.isVisible()
    text = report.text.toPlainText()
    assert "RuntimeError" in text
    assert "Parley" in text
    assert "sk-proj" not in text
    assert ready.messages.texts == ()
    ready.show_report(RuntimeError("again"), "x")
    assert ready._report is report
    report.close()
    turn()
    assert ready._report is None


def test_stop_ends_a_demo_too(ready, desk, turn):
    desk.gate = asyncio.Event()
    ready.start_demo()
    turn()
    assert not ready.bar.talk.isEnabled()
    tell(ready, *script.conversation())
    desk.gate, gate = None, desk.gate
    ready.bar.talk.click()
    turn()
    assert not gate.is_set()
    assert isinstance(desk.closed_with, asyncio.CancelledError)
    assert desk.asked == ["demo", Stop()]
    assert ready.bar.install.isEnabled()


# ---- messages


def test_messages_are_few_and_count(window):
    for name in ("one", "two", "two", "three"):
        window.messages.show_fault(Fault(name, "Do this."))
    assert [text.splitlines()[0] for text in window.messages.texts] == ["three", "two  ×2"]
    window.messages._messages[0].close_button.setFocus()
    QTest.keyClick(window.messages._messages[0].close_button, Qt.Key.Key_Escape)
    assert [text.splitlines()[0] for text in window.messages.texts] == ["two  ×2"]
    window.messages._messages[0].close_button.click()
    assert not window.messages.isVisible()


# ---- sizes are kept


class Memory:
    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def read(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def write(self, key: str, value: bytes) -> None:
        self.kept[key] = value


def test_sizes_are_remembered(qtbot, appearance, loop):
    memory = Memory()
    first = MainWindow(Desk(), title="Parley", store=memory)
    first.show()
    qtbot.waitExposed(first)
    first.resize(1100, 720)
    first.left.setSizes([300, 300])
    sizes = first.left.sizes()
    with qtbot.waitSignal(first.closed):
        first.close()
    second = MainWindow(Desk(), title="Parley", store=memory)
    second.show()
    qtbot.waitExposed(second)
    assert (second.width(), second.height()) == (1100, 720)
    assert all(abs(a - b) <= 2 for a, b in zip(second.left.sizes(), sizes, strict=True))
    end(first, loop)
    end(second, loop)


def test_closing_ends_what_runs(qtbot, appearance, loop, turn):
    desk = Desk()
    desk.gate = asyncio.Event()
    window = MainWindow(desk, title="Parley")
    window.start_demo()
    turn()
    end(window, loop)
    assert isinstance(desk.closed_with, asyncio.CancelledError)


# ---- files


def choose_place(window, path) -> None:
    assert window.asking is not None
    window.asking.fileSelected.emit(str(path))
    window.asking.close()


def test_saving_the_conversation_and_the_console(ready, desk, turn, tmp_path):
    tell(ready, *script.conversation())
    ready.chat.saving.menu().actions()[3].trigger()
    choose_place(ready, tmp_path / "a.srt")
    ready.console.saving.trigger()
    choose_place(ready, tmp_path / "b.txt")
    turn()
    (_, srt_name, srt), (_, text_name, text) = desk.asked
    assert (srt_name, text_name) == (str(tmp_path / "a.srt"), str(tmp_path / "b.txt"))
    assert b"Parley: Done. The light is blue now." in srt
    assert b"got ip 10.0.0.7" in text or b"live, call" in text


def test_logging_the_console(ready, desk, turn, tmp_path):
    ready.console.logging.trigger()
    assert not ready.console.logging.isChecked()
    choose_place(ready, tmp_path / "c.log")
    turn()
    tell(ready, LogIs(1.0, str(tmp_path / "c.log")))
    assert ready.console.logging.isChecked()
    ready.console.logging.trigger()
    turn()
    assert desk.asked == [("log", str(tmp_path / "c.log")), ("log", "")]


def test_saving_the_load_as_a_picture_and_as_a_table(ready, desk, turn, tmp_path):
    tell(ready, *script.load(1.0, 20))
    for action, name in zip(ready.load.saving.menu().actions(), ("a.png", "b.csv"), strict=True):
        action.trigger()
        choose_place(ready, tmp_path / name)
    turn()
    (_, _, picture), (_, _, table) = desk.asked
    assert picture.startswith(b"\x89PNG")
    assert table.count(b"\r\n") == 21


def test_levels_are_shown_when_a_board_tells_them(ready):
    assert not ready.load.levels.isVisible()
    tell(ready, *(LevelIs(Source.BOARD, 1.0, -30.0 + n, -12.0, -70.0) for n in range(9)))
    assert ready.load.levels.isVisible()
    assert ready.load.levels.texts() == ["Microphone −22 dB", "Speaker −12 dB", "Echo left −70 dB"]
    assert not ready.load.levels.grab().isNull()


def test_a_short_stack_raises_a_note(ready):
    before = len(ready.messages._messages)
    tell(ready, *script.load(1.0, 3))
    assert len(ready.messages._messages) == before
    tell(ready, script.short_stack(5.0), script.short_stack(6.0))
    assert len(ready.messages._messages) == before + 1


def test_a_recording_drives_the_views_as_the_board_did(window):
    live = [*script.demo(), *script.interruption(), *script.troubles()]
    opened = Recording([recording.head(WallClock(1.0), "0"), *map(recording.line, live)])
    tell(window, *opened)
    assert opened.damaged == 0
    played = Transcript()
    console = Console()
    for event in live:
        played.apply(event)
        console.apply(event)
    assert [text(row) for row in window.chat.transcript.rows] == [text(row) for row in played.rows]
    assert window.console.console.entries()[-1].text == console.entries()[-1].text
    assert window.console.console.end == console.end


def text(row) -> str:
    return getattr(row, "text", "") or row.name
