"""A whole demo as the window hears it: events with the times of a fast board."""

from __future__ import annotations

import math
from collections.abc import Iterator

from app.core.events import (
    BoardError,
    Boot,
    CheckItem,
    CheckList,
    ConsoleLine,
    DeviceIs,
    Event,
    FlashStage,
    FlashWrote,
    Heap,
    LevelIs,
    LinkClosed,
    LinkOpened,
    LoadIs,
    MediaIs,
    Port,
    PortsAre,
    RecordsLost,
    Role,
    SessionIs,
    SessionState,
    Severity,
    Source,
    Stage,
    TaskLoad,
    ToolAnswered,
    ToolCalled,
    Turn,
    TurnState,
    WifiIs,
    WireGarbled,
    Words,
)

B = Source.BOARD
VIRTUAL = Port("sim://board1", "Virtual board (nothing to plug in)")
KORVO = Port("/dev/ttyUSB0", "ESP32-S3-Korvo-2 (USB serial)", "0001")
PARTS = (
    ("bootloader", 21_504),
    ("partition-table", 3_072),
    ("ota_data_initial", 8_192),
    ("parley", 1_482_752),
    ("cfg", 24_576),
)
STEPS = (
    ("The board appeared", "sim://board1"),
    ("The board is blank", "invalid header: 0xffffffff"),
    ("Firmware and settings written", "1,540,096 bytes: bootloader, partition-table, parley, cfg"),
    ("Written bytes checked", "MD5 of every part is equal"),
    ("The board started", "korvo2, power on"),
    ("It runs what was written", "0.1.0 4f0c9a1be2d37780"),
    ("The conversation is open", "rtc_u1_9xkQm2"),
    ("The assistant was heard", "first sound after 612 ms"),
    ("Your words arrived", "Please turn the light blue."),
    ("A tool was used", 'SetLightState {"LightState":true} → {"ok":true}'),
    ("The light changed", "off #000000 → on #1e6bff"),
    ("The assistant answered in words", "Done. The light is blue now."),
    ("Load figures arrived", "CPU 23.4 % / 41.0 %, 142 KiB free"),
    ("The board ended the conversation", "stopped as asked"),
    ("The service ended the conversation", "no call open at the service"),
)


def steps(done: int, at: float = 0.0) -> CheckList:
    items = (CheckItem(name, said if n < done else None) for n, (name, said) in enumerate(STEPS))
    return CheckList(at, tuple(items))


def log(at: float, severity: Severity, tag: str, text: str) -> ConsoleLine:
    colour = {"E": "\x1b[0;31m", "W": "\x1b[0;33m", "I": "\x1b[0;32m"}.get(severity, "")
    end = "\x1b[0m" if colour else ""
    line = f"{colour}{severity} ({round(at * 1000)}) {tag}: {text}{end}"
    return ConsoleLine(at, line, severity, tag)


def arrival() -> Iterator[Event]:
    yield PortsAre((VIRTUAL, KORVO))
    yield steps(1)
    yield LinkOpened(1.0, VIRTUAL.name)
    yield ConsoleLine(1.0, "ESP-ROM:esp32s3-20210327")
    yield ConsoleLine(1.0, "rst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)")
    for _ in range(3):
        yield ConsoleLine(1.1, "invalid header: 0xffffffff")
    yield steps(2)


def flashing(until: str = "", share: float = 1.0) -> Iterator[Event]:
    at = 2.0
    yield FlashStage(at, Stage.CONNECT, "Parley for the virtual board")
    for name, total in PARTS:
        yield FlashStage(at, Stage.WRITE, name)
        done = 0
        while done < total:
            yield FlashWrote(at, name, done, total)
            if name == until and done >= total * share:
                return
            done = min(total, done + 16_384)
            at += 0.09
        yield FlashWrote(at, name, total, total)
    yield FlashStage(at, Stage.VERIFY)
    yield FlashStage(at, Stage.RESTART, "0.1.0")
    yield steps(4)


