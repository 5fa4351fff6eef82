"""The terminal's view: what stays as a line, what moves, and what scripts read."""

from __future__ import annotations

import io
import json

from rich.console import Console

from app.core.events import (
    CheckItem,
    CheckList,
    ConsoleLine,
    DeviceIs,
    Event,
    FlashWrote,
    Heap,
    LoadIs,
    RecordsLost,
    Role,
    SessionIs,
    SessionState,
    Severity,
    Source,
    TaskLoad,
    ToolAnswered,
    ToolCalled,
    Turn,
    TurnState,
    Words,
)
from app.core.faults import Fault
from app.ui.terminal import TerminalView

BOARD = Source.BOARD
TALK: tuple[Event, ...] = (
    ConsoleLine(1, "\x1b[31mE (5) wifi: lost\x1b[0m", Severity.ERROR, "wifi"),
    RecordsLost(1, 3),
    Words(BOARD, 1, Role.USER, "item_1", "Turn the "),
    Words(BOARD, 1, Role.USER, "item_1", "light on."),
    Words(BOARD, 1, Role.USER, "item_1", "Turn the light on.", part=1, final=True),
    ToolCalled(BOARD, 1, "call_1", "SetLightState", '{"LightState":true}'),
    ToolAnswered(BOARD, 1, "call_1", "SetLightState", True, '{"ok":true}', 4),
    DeviceIs(BOARD, 1, True, 0, 0, 255, 60, False, False),
    Turn(BOARD, 1, Role.ASSISTANT, "item_2", TurnState.INTERRUPTED, ms=80, cut_ms=700),
    SessionIs(BOARD, 1, SessionState.IDLE, "unauthorized", "HTTP 401"),
    LoadIs(1, 9, (63, 10), Heap(124_000, 1, 2), Heap(6_000_000, 1, 2), -52,
           (TaskLoad("peer", 0, 51, 3236, 18),)),
)  # fmt: skip


def shown(*events: Event, terminal: bool = False, as_json: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=terminal, highlight=False)
    with TerminalView(console, as_json=as_json) as view:
        for event in events:
            view.show(event)
    return out.getvalue()


def test_lines_stay_in_order_without_a_terminal() -> None:
    lines = [line.strip() for line in shown(*TALK).splitlines()]
    assert lines[0] == "│ E (5) wifi: lost"
    assert "3 records lost here" in lines[1]
    assert lines[2] == "You Turn the light on."
    assert lines[3] == 'tool SetLightState {"LightState":true}'
    assert lines[4] == '✓ {"ok":true} (4 ms)'
    assert "light ●" in lines[5]
    assert lines[6] == "(cut after 700 ms)"
    assert lines[7].startswith("session idle · ")
    assert "6 % / 1 %" in lines[8]


def test_a_terminal_also_has_bars_a_table_and_the_check_list(monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    items = (CheckItem("The board appeared", "sim://board1"), CheckItem("The light changed", None))
    text = shown(FlashWrote(1, "app", 50, 100), *TALK, CheckList(1, items), terminal=True)
    for expected in ("app", "50/100 bytes", "peer", "3,236 B", "✓", "The light changed"):
        assert expected in text


def test_json_is_one_object_a_line() -> None:
    objects = [json.loads(line) for line in shown(*TALK, as_json=True).splitlines()]
    assert [told["event"] for told in objects] == [type(event).__name__ for event in TALK]
    assert objects[4]["text"] == "Turn the light on."


def test_a_fault_is_what_happened_the_remedy_and_the_detail() -> None:
    out = io.StringIO()
    TerminalView(Console(file=out, width=120)).fault(Fault("It broke.", "Mend it.", "[E7]"))
    assert out.getvalue().splitlines() == ["It broke.", "Mend it.", "[E7]"]
