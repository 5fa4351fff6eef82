"""The law of a call at the desk: states, moves and codes as tables, and when it is tried again.

The states are the board's (parley_core, states.c), so that views need not know whose call it is.
`token` is asking for the key (a password store may prompt), `offer` making the offer and waiting
for its answer. What is not in the table does not happen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto

from app.core.events import SessionState

TOKEN, OFFER, CONNECTING = SessionState.TOKEN, SessionState.OFFER, SessionState.CONNECTING
IDLE, LIVE, CLOSING = SessionState.IDLE, SessionState.LIVE, SessionState.CLOSING
WAITING = SessionState.WAITING


class Move(StrEnum):
    """What moves a call."""

    BEGIN = auto()
    HAVE_KEY = auto()
    HAVE_ANSWER = auto()
    CHANNEL_OPEN = auto()
    END = auto()  # for whatever reason
    DOWN = auto()  # everything is closed, and that was all
    PAUSE = auto()  # everything is closed, and it will be tried again


NEXT: dict[tuple[SessionState, Move], SessionState] = {
    (IDLE, Move.BEGIN): TOKEN,
    (WAITING, Move.BEGIN): TOKEN,
    (WAITING, Move.END): CLOSING,
    (TOKEN, Move.HAVE_KEY): OFFER,
    (OFFER, Move.HAVE_ANSWER): CONNECTING,
    (CONNECTING, Move.CHANNEL_OPEN): LIVE,
    (TOKEN, Move.END): CLOSING,
    (OFFER, Move.END): CLOSING,
    (CONNECTING, Move.END): CLOSING,
    (LIVE, Move.END): CLOSING,
    (CLOSING, Move.DOWN): IDLE,
    (CLOSING, Move.PAUSE): WAITING,
}

CONNECT_WITHIN_S = 15.0
SHOWN_WITHIN_S = 5.0
"""The channel is open and no session.created comes: nothing will be heard right."""

REPAIRED = frozenset(
    {
        "rate_limited",
        "server_error",
        "timeout",
        "unreachable",
        "peer_failed",
        "peer_lost",
        "channel_closed",
        "expired",
    }
)
"""Codes that trying again can help, once the call had been live."""

STEADY_S = 10.0
"""Live for so long: the next pause is short again."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
USUAL_LIFE_S = 3600.0
LEAST_LIFE_S = 10.0


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a call ended: code of the wire's table, and the detail."""

    code: str
    reason: str = ""


class CallLaw:
    """The state of one call over all its tries. `at` is monotonic seconds."""

    def __init__(self) -> None:
        self.state = IDLE
        self._was_live = False
        self._live_since: float | None = None
        self._attempts = 0

    def move(self, move: Move) -> bool:
        """Whether the state changed."""
        following = NEXT.get((self.state, move))
        if following is None:
            return False
        if self.state is IDLE:
            self._was_live, self._attempts = False, 0
        self.state = following
        return True

    @property
    def is_first(self) -> bool:
        """Nobody has been greeted yet."""
        return not self._was_live

    def live(self, at: float) -> None:
        self._was_live, self._live_since = True, at

    def pause_s(self, why: Ended, at: float, chance: float) -> float | None:
        """Seconds until the next try, None when there is none; asked once for each end.

        Repaired is only what had been live: a first try that fails is for people to look at.
        `chance`, 0 to 1, keeps many callers from coming back at the same moment.
        """
        steady = self._live_since is not None and at - self._live_since >= STEADY_S
        self._live_since = None
        if not self._was_live or why.code not in REPAIRED:
            return None
        if steady:
            self._attempts = 0
        attempt, self._attempts = self._attempts, self._attempts + 1
        if why.code == "expired" and attempt == 0:
            return 0.0  # an expiry is no failure; one after the other is
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempt, 10))
        return pause_s * (0.75 + 0.5 * chance)


def roll_over(live_at: float, life_s: float | None) -> tuple[float, float]:
    """When a session is handed over to the next one: at a quiet moment from, and at the latest.

    `life_s`: how long it lasts from `live_at` on, as the service tells it; None: unknown.
    """
    usual = USUAL_LIFE_S
    life = life_s if life_s is not None and LEAST_LIFE_S <= life_s < usual else usual
    return live_at + life - life / 12, live_at + life - life / 24
