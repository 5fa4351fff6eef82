"""The time of day of an event: `at` is monotonic, people and files want the clock on the wall."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

_LATEST = 253_402_214_400.0  # the last day of the year 9999 anywhere


@dataclass(frozen=True, slots=True)
class WallClock:
    """`epoch_s`: seconds since 1970 when `at` was 0; `zone` None: this computer's."""

    epoch_s: float = 0.0
    zone: tzinfo | None = None

    def moment(self, at: float) -> datetime:
        """When `at` was; the nearest possible date for a time that cannot be."""
        seconds = min(max(self.epoch_s + at, 0.0), _LATEST)
        return datetime.fromtimestamp(seconds if seconds == seconds else 0.0, self.zone)

    def time(self, at: float) -> str:
        """Hours, minutes, seconds: `14:03:07`."""
        return self.moment(at).strftime("%H:%M:%S")

    def fine_time(self, at: float) -> str:
        """With milliseconds: `14:03:07.125`."""
        return self.moment(at).isoformat(timespec="milliseconds")[11:23]

    def stamp(self, at: float) -> str:
        """Date, time and zone as ISO 8601 has them."""
        return self.moment(at).astimezone(self.zone).isoformat(timespec="milliseconds")
