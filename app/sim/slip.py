"""SLIP (RFC 1055): frames out of bytes and back. Sans-IO, bounded, and silent about noise."""

from __future__ import annotations

from collections.abc import Iterator

END, ESCAPE = b"\xc0", b"\xdb"
FRAME_LIMIT_BYTES = 0x8100
"""The largest command is 16 KiB of data with 24 bytes before it, every byte escaped; longer frames
are noise."""


class Slip:
    """Frames out of bytes (RFC 1055). Anything between two END bytes is a candidate."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._too_long = False

    def receive(self, data: bytes) -> Iterator[bytes]:
        *closed, rest = data.split(END)
        for piece in closed:
            self._extend(piece)
            frame, too_long = bytes(self._pending), self._too_long
            self._pending.clear()
            self._too_long = False
            if frame and not too_long and (plain := unescape(frame)) is not None:
                yield plain
        self._extend(rest)

    def _extend(self, piece: bytes) -> None:
        if self._too_long or len(self._pending) + len(piece) > FRAME_LIMIT_BYTES:
            self._too_long = True
            self._pending.clear()
        else:
            self._pending += piece


def escape(frame: bytes) -> bytes:
    return END + frame.replace(ESCAPE, b"\xdb\xdd").replace(END, b"\xdb\xdc") + END


def unescape(frame: bytes) -> bytes | None:
    """The frame's bytes, or None when an escape is broken."""
    head, *rest = frame.split(ESCAPE)
    plain = bytearray(head)
    for piece in rest:
        match piece[:1]:
            case b"\xdc":
                plain += END
            case b"\xdd":
                plain += ESCAPE
            case _:
                return None
        plain += piece[1:]
    return bytes(plain)
