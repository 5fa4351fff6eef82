"""The command line. Everything a window does, a command does.

Exit codes: 0 done; 1 it failed, and the last lines say why and what to do; 2 the command was
written wrongly; 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import rich_click as click

from app import __version__
from app.compose import places
from app.compose.places import BoardKind
from app.core import language
from app.core.faults import Fault

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


def run(work: Coroutine[Any, Any, bool]) -> None:
    """Run a command to its end and leave with its exit code; a Fault is shown as it is told."""
    try:
        done = asyncio.run(work)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Fault as fault:
        show_fault(fault)
        sys.exit(1)
    sys.exit(0 if done else 1)


def show_fault(fault: Fault) -> None:
    from app.ui.terminal import TerminalView

    TerminalView(stderr_console()).fault(fault)


def stderr_console() -> Any:
    from rich.console import Console

    return Console(stderr=True, highlight=False)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="parley")
@click.pass_context
def main(context: click.Context) -> None:
    """Put a voice on an ESP32-S3 board, and talk with it. Without a command: the window."""
    from app.adapters import files, journal

    language.use(places.catalogue(places.users_language()))
    try:
        journal.start(files.log_directory())
    except (
        OSError
    ) as why:  # a log is a convenience: a full or read-only disk must not stop the work
        click.echo(f"{language.tr('No log is kept')}: {why}", err=True)
    if context.invoked_subcommand is None:
        from app.compose.desktop import run_window

        guarded(lambda: sys.exit(run_window()))


@main.command()
@click.option(
    "--check",
    is_flag=True,
    help="Without a window; exit code 0 only if every step really happened.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of text.")
@click.option("--terminal", is_flag=True, help="In the terminal, also where there is a display.")
@click.option(
    "--kind",
    type=click.Choice(["korvo2", "atoms3r"]),
    default="korvo2",
    show_default=True,
    help="Which virtual board.",
)
def demo(*, check: bool, as_json: bool, terminal: bool, kind: str) -> None:
    """The whole job on a virtual board and a local service: nothing to plug in, no account."""
    from app.compose.desktop import has_display, run_window

    board_kind: BoardKind = "atoms3r" if kind == "atoms3r" else "korvo2"
    if check or as_json or terminal or not has_display():
        from app.compose.demo import in_terminal

        run(in_terminal(as_json=as_json, kind=board_kind))
    guarded(lambda: sys.exit(run_window(demo_kind=board_kind)))


class FaultsInHelp(click.RichCommand):
    """`--help` with the table of faults; the service is imported for nothing less."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from rich.table import Table

        from app.sim.service.faults import MEANING

        super().format_help(ctx, formatter)
        faults = Table("--fault", language.tr("What goes wrong"), box=None, padding=(0, 2))
        for name, meaning in MEANING.items():
            faults.add_row(name, meaning)
        formatter.write(faults)


@main.command(cls=FaultsInHelp)
@click.option("--port", default=0, help="TCP port; 0: a free one.")
@click.option("--lan", is_flag=True, help="Also for boards of this network; prints their key.")
@click.option("--advertise", default="", metavar="ADDRESS", help="Tell callers this address.")
@click.option(
    "--record",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that gets one file for each call; no keys, no sound.",
)
@click.option(
    "--replay",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Answer every call with this recording.",
)
@click.option("--fault", default="", help="Misbehave on purpose, in one of the ways below.")
def service(**wishes: Any) -> None:
    """The local realtime service: what a board or another client talks to without an account."""
    from app.compose.serving import ServiceWishes, serve_realtime

    run(serve_realtime(ServiceWishes(**wishes)))


