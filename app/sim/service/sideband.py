"""The sideband: a second controller of a running call, over a WebSocket with the project key
(`/v1/realtime?call_id=rtc_…`). It sees every server event from then on and may send any client
event; what it changes, both see.

A controller that comes late is told the session first, as a session.created of its own. Whether the
real service does that is not documented; a controller without it would not know the settings.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from aiohttp import WSCloseCode, WSMsgType, web

from app.sim.service.call import Call
from app.sim.service.refusal import new_id

MESSAGE_BYTES = 16 * 1024 * 1024
WAITING = 1_000
"""Events a controller may lag behind before it is sent away."""

BEAT_S = 20.0


async def attend(call: Call, request: web.Request) -> web.WebSocketResponse:
    """Serves one controller until it leaves or the call ends."""
    socket = web.WebSocketResponse(max_msg_size=MESSAGE_BYTES, heartbeat=BEAT_S)
    await socket.prepare(request)
    waiting: asyncio.Queue[str | None] = asyncio.Queue()
    listen = _into(waiting)
    if call.opened.is_set():
        created = {"type": "session.created", "event_id": new_id("event")}
        waiting.put_nowait(json.dumps({**created, "session": call.session.snapshot()}))
    call.listeners.append(listen)
    sending = asyncio.get_running_loop().create_task(_pass_on(waiting, socket))
    try:
        await call.opened.wait()
        async for message in socket:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                call.receive(message.data, origin="sideband")
    finally:
        call.listeners.remove(listen)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    return socket


def _into(waiting: asyncio.Queue[str | None]) -> Callable[[str, str], None]:
    def listen(origin: str, text: str) -> None:
        if origin == "call" or waiting.qsize() > WAITING:
            waiting.put_nowait(None)
        elif origin == "server":
            waiting.put_nowait(text)

    return listen


async def _pass_on(waiting: asyncio.Queue[str | None], socket: web.WebSocketResponse) -> None:
    while (text := await waiting.get()) is not None:
        try:
            await socket.send_str(text)
        except ConnectionError:
            return  # it left meanwhile; the reader notices, too
    await socket.close(code=WSCloseCode.OK, message=b"The call has ended.")
