"""The main job as a check list: which step really happened, and what shows it.

A step is done when an event proves it, or when `note` is told a fact that only the simulated world
knows (sound in the room, open calls of the service). Each keeps the first evidence, in plain words.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from app.core.events import (
    Boot,
    ConsoleLine,
    DeviceIs,
    Event,
    FlashStage,
    FlashWrote,
    LoadIs,
    PortsAre,
    Role,
    SessionIs,
    SessionState,
    Source,
    Stage,
    ToolAnswered,
    ToolCalled,
    Words,
)
from app.core.language import tr


class Step(Enum):
    """What has to happen, in the order it usually does."""

    APPEARED = auto()
    BLANK = auto()
    FLASHED = auto()
    VERIFIED = auto()
    BOOTED = auto()
    PROVEN = auto()
    LIVE = auto()
    HEARD = auto()
    """Remote audio left the speaker: told by `note`."""
    USER_WORDS = auto()
    TOOL = auto()
    LIGHT = auto()
    ASSISTANT_WORDS = auto()
    LOAD = auto()
    STOPPED = auto()
    CLOSED = auto()
    """The service has no open call any more: told by `note`."""


def title(step: Step) -> str:
    """The step as the user reads it."""
    titles = {
        Step.APPEARED: tr("The board appeared"),
        Step.BLANK: tr("The board is blank"),
        Step.FLASHED: tr("Firmware and settings written"),
        Step.VERIFIED: tr("Written bytes checked"),
        Step.BOOTED: tr("The board started"),
        Step.PROVEN: tr("It runs what was written"),
        Step.LIVE: tr("The conversation is open"),
        Step.HEARD: tr("The assistant was heard"),
        Step.USER_WORDS: tr("Your words arrived"),
        Step.TOOL: tr("A tool was used"),
        Step.LIGHT: tr("The light changed"),
        Step.ASSISTANT_WORDS: tr("The assistant answered in words"),
        Step.LOAD: tr("Load figures arrived"),
        Step.STOPPED: tr("The board ended the conversation"),
        Step.CLOSED: tr("The service ended the conversation"),
    }
    return titles[step]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the installation shall lead to."""

    port: str
    version: str
    build: str
    cfg_id: str


@dataclass(frozen=True, slots=True)
class _Light:
    on: bool
    red: int
    green: int
    blue: int

    def __str__(self) -> str:
        shown = tr("on") if self.on else tr("off")
        return f"{shown} #{self.red:02x}{self.green:02x}{self.blue:02x}"


