"""A conversation as a document: plain text, Markdown, JSON, and subtitles as SRT or WebVTT.

Subtitles count from the first row. A bubble is shown from its beginning to the end of its sound,
or as long as reading takes where no sound was told; a long one is cut into parts that each get
their share of that time. Parts never overlap: players disagree about what to do with that.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

from app.core.console import Entry, EntryKind
from app.core.events import Role
from app.core.language import tr
from app.core.load import Figure, LoadHistory
from app.core.transcript_rows import Bubble, Divider, Row, ToolRow
from app.core.wall_clock import WallClock

CUE_MOST_CHARACTERS = 84
"""Two lines of 42: what broadcasters put on a screen at once."""
_READING_S_PER_CHARACTER = 0.06
_LEAST_S, _MOST_S = 1.0, 3600.0


class Document(StrEnum):
    """Forms of a document, named by the ending of its file."""

    TEXT = "txt"
    MARKDOWN = "md"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


def document(rows: Sequence[Row], form: Document, clock: WallClock | None = None) -> str:
    """`rows` in this form. With a clock, text, Markdown and JSON name the time of each row."""
    match form:
        case Document.TEXT:
            return text(rows, clock)
        case Document.MARKDOWN:
            return markdown(rows, clock)
        case Document.JSON:
            return as_json(rows, clock)
        case Document.SRT:
            return srt(rows)
        case Document.VTT:
            return vtt(rows)


# ---- to read


def text(rows: Iterable[Row], clock: WallClock | None = None) -> str:
    """Plain text, a line or paragraph for each row."""
    return "".join(f"{_time(row, clock)}{_plain(row)}\n" for row in rows)


def markdown(rows: Iterable[Row], clock: WallClock | None = None) -> str:
    """Markdown; what people and services said is escaped."""
    return "\n\n".join(_marked(row, _time(row, clock)) for row in rows) + "\n"


def as_json(rows: Iterable[Row], clock: WallClock | None = None) -> str:
    """A JSON array, an object for each row: `row` its kind, its fields, `time` by the clock."""
    told = [jsonable(row) | ({"time": clock.stamp(row.at)} if clock else {}) for row in rows]
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def jsonable(row: Row) -> dict[str, object]:
    """The row's fields, and `row`, its kind: words, tool or session."""
    names: Mapping[type, str] = {Bubble: "words", ToolRow: "tool", Divider: "session"}
    return {"row": names[type(row)], **{key.name: getattr(row, key.name) for key in fields(row)}}


def _time(row: Row, clock: WallClock | None) -> str:
    return f"[{clock.time(row.at)}] " if clock else ""


def _speaker(bubble: Bubble) -> str:
    return tr("You") if bubble.role is Role.USER else tr("Parley")


def _remark(bubble: Bubble) -> str:
    if bubble.interrupted:
        return tr(" (interrupted)")
    return tr(" (typed)") if bubble.typed else ""


def _result(tool: ToolRow) -> str:
    if tool.ok is None:
        return tr("no answer yet")
    return tool.output if tool.ok else tr("failed: {output}", output=tool.output)


def _told(tool: ToolRow) -> str:
    return f"{tool.name} {tool.arguments} → {_result(tool)} ({tool.ms} ms)"


def _plain(row: Row) -> str:
    match row:
        case Bubble():
            return f"{_speaker(row)}{_remark(row)}: {row.text}"
        case ToolRow():
            return f"  {_told(row)}"
        case Divider():
            return f"--- {row.text} ---"


def _marked(row: Row, time: str) -> str:
    match row:
        case Bubble():
            return f"{_escaped(time)}**{_speaker(row)}**{_remark(row)}: {_escaped(row.text)}"
        case ToolRow():
            return f"> {_escaped(time + _told(row))}"
        case Divider():
            return f"---\n\n*{_escaped(time + row.text)}*"


def _escaped(text: str) -> str:
    marks = r"\`*_{}[]<>#+-|!~&"
    joined = " ".join(text.split()) + (" " if text.endswith(" ") else "")
    return "".join(f"\\{char}" if char in marks else char for char in joined)


