"""Rows of a conversation, and how each reads as a document."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from app.core.events import Role, Source
from app.core.language import tr
from app.core.session_text import session_words

Key = tuple[str, Source, int, str]
"""What makes a row the same row: kind, source, session, id. Services may use an id again."""


@dataclass(frozen=True, slots=True)
class Bubble:
    """What one item of the conversation says.

    `final`: the text is complete. `spoken`: a turn of sound was told for it; a user's bubble
    without one was typed. `latency_ms`: from the end of the user's speech to the first sound.
    `silence_ms`: from the user's first sound to silence when interrupted; `cut_ms`: how much had
    been heard then.
    """

    source: Source
    at: float
    role: Role
    item: str
    text: str = ""
    final: bool = False
    spoken: bool = False
    speaking: bool = False
    interrupted: bool = False
    latency_ms: int | None = None
    silence_ms: int | None = None
    cut_ms: int | None = None
    previous: str = ""
    session: int = 0
    next_part: int = 1

    @property
    def key(self) -> Key:
        return ("item", self.source, self.session, self.item)

    @property
    def typed(self) -> bool:
        return self.role is Role.USER and self.final and not self.spoken


@dataclass(frozen=True, slots=True)
class ToolRow:
    """A tool call; `ok` is None until its answer came."""

    source: Source
    at: float
    call: str
    name: str
    arguments: str = ""
    ok: bool | None = None
    output: str = ""
    ms: int = 0
    session: int = 0

    @property
    def key(self) -> Key:
        return ("call", self.source, self.session, self.call)


@dataclass(frozen=True, slots=True)
class Divider:
    """A session began (`live`), or ended or failed for the reason `code`."""

    source: Source
    at: float
    live: bool
    code: str = ""
    reason: str = ""

    @property
    def key(self) -> Key:
        return ("divider", self.source, 0, "")

    @property
    def text(self) -> str:
        if self.live:
            return tr("Conversation started")
        return session_words(self.code)[0] if self.code else tr("Conversation ended")


Row = Bubble | ToolRow | Divider


def jsonable(row: Row) -> dict[str, object]:
    """The row's fields, and `row`, its kind: words, tool or session."""
    names = {Bubble: "words", ToolRow: "tool", Divider: "session"}
    return {"row": names[type(row)], **asdict(row)}


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


def plain(row: Row) -> str:
    """The row as plain text."""
    match row:
        case Bubble():
            return f"{_speaker(row)}{_remark(row)}: {row.text}"
        case ToolRow():
            return f"  {row.name} {row.arguments} → {_result(row)} ({row.ms} ms)"
        case Divider():
            return f"--- {row.text} ---"


def markdown(row: Row) -> str:
    """The row as Markdown, all signs of Markdown in it escaped."""
    match row:
        case Bubble():
            return f"**{_speaker(row)}**{_remark(row)}: {_escaped(row.text)}"
        case ToolRow():
            told = f"{row.name} {row.arguments} → {_result(row)} ({row.ms} ms)"
            return f"> {_escaped(told)}"
        case Divider():
            return f"---\n\n*{_escaped(row.text)}*"


def _escaped(text: str) -> str:
    marks = r"\`*_{}[]<>#+-|!~&"
    return "".join(f"\\{char}" if char in marks else char for char in " ".join(text.split()))
