"""The console as it stands: a bounded ring of entries, and what of it a view shows.

Every entry keeps its index for ever; old entries go, indexes do not shift. So a view holds on to
indexes, and asks for what was lost in front and what came behind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from app.core.events import (
    Boot,
    ConsoleLine,
    Event,
    LinkClosed,
    LinkOpened,
    LogIs,
    NetworkFound,
    RecordsLost,
    RecordUnknown,
    ScanDone,
    Severity,
    WireGarbled,
)
from app.core.faults import BadSetting
from app.core.language import tr

MOST_ENTRIES = 200_000
MOST_CHARACTERS = 32_000_000
"""Of all texts together: 200,000 lines of a usual length, or 4,000 of the longest."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
_MOST_MATCHED = 2000
MOST_TAGS = 200
_RESET = re.compile(r"rst:0x[0-9a-fA-F]+ \((\w{1,40})\)")
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class EntryKind(Enum):
    """Where an entry comes from."""

    LOG = auto()
    SENT = auto()
    """A command to the board, secrets hidden."""
    GARBLED = auto()
    LOST = auto()
    NOTE = auto()
    """Something about the link itself."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the console. `text` may hold ANSI codes."""

    at: float
    kind: EntryKind
    text: str
    severity: Severity | None = None
    tag: str = ""

    @property
    def plain(self) -> str:
        """The text without ANSI codes."""
        return _ANSI.sub("", self.text) if "\x1b" in self.text else self.text


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a view shows: lines as severe as `severity` or more, of a tag, with a text in them.

    None and empty mean any. Lines without severity are shown at any severity but a chosen one.
    What is no log text (sent, lost, garbled) passes unless a text is asked for that it lacks.
    `pattern` is looked for in the first 2,000 characters: a slow one must not stop the window.
    """

    severity: Severity | None = None
    tag: str = ""
    text: str = ""
    pattern: re.Pattern[str] | None = None

    def fits(self, entry: Entry) -> bool:
        if self.text and self.text.casefold() not in entry.plain.casefold():
            return False
        if self.pattern is not None and not self.pattern.search(entry.plain[:_MOST_MATCHED]):
            return False
        if entry.kind is not EntryKind.LOG:
            return True
        if self.tag and entry.tag != self.tag:
            return False
        if self.severity is None:
            return True
        return entry.severity is not None and _RANK[entry.severity] <= _RANK[self.severity]


def pattern_of(text: str) -> re.Pattern[str]:
    """The user's regular expression, capitals or not. Raises BadSetting that says what is wrong."""
    try:
        return re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadSetting(
            tr("This is no regular expression: {reason}", reason=error),
            tr("Look at brackets and backslashes, or search for plain text."),
        ) from error


class Console:
    """The last entries, `first` to `end` - 1."""

    def __init__(
        self, most_entries: int = MOST_ENTRIES, most_characters: int = MOST_CHARACTERS
    ) -> None:
        self._most_entries = most_entries
        self._most_characters = most_characters
        self._entries: list[Entry | None] = []
        self._head = 0  # places in `_entries` that are empty already
        self._characters = 0
        self.first = 0
        self.lost_records = 0
        self.garbled = 0
        self.tags: dict[str, None] = {}
        """Tags seen, in the order they came."""
        self._lost_port = ""  # the port that went without being asked to
        self._reset_told = False

    @property
    def count(self) -> int:
        return len(self._entries) - self._head

    @property
    def end(self) -> int:
        """Index the next entry will have."""
        return self.first + self.count

    def __getitem__(self, index: int) -> Entry:
        """The entry `index`; IndexError when it is gone or has not come yet."""
        if not self.first <= index < self.end:
            raise IndexError(index)
        entry = self._entries[index - self.first + self._head]
        assert entry is not None
        return entry

    def apply(self, event: Event) -> bool:
        """Takes what belongs into a console; whether `event` did."""
        match event:
            case ConsoleLine(at, text, severity, tag):
                if tag and tag not in self.tags and len(self.tags) < MOST_TAGS:
                    self.tags[tag] = None
                self._add(Entry(at, EntryKind.LOG, text, severity, tag))
                if "rst:0x" in text and (reset := _RESET.search(text)):
                    self._reset_told = True
                    self._note(at, tr("The board was reset ({reason}).", reason=reset[1]))
            case WireGarbled(at, raw, reason):
                self.garbled += 1
                shown = raw.decode("ascii", "backslashreplace")
                self._add(Entry(at, EntryKind.GARBLED, f"{reason}: {_printable(shown)}"))
            case RecordsLost(at, count):
                self.lost_records += count
                text = tr("{count} messages of the board were lost here.", count=count)
                self._add(Entry(at, EntryKind.LOST, text))
            case RecordUnknown(at, kind, reason):
                self.garbled += 1
                self._add(Entry(at, EntryKind.GARBLED, f"{_printable(kind)}: {reason}"))
            case Boot(repeated=True):
                return False  # said again because it was asked: nothing happened
            case Boot() | LinkOpened() | LinkClosed():
                self._link(event)
            case NetworkFound() | ScanDone() | LogIs():
                self._note(event.at, _told(event))
            case _:
                return False
        return True

    def _link(self, event: Boot | LinkOpened | LinkClosed) -> None:
        """Reset, unplugged, plugged in again: said where it happened."""
        match event:
            case Boot(at=at, version=version, reset=reset):
                # A board with its own USB says nothing of the reset itself: its port was away.
                told, self._reset_told = self._reset_told, False
                if not told:
                    self._note(at, tr("The board was reset ({reason}).", reason=_printable(reset)))
                self._note(at, tr("Firmware {version} runs.", version=_printable(version)))
            case LinkOpened(at, port):
                back, self._lost_port = bool(self._lost_port), ""
                text = tr("Connected again to {port}.", port=port)
                self._note(at, text if back else tr("Connected to {port}.", port=port))
            case LinkClosed(at, port, reason):
                self._lost_port = port if reason else ""
                text = tr("Disconnected from {port}. {reason}", port=port, reason=reason)
                self._note(at, text.rstrip())

    def _note(self, at: float, text: str) -> None:
        self._add(Entry(at, EntryKind.NOTE, text))

    def sent(self, line: str, at: float) -> None:
        """A command went to the board; `line` is its mirror, without secrets."""
        self._add(Entry(at, EntryKind.SENT, line))

    def entries(self) -> list[Entry]:
        """All entries, as they are now."""
        return [entry for entry in self._entries[self._head :] if entry is not None]

    def clear(self) -> None:
        """Forgets all entries; indexes go on."""
        self.first = self.end
        self._entries.clear()
        self._head = 0
        self._characters = 0

    def _add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._characters += len(entry.text)
        while self.count > self._most_entries or (
            self._characters > self._most_characters and self.count > 1
        ):
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self._characters -= len(self[self.first].text)
        self._entries[self._head] = None
        self._head += 1
        self.first += 1
        # Moving the rest down costs as much as it frees: once in a while, not at each line.
        if self._head > 1024 and self._head > self.count:
            del self._entries[: self._head]
            self._head = 0


