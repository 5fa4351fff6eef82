"""The conversation as it stands: events in, changed rows out.

Rows are bubbles (what was said), tool calls and dividers between sessions, in the order of the
conversation, which is not the order of arrival: the user's bubble is reserved when speech begins,
its words come after the answer began. An item stands behind the item the service named as its
predecessor, and behind that one's tool calls; without a known predecessor it stands at the end.

A changed row is a new object at the same place; a row that has to move is `Removed` and `Added`.
Each change speaks of the rows as the changes before it left them, so a view applies them in turn.

Rows are found by key, so that the ten-thousandth turn costs what the first did. A place is kept as
the row's number plus all rows ever removed in front: new rows come at the end or close to it, and
only those behind them are counted anew.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, replace
from math import ceil
from statistics import median

from app.core.events import (
    Boot,
    Event,
    Role,
    SessionIs,
    SessionState,
    Source,
    ToolAnswered,
    ToolCalled,
    Turn,
    TurnState,
    Words,
)
from app.core.session_text import RESTARTED
from app.core.transcript_rows import (
    Bubble,
    Divider,
    Key,
    Row,
    ToolRow,
)

__all__ = [
    "Added",
    "Bubble",
    "Change",
    "Changed",
    "Divider",
    "Figures",
    "Removed",
    "Row",
    "ToolRow",
    "Transcript",
]

MOST_ROWS = 32_000
"""Ten thousand turns: what the user said, what was answered, and a tool call."""
MOST_CHARACTERS = 100_000
"""Of one text. The service ends an answer long before."""
MOST_CHARACTERS_IN_ALL = 32_000_000


@dataclass(frozen=True, slots=True)
class Added:
    """A new row stands at `row`; rows from there on moved down."""

    row: int


@dataclass(frozen=True, slots=True)
class Changed:
    row: int


@dataclass(frozen=True, slots=True)
class Removed:
    """The row at `row` is gone; rows behind it moved up."""

    row: int


Change = Added | Changed | Removed


@dataclass(frozen=True, slots=True)
class Figures:
    """For a header: answers and how quick they were. None where nothing was measured."""

    turns: int
    latency_median_ms: int | None
    latency_p95_ms: int | None
    silence_median_ms: int | None
    silence_p95_ms: int | None


class Transcript:
    """Rows of all sources' sessions. Any order of events is taken; none raises."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._gone = 0  # rows removed in front, ever
        self._places: dict[Key, int] = {}  # of bubbles and tools: row + `_gone`
        self._heirs: dict[Key, set[Key]] = {}  # bubbles that name the key as their predecessor
        self._open: set[Key] = set()  # bubbles that wait for words or for silence
        self._newest: dict[tuple[Source, Role], Key] = {}
        self._latencies: list[int] = []  # sorted, as are the next
        self._silences: list[int] = []
        self._answers = 0
        self._characters = 0
        self._live: dict[Source, bool] = {}
        self._session: dict[Source, int] = {}
        self._unnamed = 0
        self._changes: list[Change] = []

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> Row:
        return self._rows[row]

    def apply(self, event: Event) -> tuple[Change, ...]:
        """Takes one event; which rows changed, in order."""
        match event:
            case Words():
                self._words(event)
            case Turn():
                self._turn(event)
            case ToolCalled():
                self._called(event)
            case ToolAnswered():
                self._answered(event)
            case SessionIs():
                self._session_is(event)
            case Boot(at=at, reset=reset, repeated=False) if self._live.get(Source.BOARD):
                self._close(Divider(Source.BOARD, at, False, RESTARTED, reset))
        while len(self._rows) > MOST_ROWS or (
            self._characters > MOST_CHARACTERS_IN_ALL and len(self._rows) > 1
        ):
            self._remove(0)
        changes, self._changes = tuple(self._changes), []
        return changes

    def figures(self) -> Figures:
        return Figures(
            self._answers,
            *(_median(self._latencies), _p95(self._latencies)),
            *(_median(self._silences), _p95(self._silences)),
        )

    # ---- what each event does

    def _words(self, event: Words) -> None:
        row = self._bubble(event.source, event.at, event.role, event.item, event.previous)
        bubble = self._bubble_at(row)
        if event.part == 0:
            text = bubble.text if bubble.final else bubble.text + event.text
            next_part = bubble.next_part
        elif event.part == 1:
            text, next_part = event.text, 2
        elif event.part == bubble.next_part:
            text, next_part = bubble.text + event.text, event.part + 1
        else:
            # A part was lost on the way. What streamed before says more than the rest would.
            text, next_part = bubble.text or f"…{event.text}", 0
        final = event.final or (bubble.final and event.part == 0)
        text = text[:MOST_CHARACTERS]
        self._put(row, replace(bubble, text=text, final=final, next_part=next_part))

    def _turn(self, event: Turn) -> None:
        row = self._bubble(event.source, event.at, event.role, event.item, "")
        bubble = replace(self._bubble_at(row), spoken=True)
        is_answer = bubble.role is Role.ASSISTANT
        match event.state:
            case TurnState.STARTED:
                latency_ms = event.ms if is_answer else None
                bubble = replace(bubble, speaking=True, latency_ms=latency_ms)
            case TurnState.ENDED:
                bubble = replace(bubble, speaking=False, until=event.at)
            case TurnState.INTERRUPTED:
                silence_ms = event.ms if is_answer else None
                bubble = replace(bubble, speaking=False, interrupted=True, until=event.at)
                bubble = replace(bubble, silence_ms=silence_ms, cut_ms=event.cut_ms)
        self._put(row, bubble)

    def _called(self, event: ToolCalled) -> None:
        row = self._tool(event)  # found when the answer overtook the call, or it came twice
        tool = self._tool_at(row)
        arguments = event.arguments[:MOST_CHARACTERS]
        self._put(row, replace(tool, name=event.name, arguments=arguments))

    def _answered(self, event: ToolAnswered) -> None:
        row = self._tool(event)
        tool = self._tool_at(row)
        output = event.output[:MOST_CHARACTERS]
        self._put(row, replace(tool, ok=event.ok, output=output, ms=event.ms))

    def _session_is(self, event: SessionIs) -> None:
        was_live = self._live.get(event.source, False)
        ends = event.state in (SessionState.IDLE, SessionState.WAITING)
        if event.state is SessionState.LIVE and not was_live:
            self._live[event.source] = True
            self._session[event.source] = self._session.get(event.source, 0) + 1
            self._insert(len(self._rows), Divider(event.source, event.at, True))
        elif ends and was_live:
            self._close(Divider(event.source, event.at, False, event.code, event.reason))
        elif event.state is SessionState.IDLE and event.code not in ("", "stopped"):
            # Never came up; attempts that go on by themselves (waiting) would fill the page.
            row = len(self._rows)
            self._insert(row, Divider(event.source, event.at, False, event.code, event.reason))

    def _close(self, divider: Divider) -> None:
        """A session is over: nothing of it waits for more."""
        self._live[divider.source] = False
        session = self._session.get(divider.source, 0)
        waiting = [key for key in self._open if key[1:3] == (divider.source, session)]
        for row in sorted(self._places[key] - self._gone for key in waiting):
            self._put(row, replace(self._bubble_at(row), final=True, speaking=False))
        self._insert(len(self._rows), divider)

    # ---- places

    def _bubble(self, source: Source, at: float, role: Role, item: str, previous: str) -> int:
        """Row of the item's bubble: found, moved behind a predecessor only now known, or new."""
        session = self._session.get(source, 0)
        item = item or self._unnamed_item(source, session, role)
        fresh = Bubble(source, at, role, item, previous=previous, session=session)
        row = self._find(fresh.key)
        if row is None:
            row = self._place(fresh)
            self._insert(row, fresh)
            return row
        bubble = self._bubble_at(row)
        if not previous or previous == bubble.previous:
            return row
        bubble = replace(bubble, previous=previous)
        self._put(row, bubble)
        before = self._find(bubble.previous_key)
        if before is None or before == row or self._behind(before) == row:
            return row
        self._remove(row)
        row = self._behind(before - (before > row))
        self._insert(row, bubble)
        return row

    def _unnamed_item(self, source: Source, session: int, role: Role) -> str:
        """A name for words without an item: the role's newest bubble while it is open, or a new."""
        newest = self._newest.get((source, role))
        row = self._find(newest) if newest is not None and newest[2] == session else None
        if row is not None:
            bubble = self._bubble_at(row)
            if bubble.item.startswith("?") and not bubble.final:
                return bubble.item
        self._unnamed += 1
        return f"?{self._unnamed}"

    def _place(self, fresh: Bubble) -> int:
        """Where a new item belongs."""
        before = self._find(fresh.previous_key) if fresh.previous else None
        if before is not None:
            return self._behind(before)
        heirs = self._heirs.get(fresh.key)
        if heirs:
            return min(self._places[key] for key in heirs) - self._gone
        return len(self._rows)

    def _tool(self, event: ToolCalled | ToolAnswered) -> int:
        """Row of the call, found or new."""
        session = self._session.get(event.source, 0)
        fresh = ToolRow(event.source, event.at, event.call, event.name, session=session)
        row = self._find(fresh.key)
        if row is None:
            row = len(self._rows)
            self._insert(row, fresh)
        return row

    def _behind(self, row: int) -> int:
        """First place behind the row's tool calls."""
        row += 1
        while row < len(self._rows) and isinstance(self._rows[row], ToolRow):
            row += 1
        return row

    def _find(self, key: Key) -> int | None:
        place = self._places.get(key)
        return None if place is None else place - self._gone

    def _bubble_at(self, row: int) -> Bubble:
        bubble = self._rows[row]
        assert isinstance(bubble, Bubble)
        return bubble

    def _tool_at(self, row: int) -> ToolRow:
        tool = self._rows[row]
        assert isinstance(tool, ToolRow)
        return tool

    def _insert(self, row: int, new: Row) -> None:
        self._rows.insert(row, new)
        self._number_from(row)
        self._enter(new)
        if isinstance(new, Bubble):
            self._newest[new.source, new.role] = new.key
        self._changes.append(Added(row))

    def _remove(self, row: int) -> None:
        old = self._rows[row]
        del self._rows[row]
        self._leave(old)
        self._places.pop(old.key, None)
        if row == 0:
            self._gone += 1
        else:
            self._number_from(row)
        self._changes.append(Removed(row))

    def _put(self, row: int, new: Row) -> None:
        old = self._rows[row]
        if old == new:
            return
        self._rows[row] = new
        self._leave(old)
        self._enter(new)
        if Added(row) not in self._changes[-1:] and Changed(row) not in self._changes[-1:]:
            self._changes.append(Changed(row))

    # ---- what is known about the rows without looking at them

    def _number_from(self, row: int) -> None:
        for place in range(row, len(self._rows)):
            if not isinstance(self._rows[place], Divider):
                self._places[self._rows[place].key] = place + self._gone

    def _enter(self, row: Row) -> None:
        match row:
            case Bubble():
                self._characters += len(row.text)
                self._answers += row.role is Role.ASSISTANT
                if row.latency_ms is not None:
                    insort(self._latencies, row.latency_ms)
                if row.silence_ms is not None:
                    insort(self._silences, row.silence_ms)
                if row.previous:
                    self._heirs.setdefault(row.previous_key, set()).add(row.key)
                if row.speaking or not row.final:
                    self._open.add(row.key)
            case ToolRow():
                self._characters += len(row.arguments) + len(row.output)

    def _leave(self, row: Row) -> None:
        match row:
            case Bubble():
                self._characters -= len(row.text)
                self._answers -= row.role is Role.ASSISTANT
                if row.latency_ms is not None:
                    del self._latencies[bisect_left(self._latencies, row.latency_ms)]
                if row.silence_ms is not None:
                    del self._silences[bisect_left(self._silences, row.silence_ms)]
                if row.previous:
                    heirs = self._heirs[row.previous_key]
                    heirs.discard(row.key)
                    if not heirs:
                        del self._heirs[row.previous_key]
                self._open.discard(row.key)
            case ToolRow():
                self._characters -= len(row.arguments) + len(row.output)


def _median(values: list[int]) -> int | None:
    return round(median(values)) if values else None


def _p95(values: list[int]) -> int | None:
    """Nearest rank of sorted values: one that was measured."""
    return values[ceil(0.95 * len(values)) - 1] if values else None
