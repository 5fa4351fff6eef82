"""The desktop's end of a conversation: sound, peer, signalling and the rules, put together.

Everything runs on a media thread; `tell` is called on the loop that made the Talker. One task lives
the call from `start` to its end, over all its tries: the state is `core.call`'s table, the talk is
`core.dialogue`'s, and what was said is carried from one session into the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from app.adapters.echo import EchoCanceller, NoCanceller
from app.adapters.media_thread import MediaThread
from app.adapters.peer import Peer
from app.adapters.signalling import Refused, Signalling
from app.adapters.sound import SoundIn, SoundOut
from app.compose.voice_path import VoicePath
from app.core import realtime
from app.core.audio import Counts
from app.core.call import (
    CONNECT_WITHIN_S,
    SHOWN_WITHIN_S,
    CallLaw,
    Ended,
    Move,
    roll_over,
)
from app.core.dialogue import Dialogue, Effects, Recall
from app.core.events import (
    BoardError,
    Command,
    Event,
    Mute,
    Role,
    Say,
    SessionIs,
    SessionState,
    SetVolume,
    Source,
    Start,
    Stop,
    Tell,
)
from app.core.faults import Fault
from app.core.secret import Secret
from app.core.settings import Settings
from app.core.tools import Device

TICK_S = 0.05
LEVEL_EVERY_S = 0.1
MEDIA_EVERY_S = 2.0
PRESS_TAIL_S = 0.2
"""Sound on its way when the key is let go belongs to the turn."""

AskKey = Callable[[], Awaitable[Secret | None]]


@dataclass(slots=True)
class Timing:
    """Monotonic seconds of the last try; None: not reached."""

    began: float = 0.0
    live: float | None = None
    first_packet: float | None = None
    first_sound: float | None = None


class Talker:
    """One desktop conversation. Made, used and closed on one loop."""

    def __init__(
        self,
        tell: Tell,
        settings: Settings,
        ask_key: AskKey,
        *,
        make_in: Callable[[], SoundIn],
        make_out: Callable[[], SoundOut],
        canceller: EchoCanceller | None = None,
        push_to_talk: bool = False,
        greeting: bool = True,
    ) -> None:
        """`make_in` and `make_out` are called on the media thread, and may raise Fault."""
        self._tell_main = tell
        self._main = asyncio.get_running_loop()
        self._media = MediaThread()
        self._settings = settings
        self._ask_key = ask_key
        half_duplex = settings.number("aec") == 2
        self._voice = VoicePath(
            make_in, make_out, canceller or NoCanceller(), half_duplex=half_duplex
        )
        self._session = realtime.session(settings, push_to_talk=push_to_talk)
        self._greeting = settings.text("greeting") if greeting else ""
        self._push_to_talk, self._pressed = push_to_talk, False
        self._device = Device(volume=settings.number("volume"))
        self._law = CallLaw()
        self._recall = Recall()
        self._signalling: Signalling | None = None
        self._dialogue: Dialogue | None = None
        self._peer: Peer | None = None
        self._trouble = ""
        self._call = ""
        self._roll = (0.0, 0.0)
        self._life: asyncio.Task[None] | None = None
        self._stopping = False
        self._counts = Counts()
        self.timing = Timing()

    # ---- what the program asks, on its loop

    async def warm(self) -> None:
        """Open the connection to the service, so that the call need not."""
        await self._media.run(self._signals().warm())

    async def start(self, before: tuple[tuple[Role, str], ...] = ()) -> None:
        """Begin a call; does nothing while there is one. How it goes is told.

        `before`: what was said elsewhere (on the board), for the assistant to go on from.
        """

        async def begin() -> None:
            if self._life is None or self._life.done():
                self._recall = Recall()
                for role, text in before:
                    self._recall.add(role, text)
                self._life = asyncio.create_task(self._live(), name="call")

        await self._media.run(begin())

    async def stop(self) -> None:
        """End the call; returns when it is down."""

        async def end() -> None:
            if self._life is not None and not self._life.done():
                if not self._stopping:
                    self._stopping = True
                    self._life.cancel()
                await asyncio.wait({self._life})
                self._stopping = False

        await self._media.run(end())

    async def wait(self) -> None:
        """Returns when the call is over for good. Raises what was our mistake in it."""

        async def over() -> None:
            if self._life is not None:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(self._life)

        await self._media.run(over())

    async def close(self) -> None:
        """Call, connection and thread are gone."""
        await self.stop()
        if self._signalling is not None:
            await self._media.run(self._signalling.close())
        await asyncio.to_thread(self._media.end)

    async def send(self, command: Command) -> None:
        """The commands a board takes, as far as they make sense here."""
        match command:
            case Start():
                await self.start()
            case Stop():
                await self.stop()
            case Say(text):
                self._media.post(self._with_dialogue, lambda talk, at: talk.say(text, at))
            case SetVolume(percent):
                self._media.post(self._change_device, replace, {"volume": percent})
            case Mute(on):
                self._media.post(self._change_device, replace, {"muted": on})

    async def use_microphone(self, make: Callable[[], SoundIn]) -> None:
        """Another one, also in the middle of a call. Raises Fault, and then the old one stays."""
        await self._media.run(_done(lambda: self._voice.change_in(make)))

    async def use_speaker(self, make: Callable[[], SoundOut]) -> None:
        """Another one, also in the middle of a call. Raises Fault, and then the old one stays."""
        await self._media.run(_done(lambda: self._voice.change_out(make)))

    def cancel(self) -> None:
        """Silence now: Escape."""
        self._media.post(self._with_dialogue, lambda talk, at: talk.cancel(at))

    def press(self) -> None:
        """Push-to-talk: the key goes down."""
        self._media.post(self._press)

    def release(self) -> None:
        """And up again."""
        self._media.post(self._release)

    def configure(self, settings: Settings) -> None:
        """Other settings: the session is changed while it goes on, by what differs."""
        self._media.post(self._configure, settings)

    @property
    def quiet(self) -> bool:
        """Nobody speaks, nothing is asked for, nothing is being played."""
        dialogue = self._dialogue
        return dialogue is not None and dialogue.quiet and not self._voice.is_playing

    @property
    def input_finished(self) -> bool:
        return self._voice.finished

    @property
    def counts(self) -> Counts:
        """Of the session that is live; afterwards of the last one."""
        return self._counts

    @property
    def delay_ms(self) -> float:
        return self._voice.delay_ms

    # ---- the life of a call, on the media thread

    def _signals(self) -> Signalling:
        if self._signalling is None:
            self._signalling = Signalling(self._settings.text("base_url"))
        return self._signalling

    def _tell(self, event: Event) -> None:
        with contextlib.suppress(RuntimeError):  # the program's loop has ended
            self._main.call_soon_threadsafe(self._tell_main, event)

    def _tell_state(self, why: Ended | None = None, pause_s: float = 0.0) -> None:
        why = why or Ended("")
        retry_ms = round(pause_s * 1000)
        self._tell(
            SessionIs(
                Source.DESKTOP, now(), self._law.state, why.code, why.reason, self._call, retry_ms
            )
        )

    def _move(self, move: Move) -> None:
        if self._law.move(move) and self._law.state is not SessionState.IDLE:
            self._tell_state()

    async def _live(self) -> None:
        try:
            self._voice.open()
        except Fault as fault:
            for move in (Move.BEGIN, Move.END, Move.DOWN):
                self._law.move(move)
            self._tell_state(Ended("sound", fault.detail))
            return
        try:
            why = await self._all_sessions()
        finally:
            self._voice.close()
        self._law.move(Move.DOWN)
        self._tell_state(why)

    async def _all_sessions(self) -> Ended:
        """One session after the other, as long as trying again may help."""
        self._apply(self._device)
        self._tell(self._device.event(now()))
        while True:
            why = await self._one_session()
            pause_s = self._law.pause_s(why, now(), random.random())  # noqa: S311  no secret
            if pause_s is None:
                return why
            self._law.move(Move.PAUSE)
            self._tell_state(why, pause_s)
            try:
                await asyncio.sleep(pause_s)
            except asyncio.CancelledError:
                self._law.move(Move.END)
                return _stopped()

    async def _one_session(self) -> Ended:
        """One try from key to end. Whatever ends it, everything of it is down afterwards."""
        self.timing = Timing(began=now())
        self._call = ""
        self._move(Move.BEGIN)
        key: Secret | None = None
        peer: Peer | None = None
        try:
            key = await self._key()
            if not key:
                why = Ended("no_key")
            else:
                self._move(Move.HAVE_KEY)
                peer = self._make_peer()
                why = await self._talk(peer, key)
        except Refused as refused:
            why = Ended(refused.code, refused.reason)
        except asyncio.CancelledError:
            why = _stopped()
        except Fault as fault:  # the password store, or no Opus here
            why = Ended("no_key" if key is None else "peer_failed", str(fault))
        was_live = self._law.state is SessionState.LIVE
        self._move(Move.END)
        self._peer = self._dialogue = None
        self._voice.end_session()
        if peer is not None:
            if key and self._call and (was_live or why.code == "stopped"):
                await self._hang_up(key, why)
            await peer.close()
        return why

    async def _key(self) -> Secret | None:
        """Asked on the program's loop: a password store may show a window."""
        asked = asyncio.run_coroutine_threadsafe(_await(self._ask_key), self._main)
        return await asyncio.wrap_future(asked)

    def _make_peer(self) -> Peer:
        playout = self._voice.new_session(self._speaker)
        self._counts = playout.counts
        self._opened = asyncio.Event()
        peer = Peer(self._voice.frame, playout, opened=self._opened.set, text=self._hear)
        self._peer = peer
        return peer

    async def _talk(self, peer: Peer, key: Secret) -> Ended:
        try:
            offer = await peer.offer()
        except OSError as error:  # no socket for a candidate: the network is not there
            return Ended("unreachable", str(error))
        answered = await self._signals().call(key, offer, self._session)
        self._call = answered.call
        self._move(Move.HAVE_ANSWER)
        await peer.take(answered.sdp)
        if not await self._first_of(self._opened.wait(), peer, CONNECT_WITHIN_S):
            peer.end(Ended("peer_failed", "no connection for sound in time"))
        if peer.ended.done():
            return peer.ended.result()
        self._begin_talk()
        tasks = [asyncio.create_task(work) for work in (self._keep_time(peer), peer.watch())]
        for task in tasks:
            task.add_done_callback(lambda task: self._task_ended(peer, task))
        try:
            return await asyncio.shield(peer.ended)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _task_ended(self, peer: Peer, task: asyncio.Task[None]) -> None:
        """A mistake of ours in a helper must be heard of, and end the call."""
        if not task.cancelled() and (error := task.exception()) is not None:
            told = {"message": "a task of the call failed", "exception": error, "task": task}
            task.get_loop().call_exception_handler(told)
            peer.end(Ended("peer_failed", type(error).__name__))

    @staticmethod
    async def _first_of(work: Coroutine[Any, Any, object], peer: Peer, within_s: float) -> bool:
        """Whether `work` was done in time and before the peer ended."""
        task = asyncio.create_task(work)
        try:
            waited: set[asyncio.Future[Any]] = {task, peer.ended}
            await asyncio.wait(waited, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            return task.done() and not peer.ended.done()
        finally:
            task.cancel()

    async def _hang_up(self, key: Secret, why: Ended) -> None:
        if why.code in ("stopped", "expired") and "limit of" not in why.reason:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    await self._signals().hang_up(key, self._call)

    # ---- while it is live

    def _begin_talk(self) -> None:
        at = now()
        first = self._law.is_first
        self._law.live(at)
        self._roll = roll_over(at, None)
        self.timing.live = at
        self._move(Move.CHANNEL_OPEN)
        self._dialogue = Dialogue(self._recall, self._device)
        self._dialogue.begin(at, greeting=self._greeting if first else "")
        self._carry_out()

    def _hear(self, text: str) -> None:
        dialogue = self._dialogue
        if dialogue is None:  # said before we saw the channel open
            asyncio.get_running_loop().call_soon(self._hear_late, text)
            return
        was_ready, expires_at = dialogue.ready, dialogue.expires_at
        dialogue.receive(text, now())
        if dialogue.ready and not was_ready:
            self._open_microphone()
            self._voice.begin()
        if dialogue.expires_at is not None and dialogue.expires_at != expires_at:
            self._roll = roll_over(self.timing.live or now(), dialogue.expires_at - time.time())
        self._carry_out()

    def _hear_late(self, text: str) -> None:
        if self._peer is not None and not self._peer.ended.done():
            if self._dialogue is None:
                asyncio.get_running_loop().call_later(TICK_S / 10, self._hear_late, text)
            else:
                self._hear(text)

    def _with_dialogue(self, action: Callable[[Dialogue, float], None]) -> None:
        if self._dialogue is not None:
            action(self._dialogue, now())
            self._carry_out()

    def _carry_out(self) -> None:
        assert self._dialogue is not None
        effects: Effects = self._dialogue.take()
        for sound in effects.sound:
            self._voice.obey(sound, now())
        for event in effects.told:
            self._tell(event)
        if effects.device is not None:
            self._apply(effects.device)
        if self._peer is not None:
            for text in effects.to_send:
                self._peer.send(text)
            if effects.ended is not None:
                self._peer.end(Ended(*effects.ended))

    def _apply(self, device: Device) -> None:
        self._device = device
        self._voice.set_volume(device.volume)
        self._open_microphone()

    def _open_microphone(self) -> None:
        """Or shut it: silent until the service has shown its session, muted, or not pressed."""
        is_ready = self._dialogue is not None and self._dialogue.ready
        held_shut = self._device.muted or (self._push_to_talk and not self._pressed)
        self._voice.listens = is_ready and not held_shut

    def _change_device(self, change: Callable[..., Device], fields: dict[str, int | bool]) -> None:
        device = change(self._device, **fields)
        if self._dialogue is not None:
            self._with_dialogue(lambda talk, at: talk.set_device(device, at))
        else:
            self._apply(device)
            self._tell(device.event(now()))

    def _configure(self, settings: Settings) -> None:
        session = realtime.session(settings, push_to_talk=self._push_to_talk)
        fields = realtime.changed(self._session, session)
        fields.pop("model", None)  # of the next session; the service would refuse the rest with it
        self._settings, self._session = settings, session
        self._with_dialogue(lambda talk, at: talk.configure(fields))

    def _press(self) -> None:
        self._pressed = True
        self._open_microphone()
        self._with_dialogue(lambda talk, at: talk.press(at))

    def _release(self) -> None:
        def commit() -> None:
            self._pressed = False
            self._open_microphone()
            self._with_dialogue(lambda talk, at: talk.release(at))

        asyncio.get_running_loop().call_later(PRESS_TAIL_S, commit)

    def _speaker(self, playing: bool) -> None:
        if playing and self.timing.first_sound is None:
            self.timing.first_sound = now()
        self._with_dialogue(lambda talk, at: talk.speaker(playing, at))

    # ---- time

    async def _keep_time(self, peer: Peer) -> None:
        began = level_at = now()
        media_at = began
        await peer.media(began)
        while True:
            await asyncio.sleep(TICK_S)
            at = now()
            dialogue = self._dialogue
            if dialogue is None:
                return
            dialogue.tick(at)
            self._carry_out()
            self._look_at_limits(peer, dialogue, began, at)
            self._look_at_sound(at)
            self.timing.first_packet = peer.first_packet_at
            if at - level_at >= LEVEL_EVERY_S:
                level_at = at
                self._tell(self._voice.level(at))
            if at - media_at >= MEDIA_EVERY_S:
                media_at = at
                self._tell(await peer.media(at))

    def _look_at_limits(self, peer: Peer, dialogue: Dialogue, began: float, at: float) -> None:
        if not dialogue.ready and at - began > SHOWN_WITHIN_S:
            peer.end(Ended("no_session", "no session.created came"))
        quiet_from, latest = self._roll
        if at >= latest or (at >= quiet_from and self.quiet):
            peer.end(Ended("expired", "the time limit is near; a new session goes on"))

    def _look_at_sound(self, at: float) -> None:
        """A device that went away is told once; the call goes on in silence."""
        trouble = self._voice.trouble
        if trouble and trouble != self._trouble:
            self._tell(BoardError(Source.DESKTOP, at, "sound", trouble))
        self._trouble = trouble


def _stopped() -> Ended:
    """The call's task was cancelled, which is how `stop` ends it; it still has to tidy up."""
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()
    return Ended("stopped")


async def _done(action: Callable[[], None]) -> None:
    action()


async def _await(ask: AskKey) -> Secret | None:
    return await ask()


def now() -> float:
    """Monotonic seconds: the clock of every `at`."""
    return time.monotonic()
