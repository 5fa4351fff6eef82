"""What `parley service` shows: the calls with their last words and the level of what is heard, live
in a terminal; elsewhere one plain line for each thing that happens, for a log or a program to read.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.core.language import tr

if TYPE_CHECKING:
    from app.sim.service import Call

LOOKS_PER_S = 5
BAR_CELLS = 12
QUIET_DB, LOUD_DB = -60.0, -10.0
"""The ends of the bar: a silent room, and as loud as speech gets."""

TRANSCRIPT = "conversation.item.input_audio_transcription.completed"


@dataclass(slots=True)
class Line:
    """One call as it is shown."""

    since: float
    turns: int = 0
    user: str = ""
    assistant: str = ""
    speaking: bool = False


class Switchboard:
    """A context manager around the service's life; `told` is the service's `tell`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: dict[str, Line] = {}
        self._calls: Callable[[], Mapping[str, Call]] = dict
        self._live: Live | None = None

    def told(self, kind: str, facts: dict[str, Any]) -> None:
        match kind:
            case "call":
                self._call_is(facts["call"], facts["state"])
                self._say(kind, facts)
            case "event":
                self._event(facts["call"], facts["event"])
            case "request" if self._live is None or facts["status"] >= 400:
                self._say(kind, facts)

    def _call_is(self, call: str, state: str) -> None:
        if state == "ended":
            self._lines.pop(call, None)
        else:
            self._lines.setdefault(call, Line(time.monotonic()))

    def _event(self, call: str, event: dict[str, Any]) -> None:
        line = self._lines.get(call)
        if line is None:
            return
        match event["type"]:
            case "input_audio_buffer.committed":
                line.turns += 1
            case "output_audio_buffer.started":
                line.speaking = True
            case "output_audio_buffer.stopped" | "output_audio_buffer.cleared":
                line.speaking = False
            case kind if kind == TRANSCRIPT:
                line.user = event["transcript"]
                self._say("words", {"call": call, "who": "user", "text": line.user})
            case "response.output_audio_transcript.done" | "response.output_text.done":
                line.assistant = event.get("transcript") or event.get("text") or ""
                self._say("words", {"call": call, "who": "assistant", "text": line.assistant})
            case "response.function_call_arguments.done":
                facts = {"call": call, "name": event["name"], "arguments": event["arguments"]}
                self._say("tool", facts)
            case "error":
                self._say("error", {"call": call, "code": event["error"]["code"]})

    def _say(self, kind: str, facts: Mapping[str, Any]) -> None:
        text = " ".join((kind, *(f"{key}={value}" for key, value in facts.items())))
        style = "red" if kind == "error" else None
        # As it is: what a client says is no markup, and no line is broken for a narrow window.
        self._console.print(text, style=style, markup=False, soft_wrap=True)

    # ---- the live table

    @contextlib.asynccontextmanager
    async def shown(self, calls: Callable[[], Mapping[str, Call]]) -> AsyncIterator[None]:
        """Keeps the table current meanwhile; without a terminal there is none."""
        self._calls = calls
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            yield
            return
        with Live(self._table(), console=self._console, auto_refresh=False, transient=True) as live:
            self._live = live
            looking = asyncio.create_task(self._look(live), name="switchboard")
            try:
                yield
            finally:
                self._live = None
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)

    async def _look(self, live: Live) -> None:
        while True:
            live.update(self._table(), refresh=True)
            await asyncio.sleep(1 / LOOKS_PER_S)

    def _table(self) -> RenderableType:
        if not self._lines:
            return Text(tr("Waiting for a call. Ctrl-C ends the service."), style="dim")
        table = Table(expand=True)
        for title in (tr("Call"), tr("Time"), tr("Turns"), tr("Hears"), tr("Says"), tr("Words")):
            table.add_column(title, no_wrap=True, ratio=1 if title == tr("Words") else None)
        calls = self._calls()
        for call, line in self._lines.items():
            words = Text(line.user, style="cyan")
            words.append(f"  {line.assistant}", style="green")
            table.add_row(
                call[-6:],
                f"{time.monotonic() - line.since:.0f} s",
                str(line.turns),
                _bar(calls[call]) if call in calls else "",
                Text("●", style="green") if line.speaking else "",
                words,
            )
        return table


def _bar(call: Call) -> Text:
    from app.sim.service.activity import level_db

    level = level_db(call.heard) if len(call.heard) else QUIET_DB
    share = min(max((level - QUIET_DB) / (LOUD_DB - QUIET_DB), 0.0), 1.0)
    full = round(share * BAR_CELLS)
    return Text("█" * full, style="green").append("·" * (BAR_CELLS - full), style="dim")