@main.command()
@click.option("--base-url", default="", help="The service; without it OpenAI's.")
@click.option("--local", is_flag=True, help="With a local service: no account, no network.")
@click.option(
    "--in",
    "sound_in",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A wav file instead of the microphone; the conversation ends after its answer.",
)
@click.option(
    "--out",
    "sound_out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A wav file instead of the speaker.",
)
@click.option(
    "--text", default="", help="Say this as text; the conversation ends after its answer."
)
@click.option("--seconds", type=float, help="End after so long.")
@click.option("--microphone", help="Which one: a part of its name.")
@click.option("--speaker", help="Which one: a part of its name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of text.")
def talk(
    *,
    base_url: str,
    local: bool,
    sound_in: Path | None,
    sound_out: Path | None,
    text: str,
    seconds: float | None,
    microphone: str | None,
    speaker: str | None,
    as_json: bool,
) -> None:
    """Talk from this computer. Typed lines are said, too; an empty one asks for silence."""
    from app.compose.talking import Wish
    from app.compose.talking import talk as converse

    wish = Wish(base_url, sound_in, sound_out, text, seconds, local, microphone, speaker)
    run(converse(wish, as_json=as_json))


@main.command()
@click.option(
    "--kind", type=click.Choice(["korvo2", "atoms3r"]), default="korvo2", show_default=True
)
@click.option(
    "--serve",
    default="rfc2217://127.0.0.1:0",
    show_default=True,
    help="Where serial tools find it. Port 0: a free one.",
)
@click.option(
    "--flash",
    type=click.Path(path_type=Path),
    help="File that keeps the flash; without it: blank, in memory.",
)
def board(*, kind: str, serve: str, flash: Path | None) -> None:
    """The virtual board, for esptool's command line, a terminal or an IDE."""
    from app.compose.serving import serve_board

    board_kind: BoardKind = "atoms3r" if kind == "atoms3r" else "korvo2"
    run(serve_board(kind=board_kind, url=serve, flash=flash))


@main.command()
@click.option("--port", default="", help="Serial port; without it: the one board there is.")
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the session in this file, for parley replay. No secrets are in it.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of text.")
def monitor(*, port: str, record: Path | None, as_json: bool) -> None:
    """Console, conversation, tools and load of a board, until interrupted; it is not reset."""
    from app.compose.monitoring import monitor as show

    run(show(port=port, record=record, as_json=as_json))


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--terminal", is_flag=True, help="In the terminal, also where there is a display.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of text.")
@click.option("--instantly", is_flag=True, help="All at once instead of as it happened.")
def replay(*, file: Path, terminal: bool, as_json: bool, instantly: bool) -> None:
    """A session recorded by parley monitor, in the window or in the terminal."""
    from app.compose.desktop import has_display
    from app.compose.monitoring import replay_in_terminal, replay_in_window

    speed = 0.0 if instantly else 1.0
    if terminal or as_json or not has_display():
        run(replay_in_terminal(file, as_json=as_json, speed=speed))
    guarded(lambda: sys.exit(replay_in_window(file, speed=speed)))


@main.group()
def bundle() -> None:
    """Firmware bundles: one file with all parts, their digests and where they go."""


@bundle.command("virtual")
@click.argument("core", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def bundle_virtual(core: Path, out: Path) -> None:
    """Make the virtual board's bundle OUT from a host build CORE of the firmware."""
    from app.compose.bundles import build_virtual

    guarded(lambda: build_virtual(core, out))


@bundle.command("build")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def bundle_build(folder: Path, out: Path) -> None:
    """Make the bundle OUT from the FOLDER that idf.py build made, symbols included."""
    from app.compose.bundles import build

    guarded(lambda: build(folder, out))


@bundle.command("show")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def bundle_show(file: Path) -> None:
    """What is in a bundle."""
    from app.compose.bundles import show

    guarded(lambda: show(file))


@bundle.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def bundle_check(file: Path) -> None:
    """Is every byte of the bundle as it was packed?"""
    from app.compose.bundles import check

    guarded(lambda: check(file))


def guarded(action: Any) -> None:
    """Run a plain command; a fault is shown in the user's words."""
    try:
        action()
    except Fault as fault:
        show_fault(fault)
        sys.exit(1)


if __name__ == "__main__":
    main()