def _told(event: NetworkFound | ScanDone | LogIs) -> str:
    match event:
        case NetworkFound(ssid=ssid, rssi=rssi, security=security, channel=channel):
            return tr(
                "Wi-Fi found: {network}, {rssi} dBm, {security}, channel {number}",
                network=_printable(ssid) or tr("(hidden)"),
                rssi=rssi,
                security=_printable(security),
                number=channel,
            )
        case ScanDone():
            return tr("These are all networks the board hears.")
        case LogIs(path=path, reason=""):
            if not path:
                return tr("The console is no longer written to a file.")
            return tr("From here on the console is written to {path}.", path=path)
        case LogIs(reason=reason):
            return tr("The console can no longer be written to its file: {reason}", reason=reason)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text[:400])


class ConsoleView:
    """Indexes of the entries of one console that are wanted, kept up to date bit by bit."""

    def __init__(self, console: Console, wanted: Wanted | None = None) -> None:
        self.console = console
        self.wanted = wanted or Wanted()
        self._rows: list[int] = []
        self._seen = console.first
        self._limit: int | None = None  # the entries from here on are held back

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> Entry:
        return self.console[self._rows[row]]

    def index_of(self, row: int) -> int:
        """The console's index of a row: stays with the entry while rows shift."""
        return self._rows[row]

    def stale(self) -> int:
        """How many rows in front are gone from the console; call `forget` with it."""
        low, high = 0, len(self._rows)
        while low < high:
            middle = (low + high) // 2
            if self._rows[middle] < self.console.first:
                low = middle + 1
            else:
                high = middle
        return low

    def forget(self, count: int) -> None:
        """Drops `count` rows in front."""
        del self._rows[:count]

    def fresh(self, most: int | None = None) -> list[int]:
        """Indexes of wanted entries that came since the last call; hand them to `take`.

        Looks at `most` entries at a time; the rest is `unseen`.
        """
        start = max(self._seen, self.console.first)
        self._seen = self._end if most is None else min(self._end, start + most)
        fits = self.wanted.fits
        return [index for index in range(start, self._seen) if fits(self.console[index])]

    @property
    def unseen(self) -> int:
        """How many entries that may be shown were not looked at yet."""
        return max(0, self._end - max(self._seen, self.console.first))

    @property
    def _end(self) -> int:
        return self.console.end if self._limit is None else self._limit

    def hold(self, *, on: bool) -> None:
        """Nothing that comes from now on is shown until it is let go; it waits in the ring."""
        self._limit = self.console.end if on else None

    @property
    def held(self) -> int:
        """How many entries are held back."""
        return 0 if self._limit is None else self.console.end - max(self._limit, self.console.first)

    def take(self, indexes: list[int]) -> None:
        """Appends rows."""
        self._rows += indexes

    def choose(self, wanted: Wanted) -> None:
        """Shows something else: no rows, until they are taken anew."""
        self.wanted = wanted
        self._seen = self.console.first
        self._rows = []
