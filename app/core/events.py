"""Every fact and command that crosses a layer.

`at` is monotonic seconds on the computer, stamped by the adapter that saw it; `source` says whose
session it is, so that board and desktop share the same views. The shape of what a board tells is
the wire's (firmware/components/parley_core/README.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from app.core.secret import Secret


class Source(StrEnum):
    """Whose session."""

    BOARD = "board"
    DESKTOP = "desktop"


class Role(StrEnum):
    """Who speaks."""

    USER = "user"
    ASSISTANT = "assistant"


class Severity(StrEnum):
    """Level of a log line, by ESP-IDF's letter."""

    ERROR = "E"
    WARNING = "W"
    INFO = "I"
    DEBUG = "D"
    VERBOSE = "V"


class SessionState(StrEnum):
    """States of a conversation, see the wire's `session` record."""

    IDLE = "idle"
    TOKEN = "token"  # noqa: S105  a state, not a token
    OFFER = "offer"
    CONNECTING = "connecting"
    LIVE = "live"
    CLOSING = "closing"
    WAITING = "waiting"


class TurnState(StrEnum):
    """What happened to a turn."""

    STARTED = "started"
    ENDED = "ended"
    INTERRUPTED = "interrupted"


# ---- ports and links


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port a board may be on. `name` is what pyserial opens."""

    name: str
    title: str
    serial_number: str = ""
    vid: int | None = None
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class PortsAre:
    """The ports present now."""

    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class LinkOpened:
    at: float
    port: str


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """The console link ended; `reason` is empty when we closed it."""

    at: float
    port: str
    reason: str = ""


# ---- console


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """One line of log text, ANSI codes included, newline not."""

    at: float
    text: str
    severity: Severity | None = None
    tag: str = ""


@dataclass(frozen=True, slots=True)
class WireGarbled:
    """Bytes that are no log line and no record; `raw` is cut to 200 bytes."""

    at: float
    raw: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class RecordsLost:
    """The sequence has a gap of `count` records here."""

    at: float
    count: int


@dataclass(frozen=True, slots=True)
class RecordUnknown:
    """A record of a kind or shape this program does not know; ignored, counted."""

    at: float
    kind: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LogIs:
    """The console is written to `path` from now on; empty: no longer, on trouble for `reason`."""

    at: float
    path: str
    reason: str = ""


# ---- what the board tells


@dataclass(frozen=True, slots=True)
class Boot:
    at: float
    version: str
    build: str
    board: str
    idf: str
    reset: str
    protocol: int
    cfg_id: str
    psram: int
    flash: int
    uptime_ms: int = 0  # the board's clock when it said so
    repeated: bool = False  # said again because it was asked: no new start


@dataclass(frozen=True, slots=True)
class WifiIs:
    at: float
    state: str
    ssid: str = ""
    ip: str = ""
    rssi: int = 0
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SessionIs:
    source: Source
    at: float
    state: SessionState
    code: str = ""
    reason: str = ""
    call: str = ""
    retry_ms: int = 0


@dataclass(frozen=True, slots=True)
class Words:
    """Text of one item: part 0 appends, part 1 replaces, later parts append, `final` completes."""

    source: Source
    at: float
    role: Role
    item: str
    text: str
    part: int = 0
    final: bool = False
    previous: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn began, ended or was cut. `ms` and `cut_ms` are None where the wire does not tell."""

    source: Source
    at: float
    role: Role
    item: str
    state: TurnState
    ms: int | None = None
    cut_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ToolCalled:
    source: Source
    at: float
    call: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolAnswered:
    source: Source
    at: float
    call: str
    name: str
    ok: bool
    output: str
    ms: int = 0


@dataclass(frozen=True, slots=True)
class DeviceIs:
    """`volume` in percent; -1 where a board does not tell."""

    source: Source
    at: float
    light: bool
    red: int
    green: int
    blue: int
    volume: int
    muted: bool
    door: bool


@dataclass(frozen=True, slots=True)
class Heap:
    """Bytes."""

    free: int
    min: int
    largest: int


@dataclass(frozen=True, slots=True)
class TaskLoad:
    """One task: core (-1: any), share of one core in permille, stack never used in bytes."""

    name: str
    core: int
    permille: int
    stack_left: int
    priority: int


