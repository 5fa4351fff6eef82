"""Who speaks when, with the milliseconds people feel (parley_core, turns.c).

The user's speech silences the speaker here, before the service has said anything about the answer
it cuts: a round trip of talking over the user is heard. What the service tells later (cleared,
truncated, in any order) and the speaker's own silence are gathered into one event; what does not
come in time is left out or estimated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from app.core.events import Event, Role, Source, Turn, TurnState

GATHER_S = 1.0


class Sound(StrEnum):
    """What is to be done with the speaker."""

    HUSH = "hush"  # silent now: the user speaks, or asked for silence
    CLEAR = "clear"  # what has come so far was cut, what comes is to be heard
    RESUME = "resume"  # an answer begins: all of it is to be heard


@dataclass(slots=True)
class _Cut:
    """An answer that is being cut."""

    item: str
    due: float
    since: float | None  # the user's speech began
    silent: float | None = None  # the speaker fell silent
    heard_ms: int | None = None

    @property
    def complete(self) -> bool:
        return None not in (self.since, self.silent, self.heard_ms)


class Turns:
    """`tell` takes turns, `sound` what the speaker has to do."""

    def __init__(self, tell: Callable[[Event], None], sound: Callable[[Sound], None]) -> None:
        self.speaking = False
        """The user speaks."""
        self.sounding = False
        """The assistant's sound is being played."""
        self.speech_stopped_at: float | None = None
        self._tell_event, self._sound = tell, sound
        self._speech_started_at = self._sound_started_at = 0.0
        self._speaker_item = self._sound_item = ""
        self._heard_response = self._dead_response = ""
        self._cut: _Cut | None = None

    @property
    def due(self) -> float | None:
        return None if self._cut is None else self._cut.due

    def tick(self, at: float) -> None:
        if self._cut is not None and (self._cut.complete or at >= self._cut.due):
            self._tell_cut(self._cut, at)

    # ---- an answer that is cut

    def _begin_cut(self, since: float | None, at: float) -> _Cut:
        self._cut = _Cut(self._sound_item, at + GATHER_S, since)
        self.sounding = False
        return self._cut

    def _tell_cut(self, cut: _Cut, at: float) -> None:
        self._cut = None
        ms = None
        if cut.silent is not None:
            if cut.heard_ms is None:
                cut.heard_ms = max(0, round((cut.silent - self._sound_started_at) * 1000))
            if cut.since is not None:
                ms = max(0, round((cut.silent - cut.since) * 1000))
        self._turn(Role.ASSISTANT, cut.item, TurnState.INTERRUPTED, at, ms, cut.heard_ms)

    def _cut_by_service(self, at: float) -> None:
        if self.sounding:
            self._begin_cut(self._speech_started_at if self.speaking else None, at)

    def hush(self, at: float) -> None:
        """The user wants silence."""
        self._sound(Sound.HUSH)
        if self.sounding:
            self._begin_cut(at, at)

    def sound_cleared(self, at: float) -> None:
        self._cut_by_service(at)
        self._note_silence(at)
        self._sound(Sound.CLEAR)

    def truncated(self, heard_ms: int, at: float) -> None:
        self._cut_by_service(at)
        if self._cut is not None:
            self._cut.heard_ms = heard_ms

    def _note_silence(self, at: float) -> None:
        if self._cut is not None and self._cut.silent is None:
            self._cut.silent = at

    # ---- the user

    def speech_started(self, item: str, at: float) -> None:
        self._sound(Sound.HUSH)
        self.speaking = True
        self._speech_started_at, self.speech_stopped_at = at, None
        if self.sounding:
            self._begin_cut(at, at)
        elif self._cut is not None and self._cut.since is None:
            self._cut.since = at  # cleared came first
        if item:
            self._turn(Role.USER, item, TurnState.STARTED, at)

    def speech_stopped(self, item: str, at: float) -> None:
        self.speaking = False
        self.speech_stopped_at = at
        if item:
            self._turn(Role.USER, item, TurnState.ENDED, at)

    # ---- the assistant

    def response_created(self) -> None:
        self._speaker_item = ""

    def response_cancelled(self, response: str) -> None:
        self._dead_response = response

    def speaker_item(self, item: str) -> None:
        """The message whose sound comes next."""
        self._speaker_item = item

    def sound_started(self, response: str, at: float) -> None:
        if not response or not self._speaker_item:
            return
        if response in (self._heard_response, self._dead_response):
            return  # told already, or sound of what is over
        if self.sounding:
            self.sound_stopped(at)
        self._heard_response, self._sound_item = response, self._speaker_item
        self.sounding, self._sound_started_at = True, at
        self._sound(Sound.RESUME)
        ms = None
        if self.speech_stopped_at is not None:
            ms = round((at - self.speech_stopped_at) * 1000)
            self.speech_stopped_at = None
        self._turn(Role.ASSISTANT, self._sound_item, TurnState.STARTED, at, ms)

    def sound_stopped(self, at: float) -> None:
        if self.sounding:
            self.sounding = False
            self._turn(Role.ASSISTANT, self._sound_item, TurnState.ENDED, at)

    def speaker(self, playing: bool, response: str, at: float) -> None:
        """Our speaker began or ceased to sound."""
        if playing:
            self.sound_started(response, at)
        else:
            self._note_silence(at)
            self.tick(at)

    def _turn(
        self,
        role: Role,
        item: str,
        state: TurnState,
        at: float,
        ms: int | None = None,
        cut_ms: int | None = None,
    ) -> None:
        self._tell_event(Turn(Source.DESKTOP, at, role, item, state, ms, cut_ms))
