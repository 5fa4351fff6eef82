"""The console as it stands: a bounded ring of entries, and what of it a view shows.

Every entry keeps its index for ever; old entries go, indexes do not shift. So a view holds on to
indexes, and asks for what was lost in front and what came behind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from app.core.events import (
    ConsoleLine,
    Event,
    LinkClosed,
    LinkOpened,
    RecordsLost,
    RecordUnknown,
    Severity,
    WireGarbled,
)
from app.core.language import tr

MOST_ENTRIES = 200_000
MOST_CHARACTERS = 32_000_000
"""Of all texts together: 200,000 lines of a usual length, or 4,000 of the longest."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
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
    """

    severity: Severity | None = None
    tag: str = ""
    text: str = ""

    def fits(self, entry: Entry) -> bool:
        if self.text and self.text.casefold() not in entry.plain.casefold():
            return False
        if entry.kind is not EntryKind.LOG:
            return True
        if self.tag and entry.tag != self.tag:
            return False
        if self.severity is None:
            return True
        return entry.severity is not None and _RANK[entry.severity] <= _RANK[self.severity]


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
                entry = Entry(at, EntryKind.LOG, text, severity, tag)
            case WireGarbled(at, raw, reason):
                self.garbled += 1
                shown = raw.decode("ascii", "backslashreplace")
                entry = Entry(at, EntryKind.GARBLED, f"{reason}: {_printable(shown)}")
            case RecordsLost(at, count):
                self.lost_records += count
                text = tr("{count} messages of the board were lost here.", count=count)
                entry = Entry(at, EntryKind.LOST, text)
            case RecordUnknown(at, kind, reason):
                self.garbled += 1
                entry = Entry(at, EntryKind.GARBLED, f"{_printable(kind)}: {reason}")
            case LinkOpened(at, port):
                entry = Entry(at, EntryKind.NOTE, tr("Connected to {port}.", port=port))
            case LinkClosed(at, port, reason):
                text = tr("Disconnected from {port}. {reason}", port=port, reason=reason)
                entry = Entry(at, EntryKind.NOTE, text.rstrip())
            case _:
                return False
        self._add(entry)
        return True

    def sent(self, line: str, at: float) -> None:
        """A command went to the board; `line` is its mirror, without secrets."""
        self._add(Entry(at, EntryKind.SENT, line))

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


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text[:400])


class ConsoleView:
    """Indexes of the entries of one console that are wanted, kept up to date bit by bit."""

    def __init__(self, console: Console, wanted: Wanted | None = None) -> None:
        self.console = console
        self.wanted = wanted or Wanted()
        self._rows: list[int] = []
        self._seen = console.first

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

    def fresh(self) -> list[int]:
        """Indexes of wanted entries that came since the last call; hand them to `take`."""
        start = max(self._seen, self.console.first)
        self._seen = self.console.end
        return [
            index
            for index in range(start, self.console.end)
            if self.wanted.fits(self.console[index])
        ]

    def take(self, indexes: list[int]) -> None:
        """Appends rows."""
        self._rows += indexes

    def choose(self, wanted: Wanted) -> None:
        """Shows something else: all rows anew."""
        self.wanted = wanted
        self._seen = self.console.first
        self._rows = self.fresh()
