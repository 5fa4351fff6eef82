"""`parley talk`: the desktop's conversation in a terminal, with the sound card or with files."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from app.adapters import journal
from app.adapters.echo import EchoCanceller, NoCanceller, WebRtcCanceller
from app.adapters.media_thread import MediaThread
from app.adapters.sound import CardIn, CardOut, SoundIn, SoundOut, WavIn, WavOut
from app.adapters.vault import Vault
from app.compose.moments import Moments
from app.compose.serving import interruption
from app.compose.talker import Talker, now
from app.core.events import (
    Event,
    LevelIs,
    Role,
    Say,
    SessionIs,
    SessionState,
    Turn,
    TurnState,
    Words,
)
from app.core.faults import Fault
from app.core.language import tr
from app.core.secret import Secret
from app.core.session_text import fault_of
from app.core.settings import Settings
from app.ui.terminal import TerminalView

KEY = "api_key"
KEY_VARIABLE = "OPENAI_API_KEY"
ANSWER_WITHIN_S = 15.0
QUIET_S = 0.5
"""So long nothing is said or asked for after the last answer: the conversation is over."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for."""

    base_url: str = ""
    sound_in: Path | None = None
    sound_out: Path | None = None
    text: str = ""
    seconds: float | None = None
    local: bool = False
    device_in: str | None = None
    device_out: str | None = None

    @property
    def is_batch(self) -> bool:
        """The user's part is known beforehand: the conversation ends by itself."""
        return bool(self.sound_in or self.text)


class _Heard:
    """What the terminal has to know of the conversation."""

    def __init__(self) -> None:
        self.was_live = self.is_over = self.answered = False
        self.fault: Fault | None = None
        self.answer_ended_at = 0.0

    def note(self, event: Event) -> None:
        match event:
            case SessionIs(state=SessionState.LIVE):
                self.was_live = True
            case SessionIs(state=SessionState.IDLE):
                self.is_over = True
                self.fault = fault_of(event)
            case Words(role=Role.ASSISTANT, final=True):
                self.answered = True
            case Turn(role=Role.ASSISTANT, state=state, at=at) if state is not TurnState.STARTED:
                self.answer_ended_at = at


async def talk(wish: Wish, *, as_json: bool) -> bool:
    """Whether a conversation came about. Raises Fault for what the user can repair."""
    ended = interruption()
    with TerminalView(as_json=as_json) as view:
        heard = _Heard()
        moments = Moments(lambda event: None if _is_noise(event, as_json) else view.show(event))
        async with _service(wish) as base_url:
            settings = Settings({"base_url": base_url} if base_url else {})
            talker = Talker(
                moments.tell,
                settings,
                lambda: _key_for(settings.text("base_url")),
                make_in=lambda: _microphone(wish),
                make_out=lambda: _speaker(wish),
                canceller=_canceller(wish, settings),
                greeting=not wish.is_batch,
            )
            try:
                with moments.heard_by(heard.note), _typed_lines(talker):
                    await talker.start()
                    await _until_over(talker, wish, heard, moments, ended)
                    await talker.stop()
                    await moments.until(lambda: heard.is_over, 2.0)
            finally:
                await talker.close()
            if not as_json and heard.was_live:
                view.console.print(_figures(talker), style="dim")
    if heard.fault is not None and not heard.was_live:
        raise heard.fault
    return heard.was_live and (heard.answered or not wish.is_batch)


async def _until_over(
    talker: Talker, wish: Wish, heard: _Heard, moments: Moments, ended: asyncio.Event
) -> None:
    """Ctrl-C, the time limit, the end of the call, or nothing left to say."""
    waker = asyncio.create_task(_wake_when(ended, moments))
    try:
        limit_s = wish.seconds if wish.seconds is not None else 7 * 24 * 3600.0
        over = _BatchOver(talker, heard) if wish.is_batch else None
        if wish.text:
            await moments.until(lambda: heard.was_live or heard.is_over, limit_s)
            await talker.send(Say(wish.text))
        # LevelIs comes ten times a second while the call is live: the condition is asked then.
        await moments.until(
            lambda: ended.is_set() or heard.is_over or (over is not None and over.now()),
            limit_s,
        )
    finally:
        waker.cancel()
        await asyncio.gather(waker, return_exceptions=True)