class Journey:
    """Evidence by step. Events of the board only."""

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._evidence: dict[Step, str] = {}
        self._new: list[Step] = []
        self._written: dict[str, int] = {}
        self._verifying: str | None = None
        self._calls: dict[str, str] = {}
        self._light = _Light(on=False, red=0, green=0, blue=0)
        self._samples = 0
        self._started_at: float | None = None
        self.first_audio_ms: int | None = None
        """From `start` to the first remote sound."""

    def started(self, at: float) -> None:
        """`start` was sent at `at`."""
        self._started_at = at

    def note(self, step: Step, evidence: str, at: float | None = None) -> tuple[Step, ...]:
        """A fact from outside the app; `at` of HEARD gives `first_audio_ms`. Returns new steps."""
        is_first = step is Step.HEARD and step not in self._evidence
        if is_first and at is not None and self._started_at is not None:
            self.first_audio_ms = round((at - self._started_at) * 1000)
        self._done(step, evidence)
        return self._changed()

    def apply(self, event: Event) -> tuple[Step, ...]:
        """Takes one event; steps that it completed."""
        match event:
            case PortsAre(ports) if any(port.name == self._expected.port for port in ports):
                self._done(Step.APPEARED, self._expected.port)
            case ConsoleLine(text=text) if "invalid header" in text:
                self._done(Step.BLANK, text.strip())
            case FlashWrote() | FlashStage():
                self._flashing(event)
            case Boot():
                self._booted(event)
            case SessionIs(source=Source.BOARD):
                self._session(event)
            case Words(source=Source.BOARD, final=True, text=text) if text.strip():
                self._words(event)
            case ToolCalled(source=Source.BOARD) | ToolAnswered(source=Source.BOARD):
                self._tool(event)
            case DeviceIs(source=Source.BOARD):
                self._device(event)
            case LoadIs():
                self._load(event)
        return self._changed()

    def missing(self) -> list[Step]:
        """Steps that did not happen, in order."""
        return [step for step in Step if step not in self._evidence]

    def evidence(self, step: Step) -> str | None:
        """What shows that `step` happened; None: it did not."""
        return self._evidence.get(step)

    # ---- what proves what

    def _flashing(self, event: FlashWrote | FlashStage) -> None:
        match event:
            case FlashWrote(part=part, done=done, total=total) if done == total:
                self._written[part] = total
            case FlashStage(stage=Stage.VERIFY, text=text):
                self._verifying = text
            case FlashStage(stage=Stage.RESTART) if self._written:  # flashing returned: all is well
                total = sum(self._written.values())
                parts = ", ".join(self._written)
                self._done(Step.FLASHED, tr("{total} bytes: {parts}", total=total, parts=parts))
                if self._verifying is not None:
                    self._done(Step.VERIFIED, self._verifying or tr("MD5 of every part is equal"))

    def _booted(self, event: Boot) -> None:
        if Step.FLASHED not in self._evidence:
            return
        self._done(Step.BOOTED, f"{event.board}, {event.reset}")
        told = (event.version, event.build, event.cfg_id)
        if told == (self._expected.version, self._expected.build, self._expected.cfg_id):
            self._done(Step.PROVEN, f"{event.version} {event.build}")

    def _session(self, event: SessionIs) -> None:
        match event.state:
            case SessionState.TOKEN | SessionState.OFFER if self._started_at is None:
                self._started_at = event.at
            case SessionState.LIVE:
                self._done(Step.LIVE, event.call or tr("live"))
            case SessionState.IDLE if event.code == "stopped" and Step.LIVE in self._evidence:
                self._done(Step.STOPPED, tr("stopped as asked"))

    def _words(self, event: Words) -> None:
        if event.role is Role.USER:
            self._done(Step.USER_WORDS, event.text)
        elif Step.TOOL in self._evidence:  # a greeting is no answer
            self._done(Step.ASSISTANT_WORDS, event.text)

    def _tool(self, event: ToolCalled | ToolAnswered) -> None:
        match event:
            case ToolCalled(call=call, name=name, arguments=arguments):
                self._calls[call] = f"{name} {arguments}"
            case ToolAnswered(call=call, ok=True, output=output) if call in self._calls:
                self._done(Step.TOOL, f"{self._calls[call]} → {output}")

    def _device(self, event: DeviceIs) -> None:
        light = _Light(event.light, event.red, event.green, event.blue)
        before, self._light = self._light, light
        colour_shows = light.on and light != before
        if self._calls and (light.on != before.on or colour_shows):
            self._done(Step.LIGHT, f"{before} → {light}")

    def _load(self, event: LoadIs) -> None:
        self._samples += 1
        if self._samples < 2 or not event.cpu_permille or not event.heap.free:
            return  # one sample is a number, two are numbers over time
        shares = " / ".join(f"{permille / 10:.1f} %" for permille in event.cpu_permille)
        kib = event.heap.free // 1024
        self._done(Step.LOAD, tr("CPU {shares}, {kib} KiB free", shares=shares, kib=kib))

    def _done(self, step: Step, evidence: str) -> None:
        if step not in self._evidence:
            self._evidence[step] = evidence
            self._new.append(step)

    def _changed(self) -> tuple[Step, ...]:
        new, self._new = tuple(self._new), []
        return new
