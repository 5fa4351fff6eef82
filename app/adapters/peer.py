"""One WebRTC call: aiortc with our own Opus on both sides.

aiortc's receive path has no concealment, uses no FEC and never gives latency back: 1 % loss
silences 7 % of the sound and adds 200 ms for the rest of the call. So its jitter buffer is
replaced by one that hands each packet to `Playout` and never has a frame to decode: RTCP,
statistics and checks stay aiortc's. That is the one private name used here (`_BUFFER`); aiortc is
pinned to a minor version, and a test fails when the name moves.

The outgoing track yields packets, which is aiortc's public way to bring one's own encoder.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Any

import av
from aiortc import (
    InvalidAccessError,
    InvalidStateError,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import OperationError
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.sdp import SessionDescription

from app.adapters import ice
from app.adapters.opus import FRAME, RATE_HZ, Encoder, Pcm
from app.adapters.playout import Playout
from app.core.call import Ended
from app.core.events import MediaIs, Source
from app.core.realtime import CHANNEL

GRACE_S = 5.0
"""Nothing heard for so long: the other side is gone. RTCP alone comes every 1.5 s."""

CLOSE_WITHIN_S = 2.0
_BUFFER = "_RTCRtpReceiver__jitter_buffer"
_FMTP = "minptime=10;useinbandfec=1"
_TIME_BASE = Fraction(1, RATE_HZ)

UNFIT_ANSWER = (
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


class _Track(MediaStreamTrack):
    """The microphone's frames as Opus packets, in the time they come."""

    kind = "audio"

    def __init__(self, frame: Callable[[], Awaitable[Pcm]]) -> None:
        super().__init__()
        self._frame = frame
        self._encoder = Encoder()
        self._samples = 0

    async def recv(self) -> Any:
        pcm = await self._frame()
        if self.readyState != "live":
            raise MediaStreamError
        packet = av.Packet(self._encoder.encode(pcm))
        packet.pts, packet.time_base = self._samples, _TIME_BASE
        self._samples += FRAME
        return packet


class _Tap:
    """In the place of aiortc's jitter buffer: passes packets on, never has a frame."""

    def __init__(self, playout: Playout, heard: Callable[[], None]) -> None:
        self._playout = playout
        self._heard = heard

    def add(self, packet: Any) -> tuple[bool, None]:
        self._heard()
        at = time.monotonic()
        self._playout.arrived(packet.sequence_number, packet.timestamp, packet.payload, at)
        return False, None


class Peer:
    """One peer on the running loop. `opened` and `text` are called for the data channel.

    `ended` is a future that holds the first reason to end; whoever waits for it calls `close`.
    """

    def __init__(
        self,
        frame: Callable[[], Awaitable[Pcm]],
        playout: Playout,
        *,
        opened: Callable[[], None],
        text: Callable[[str], None],
    ) -> None:
        """`frame` gives the microphone's next 20 ms when they are due."""
        ice.prepare()
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Ended] = self._loop.create_future()
        self.first_packet_at: float | None = None
        self._opened, self._text = opened, text
        self._playout = playout
        self._is_up = False
        self._media = MediaFigures()
        # No STUN: the service has a public address, and gathering would cost 47 ms to 5 s.
        # One transport for both: the service bundles, so a second one would be opened for nothing.
        self._connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._connection.on("connectionstatechange", self._state_changed)
        # The track before the channel: the other order never connects with aiortc 1.16.
        self._connection.addTrack(_Track(frame))
        self._channel = self._prepare_media()

    def _prepare_media(self) -> RTCDataChannel:
        transceiver = self._connection.getTransceivers()[0]
        codecs = RTCRtpSender.getCapabilities("audio").codecs
        transceiver.setCodecPreferences([c for c in codecs if c.mimeType.lower() == "audio/opus"])
        assert hasattr(transceiver.receiver, _BUFFER), "aiortc's receiver has changed"
        setattr(transceiver.receiver, _BUFFER, _Tap(self._playout, self._packet_came))
        channel = self._connection.createDataChannel(CHANNEL, ordered=True)
        channel.on("open", self._channel_opened)
        channel.on("message", self._message_came)
        channel.on("close", lambda: self.end(Ended("channel_closed", "the service closed it")))
        return channel

    async def offer(self) -> str:
        """The SDP to send, all candidates in it. Raises OSError without any network."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return with_fec(self._connection.localDescription.sdp)

    async def take(self, sdp: str) -> None:
        """The service's answer. An unfit one ends the peer."""
        try:
            check_answer(sdp)
            await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        except UNFIT_ANSWER as why:
            self.end(Ended("bad_answer", f"the SDP answer cannot be used: {why}"[:200]))

    def send(self, text: str) -> None:
        """One event; a channel that is not open (any more) drops it."""
        if self._channel.readyState == "open":
            self._channel.send(text)

    def end(self, why: Ended) -> None:
        """The first reason counts."""
        if not self.ended.done():
            self.ended.set_result(why)

    async def close(self) -> None:
        """Everything is released when this returns."""
        self.end(Ended("stopped"))
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._connection.close()
        except TimeoutError:
            pass  # a transport that cannot say goodbye; its sockets are closed with the loop
        # aiortc cancels its own tasks without waiting for them; one turn lets them end.
        await asyncio.sleep(0)

    async def watch(self) -> None:
        """Ends the peer when nothing is heard of the other side for `GRACE_S`."""
        heard_at, received = self._loop.time(), -1
        while not self.ended.done():
            await asyncio.sleep(0.5)
            total = _received_bytes(await self._connection.getStats())
            now = self._loop.time()
            if total != received:
                heard_at, received = now, total
            elif self._is_up and now - heard_at > GRACE_S:
                self.end(Ended("peer_lost", f"nothing was heard for {GRACE_S:g} s"))

    async def media(self, at: float) -> MediaIs:
        """Figures since the last call."""
        stats = await self._connection.getStats()
        return self._media.sample(stats, at, self._playout)

    # ---- what aiortc tells

    def _packet_came(self) -> None:
        if self.first_packet_at is None:
            self.first_packet_at = time.monotonic()

    def _channel_opened(self) -> None:
        if not self.ended.done():
            self._opened()

    def _message_came(self, message: str | bytes) -> None:
        if not self.ended.done():
            self._text(message if isinstance(message, str) else message.decode(errors="replace"))

    def _state_changed(self) -> None:
        match self._connection.connectionState:
            case "connected":
                self._is_up = True
            case "failed" | "closed" if self._is_up:
                self.end(Ended("peer_lost", "the connection for sound broke"))
            case "failed" | "closed":
                self.end(Ended("peer_failed", "no way for sound (UDP) was found"))


