"""DTR and RTS as the board understands them: which of their moves reset the chip, and into what.

Two circuits, one interface. `True` means asserted, which pulls the pin low. Time comes in, steps
come out; the owner asks `settle` once `settles_s` has passed without another move.

Bridge (ESP32-S3-Korvo-2): two transistors. RTS alone pulls EN low, DTR alone pulls IO0 low, both
together pull nothing. EN has a capacitor, which is why a tool may step through "both" on its way
from reset to IO0 low. On the desk it holds for about 10 ms; here it holds long enough for a busy
computer and for RFC 2217, where a step takes 50 ms.

USB (AtomS3R): the USB-Serial-JTAG block in the chip. DTR alone arms the loader, neither disarms
it, RTS alone resets, both together do nothing (ESP32-S3 TRM, USB Serial/JTAG).

One departure: esptool's `usb-reset` also leads a bridge board into the loader. It is the only
sequence that esptool 5.6 plays at once on a port without a file descriptor, so on `sim://`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

CAPACITOR_S = 0.25
PULLED_S = 0.05
"""IO0 low for less than this is a port being opened, not a tool at work."""


class Step(Enum):
    """What the chip does."""

    HELD = auto()
    FLASH = auto()
    LOADER = auto()


class ResetLines(Protocol):
    """State of both lines and of the chip's reset."""

    settles_s: float | None

    def move(self, dtr: bool, rts: bool, at_s: float) -> Step | None:
        """Both lines have these states since `at_s` (any monotonic clock)."""

    def settle(self) -> Step | None:
        """`settles_s` have passed since the last move."""


class Bridge:
    """EN and IO0 behind two transistors."""

    def __init__(self) -> None:
        self.settles_s: float | None = None
        self._lines = (False, False)
        self._since_s = 0.0
        self._held = False
        self._pulled_s = 0.0
        self._usb_sequence = False

    def move(self, dtr: bool, rts: bool, at_s: float) -> Step | None:
        was, lasted_s = self._lines, at_s - self._since_s
        if was == (dtr, rts):
            return None
        self._lines, self._since_s, self.settles_s = (dtr, rts), at_s, None
        match dtr, rts:
            case False, True:
                self._usb_sequence = (
                    was == (True, True)
                    and lasted_s <= CAPACITOR_S
                    and self._pulled_s >= PULLED_S
                    and not self._held
                )
                self._held = True
                return Step.HELD
            case True, True:
                self._pulled_s = lasted_s if was == (True, False) else 0.0
                self.settles_s = CAPACITOR_S if self._held else None
                return None
            case _:
                return self._release(loader=dtr or self._usb_sequence)

    def settle(self) -> Step | None:
        return self._release(loader=False) if self._lines == (True, True) else None

    def _release(self, *, loader: bool) -> Step | None:
        held, self._held, self.settles_s = self._held, False, None
        if not held:
            return None
        return Step.LOADER if loader else Step.FLASH


class UsbSerialJtag:
    """The same lines as requests to the chip's own USB block."""

    settles_s: float | None = None

    def __init__(self) -> None:
        self._lines = (False, False)
        self._armed = False
        self._held: Step | None = None

    def move(self, dtr: bool, rts: bool, at_s: float) -> Step | None:
        if self._lines == (dtr, rts):
            return None
        self._lines = (dtr, rts)
        match dtr, rts:
            case False, True:
                self._held = Step.LOADER if self._armed else Step.FLASH
                return Step.HELD
            case True, True:
                return None
            case _:
                self._armed = dtr
                start, self._held = self._held, None
                return start

    def settle(self) -> Step | None:
        return None
