"""`idle_timeout_ms` of server_vad: nobody has spoken since the last answer was heard to its end, so
the silence itself is committed and answered.

The time counts from output_audio_buffer.stopped (from response.done for an answer without sound).
Anything that begins stops it: speech, another response.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

STOPS = frozenset({"input_audio_buffer.speech_started", "response.created"})


class Idle:
    """Watches the events of one call. `passed` gets the position in ms where the silence began."""

    def __init__(self, now_ms: Callable[[], int], passed: Callable[[int], None]) -> None:
        self._now_ms, self._passed = now_ms, passed
        self._timer: asyncio.TimerHandle | None = None
        self._sounding = False

    def saw(self, event: Json, timeout_ms: int | None) -> None:
        """Every server event; `timeout_ms` is what the session says now, None for never."""
        kind = event["type"]
        if kind in STOPS or timeout_ms is None:
            self.stop()
        if kind == "output_audio_buffer.started":
            self._sounding = True
        elif kind in ("output_audio_buffer.stopped", "output_audio_buffer.cleared"):
            self._sounding = False
        elif kind != "response.done" or _has_sound(event):
            return
        if timeout_ms is not None and not self._sounding and kind != "output_audio_buffer.cleared":
            self._begin(timeout_ms)

    def _begin(self, timeout_ms: int) -> None:
        self.stop()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(timeout_ms / 1000, self._passed, self._now_ms())

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _has_sound(done: Json) -> bool:
    parts = [part for item in done["response"]["output"] for part in item.get("content", ())]
    return any(part["type"] == "output_audio" for part in parts)