async def _wake_when(ended: asyncio.Event, moments: Moments) -> None:
    await ended.wait()
    moments.wake()


class _BatchOver:
    """Whether what was to be said is said, and the answer heard."""

    def __init__(self, talker: Talker, heard: _Heard) -> None:
        self._talker, self._heard = talker, heard
        self._input_over_at: float | None = None
        self._quiet_since: float | None = None

    def now(self) -> bool:
        at = now()
        if not self._talker.input_finished or not self._heard.was_live:
            return False
        if self._input_over_at is None:
            self._input_over_at = at
        if not self._talker.quiet:
            self._quiet_since = None
            return False
        if self._quiet_since is None:
            self._quiet_since = at
        answered = self._heard.answer_ended_at > self._input_over_at
        waited = at - self._input_over_at > ANSWER_WITHIN_S
        return (answered or waited) and at - self._quiet_since >= QUIET_S


def _is_noise(event: Event, as_json: bool) -> bool:
    return isinstance(event, LevelIs) and not as_json


def _figures(talker: Talker) -> str:
    timing, counts = talker.timing, talker.counts

    def after(at: float | None) -> str:
        return "–" if at is None else f"{(at - timing.began) * 1000:.0f} ms"

    return tr(
        "live after {live}, first sound after {sound}; {lost} packets concealed",
        live=after(timing.live),
        sound=after(timing.first_sound),
        lost=counts.recovered + counts.concealed,
    )


# ---- parts


def _microphone(wish: Wish) -> SoundIn:
    if wish.is_batch:
        return WavIn(wish.sound_in)
    return CardIn(wish.device_in)


def _speaker(wish: Wish) -> SoundOut:
    if wish.sound_out is not None or wish.is_batch:
        return WavOut(wish.sound_out)
    return CardOut(wish.device_out)


def _canceller(wish: Wish, settings: Settings) -> EchoCanceller:
    """Files echo nothing."""
    has_cards = not wish.is_batch and wish.sound_out is None
    return WebRtcCanceller() if has_cards and settings.number("aec") == 1 else NoCanceller()


@asynccontextmanager
async def _service(wish: Wish) -> AsyncIterator[str]:
    """The base URL; of a service made for this conversation when `local` was asked for."""
    if not wish.local:
        yield wish.base_url
        return
    from app.sim.service import Service

    thread, service = MediaThread("parley-service"), Service()
    try:
        await thread.run(service.start())
        yield service.base_url
    finally:
        await thread.run(service.stop())
        await asyncio.to_thread(thread.end)


async def _key_for(base_url: str) -> Secret | None:
    """A service on this computer gets a made-up key: the user's own is never sent there."""
    if urlsplit(base_url).hostname in ("127.0.0.1", "localhost", "::1"):
        return Secret("sk-local-service")
    key = await Vault().get(KEY)
    if key is None and (given := os.environ.get(KEY_VARIABLE)):
        key = Secret(given)
    if key is not None:
        journal.hide(key)
    return key


@contextmanager
def _typed_lines(talker: Talker) -> Iterator[None]:
    """While it lasts, a line typed is a turn; an empty one means silence."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def typed() -> None:
        line = sys.stdin.readline()
        if not line:
            loop.remove_reader(sys.stdin)
        elif text := line.strip():
            task = loop.create_task(talker.send(Say(text)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        else:
            talker.cancel()

    watched = False
    if sys.stdin is not None and sys.stdin.isatty():
        with contextlib.suppress(NotImplementedError, OSError, ValueError):
            loop.add_reader(sys.stdin, typed)
            watched = True
    try:
        yield
    finally:
        if watched:
            loop.remove_reader(sys.stdin)
