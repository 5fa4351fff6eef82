"""Every code the wire names has its own words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.core.events import SessionIs, SessionState, Source, WifiIs
from app.core.session_text import fault_of, sentence, session_words, wifi_fault_of

WIRE = Path(__file__).parents[2] / "firmware" / "components" / "parley_core" / "README.md"
TABLE = WIRE.read_text(encoding="utf-8").split("`code` of a `session`")[1].split("`reason`")[0]
CODES = [
    code
    for row in re.findall(r"^\| (`.*?) \|", TABLE, re.MULTILINE)
    for code in re.findall(r"`(\w+)`", row)
    if code != "code"
]
WIFI_CODES = ("bad_password", "not_found", "lost", "refused")


def session(state: SessionState, code: str = "", reason: str = "", retry_ms: int = 0) -> SessionIs:
    return SessionIs(Source.BOARD, 1.0, state, code, reason, "", retry_ms)


def test_the_wire_names_the_codes_we_know():
    assert {"stopped", "no_quota", "token_timeout", "tls"} <= set(CODES)
    assert len(CODES) == 20


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_words(code):
    what, remedy = session_words(code)
    assert "(" not in what, "the words for codes we do not know"
    assert what.endswith(".")
    assert remedy.endswith(".")
    assert "!" not in what + remedy
    told = session(SessionState.IDLE, code, "HTTP 401")
    fault = fault_of(told)
    if code == "stopped":
        assert fault is None
        assert sentence(told) == "Ready to start."
    else:
        assert fault is not None
        assert (fault.what, fault.remedy) == (what, remedy)
        assert fault.detail == f"{code}: HTTP 401"
        assert sentence(told) == what


def test_the_key_was_refused():
    fault = fault_of(session(SessionState.IDLE, "unauthorized"))
    assert str(fault) == "The service did not accept the key. Check the key, then start again."


def test_the_board_tries_again_by_itself():
    fault = fault_of(session(SessionState.WAITING, "timeout", retry_ms=4001))
    assert fault is not None
    assert fault.remedy == "The board tries again in 5 s by itself."
    assert fault.detail == "timeout"


def test_an_unknown_code():
    assert sentence(session(SessionState.IDLE, "eclipse")) == "The conversation ended (eclipse)."


@pytest.mark.parametrize("state", SessionState)
def test_every_state_has_words(state):
    assert sentence(session(state)).endswith(".")
    assert fault_of(session(state)) is None


@pytest.mark.parametrize("code", [*WIFI_CODES, "moonlight"])
def test_wifi_codes(code):
    told = WifiIs(1.0, "waiting", "Home", code=code, reason="202")
    fault = wifi_fault_of(told)
    assert fault is not None
    assert sentence(told) == fault.what
    assert fault.detail == f"Home: {code} 202"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("up", "Wi-Fi: Home"),
        ("joining", "Joining Home."),
        ("waiting", "Waiting for Home."),
        ("off", "Wi-Fi is off."),
    ],
)
def test_wifi_states(state, words):
    assert sentence(WifiIs(1.0, state, "Home")) == words
    assert wifi_fault_of(WifiIs(1.0, state, "Home")) is None
