"""The law of a call at the desk."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import call_text
from app.core.call import NEXT, REPAIRED, CallLaw, Ended, Move, roll_over
from app.core.events import SessionIs, SessionState, Source
from app.core.session_text import fault_of

ROAD = (Move.BEGIN, Move.HAVE_KEY, Move.HAVE_ANSWER, Move.CHANNEL_OPEN)


def live(law: CallLaw, at: float) -> CallLaw:
    assert all(law.move(move) for move in ROAD)
    law.live(at)
    return law


def test_the_whole_road_and_back() -> None:
    law = live(CallLaw(), 10.0)
    assert law.state is SessionState.LIVE
    assert not law.is_first
    assert law.move(Move.END)
    assert law.pause_s(Ended("stopped"), 20.0, 0.5) is None
    assert law.move(Move.DOWN)
    assert law.state is SessionState.IDLE


@given(st.lists(st.sampled_from(list(Move)), max_size=30))
@settings(max_examples=40, deadline=None, database=None, derandomize=True)
def test_only_moves_of_the_table_happen(moves) -> None:
    law = CallLaw()
    for move in moves:
        before = law.state
        assert law.move(move) == ((before, move) in NEXT)
        assert law.state == NEXT.get((before, move), before)


def test_every_state_but_rest_can_end() -> None:
    for state in set(SessionState) - {SessionState.IDLE, SessionState.CLOSING}:
        assert (state, Move.END) in NEXT


def test_a_first_try_that_fails_is_for_people() -> None:
    law = CallLaw()
    law.move(Move.BEGIN)
    law.move(Move.END)
    assert law.pause_s(Ended("unreachable"), 1.0, 0.5) is None


def test_pauses_grow_and_are_short_again_after_steady_talk() -> None:
    law, pauses = live(CallLaw(), 0.0), []
    for turn in range(8):
        law.move(Move.END)
        pauses.append(law.pause_s(Ended("peer_lost"), turn, 0.5))
        law.move(Move.PAUSE)
        live(law, turn)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    law.move(Move.END)
    assert law.pause_s(Ended("peer_lost"), 1000.0, 0.0) == 0.75


def test_an_expiry_goes_on_at_once() -> None:
    law = live(CallLaw(), 0.0)
    law.move(Move.END)
    assert law.pause_s(Ended("expired"), 3000.0, 0.9) == 0.0


@pytest.mark.parametrize("code", ["unauthorized", "no_quota", "stopped", "bad_answer", "tls"])
def test_what_cannot_help_is_not_repeated(code: str) -> None:
    law = live(CallLaw(), 0.0)
    law.move(Move.END)
    assert law.pause_s(Ended(code), 100.0, 0.5) is None
    assert code not in REPAIRED


def test_the_session_is_handed_over_before_its_end() -> None:
    begin, latest = roll_over(100.0, 3600.0)
    assert 100 + 3200 < begin < latest < 100 + 3600
    assert roll_over(100.0, None) == (begin, latest)
    begin, latest = roll_over(0.0, 60.0)
    assert 50 < begin < latest < 60


def test_codes_are_told_without_a_board_in_them() -> None:
    for code in call_text.texts():
        fault = fault_of(SessionIs(Source.DESKTOP, 1.0, SessionState.IDLE, code, "detail"))
        assert fault is not None
        assert "board" not in str(fault)
    waiting = SessionIs(Source.DESKTOP, 1.0, SessionState.WAITING, "peer_lost", "", "", 1500)
    assert "2 s" in str(fault_of(waiting))
    assert "The board" not in str(fault_of(waiting))
