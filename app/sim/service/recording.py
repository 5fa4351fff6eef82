"""Recordings of calls: one file a call, one JSON object a line, and their replay to a client.

The first line tells the format; from the second on it is the events in the order they passed:

    {"format": "parley-call", "version": 1, "call": "rtc_…", "started": "2026-11-22T18:00:00Z"}
    {"ms": 102, "from": "server", "event": {"type": "session.created", …}}
    {"ms": 131, "from": "client", "event": {…}}
    {"ms": 9120, "from": "call", "state": "ended", "reason": "channel_closed"}

`ms` counts from the first line. `from` is server, client, sideband or call. What is no JSON object
is kept as `"garbled": "…"`. There is no key in a recording (fields that carry one are emptied, and
anything that looks like one is blanked) and no sound (`audio` is empty, `audio_bytes` its length).
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from app.sim.chip import Pcm
from app.sim.service.voice import Voice

Json = dict[str, Any]

FORMAT, VERSION = "parley-call", 1
SUFFIX = ".jsonl"
GARBLED_CHARS = 200
SESSION_S = 3_600
SECRET_FIELDS = frozenset({"authorization", "headers", "api_key", "client_secret"})
SOUND_FIELDS = frozenset({"audio", "image_url"})
_KEY = re.compile(r"\b(?:sk|ek|rk)[-_][A-Za-z0-9_-]{6,}")


class Recorder:
    """Writes one call into a new file of `folder`. `heard` is a `call.Listener`: the call's end
    is the last line and closes the file.
    """

    def __init__(self, folder: Path, call_id: str) -> None:
        """Raises OSError when the file cannot be made."""
        folder.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC)
        self.file = folder / f"{now:%Y%m%d-%H%M%S}-{call_id}{SUFFIX}"
        self._began = time.monotonic()
        # A line at a time, so that a recording is of use while its call goes on.
        self._out: TextIO | None = self.file.open("x", encoding="utf-8", buffering=1)
        self._write(
            {"format": FORMAT, "version": VERSION, "call": call_id, "started": f"{now:%FT%TZ}"}
        )

    def heard(self, origin: str, text: str) -> None:
        if origin == "call":
            self._close(text)
            return
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            event = None
        if isinstance(event, dict):
            self._line(origin, event=without_secrets(event))
        else:
            self._line(origin, garbled=_KEY.sub("•••", text[:GARBLED_CHARS]))

    def _close(self, reason: str) -> None:
        self._line("call", state="ended", reason=reason)
        if self._out is not None:
            self._out.close()
            self._out = None

    def _line(self, origin: str, **what: Any) -> None:
        at_ms = round((time.monotonic() - self._began) * 1000)
        self._write({"ms": at_ms, "from": origin, **what})

    def _write(self, entry: Json) -> None:
        if self._out is None:
            return
        try:
            self._out.write(json.dumps(entry, ensure_ascii=False) + "\n")
        except OSError:  # the disk is full: what there is stays, and the call goes on
            with suppress(OSError):
                self._out.close()
            self._out = None


def without_secrets(value: Any) -> Any:
    """A copy without keys and sound."""
    match value:
        case dict():
            pairs = (pair for name, entry in value.items() for pair in _kept(name, entry))
            return {name: without_secrets(entry) for name, entry in pairs}
        case list():
            return [without_secrets(entry) for entry in value]
        case str():
            return _KEY.sub("•••", value)
    return value


def _kept(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if name in SECRET_FIELDS and value is not None:
        yield name, "" if isinstance(value, str) else {}
    elif name in SOUND_FIELDS and isinstance(value, str):
        yield name, ""
        yield f"{name}_bytes", len(value) * 3 // 4
    else:
        yield name, value


@dataclass(frozen=True, slots=True)
class Recording:
    """The server's side of a recorded call: (milliseconds, event), in order."""

    call_id: str
    events: tuple[tuple[int, Json], ...]

    @classmethod
    def read(cls, file: Path) -> Recording:
        """Raises OSError, and ValueError (with the line's number) for what is no recording."""
        first, *rest = file.read_text("utf-8").splitlines() or [""]
        head = _object(first, 1)
        if head.get("format") != FORMAT or head.get("version") != VERSION:
            raise ValueError(f"{file.name} is no recording of version {VERSION}")
        events: list[tuple[int, Json]] = []
        for number, line in enumerate(rest, 2):
            entry = _object(line, number)
            if entry.get("from") == "server":
                events.append((int(entry["ms"]), _playable(entry["event"])))
        return cls(str(head.get("call", "")), tuple(events))


def _object(line: str, number: int) -> Json:
    try:
        found = json.loads(line)
    except ValueError as why:
        raise ValueError(f"line {number} is no JSON: {why}") from why
    if not isinstance(found, dict):
        raise ValueError(f"line {number} is no object")
    return found


def _playable(value: Any) -> Any:
    """Without the lengths that `_kept` put in: a client should see only what the API has."""
    match value:
        case dict():
            added = {f"{name}_bytes" for name in SOUND_FIELDS}
            return {name: _playable(entry) for name, entry in value.items() if name not in added}
        case list():
            return [_playable(entry) for entry in value]
    return value


def _of_today(event: Json) -> Json:
    """A recorded session ended long ago; the client's would end at once with it."""
    session = event.get("session")
    if not isinstance(session, dict) or "expires_at" not in session:
        return event
    return {**event, "session": {**session, "expires_at": int(time.time()) + SESSION_S}}


class Replay:
    """Plays a recording in place of a dialogue: its server's events at their times, counted from
    the first of them, and silence for sound. What the client says is heard and not answered.
    """

    def __init__(self, recording: Recording, send: Callable[[Json], None]) -> None:
        self._recording, self._send = recording, send
        self._player: asyncio.Task[None] | None = None
        self.voice = Voice(started=lambda _: None, stopped=lambda _: None)

    def open(self) -> None:
        self._player = asyncio.get_running_loop().create_task(self._play())

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        events = self._recording.events
        began = loop.time() - (events[0][0] / 1000 if events else 0)
        for at_ms, event in events:
            await asyncio.sleep(began + at_ms / 1000 - loop.time())
            self._send(_of_today(event))

    def receive(self, text: str | bytes) -> None:
        """Not answered: the answers are in the recording."""

    def hear(self, frame: Pcm) -> None:
        """Not heard."""

    def expire(self, limit_s: float) -> None:
        """The recording has its own end."""

    async def close(self) -> None:
        self._send = lambda event: None
        if self._player is not None:
            self._player.cancel()
            await asyncio.gather(self._player, return_exceptions=True)
        self.voice.stop()
