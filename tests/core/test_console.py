"""The console's ring: bounds, stable indexes, filters, views."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import events as ev
from app.core.console import MOST_TAGS, Console, ConsoleView, EntryKind, Wanted, pattern_of
from app.core.events import Severity
from app.core.faults import BadSetting

quick = settings(max_examples=40, deadline=None, database=None, derandomize=True)


def line(text: str, severity: Severity | None = None, tag: str = "") -> ev.ConsoleLine:
    return ev.ConsoleLine(1.0, text, severity, tag)


def test_what_goes_in():
    console = Console()
    for event in (
        line("I (1) a: b", Severity.INFO, "a"),
        ev.WireGarbled(1.0, b"\xff\x00x", "not a record"),
        ev.RecordsLost(1.0, 3),
        ev.RecordUnknown(1.0, "dan\nce", "unknown kind"),
        ev.LinkOpened(1.0, "sim://demo"),
        ev.LinkClosed(1.0, "sim://demo", "The cable was pulled."),
        ev.LinkClosed(1.0, "sim://demo"),
    ):
        assert console.apply(event)
    console.sent("set api_key •••", 2.0)
    assert not console.apply(ev.TokenWanted(1.0))
    assert [(console[i].kind, console[i].text) for i in range(console.count)] == [
        (EntryKind.LOG, "I (1) a: b"),
        (EntryKind.GARBLED, "not a record: \\xff\\x00x"),
        (EntryKind.LOST, "3 messages of the board were lost here."),
        (EntryKind.GARBLED, "dan\\x0ace: unknown kind"),
        (EntryKind.NOTE, "Connected to sim://demo."),
        (EntryKind.NOTE, "Disconnected from sim://demo. The cable was pulled."),
        (EntryKind.NOTE, "Disconnected from sim://demo."),
        (EntryKind.SENT, "set api_key •••"),
    ]
    assert (console.lost_records, console.garbled) == (3, 2)


def notes(*events: ev.Event) -> list[str]:
    console = Console()
    for event in events:
        assert console.apply(event)
    return [entry.text for entry in console.entries() if entry.kind is EntryKind.NOTE]


def boot(reset: str) -> ev.Boot:
    return ev.Boot(1.0, "0.1.0", "", "", "", reset, 1, "", 0, 0)


def test_what_happened_to_the_board_stands_in_the_stream():
    port = "/dev/ttyACM0"
    assert notes(
        ev.LinkOpened(1.0, port),
        line("rst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)"),
        boot("power on"),
        ev.LinkClosed(1.0, port, "The cable was pulled."),
        ev.LinkOpened(2.0, port),
        boot("panic"),
        ev.LinkClosed(1.0, port),
        ev.LinkOpened(2.0, port),
    ) == [
        f"Connected to {port}.",
        "The board was reset (POWERON).",
        "Firmware 0.1.0 runs.",
        f"Disconnected from {port}. The cable was pulled.",
        f"Connected again to {port}.",
        "The board was reset (panic).",
        "Firmware 0.1.0 runs.",
        f"Disconnected from {port}.",
        f"Connected to {port}.",
    ]


def test_a_repeated_boot_record_is_no_reset():
    repeated = ev.Boot(1.0, "0.1.0", "", "", "", "usb", 1, "", 0, 0, 9000, repeated=True)
    assert not Console().apply(repeated)


def test_networks_and_the_log_are_told():
    assert notes(
        ev.NetworkFound(1.0, "Home", -52, "wpa2", 6),
        ev.NetworkFound(1.0, "", -80, "open", 1),
        ev.ScanDone(1.0),
        ev.LogIs(1.0, "a.log"),
        ev.LogIs(1.0, ""),
        ev.LogIs(1.0, "", "disk full"),
    ) == [
        "Wi-Fi found: Home, -52 dBm, wpa2, channel 6",
        "Wi-Fi found: (hidden), -80 dBm, open, channel 1",
        "These are all networks the board hears.",
        "From here on the console is written to a.log.",
        "The console is no longer written to a file.",
        "The console can no longer be written to its file: disk full",
    ]


def test_tags_are_bounded():
    console = Console()
    for number in range(1000):
        console.apply(line("x", Severity.INFO, f"tag{number}"))
    assert len(console.tags) == MOST_TAGS


def test_indexes_stay_while_old_lines_go():
    console = Console(most_entries=100)
    for number in range(5000):
        console.apply(line(str(number)))
        assert console.count <= 100
        assert len(console._entries) < 1300
    assert (console.first, console.end) == (4900, 5000)
    assert [console[i].text for i in (4900, 4999)] == ["4900", "4999"]
    for gone in (4899, 5000, -1):
        with pytest.raises(IndexError):
            console[gone]
    console.clear()
    assert (console.first, console.count) == (5000, 0)
    console.apply(line("x"))
    assert console[5000].text == "x"


def test_characters_are_bounded():
    console = Console(most_characters=100)
    for _ in range(50):
        console.apply(line("y" * 30))
    assert console.count == 3
    console.apply(line("z" * 500))
    assert [console[console.first].text[0], console.count] == ["z", 1]


def test_filters():
    error = line("\x1b[31mE (1) wifi: Lost\x1b[0m", Severity.ERROR, "wifi")
    info = line("I (1) audio: up", Severity.INFO, "audio")
    rom = line("ESP-ROM")
    console = Console()
    for event in (error, info, rom, ev.RecordsLost(1.0, 1)):
        console.apply(event)

    def shown(**wanted: object) -> list[int]:
        view = ConsoleView(console)
        view.choose(Wanted(**wanted))
        view.take(view.fresh(2))
        assert view.unseen == 2
        view.take(view.fresh())
        assert view.unseen == 0
        return [view.index_of(row) for row in range(len(view))]

    assert shown() == [0, 1, 2, 3]
    assert shown(severity=Severity.WARNING) == [0, 3]
    assert shown(severity=Severity.VERBOSE) == [0, 1, 3]
    assert shown(tag="audio") == [1, 3]
    assert shown(text="LOST") == [0, 3]
    assert shown(text="[31m") == []
    assert shown(pattern=pattern_of(r"wifi|^esp-r")) == [0, 2]
    with pytest.raises(BadSetting, match="no regular expression"):
        pattern_of("(")
    assert list(console.tags) == ["wifi", "audio"]
    assert console[0].plain == "E (1) wifi: Lost"
    assert console[2].plain == "ESP-ROM"


def test_a_pause_loses_nothing():
    console = Console(most_entries=10)
    view = ConsoleView(console)
    for number in range(5):
        console.apply(line(str(number)))
    view.hold(on=True)
    for number in range(5, 8):
        console.apply(line(str(number)))
    view.take(view.fresh())
    assert (len(view), view.held, view.unseen) == (5, 3, 0)
    view.choose(Wanted(text="3"))
    view.take(view.fresh())
    assert [view[row].text for row in range(len(view))] == ["3"]
    view.choose(Wanted())
    for number in range(8, 25):
        console.apply(line(str(number)))
    view.forget(view.stale())
    view.take(view.fresh())
    assert (len(view), view.held) == (0, 10)
    view.hold(on=False)
    view.take(view.fresh())
    assert [view[row].text for row in range(len(view))] == [str(n) for n in range(15, 25)]


@quick
@given(st.lists(st.sampled_from(["add", "skip", "flood", "look", "clear", "choose"]), max_size=40))
def test_a_view_never_shows_what_is_gone_or_unwanted(moves):
    console = Console(most_entries=10)
    view = ConsoleView(console, Wanted(text="x"))
    for move in moves:
        match move:
            case "add":
                console.apply(line("x"))
            case "skip":
                console.apply(line("-"))
            case "flood":
                for number in range(12):
                    console.apply(line("x" * (number % 3)))
            case "clear":
                console.clear()
            case "choose":
                view.choose(Wanted(text="x"))
                view.take(view.fresh(3))
            case "look":
                view.forget(view.stale())
                view.take(view.fresh())
                expected = [
                    index
                    for index in range(console.first, console.end)
                    if "x" in console[index].text
                ]
                assert [view.index_of(row) for row in range(len(view))] == expected
                assert all("x" in view[row].text for row in range(len(view)))