def with_fec(sdp: str) -> str:
    """`sdp` asking for in-band FEC; aiortc offers Opus without parameters."""
    lines: list[str] = []
    for line in sdp.split("\r\n"):
        lines.append(line)
        if line.startswith("a=rtpmap:") and "opus/48000" in line:
            payload_type = line.removeprefix("a=rtpmap:").split()[0]
            if f"a=fmtp:{payload_type} " not in sdp:
                lines.append(f"a=fmtp:{payload_type} {_FMTP}")
    return "\r\n".join(lines)


def check_answer(sdp: str) -> None:
    """Raises ValueError for what aiortc would only meet in a task of its own, unheard."""
    for media in SessionDescription.parse(sdp).media:
        if media.dtls is None or not media.dtls.fingerprints:
            raise ValueError("a section has no fingerprint")
        if media.ice is None or not (media.ice.usernameFragment and media.ice.password):
            raise ValueError("a section has no ICE credentials")


def _received_bytes(stats: dict[str, Any]) -> int:
    return sum(one.bytesReceived for one in stats.values() if one.type == "transport")


class MediaFigures:
    """aiortc's counters as rates between two samples."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._sent = self._received = self._packets = self._lost = 0

    def sample(self, stats: dict[str, Any], at: float, playout: Playout) -> MediaIs:
        """Rates since the last sample; zero in the first one."""
        by_type = {report.type: report for report in stats.values()}
        transport, inbound = by_type.get("transport"), by_type.get("inbound-rtp")
        echo = by_type.get("remote-inbound-rtp")
        span = at - self._at if self._at is not None else 0.0
        up = down = loss = jitter = rtt = 0
        if transport is not None:
            sent, received = transport.bytesSent, transport.bytesReceived
            if span > 0:
                up = round(8 * (sent - self._sent) / span)
                down = round(8 * (received - self._received) / span)
            self._sent, self._received = sent, received
        if inbound is not None:
            packets = inbound.packetsReceived - self._packets
            lost = max(0, inbound.packetsLost - self._lost)  # late ones make it negative
            self._packets, self._lost = inbound.packetsReceived, inbound.packetsLost
            loss = round(1000 * lost / max(1, packets + lost))
            jitter = round(inbound.jitter / 48)
        if echo is not None and echo.roundTripTime is not None:
            rtt = max(0, round(1000 * echo.roundTripTime))
        self._at = at
        return MediaIs(
            Source.DESKTOP,
            at,
            up_bps=up,
            down_bps=down,
            loss_permille=loss,
            jitter_ms=jitter,
            rtt_ms=rtt,
            underruns=playout.counts.starved,
        )
