"""The terminal's view: what a window shows, as lines that stay and a few that move.

Console lines, finished words and tool calls scroll by above; progress bars, the sentence being
spoken, the check list and the load table live below them. Without a terminal (a pipe, a log) only
the lines are written. `--json` writes each event as one JSON object a line instead.
"""

from __future__ import annotations

import dataclasses
import json
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from app.core.console import Console as Log
from app.core.console import EntryKind
from app.core.events import (
    BoardError,
    CheckItem,
    CheckList,
    ConsoleLine,
    DeviceIs,
    Event,
    FlashStage,
    FlashWrote,
    LoadIs,
    RecordsLost,
    Role,
    SessionIs,
    Severity,
    ToolAnswered,
    ToolCalled,
    Turn,
    TurnState,
    WifiIs,
    WireGarbled,
    Words,
)
from app.core.faults import Fault
from app.core.language import tr
from app.core.session_text import fault_of

SPEAKER = {Role.USER: ("You", "bold cyan"), Role.ASSISTANT: ("Parley", "bold green")}
COLOUR = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


class TerminalView:
    """Shows events as they come; a context manager, so that the terminal is left in order."""

    def __init__(self, console: Console | None = None, *, as_json: bool = False) -> None:
        self.console = console or Console(highlight=False)
        self._json = as_json
        self._progress = Progress(
            TextColumn("{task.description}", justify="right"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self.console,
        )
        self._notes = Log(most_entries=16)
        self._parts: dict[str, TaskID] = {}
        self._speaking: dict[str, tuple[Role, str]] = {}
        self._load: LoadIs | None = None
        self._samples = 0
        self._items: tuple[CheckItem, ...] = ()
        moves = self.console.is_terminal and not self.console.is_dumb_terminal and not as_json
        self._live = Live(console=self.console, refresh_per_second=8) if moves else None

    def __enter__(self) -> TerminalView:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        why: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.update(self._below(), refresh=True)
            self._live.stop()

    def show(self, event: Event) -> None:
        if self._json:
            self._write_json(event)
            return
        if (line := self._line(event)) is not None:
            self.console.print(line, soft_wrap=True)
        self._print_notes(event)
        self._refresh()

    def verdict(self, done: bool, text: str) -> None:
        """How it all ended; the last thing shown."""
        if self._json:
            self.console.out(json.dumps({"event": "Verdict", "done": done, "text": text}))
        else:
            self.console.print(Text(text, "bold green" if done else "bold red"), soft_wrap=True)

    def fault(self, fault: Fault) -> None:
        if self._json:
            told = {
                "event": "Fault",
                "what": fault.what,
                "remedy": fault.remedy,
                "detail": fault.detail,
            }
            self.console.out(json.dumps(told, ensure_ascii=False))
            return
        self.console.print(
            Text.assemble((fault.what, "bold red"), "\n", fault.remedy), soft_wrap=True
        )
        if fault.detail:
            self.console.print(Text(fault.detail, "dim"), soft_wrap=True)

    def _print_notes(self, event: Event) -> None:
        """Reset, unplugged, plugged in again, networks found: as the window's console says it."""
        first = self._notes.end
        self._notes.apply(event)
        for index in range(first, self._notes.end):
            if self._notes[index].kind is EntryKind.NOTE:
                self.console.print(Text(f"│ {self._notes[index].text}", "cyan"), soft_wrap=True)

    def _write_json(self, event: Event) -> None:
        told = {"event": type(event).__name__, **dataclasses.asdict(event)}
        self.console.out(json.dumps(told, ensure_ascii=False, default=str))

    def _line(self, event: Event) -> RenderableType | None:
        """The line that stays for `event`, if it leaves one."""
        match event:
            case ConsoleLine(text=text, severity=severity):
                line = Text.from_ansi(text)
                line.stylize(COLOUR.get(severity, "dim") if severity else "dim")
                return Text("│ ", "dim") + line
            case WireGarbled(reason=reason):
                return Text(f"│ {tr('unreadable bytes')}: {reason}", "dim italic")
            case RecordsLost(count=count):
                return Text(f"│ {tr('{count} records lost here', count=count)}", "yellow")
            case FlashStage(stage=stage, text=text):
                return Text.assemble((f"{stage.value:>8} ", "bold"), text)
            case FlashWrote(part=part, done=done, total=total):
                self._advance(part, done, total)
            case WifiIs(state=state, ssid=ssid, reason=reason):
                return Text.assemble(
                    (f"{'Wi-Fi':>8} ", "bold"), f"{ssid}: {state} {reason}".rstrip()
                )
            case SessionIs():
                return self._session_line(event)
            case Words():
                return self._words_line(event)
            case Turn(state=TurnState.INTERRUPTED, cut_ms=cut_ms):
                return Text(tr("(cut after {ms} ms)", ms=cut_ms or 0), "yellow")
            case ToolCalled(name=name, arguments=arguments):
                return Text.assemble((f"{tr('tool'):>8} ", "bold magenta"), f"{name} {arguments}")
            case ToolAnswered(ok=ok, output=output, ms=ms):
                mark = ("✓", "green") if ok else ("✗", "red")
                return Text.assemble(" " * 9, mark, f" {output} ({ms} ms)")
            case DeviceIs():
                return self._device_line(event)
            case LoadIs():
                self._load = event
                self._samples += 1
                if self._live is None:
                    return Text.assemble((f"{tr('load'):>8} ", "bold"), self._load_words(event))
            case CheckList(items=items):
                self._items = items
            case BoardError(code=code, message=message):
                return Text(f"{tr('error'):>8} {code}: {message}", "red")
            case _:
                return None
        return None

    def _session_line(self, event: SessionIs) -> Text:
        line = Text.assemble((f"{tr('session'):>8} ", "bold"), event.state.value)
        if (fault := fault_of(event)) is not None:
            line += Text(f" · {fault.what} {fault.remedy}", "red")
        elif event.code:
            line += Text(f" · {event.code} {event.reason}".rstrip(), "dim")
        return line

    def _words_line(self, event: Words) -> Text | None:
        before = self._speaking.get(event.item, (event.role, ""))[1]
        text = event.text if event.part == 1 else before + event.text
        self._speaking[event.item] = (event.role, text)
        if not event.final:
            return None
        del self._speaking[event.item]
        return self._spoken(event.role, text)

    @staticmethod
    def _spoken(role: Role, text: str) -> Text:
        name, style = SPEAKER[role]
        return Text.assemble((f"{tr(name):>8} ", style), text)

    @staticmethod
    def _device_line(event: DeviceIs) -> Text:
        colour = f"rgb({event.red},{event.green},{event.blue})"
        light = Text("●", colour) if event.light else Text("○", "dim")
        door = tr("open") if event.door else tr("closed")
        return Text.assemble(
            (f"{tr('board'):>8} ", "bold"),
            f"{tr('light')} ",
            light,
            f" · {tr('volume')} {event.volume} %" if event.volume >= 0 else "",
            f" · {tr('door')} {door}",
        )

    def _advance(self, part: str, done: int, total: int) -> None:
        if part not in self._parts:
            self._parts[part] = self._progress.add_task(escape(part), total=total)
        self._progress.update(self._parts[part], completed=done, total=total)

    def _refresh(self) -> None:
        if self._live:
            self._live.update(self._below())

    def _below(self) -> Group:
        below: list[RenderableType] = []
        if self._parts:
            below.append(self._progress)
        below += [self._spoken(role, text + " …") for role, text in self._speaking.values()]
        if self._load:
            below.append(self._load_table(self._load))
        below += [
            Text.assemble(
                ("  · ", "dim") if item.evidence is None else ("  ✓ ", "green"),
                item.title,
                (f"  {item.evidence or ''}", "dim"),
            )
            for item in self._items
        ]
        return Group(*below)

    def _load_table(self, load: LoadIs) -> Table:
        table = Table(title=tr("Load, sample {number}", number=self._samples), title_justify="left")
        for column in (tr("task"), tr("core"), "%", tr("stack left")):
            table.add_column(column, justify="left" if column == tr("task") else "right")
        for task in load.tasks[:6]:
            core = "–" if task.core < 0 else str(task.core)
            table.add_row(task.name, core, f"{task.permille / 10:.1f}", f"{task.stack_left:,} B")
        table.caption = self._load_words(load)
        return table

    @staticmethod
    def _load_words(load: LoadIs) -> str:
        return tr(
            "CPU {cpu} · heap {heap:,} kB free · PSRAM {psram:,} kB free · Wi-Fi {rssi} dBm",
            cpu=" / ".join(f"{permille / 10:.0f} %" for permille in load.cpu_permille),
            heap=load.heap.free // 1024,
            psram=load.psram.free // 1024,
            rssi=load.rssi,
        )
