"""The rate limits a client is told about: a project's requests and tokens per minute, which fill up
again steadily. They are told and never enforced; being refused is a fault one can ask for.
"""

from __future__ import annotations

import time
from typing import Any

PER_MINUTE = {"requests": 400, "tokens": 200_000}
"""An example of the API's own tiers."""


class RateLimits:
    """What one call has left."""

    def __init__(self) -> None:
        self._left: dict[str, float] = dict(PER_MINUTE)
        self._at = time.monotonic()

    def spent(self, tokens: int) -> list[dict[str, Any]]:
        """After one more response: the list of `rate_limits.updated`."""
        now = time.monotonic()
        passed_s, self._at = now - self._at, now
        told = []
        for name, spent in (("requests", 1), ("tokens", tokens)):
            limit = PER_MINUTE[name]
            refilled = min(limit, self._left[name] + passed_s * limit / 60)
            self._left[name] = max(0.0, refilled - spent)
            missing = limit - self._left[name]
            told.append(
                {
                    "name": name,
                    "limit": limit,
                    "remaining": int(self._left[name]),
                    "reset_seconds": round(missing * 60 / limit, 3),
                }
            )
        return told