@dataclass(frozen=True, slots=True)
class LoadIs:
    """One sample; `uptime_ms` is the board's clock. `rssi` 0: not told."""

    at: float
    uptime_ms: int
    cpu_permille: tuple[int, ...]
    heap: Heap
    psram: Heap
    rssi: int
    tasks: tuple[TaskLoad, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaIs:
    source: Source
    at: float
    up_bps: int
    down_bps: int
    loss_permille: int
    jitter_ms: int
    rtt_ms: int
    underruns: int


@dataclass(frozen=True, slots=True)
class LevelIs:
    """dBFS."""

    source: Source
    at: float
    microphone: float
    speaker: float
    echo: float


@dataclass(frozen=True, slots=True)
class SoundIs:
    """Answer to a sound test, dBFS; `delay_ms` None: the microphone did not hear the tone."""

    at: float
    delay_ms: int | None
    tone: float
    microphone: float
    echo: float


@dataclass(frozen=True, slots=True)
class UsageIs:
    """Tokens of one response, as the service counts them."""

    source: Source
    at: float
    response: str
    total: int
    input: int
    output: int
    input_text: int = 0
    input_audio: int = 0
    cached: int = 0
    output_text: int = 0
    output_audio: int = 0


@dataclass(frozen=True, slots=True)
class NetworkFound:
    at: float
    ssid: str
    rssi: int
    security: str
    channel: int


@dataclass(frozen=True, slots=True)
class ScanDone:
    at: float


@dataclass(frozen=True, slots=True)
class TokenWanted:
    at: float


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer to the command with number `to`."""

    at: float
    to: int
    ok: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class BoardError:
    source: Source
    at: float
    code: str
    message: str
    fatal: bool = False
    key: str = ""


# ---- flashing


class Stage(StrEnum):
    """Steps of an installation, in order."""

    CONNECT = "connect"
    COMPARE = "compare"
    WRITE = "write"
    VERIFY = "verify"
    RESTART = "restart"
    PROVE = "prove"


@dataclass(frozen=True, slots=True)
class FlashStage:
    at: float
    stage: Stage
    text: str = ""


@dataclass(frozen=True, slots=True)
class FlashWrote:
    """Progress of one part: bytes of its image."""

    at: float
    part: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ChipIs:
    """What the ROM loader says of the chip."""

    at: float
    chip: str
    revision: str
    mac: str
    flash_bytes: int
    virtual: bool = False


# ---- the demo's check list


@dataclass(frozen=True, slots=True)
class CheckItem:
    """One step of the job; `evidence` shows that it happened, None: not yet."""

    title: str
    evidence: str | None


@dataclass(frozen=True, slots=True)
class CheckList:
    """The whole job as it stands now."""

    at: float
    items: tuple[CheckItem, ...]


# ---- commands, down


@dataclass(frozen=True, slots=True)
class Start:
    pass


@dataclass(frozen=True, slots=True)
class Stop:
    pass


@dataclass(frozen=True, slots=True)
class AskLoad:
    """One sample (`every_s` None), a stream, or its end (0)."""

    every_s: int | None = None


@dataclass(frozen=True, slots=True)
class JoinWifi:
    ssid: str
    password: Secret | None = None
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Say:
    """A typed turn."""

    text: str


@dataclass(frozen=True, slots=True)
class SetVolume:
    percent: int


@dataclass(frozen=True, slots=True)
class Mute:
    on: bool


@dataclass(frozen=True, slots=True)
class Scan:
    pass


@dataclass(frozen=True, slots=True)
class ShowSettings:
    pass


@dataclass(frozen=True, slots=True)
class StoreValue:
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class StoreSecret:
    key: str
    value: Secret


@dataclass(frozen=True, slots=True)
class GiveToken:
    token: Secret


@dataclass(frozen=True, slots=True)
class AnswerTool:
    """The result of a tool that the board's `call` record asked the computer for: JSON text."""

    call: str
    output: str


@dataclass(frozen=True, slots=True)
class TestSound:
    """A tone out, what of it is heard; only between sessions."""

    __test__ = False  # its name is a command, not a test


@dataclass(frozen=True, slots=True)
class Hello:
    """Say the boot record once more."""


@dataclass(frozen=True, slots=True)
class Reboot:
    pass


@dataclass(frozen=True, slots=True)
class Typed:
    """A line the user typed into the console; sent as it is, without a number."""

    line: str


Link = PortsAre | LinkOpened | LinkClosed
Console = ConsoleLine | WireGarbled | RecordsLost | RecordUnknown | LogIs
Told = (
    Boot
    | WifiIs
    | SessionIs
    | Words
    | Turn
    | ToolCalled
    | ToolAnswered
    | DeviceIs
    | LoadIs
    | MediaIs
    | LevelIs
    | SoundIs
    | UsageIs
    | NetworkFound
    | ScanDone
    | TokenWanted
    | Reply
    | BoardError
)
Flashing = FlashStage | FlashWrote | ChipIs
Event = Link | Console | Told | Flashing | CheckList
Command = (
    Start
    | Stop
    | AskLoad
    | JoinWifi
    | Say
    | SetVolume
    | Mute
    | Scan
    | ShowSettings
    | StoreValue
    | StoreSecret
    | GiveToken
    | AnswerTool
    | TestSound
    | Hello
    | Reboot
    | Typed
)
Tell = Callable[[Event], None]
