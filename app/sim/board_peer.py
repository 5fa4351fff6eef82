"""The WebRTC peer of the virtual board: aiortc behind the events of parley_core.h.

One BoardPeer is one id of the core, from peer_open to PEER_DOWN. It lives in one task that waits
for the first reason to end, takes everything down in order and says PEER_DOWN last; whatever aiortc
still emits afterwards is not passed on.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import av
from aiortc import (
    InvalidAccessError,
    InvalidStateError,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import OperationError
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.sdp import SessionDescription

from app.sim import core_abi
from app.sim.board_audio import SILENCE_CDB, Microphone, MicrophoneTrack, Speaker, mono
from app.sim.consent import notice_loss_soon, work_without_network
from app.sim.core_abi import Event, Kind, Level, Media, Net

CHANNEL = "oai-events"
LEVEL_EVERY_S = 0.2
LEVELS_PER_MEDIA = 10
SILENT_S = 2.5
"""A peer that is there sends RTCP at least every 1.5 s; giving up a dead one takes ICE 3.9 s."""

_UNFIT_ANSWER = (
    ValueError,
    # aiortc's parser trusts its input: a missing attribute is met as None, a short line as an
    # index, a wrong section as an assertion.
    AttributeError,
    LookupError,
    TypeError,
    AssertionError,
    InvalidAccessError,
    InvalidStateError,
    OperationError,
)


class BoardPeer:
    """One peer of the core. `post` takes its events; PEER_DOWN is the last of them."""

    def __init__(
        self,
        peer_id: int,
        microphone: Microphone,
        speaker: Speaker,
        post: Callable[[Event], None],
    ) -> None:
        notice_loss_soon()
        work_without_network()
        self._id = peer_id
        self._microphone = microphone
        self._speaker = speaker
        self._post = post
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Net] = self._loop.create_future()
        self._children: set[asyncio.Task[None]] = set()
        self._taking: asyncio.Task[None] | None = None
        self._connection: RTCPeerConnection | None = None
        self._channel: RTCDataChannel | None = None
        self._is_up = False
        self._heard_at = 0.0
        self._media = _MediaFigures()
        self._life = self._loop.create_task(self._live(), name=f"board peer {peer_id}")
        self._life.add_done_callback(self._report)

    @property
    def is_up(self) -> bool:
        """Audio flows."""
        return self._is_up and not self._ended.done()

    def answer(self, sdp: str) -> None:
        """Takes the other side's answer; an unfit one ends the peer with FAILED."""
        if self._connection is not None and self._taking is None and not self._ended.done():
            self._taking = self._start(self._take(self._connection, sdp))

    def send(self, text: str) -> None:
        """One event to the channel. A channel that is not open (any more) drops it."""
        if self._channel is not None and self._channel.readyState == "open":
            self._channel.send(text)

    def end(self, why: Net = Net.CLOSED) -> None:
        """Starts the way down; the first reason counts."""
        if not self._ended.done():
            self._ended.set_result(why)

    async def wait_down(self) -> None:
        """Returns after PEER_DOWN."""
        await self._life

    # ---- life ----------------------------------------------------------------------------------

    async def _live(self) -> None:
        why = Net.FAILED
        try:
            if not self._ended.done():
                await self._offer()
            why = await self._ended
        except OSError:
            # No socket for a candidate: the network is not there.
            why = Net.FAILED
        finally:
            self.end(why)
            await self._take_down()
            self._post(core_abi.peer(Kind.PEER_DOWN, self._id, why=why))

    async def _offer(self) -> None:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection = connection
        connection.on("connectionstatechange", self._state_changed)
        connection.on("track", self._track_came)
        # The track before the channel: the other order never connects with aiortc 1.16.
        connection.addTrack(MicrophoneTrack(self._microphone))
        opus = [
            codec
            for codec in RTCRtpSender.getCapabilities("audio").codecs
            if codec.mimeType.lower() == "audio/opus"
        ]
        connection.getTransceivers()[0].setCodecPreferences(opus)
        channel = connection.createDataChannel(CHANNEL, ordered=True)
        self._channel = channel
        channel.on("open", self._channel_opened)
        channel.on("message", self._message_came)
        channel.on("close", self._channel_closed)
        await connection.setLocalDescription(await connection.createOffer())
        if not self._ended.done():
            sdp = connection.localDescription.sdp.encode()
            self._post(core_abi.peer(Kind.PEER_OFFER, self._id, text=sdp))

    async def _take(self, connection: RTCPeerConnection, sdp: str) -> None:
        try:
            _check_answer(sdp)
            await connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        except _UNFIT_ANSWER:
            self.end(Net.FAILED)

    async def _take_down(self) -> None:
        children = list(self._children)
        for child in children:
            # An answer half taken would leave its bundled transports open behind close().
            if child is not self._taking:
                child.cancel()
        await asyncio.gather(*children, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()
            # aiortc cancels its own tasks without waiting for them; one turn lets them end.
            await asyncio.sleep(0)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._children.add(task)
        task.add_done_callback(self._child_ended)
        return task

    def _child_ended(self, task: asyncio.Task[None]) -> None:
        self._children.discard(task)
        if self._report(task):
            self.end(Net.FAILED)

    def _report(self, task: asyncio.Task[None]) -> bool:
        """A bug in a task is told to the loop; True when there was one."""
        if task.cancelled() or (error := task.exception()) is None:
            return False
        self._loop.call_exception_handler(
            {"message": "a task of the board's peer failed", "exception": error, "task": task}
        )
        return True

    # ---- what aiortc tells ---------------------------------------------------------------------

    def _tell(self, kind: Kind, text: bytes = b"") -> None:
        if not self._ended.done():
            self._post(core_abi.peer(kind, self._id, text=text))

    def _state_changed(self) -> None:
        assert self._connection is not None
        match self._connection.connectionState:
            case "connected" if not self._is_up:
                self._is_up = True
                self._heard_at = self._loop.time()
                self._start(self._watch(self._connection))
                self._start(self._speaker.run())
                self._tell(Kind.PEER_UP)
            case "failed":
                self.end(Net.LOST if self._is_up else Net.FAILED)
            case "closed":
                # aiortc also says "closed" when ICE gave up; the silence before tells them apart.
                silent_s = self._loop.time() - self._heard_at
                self.end(Net.LOST if self._is_up and silent_s > SILENT_S else Net.CLOSED)

    def _channel_opened(self) -> None:
        self._tell(Kind.CHANNEL_OPEN)

    def _channel_closed(self) -> None:
        self._tell(Kind.CHANNEL_CLOSED)

    def _message_came(self, message: str | bytes) -> None:
        self._tell(Kind.CHANNEL_TEXT, message if isinstance(message, bytes) else message.encode())

    def _track_came(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and not self._ended.done():
            self._speaker.reset()
            self._start(self._listen(track))

    async def _listen(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                self._speaker.feed(mono(frame))
        except MediaStreamError:
            return

    async def _watch(self, connection: RTCPeerConnection) -> None:
        self._media.sample(await connection.getStats(), self._loop.time(), 0)
        for turn in itertools.count(1):
            await asyncio.sleep(LEVEL_EVERY_S)
            level = Level(
                self._microphone.meter.read_cdb(),
                self._speaker.meter.read_cdb(),
                # Nothing of the speaker reaches this microphone.
                SILENCE_CDB,
            )
            self._post(core_abi.level(level))
            stats = await connection.getStats()
            now = self._loop.time()
            if self._media.has_heard(stats):
                self._heard_at = now
            if turn % LEVELS_PER_MEDIA == 0:
                self._post(core_abi.media(self._media.sample(stats, now, self._speaker.underruns)))


class _MediaFigures:
    """aiortc's counters as rates between two samples."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._sent = self._received = 0
        self._packets = self._lost = 0
        self._last_received = 0

    def has_heard(self, stats: dict[str, Any]) -> bool:
        """Something came over DTLS or SRTP since the last call."""
        received = sum(one.bytesReceived for one in stats.values() if one.type == "transport")
        was, self._last_received = self._last_received, received
        return bool(received != was)

    def sample(self, stats: dict[str, Any], now: float, underruns: int) -> Media:
        """Rates since the last sample; zero in the first one."""
        by_type = {report.type: report for report in stats.values()}
        transport, inbound = by_type["transport"], by_type.get("inbound-rtp")
        echo = by_type.get("remote-inbound-rtp")
        result = Media(underruns=underruns)
        if self._at is not None and now > self._at:
            result.up_bps = round(8 * (transport.bytesSent - self._sent) / (now - self._at))
            result.down_bps = round(
                8 * (transport.bytesReceived - self._received) / (now - self._at)
            )
        self._at = now
        self._sent, self._received = transport.bytesSent, transport.bytesReceived
        if inbound is not None:
            packets = inbound.packetsReceived - self._packets
            # Late packets make the loss of a period negative.
            lost = max(0, inbound.packetsLost - self._lost)
            self._packets, self._lost = inbound.packetsReceived, inbound.packetsLost
            result.loss_permille = round(1000 * lost / max(1, packets + lost))
            result.jitter_ms = min(65535, round(inbound.jitter / 48))
        if echo is not None and echo.roundTripTime is not None:
            result.round_trip_ms = max(0, min(65535, round(1000 * echo.roundTripTime)))
        return result


def _check_answer(sdp: str) -> None:
    """Raises ValueError for what aiortc would only meet in a task of its own, unheard."""
    for media in SessionDescription.parse(sdp).media:
        if media.dtls is None or not media.dtls.fingerprints:
            raise ValueError("a section of the answer has no fingerprint")
