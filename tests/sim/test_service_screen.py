"""The live table of `parley service`: calls, words and levels, as a terminal shows them."""

from __future__ import annotations

import asyncio
import io

import numpy as np
from rich.console import Console
from service_caller import Caller

from app.compose.switchboard import Switchboard
from app.sim.service import Service
from app.sim.speech import speak


async def test_a_terminal_shows_calls_words_and_levels(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    screen = io.StringIO()
    board = Switchboard(Console(file=screen, force_terminal=True, highlight=False, width=160))
    service = Service(tell=board.told)
    await service.start()
    try:
        async with board.shown(lambda: service.calls):
            assert "Waiting for a call." in screen.getvalue()
            async with Caller(service.base_url) as caller:
                await caller.by_parts()
                await caller.until("session.created")
                caller.mic.sound = np.tile(speak("Light please."), 2)
                await caller.until("conversation.item.input_audio_transcription.completed")
                caller.send("conversation.item.create", item=42)
                await caller.until("error")
                await asyncio.wait_for(_shown(screen, caller.call_id[-6:], "█"), 3)
            text = screen.getvalue()
    finally:
        await service.stop()
    assert "who=user text=" in text
    assert "error call=" in text
    assert "[/" not in text  # nothing is taken for markup


async def _shown(screen: io.StringIO, *what: str) -> None:
    while not all(word in screen.getvalue() for word in what):  # noqa: ASYNC110  # has no news
        await asyncio.sleep(0.05)
