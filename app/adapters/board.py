"""One board on one port: its console or its loader, never both, and nobody else opens that port.

| what happens | what follows |
|---|---|
| the port vanishes | LinkClosed with the reason, quiet attempts to open it again until `close` |
| it vanishes by our reset (the chip's own USB) | the same, told without a reason |
| installing | console closed, loader, console opened again, also after a failure |

The board's clock is never used: `at` is stamped where bytes arrive.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from app.adapters.discovery import name_of, serial_number_of
from app.adapters.flasher import flash
from app.adapters.serial_link import RESET_HOLD_S, SerialLink
from app.adapters.threads import in_thread
from app.core.bundle import FlashPart
from app.core.events import (
    Boot,
    ChipIs,
    Command,
    ConsoleLine,
    Event,
    Hello,
    LinkClosed,
    LinkOpened,
    Reply,
    Tell,
    Typed,
)
from app.core.faults import Fault, NoAnswer, PortGone
from app.core.language import tr
from app.core.wire import Decoder, encode

REPLY_WITHIN_S = 3.0
REOPEN_EVERY_S = 0.5
_REOPEN_SOON_S = 0.1  # after a reset of ours: what the board says first must not be missed
_RESET_GRACE_S = 3.0  # a port that leaves within this time after our reset leaves because of it
_HELLO_AFTER_S = 1.0  # a console that is open so long and heard no `boot` was opened too late
_UPTIME_SLACK_S = 0.5
_IDLE_EVERY_S = 0.1
_LINES_KEPT = 20


class Board:
    """A BoardPort. All methods are for the loop's thread; all that happens goes to `tell`."""

    def __init__(
        self,
        tell: Tell,
        loop: asyncio.AbstractEventLoop | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plain = False
        """The firmware knows no numbered commands: they go out bare and nobody answers."""
        self._tell = tell
        self._loop = loop
        self._clock = clock
        self._port = ""  # what the user chose, or where that is now; empty: nothing
        self._serial_number = ""
        self._link: SerialLink | None = None
        self._decoder = Decoder()
        self._busy = asyncio.Lock()  # one owner of the port at a time: console, loader, reset
        self._keeper: asyncio.Task[None] | None = None
        self._dead: SerialLink | None = None  # vanished, its threads not yet ended
        self._reset_at: float | None = None  # None: no reset of ours is under way
        self._number = 0
        self._replies: dict[int, asyncio.Future[Reply]] = {}
        self._boot: asyncio.Future[Boot] | None = None
        self._released_at = 0.0  # end of our last reset
        self._opened_at = 0.0
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)

    @property
    def port(self) -> str:
        """The chosen port; empty when none is."""
        return self._port

    @property
    def is_open(self) -> bool:
        """Whether the console is open now."""
        return self._link is not None

    async def open(self, port: str) -> None:
        """Open the console without resetting the board. Raises PortBusy, PortGone, Fault.

        Another port that was open is closed first. Opened again whenever it vanishes and returns.
        """
        if port == self._port and self.is_open:
            return
        await self.close()
        async with self._busy:
            self._port = port
            self._serial_number = ""
            try:
                await self._open_link()
                if "://" not in port:
                    number = await in_thread(lambda: serial_number_of(port), name="ports")
                    self._serial_number = number
            except Fault:
                self._port = ""
                raise
            if self._port:  # not closed while it opened
                self._keeper = self._running_loop().create_task(self._keep(), name="board")

    async def close(self) -> None:
        """Close the console and stop looking for the board. Nothing is left running."""
        self._port = ""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
        await self._close_link()

    async def send(self, command: Command) -> str:
        """Send and await the reply's text; a typed line and plain firmware have none. Raises Fault.

        NoAnswer after 3 s without a reply, Fault with the board's words when it refuses.
        """
        if self._link is None:
            raise _not_open()
        if isinstance(command, Typed) or self.plain:
            self._link.write(encode(command, None))
            return ""
        self._number += 1
        number = self._number
        line = encode(command, number)
        waiting: asyncio.Future[Reply] = self._running_loop().create_future()
        self._replies[number] = waiting
        self._link.write(line)
        try:
            reply = await asyncio.wait_for(waiting, REPLY_WITHIN_S)
        except TimeoutError:
            raise NoAnswer(
                tr("The board did not answer."),
                tr("Restart it and try again. If that does not help, install its firmware anew."),
                type(command).__name__,
            ) from None
        finally:
            del self._replies[number]
        if not reply.ok:
            raise Fault(
                tr("The board refused: {reason}.", reason=reply.text.rstrip(".")),
                tr("Change it and try again."),
                type(command).__name__,
            )
        return reply.text

    async def restart(self) -> None:
        """Reset the chip; it starts from flash. Raises NoAnswer when the port cannot."""
        async with self._busy:
            await self._reset()

    async def flash(self, parts: tuple[FlashPart, ...], *, chip: str, virtual: bool) -> ChipIs:
        """Write and verify `parts`; the chip stays in its loader, the console is open again.

        Raises Fault. Cancelling leaves a board with incomplete firmware, and the console open.
        """
        if not self._port:
            raise _not_open()
        async with self._busy:
            port = self._port
            await self._close_link()
            try:
                return await flash(port, parts, chip=chip, virtual=virtual, tell=self._tell)
            finally:
                with suppress(Fault):  # the keeper goes on trying
                    await self._open_link()

    async def boot(self, *, within_s: float) -> Boot:
        """Start the chip from flash and wait for its `boot` record, the port coming back included.

        A record that was said before the port was open again is asked for once more.
        Raises PortGone when the port did not return, NoAnswer when nothing was said.
        """
        if not self._port:
            raise _not_open()
        booted: asyncio.Future[Boot] = self._running_loop().create_future()
        async with self._busy:
            try:
                async with asyncio.timeout(within_s):
                    await self._until_open()
                    await self._reset(booted)
                    while not booted.done():
                        await self._until_open()
                        await asyncio.wait({booted}, timeout=_REOPEN_SOON_S)
                        self._ask_again()
            except TimeoutError:
                raise self._no_boot() from None
            finally:
                self._boot = None
        return booted.result()

    def _ask_again(self) -> None:
        """Says hello once a second while the record is missing."""
        since = max(self._opened_at, self._released_at)
        waits = self._boot is not None and not self._boot.done()
        if self._link is not None and waits and self._clock() - since >= _HELLO_AFTER_S:
            self._number += 1
            self._link.write(encode(Hello(), self._number))
            self._opened_at = self._clock()

    # ---- the link

    async def _keep(self) -> None:
        """Open the console again whenever it is gone, and show prompts."""
        while True:
            if self._link is not None:
                self._take(self._decoder.idle(self._clock()))
                await asyncio.sleep(_IDLE_EVERY_S)
                continue
            async with self._busy:  # the loader may have the port
                if self._link is None:
                    with suppress(Fault):
                        await self._open_link()
            if self._link is None:
                await asyncio.sleep(_REOPEN_SOON_S if self._is_resetting() else REOPEN_EVERY_S)

    async def _until_open(self) -> None:
        while self._link is None:
            if not self._port:  # closed meanwhile
                raise _not_open()
            try:
                await self._open_link()
            except Fault:
                await asyncio.sleep(_REOPEN_SOON_S)

    async def _open_link(self) -> None:
        await self._bury()
        port = await self._where()
        if not port:
            return
        self._port = port
        link = SerialLink(
            port, self._arrived, self._vanished, self._running_loop(), clock=self._clock
        )
        await link.open()
        if port != self._port:  # closed while it was opening
            await link.close()
            return
        self._link = link
        self._opened_at = self._clock()
        self._tell(LinkOpened(self._clock(), port))

    async def _where(self) -> str:
        """The port's name now; empty when it was closed. USB may give it another number."""
        port, number = self._port, self._serial_number
        if port and number:
            found = await in_thread(lambda: name_of(number, port), name="ports")
            return found if self._port == port else ""
        return port

    async def _close_link(self) -> None:
        await self._bury()
        link, self._link = self._link, None
        if link is not None:
            self._ended(link, "")
            await link.close()

    async def _bury(self) -> None:
        link, self._dead = self._dead, None
        if link is not None:
            await link.close()

    def _vanished(self, reason: str) -> None:
        link, self._link = self._link, None
        if link is not None:
            self._dead = link
            self._ended(link, "" if self._is_resetting() else reason)

    def _ended(self, link: SerialLink, reason: str) -> None:
        self._take(self._decoder.finish())
        for waiting in self._replies.values():
            if not waiting.done():
                waiting.set_exception(_not_open(reason))
        self._tell(LinkClosed(self._clock(), link.port, reason))

    # ---- what arrives

    def _arrived(self, data: bytes, at: float) -> None:
        self._take(self._decoder.receive(data, at))

    def _take(self, events: list[Event]) -> None:
        for event in events:
            self._tell(event)
            match event:
                case Boot() if self._is_of_this_start(event):
                    self._reset_at = None
                    if self._boot is not None and not self._boot.done():
                        self._boot.set_result(event)
                case Reply(to=number) if number in self._replies:
                    if not self._replies[number].done():
                        self._replies[number].set_result(event)
                case ConsoleLine(text=text):
                    self._lines.append(text)

    def _is_of_this_start(self, boot: Boot) -> bool:
        """A repeated record counts when the chip runs no longer than since our reset."""
        since_s = boot.at - self._released_at + _UPTIME_SLACK_S
        return not boot.repeated or boot.uptime_ms / 1000 <= since_s

    # ---- reset

    def _is_resetting(self) -> bool:
        began = self._reset_at
        return began is not None and self._clock() - began < _RESET_GRACE_S

    async def _reset(self, booted: asyncio.Future[Boot] | None = None) -> None:
        link = self._link
        if link is None:
            raise _not_open()
        self._lines.clear()
        self._reset_at = self._clock()
        await link.hold_reset()
        await asyncio.sleep(RESET_HOLD_S)
        self._boot = booted  # only now: a `boot` record of before the reset does not count
        self._released_at = self._clock()
        await link.release_reset()

    def _no_boot(self) -> Fault:
        detail = "\n".join(self._lines)
        if self._link is None:
            return PortGone(
                tr("The board did not come back after its restart."),
                tr("Unplug it, wait a moment and plug it in again."),
                detail,
            )
        return NoAnswer(
            tr("The board does not start."),
            tr("Unplug it and plug it in again. If that does not help, install its firmware anew."),
            detail,
        )

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop or asyncio.get_running_loop()


def _not_open(detail: str = "") -> PortGone:
    return PortGone(
        tr("The board is not connected."),
        tr("Plug it in and choose it in the list of boards."),
        detail,
    )
