"""The way of sound at the desk: microphone → echo canceller → packets, packets → speaker.

The devices last as long as the call over all its tries; each session has a `Playout` of its own.
What the speaker really got is the echo canceller's far end. On the media thread, except `_pull`,
which the speaker's thread calls.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import numpy as np

from app.adapters.echo import BLOCK, EchoCanceller
from app.adapters.opus import Pcm
from app.adapters.playout import Playout, rms
from app.adapters.sound import FarEnd, SoundIn, SoundOut
from app.core.audio import SILENCE_DBFS, Counts, Meter
from app.core.events import LevelIs, Source
from app.core.turns import Sound


class VoicePath:
    """Sound in and out. `playing` is told when the assistant begins and ceases to be heard."""

    def __init__(
        self,
        make_in: Callable[[], SoundIn],
        make_out: Callable[[], SoundOut],
        canceller: EchoCanceller,
        *,
        half_duplex: bool,
    ) -> None:
        """`half_duplex`: the microphone is silent while the assistant is heard."""
        self.listens = False
        """Whether the service may hear the microphone."""
        self.is_playing = False
        self._make_in, self._make_out = make_in, make_out
        self._canceller = canceller
        self._half_duplex = half_duplex
        self._in: SoundIn | None = None
        self._out: SoundOut | None = None
        self._playout: Playout | None = None
        self._volume = 100
        self._has_begun = False
        self._far = FarEnd(BLOCK)
        self._meter_in, self._meter_clean = Meter(), Meter()

    # ---- devices

    def open(self) -> None:
        """Raises Fault; then nothing is open."""
        self.close()
        self._has_begun = False
        self._canceller.reset()
        try:
            self._in = self._make_in()
            self._out = self._make_out()
            self._out.start(self._pull)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Idempotent."""
        self._playout = None
        sound_in, self._in = self._in, None
        sound_out, self._out = self._out, None
        if sound_in is not None:
            sound_in.close()
        if sound_out is not None:
            sound_out.close()

    def change_in(self, make: Callable[[], SoundIn]) -> None:
        """Another microphone, while the call goes on. Raises Fault, and then the old one stays."""
        fresh, self._make_in = make(), make
        old, self._in = self._in, fresh
        if self._has_begun:
            fresh.begin()
        self._canceller.reset()
        if old is not None:
            old.close()

    def change_out(self, make: Callable[[], SoundOut]) -> None:
        """Another speaker, while the call goes on. Raises Fault, and then the old one stays."""
        fresh = make()
        fresh.start(self._pull)
        self._make_out = make
        old, self._out = self._out, fresh
        self._canceller.reset()
        if old is not None:
            old.close()

    @property
    def trouble(self) -> str:
        """What is wrong with a device, for an engineer; empty when nothing is."""
        told = self._in.trouble if self._in is not None else ""
        return told or (self._out.trouble if self._out is not None else "")

    @property
    def finished(self) -> bool:
        """The microphone has nothing more to say (a file)."""
        return self._in is not None and self._in.finished

    def begin(self) -> None:
        """Somebody listens from now on."""
        self._has_begun = True
        if self._in is not None:
            self._in.begin()

    # ---- one session

    def new_session(self, playing: Callable[[bool], None]) -> Playout:
        """The playout of the next session; `playing` is called on this loop."""
        loop = asyncio.get_running_loop()

        def told(on: bool) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(heard, on)

        def heard(on: bool) -> None:
            self.is_playing = on
            playing(on)

        self._playout = Playout(playing=told)
        self._playout.volume_percent = self._volume
        return self._playout

    def end_session(self) -> None:
        self._playout = None
        self.is_playing = self.listens = False

    def set_volume(self, percent: int) -> None:
        self._volume = percent
        if self._playout is not None:
            self._playout.volume_percent = percent

    def obey(self, sound: Sound, at: float) -> None:
        """What the conversation asks of the speaker; silence comes with the next block."""
        match self._playout, sound:
            case None, _:
                return
            case playout, Sound.HUSH:
                playout.hush(at)
            case playout, Sound.CLEAR:
                playout.clear()
            case playout, Sound.RESUME:
                playout.resume()

    # ---- sound

    def _pull(self, samples: int, at: float) -> Pcm:
        playout = self._playout
        pcm = np.zeros(samples, np.int16) if playout is None else playout.pull(samples, at)
        self._far.played(pcm)
        return pcm

    async def frame(self) -> Pcm:
        """The next 20 ms to send: cleaned, and silent while nobody may listen."""
        assert self._in is not None
        heard = await self._in.frame()
        self._meter_in.add((rms(heard) / 32768.0) ** 2)
        blocks = range(0, len(heard), BLOCK)
        clean = np.concatenate(
            [self._canceller.process(heard[at : at + BLOCK], self._far.take()) for at in blocks]
        )
        self._meter_clean.add((rms(clean) / 32768.0) ** 2)
        is_open = self.listens and not (self._half_duplex and self.is_playing)
        return clean if is_open else np.zeros(len(clean), np.int16)

    # ---- figures

    @property
    def counts(self) -> Counts:
        return self._playout.counts if self._playout is not None else Counts()

    @property
    def delay_ms(self) -> float:
        return self._playout.delay_ms if self._playout is not None else 0.0

    def level(self, at: float) -> LevelIs:
        """Loudness since the last call; the echo left is what is sent while the speaker plays."""
        speaker = self._playout.meter.read() if self._playout is not None else SILENCE_DBFS
        clean = self._meter_clean.read()
        echo = clean if self.is_playing else SILENCE_DBFS
        return LevelIs(Source.DESKTOP, at, self._meter_in.read(), speaker, echo)
