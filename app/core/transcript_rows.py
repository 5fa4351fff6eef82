"""Rows of a conversation."""

from __future__ import annotations

from dataclasses import dataclass

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
    been heard then. `until`: when its sound ended.
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
    until: float | None = None
    previous: str = ""
    session: int = 0
    next_part: int = 1

    @property
    def key(self) -> Key:
        return ("item", self.source, self.session, self.item)

    @property
    def previous_key(self) -> Key:
        return ("item", self.source, self.session, self.previous)

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