def boot() -> Iterator[Event]:
    at = 20.0
    yield ConsoleLine(at, "ESP-ROM:esp32s3-20210327")
    yield ConsoleLine(at, "rst:0x15 (USB_UART_CHIP_RESET),boot:0x8 (SPI_FAST_FLASH_BOOT)")
    yield ConsoleLine(at, "Build:Mar 27 2021")
    yield log(at, Severity.INFO, "boot", "ESP-IDF v5.5.1 2nd stage bootloader")
    yield log(at, Severity.INFO, "boot", "SPI Flash Size : 16MB")
    yield log(at, Severity.INFO, "parley", "Parley 0.1.0, settings demo-7f31")
    yield Boot(
        at, "0.1.0", "4f0c9a1be2d37780", "korvo2", "v5.5.1", "power on", 1, "demo-7f31",
        8 << 20, 16 << 20,
    )  # fmt: skip
    yield DeviceIs(B, at, False, 0, 0, 0, 60, False, False)
    yield FlashStage(at, Stage.PROVE, "0.1.0 4f0c9a1be2d37780")
    yield steps(6)
    yield WifiIs(at + 0.1, "joining", "Demo network")
    yield log(at + 0.2, Severity.WARNING, "wifi", "no country set, using world safe mode")
    yield WifiIs(at + 0.4, "up", "Demo network", "10.0.0.7", -52)
    yield log(at + 0.4, Severity.INFO, "wifi", "got ip 10.0.0.7, channel 6, -52 dBm")


def load(start: float, count: int) -> Iterator[Event]:
    for second in range(count):
        at = start + second
        wave = math.sin(second / 7)
        yield LoadIs(
            at,
            int(at * 1000),
            (int(234 + 90 * wave + 40 * math.sin(second)), int(410 + 160 * math.sin(second / 11))),
            Heap(148_000 - second * 90 + int(1500 * wave), 131_072, 96_256),
            Heap(6_400_000 - int(60_000 * abs(wave)), 6_100_000, 5_900_000),
            -52 + int(3 * math.sin(second / 5)),
            (
                TaskLoad("IDLE1", 1, 540 + second % 9, 1_012, 0),
                TaskLoad("IDLE0", 0, 690 - second % 7, 1_004, 0),
                TaskLoad("audio_afe", 1, 213, 3_264, 20),
                TaskLoad("opus_enc", 1, 121, 11_840, 18),
                TaskLoad("peer", 0, 96, 4_212, 15),
                TaskLoad("wifi", 0, 41, 2_948, 23),
                TaskLoad("parley_core", -1, 12, 1_488, 10),
                TaskLoad("tiT", -1, 9, 2_040, 18),
            ),
        )
        yield MediaIs(
            B, at, 31_000 + 2000 * (second % 4), 38_000 + 1500 * (second % 5), 4, 6, 38, 0
        )


def says(role: Role, item: str, text: str, at: float, previous: str = "") -> Iterator[Event]:
    for word in text.split(" "):
        yield Words(B, at, role, item, word + " ", previous=previous)
        at += 0.08
    yield Words(B, at, role, item, text, part=1, final=True, previous=previous)


