"""`parley service` and `parley board`: parts of the demo's world for other programs to use."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rich.console import Console

from app.compose import places
from app.compose.switchboard import Switchboard
from app.core.faults import Fault
from app.core.language import tr

if TYPE_CHECKING:
    from app.sim.service import Recording


def interruption() -> asyncio.Event:
    """Set by Ctrl-C, or when the program is asked to end; from now on neither ends it otherwise."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C ends asyncio.run by itself
            loop.add_signal_handler(name, ended.set)
    return ended


@dataclass(frozen=True, slots=True)
class ServiceWishes:
    """The options of `parley service`."""

    port: int = 0
    fault: str = ""
    lan: bool = False
    """For boards and computers of the same network, too; a pairing token is their key."""

    advertise: str = ""
    """The address callers are given, for a service behind NAT."""

    record: Path | None = None
    replay: Path | None = None


async def serve_realtime(wishes: ServiceWishes) -> bool:
    """The realtime service until interrupted. Raises Fault when it cannot be as wished."""
    from app.sim.service import Service
    from app.sim.service.lan import pairing_token, private_addresses

    ended = interruption()
    console = Console(highlight=False)
    board = Switchboard(console)
    token = pairing_token() if wishes.lan else None
    service = Service(
        port=wishes.port,
        tell=board.told,
        keys=None if token is None else frozenset({token}),
        also=private_addresses() if wishes.lan else (),
        advertise=_address(wishes.advertise),
        record=_folder(wishes.record),
        replay=_recording(wishes.replay),
    )
    try:
        service.fault = wishes.fault
    except ValueError as why:
        raise Fault(
            tr("There is no fault named {name}.", name=wishes.fault),
            tr("`parley service --help` lists them all."),
            str(why),
        ) from why
    try:
        await service.start()
    except OSError as why:
        raise Fault(
            tr("The service cannot use port {port}.", port=wishes.port),
            tr("Take another one, or leave it out: then a free one is taken."),
            str(why),
        ) from why
    console.print(f"base_url {service.base_url}", soft_wrap=True)
    for url in service.lan_urls:
        console.print(f"lan_url {url}", soft_wrap=True)
    if token is not None:
        console.print(f"pairing_token {token}", soft_wrap=True)
    try:
        async with board.shown(lambda: service.calls):
            await ended.wait()
    finally:
        await service.stop()
    return True


def _address(text: str) -> str:
    """An IPv4 address, or nothing. Raises Fault."""
    try:
        return str(ipaddress.IPv4Address(text)) if text else ""
    except ValueError as why:
        raise Fault(
            tr("{address} is not an address.", address=text),
            tr("Callers need one like 192.168.1.20."),
            str(why),
        ) from why


def _folder(path: Path | None) -> Path | None:
    if path is not None:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as why:
            raise Fault(
                tr("Recordings cannot be kept in {folder}.", folder=path),
                tr("Choose a folder you may write to."),
                str(why),
            ) from why
    return path


def _recording(file: Path | None) -> Recording | None:
    from app.sim.service import Recording

    if file is None:
        return None
    try:
        return Recording.read(file)
    except (OSError, ValueError) as why:
        raise Fault(
            tr("{file} cannot be replayed.", file=file),
            tr("Choose a file that `parley service --record` made."),
            str(why),
        ) from why


def _flash_of(file: Path, size: int) -> bytearray | None:
    """The flash kept in `file`; None when there is no such file yet. Raises Fault."""
    if not file.exists():
        return None
    kept = bytearray(file.read_bytes())
    if len(kept) != size:
        raise Fault(
            tr("{file} is not the flash of this board.", file=file),
            tr("Take a file of {size:,} bytes, or a name that does not exist yet.", size=size),
        )
    return kept


async def serve_board(*, kind: places.BoardKind, url: str, flash: Path | None) -> bool:
    """A virtual board at `url` until interrupted; the file `flash`, if given, keeps its flash."""
    from app.sim.board import MAKES, VirtualBoard
    from app.sim.serve import serve_pty, serve_rfc2217

    ended = interruption()
    kept = await asyncio.to_thread(_flash_of, flash, MAKES[kind].flash_bytes) if flash else None
    board = VirtualBoard("served", kind, flash=kept, cores=places.virtual_cores())
    board.power_on()
    try:
        where = urlsplit(url)
        match where.scheme:
            case "rfc2217" if where.hostname in ("127.0.0.1", "localhost"):
                served = serve_rfc2217(board, where.port or 0)
            case "pty":
                served = serve_pty(board)
            case _:
                raise Fault(
                    tr("The board cannot be served at {url}.", url=url),
                    tr("Use rfc2217://127.0.0.1:PORT or pty://."),
                )
        with served:
            Console(highlight=False).print(served.url)
            await ended.wait()
    finally:
        await asyncio.to_thread(board.power_off)
        if flash:
            await asyncio.to_thread(flash.write_bytes, bytes(board.flash.cells))
    return True
