"""An installation in words and figures: no widget, only what the bar shall say."""

from __future__ import annotations

from collections import deque

from app.core.events import FlashStage, FlashWrote, Stage
from app.core.language import tr

# Speed is that of the last seconds: an erase stalls it, a part already there makes it absurd.
_SPEED_OVER_S = 3.0


def stage_words(stage: Stage) -> str:
    """A step in the user's words."""
    return {
        Stage.CONNECT: tr("Connecting to the board"),
        Stage.COMPARE: tr("Comparing with what is there"),
        Stage.WRITE: tr("Writing"),
        Stage.VERIFY: tr("Checking what was written"),
        Stage.RESTART: tr("Restarting the board"),
        Stage.PROVE: tr("Installed"),
    }[stage]


class Installation:
    """Fed the events of one installation.

    Attributes:
        stage: the step under way, None before the first.
        share: of the part being written, 0..1; 1 when all is done, None while unknown.
    """

    def __init__(self) -> None:
        self.stage: Stage | None = None
        self.share: float | None = None
        self._text = ""
        self._part = ""
        self._done = self._total = 0
        self._seen: deque[tuple[float, int]] = deque()

    def staged(self, event: FlashStage) -> None:
        if event.stage is Stage.CONNECT and self.stage is not Stage.CONNECT:
            self.__init__()  # type: ignore[misc]  # another one begins
        self.stage, self._text = event.stage, event.text
        self.share = 1.0 if event.stage is Stage.PROVE else None
        if event.stage is Stage.WRITE:
            self._seen.clear()

    def wrote(self, event: FlashWrote) -> None:
        if event.part != self._part:
            self._seen.clear()
        self._part, self._done, self._total = event.part, event.done, event.total
        if self.stage is not Stage.WRITE:
            return
        self.share = event.done / event.total if event.total else None
        self._seen.append((event.at, event.done))
        while len(self._seen) > 2 and event.at - self._seen[0][0] > _SPEED_OVER_S:
            self._seen.popleft()

    @property
    def part(self) -> str:
        return self._part if self.stage is Stage.WRITE else self._text

    @property
    def bytes_per_s(self) -> float | None:
        if len(self._seen) < 2:
            return None
        (begin, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) / (end - begin) if end > begin and last > first else None

    @property
    def figures(self) -> str:
        """Bytes, speed and time left: "312 of 512 kB · 92 kB/s · 3 s left"."""
        if self.stage is not Stage.WRITE or not self._total:
            return ""
        parts = [tr("{done} of {total} kB", done=self._done // 1024, total=self._total // 1024)]
        speed = self.bytes_per_s
        if speed:
            parts.append(tr("{speed} kB/s", speed=f"{speed / 1024:,.0f}"))
            left = (self._total - self._done) / speed
            if left >= 1:
                parts.append(tr("{seconds} s left", seconds=round(left)))
        return " · ".join(parts)
