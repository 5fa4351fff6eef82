"""The SDP answer in the shape the real service sends (recorded in January and August 2026): one
sha-256 fingerprint at session level, candidates only in the first (audio) section and with their
`ufrag`, `a=ice-lite`, a data channel of 2^30-1 bytes. A client proven against aiortc's own, much
more talkative answer would prove little.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from app.sim.service.ice import NOWHERE

MAX_MESSAGE_BYTES = 1_073_741_823
CNAME = "realtimeapi"
AUDIO_CODECS = ("opus", "pcmu", "pcma")

_DROPPED = ("fingerprint", "candidate", "end-of-candidates", "rtcp", "sctpmap", "msid")
"""Attributes that are written anew or not at all; `rtcp` is RTCP's port, unused with rtcp-mux."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer looks like; the defaults are the real service's."""

    ice_lite: bool = True
    ufrag: bool = True
    """Candidates end in `ufrag …`."""

    twice: bool = False
    """Candidates in every section, not only in the first."""

    tcp: bool = False
    """A passive TCP candidate beside each UDP one; nobody listens there."""

    credentials: bool = True
    advertise: str = ""
    """The address in every candidate, for a service behind NAT."""

    nowhere: bool = False
    """Candidates lead to the discard port."""


def shape_under(fault: str, *, ice_lite: bool, advertise: str) -> Shape:
    return Shape(
        ice_lite=ice_lite and fault != "no_ice_lite",
        ufrag=fault != "no_ufrag",
        twice=fault == "candidates_twice",
        tcp=fault == "tcp_candidates",
        credentials=fault != "bad_sdp",
        advertise=advertise,
        nowhere=fault == "no_ice",
    )


@dataclass(slots=True)
class _Section:
    """One m= section: its head line and attribute lines without `a=`."""

    head: str
    attributes: list[str] = field(default_factory=list)

    def value(self, name: str) -> str:
        return next((line.partition(":")[2] for line in self.attributes if _name(line) == name), "")


def real_shape(sdp: str, shape: Shape) -> str:
    """aiortc's answer rewritten; lines end in CRLF, the last one too."""
    session, sections = _parsed(sdp)
    fingerprints = [
        line
        for section in sections
        for line in section.attributes
        if line.lower().startswith("fingerprint:sha-256 ")
    ]
    group = next(line for line in session if line.startswith("a=group:"))
    lines = [
        "v=0",
        f"o=- {secrets.randbits(62)} {int(time.time())} IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=msid-semantic:WMS *",
        f"a={fingerprints[0]}",
        *(["a=ice-lite"] if shape.ice_lite else []),
        "a=extmap-allow-mixed",
        group,
    ]
    for index, section in enumerate(sections):
        audio = section.head.startswith("m=audio")
        lines += _audio(section) if audio else _data(section)
        if index == 0 or shape.twice:
            lines += _candidates(section if section.value("candidate") else sections[0], shape)
    if not shape.credentials:
        lines = [line for line in lines if not line.startswith("a=ice-")]
    return "\r\n".join(lines) + "\r\n"


def _parsed(sdp: str) -> tuple[list[str], list[_Section]]:
    session: list[str] = []
    sections: list[_Section] = []
    for line in sdp.splitlines():
        if line.startswith("m="):
            sections.append(_Section(line))
        elif not sections:
            session.append(line)
        elif line.startswith("a="):
            sections[-1].attributes.append(line[2:])
    return session, sections


def _name(attribute: str) -> str:
    return attribute.partition(":")[0]


def _audio(section: _Section) -> list[str]:
    names = {
        int(number): name.partition("/")[0].lower()
        for number, _, name in (
            line.partition(":")[2].partition(" ")
            for line in section.attributes
            if _name(line) == "rtpmap"
        )
    }
    kept = [number for number, name in names.items() if name in AUDIO_CODECS]
    lines = [
        f"m=audio 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, kept))}",
        "c=IN IP4 0.0.0.0",
        *(f"a={line}" for line in section.attributes if _stays(line, set(names) - set(kept))),
    ]
    lines += [f"a=fmtp:{n} minptime=10;useinbandfec=1" for n in kept if names[n] == "opus"]
    if "rtcp-rsize" not in section.attributes:
        lines.append("a=rtcp-rsize")
    ssrc = section.value("ssrc").partition(" ")[0]
    if ssrc:
        lines.append(f"a=ssrc:{ssrc} cname:{CNAME}")
    return [*lines, f"a=msid:{CNAME} audio"]


def _stays(line: str, dropped_formats: set[int]) -> bool:
    name = _name(line)
    if name in (*_DROPPED, "ssrc"):
        return False
    if name in ("rtpmap", "fmtp", "rtcp-fb"):
        first = line.partition(":")[2].partition(" ")[0]
        return not (first.isdigit() and int(first) in dropped_formats)
    return True


def _data(section: _Section) -> list[str]:
    return [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        *(
            f"a={line}"
            for line in section.attributes
            if _name(line) not in (*_DROPPED, "max-message-size")
        ),
        f"a=max-message-size:{MAX_MESSAGE_BYTES}",
    ]


TCP_PRIORITY, TCP_PORT = 1_671_430_143, 443


def _candidates(section: _Section, shape: Shape) -> list[str]:
    end = f" ufrag {section.value('ice-ufrag')}" if shape.ufrag else ""
    lines: list[str] = []
    for line in section.attributes:
        if _name(line) != "candidate":
            continue
        foundation, component, _, priority, host, port, *rest = line.split()
        host = shape.advertise or host
        if shape.nowhere:
            host, port = NOWHERE[0], str(NOWHERE[1])
        udp = [foundation, component, "udp", priority, host, port, *rest]
        lines.append(f"a={' '.join(udp)}{end}")
        if shape.tcp:
            lines.append(
                f"a={foundation} {component} tcp {TCP_PRIORITY} {host} {TCP_PORT} typ host "
                f"tcptype passive{end}"
            )
    return lines