# ---- subtitles


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: from and until in milliseconds from the first row, and who says what."""

    begin_ms: int
    end_ms: int
    speaker: str
    text: str


def cues(rows: Sequence[Row]) -> list[Cue]:
    """What was said, cut to readable lengths, in the order of time, without overlaps."""
    if not rows:
        return []
    first = min(row.at for row in rows)
    said = [row for row in rows if isinstance(row, Bubble) and row.text.strip()]
    made: list[Cue] = []
    for bubble in sorted(said, key=lambda row: row.at):
        begin_ms = round((bubble.at - first) * 1000)
        if made:
            begin_ms = max(begin_ms, made[-1].begin_ms + 1)
            last = made[-1]
            made[-1] = Cue(last.begin_ms, min(last.end_ms, begin_ms), last.speaker, last.text)
        made += _parts(bubble, begin_ms)
    return made


def _parts(bubble: Bubble, begin_ms: int) -> Iterator[Cue]:
    pieces = _pieces(" ".join(bubble.text.split()))
    if bubble.interrupted:
        pieces[-1] += " —"
    characters = sum(map(len, pieces))
    told_s = bubble.until - bubble.at if bubble.until is not None else 0.0
    length_s = told_s if told_s > 0 else characters * _READING_S_PER_CHARACTER
    length_ms = round(min(max(length_s, _LEAST_S * len(pieces)), _MOST_S) * 1000)
    done = 0
    for piece in pieces:
        start = begin_ms + length_ms * done // characters
        done += len(piece)
        yield Cue(start, begin_ms + length_ms * done // characters, _speaker(bubble), piece)


def _pieces(text: str) -> list[str]:
    """At most 84 characters each, cut at blanks, or anywhere where a language has none."""
    return textwrap.wrap(text, CUE_MOST_CHARACTERS, break_on_hyphens=False)


def srt(rows: Sequence[Row]) -> str:
    """SubRip: numbered cues, the speaker before the words."""
    return "".join(
        f"{number}\n{_clock(cue.begin_ms, ',')} --> {_clock(cue.end_ms, ',')}\n"
        f"{cue.speaker}: {cue.text.replace('-->', '→')}\n\n"
        for number, cue in enumerate(cues(rows), 1)
    )


def vtt(rows: Sequence[Row]) -> str:
    """WebVTT, with a voice for each speaker."""
    return "WEBVTT\n\n" + "".join(
        f"{_clock(cue.begin_ms, '.')} --> {_clock(cue.end_ms, '.')}\n"
        f"<v {cue.speaker}>{_escaped_vtt(cue.text)}\n\n"
        for cue in cues(rows)
    )


def _escaped_vtt(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(ms: int, mark: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{ms:03}"


# ---- the console


_SIGNS = {
    EntryKind.SENT: "> ",
    EntryKind.NOTE: "-- ",
    EntryKind.LOST: "!! ",
    EntryKind.GARBLED: "?? ",
}


def console_line(entry: Entry, clock: WallClock) -> str:
    """One line: when it arrived, a sign for what is not the board's own text, and the text."""
    return f"{clock.fine_time(entry.at)} {_SIGNS.get(entry.kind, '')}{entry.plain}"


def console_text(entries: Iterable[Entry], clock: WallClock) -> str:
    """The console as a file."""
    return "".join(f"{console_line(entry, clock)}\n" for entry in entries)


# ---- the load


def load_csv(history: LoadHistory, clock: WallClock) -> str:
    """A line for each moment with a sample, a column for each figure; empty where none was told."""
    figures = tuple(Figure)
    moments: dict[float, list[str]] = {}
    for column, figure in enumerate(figures):
        for at, value in zip(*history.series(figure), strict=True):
            moments.setdefault(at, [""] * len(figures))[column] = str(value)
    names = [figure.name.lower() for figure in figures]
    lines = [",".join(("time", *names))]
    lines += [",".join((clock.stamp(at), *moments[at])) for at in sorted(moments)]
    return "".join(f"{line}\r\n" for line in lines)  # as RFC 4180 has it


# ---- names of files


def file_name(what: str, form: str, clock: WallClock, at: float) -> str:
    """A name for a new file: what it holds and when, without signs a file system refuses."""
    return f"parley-{what}-{clock.moment(at):%Y%m%d-%H%M%S}.{form}"
