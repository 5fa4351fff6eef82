"""`parley service` and `parley board`: parts of the demo's world for other programs to use."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

from app.compose import places
from app.core.faults import Fault
from app.core.language import tr


def interruption() -> asyncio.Event:
    """Set by Ctrl-C, or when the program is asked to end; from now on neither ends it otherwise."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C ends asyncio.run by itself
            loop.add_signal_handler(name, ended.set)
    return ended


async def serve_realtime(*, port: int, fault: str) -> bool:
    """The realtime service on loopback until interrupted. Raises Fault when the port is taken."""
    from app.sim.service import Service

    ended = interruption()
    console = Console(highlight=False)

    def tell(kind: str, told: dict[str, Any]) -> None:
        match kind:
            case "event":  # several a second; the calls are what one wants to see here
                return
            case _:
                console.print(kind, *(f"{key}={value}" for key, value in told.items()))

    service = Service(port=port, tell=tell)
    try:
        await service.start()
    except OSError as why:
        raise Fault(
            tr("The service cannot use port {port}.", port=port),
            tr("Take another one, or leave it out: then a free one is taken."),
            str(why),
        ) from why
    service.fault = fault
    console.print(f"base_url {service.base_url}")
    try:
        await ended.wait()
    finally:
        await service.stop()
    return True


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