def conversation() -> Iterator[Event]:
    at = 30.0
    for state in (SessionState.TOKEN, SessionState.OFFER, SessionState.CONNECTING):
        yield SessionIs(B, at, state)
        yield log(at, Severity.INFO, "session", state.value)
        at += 0.15
    yield SessionIs(B, at, SessionState.LIVE, call="rtc_u1_9xkQm2")
    yield log(at, Severity.INFO, "session", "live, call rtc_u1_9xkQm2")
    yield steps(7)
    yield Turn(B, at + 0.6, Role.ASSISTANT, "i1", TurnState.STARTED, 612)
    yield from says(Role.ASSISTANT, "i1", "Hello, I am Parley. What can I do for you?", at)
    yield Turn(B, at + 2, Role.ASSISTANT, "i1", TurnState.ENDED)
    yield steps(8)
    yield Turn(B, at + 3, Role.USER, "i2", TurnState.STARTED)
    yield Turn(B, at + 4, Role.USER, "i2", TurnState.ENDED)
    yield from says(Role.USER, "i2", "Please turn the light blue.", at + 4, "i1")
    arguments = '{"LightState":true,"LightColor":{"red":30,"green":107,"blue":255}}'
    yield ToolCalled(B, at + 5, "call_1", "SetLightState", arguments)
    yield log(at + 5, Severity.INFO, "tools", "SetLightState on #1e6bff")
    yield DeviceIs(B, at + 5, True, 30, 107, 255, 60, False, False)
    yield ToolAnswered(B, at + 5, "call_1", "SetLightState", True, '{"ok":true}', 4)
    yield steps(11)
    yield Turn(B, at + 6, Role.ASSISTANT, "i3", TurnState.STARTED, 431)
    yield from says(Role.ASSISTANT, "i3", "Done. The light is blue now.", at + 6, "i2")
    yield Turn(B, at + 7, Role.ASSISTANT, "i3", TurnState.ENDED)
    yield steps(12)


def interruption() -> Iterator[Event]:
    at = 60.0
    yield Turn(B, at, Role.USER, "i4", TurnState.STARTED)
    yield from says(Role.USER, "i4", "Tell me a story about a lighthouse.", at, "i3")
    yield Turn(B, at + 1, Role.ASSISTANT, "i5", TurnState.STARTED, 508)
    yield Turn(B, at + 1, Role.USER, "i4", TurnState.ENDED)
    story = (
        "Once upon a time there was a lighthouse on a rock far out at sea, and in it lived a "
        "keeper who counted the waves, because nobody had ever told him how many there were"
    )
    for word in story.split(" "):
        yield Words(B, at + 1, Role.ASSISTANT, "i5", word + " ", previous="i4")
    yield Turn(B, at + 4, Role.USER, "i6", TurnState.STARTED)
    yield Turn(B, at + 4.2, Role.ASSISTANT, "i5", TurnState.INTERRUPTED, 184, 3_400)
    yield from says(Role.USER, "i6", "Open the door.", at + 5, "i5")
    yield Turn(B, at + 5, Role.USER, "i6", TurnState.ENDED)
    yield ToolCalled(B, at + 6, "call_2", "OpenDoor", '{"open":true}')
    yield ToolAnswered(
        B, at + 6, "call_2", "OpenDoor", False, '{"ok":false,"error":"door stuck"}', 12
    )


def short_stack(at: float) -> LoadIs:
    """A sample in which a task is near its end."""
    heap = Heap(148_000, 131_072, 96_256)
    tasks = (TaskLoad("audio_afe", 1, 213, 3_264, 20), TaskLoad("parley_core", -1, 12, 488, 10))
    psram = Heap(6_350_000, 6_100_000, 5_900_000)
    return LoadIs(at, int(at * 1000), (234, 410), heap, psram, -52, tasks)


def troubles() -> Iterator[Event]:
    at = 80.0
    yield RecordsLost(at, 3)
    yield WireGarbled(at, b"\x00\xff\x1e{", "not a record")
    yield log(at, Severity.ERROR, "peer", "ice: consent lost")
    yield BoardError(B, at, "cfg", "volume: 0 to 100", key="volume")
    yield LevelIs(B, at, -24.0, -8.0, -52.0)
    yield short_stack(at + 12)
    yield SessionIs(B, at + 1, SessionState.IDLE, "peer_lost", "no packet for 6 s")
    yield LinkClosed(at + 2, VIRTUAL.name, "the port vanished")


def demo() -> Iterator[Event]:
    """Everything up to an answered request, with a minute of load."""
    for part in (arrival(), flashing(), boot(), conversation()):
        yield from part
    yield from load(31.0, 60)
    yield steps(13)
