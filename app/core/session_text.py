"""Codes of the board's `session` and `wifi` records, in the user's words."""

from __future__ import annotations

from app.core import call_text
from app.core.events import SessionIs, SessionState, Source, WifiIs
from app.core.faults import Fault
from app.core.language import tr

RESTARTED = "restarted"
"""Our own code for a conversation that a reset of the board ended; no record tells it."""

_FINE = ("", "stopped")


def _session_texts() -> dict[str, tuple[str, str]]:
    """Code → what happened, what to do."""
    again = tr("Start again.")
    later = tr("Wait a moment, then start again.")
    service = tr("The service answered in a way the board does not understand.")
    return {
        "stopped": (tr("The conversation was ended."), again),
        "no_wifi": (
            tr("The board has no Wi-Fi to join."),
            tr("Give it a Wi-Fi name and password, then start again."),
        ),
        "no_key": (tr("The board has no key."), tr("Give it an API key, then start again.")),
        "bad_base_url": (
            tr("The service address cannot be used."),
            tr("Check the address; it starts with https, then start again."),
        ),
        "unauthorized": (
            tr("The service did not accept the key."),
            tr("Check the key, then start again."),
        ),
        "forbidden": (
            tr("The service does not allow this with your key."),
            tr("Check what your account may use, then start again."),
        ),
        "not_found": (
            tr("The service does not know this model or address."),
            tr("Check the model and the service address, then start again."),
        ),
        "no_quota": (
            tr("There is no credit left on the account of this key."),
            tr("Add credit at the service, then start again."),
        ),
        "rate_limited": (tr("The service has too many requests from this key."), later),
        "refused": (
            tr("The service refused the request."),
            tr("Check model, voice and language, then start again."),
        ),
        "server_error": (tr("The service has a problem of its own."), later),
        "bad_answer": (service, tr("Check the service address, then start again.")),
        "timeout": (tr("The service did not answer in time."), later),
        "unreachable": (
            tr("The board cannot reach the service."),
            tr("Check the internet connection and the service address, then start again."),
        ),
        "tls": (
            tr("The board does not trust the service's certificate."),
            tr("Check the service address, then start again."),
        ),
        "peer_failed": (
            tr("The voice connection could not be made."),
            tr("Your network may block it. Try another network, then start again."),
        ),
        "peer_lost": (
            tr("The voice connection was lost."),
            tr("Check the board's Wi-Fi, then start again."),
        ),
        "channel_closed": (tr("The service ended the conversation."), again),
        "expired": (
            tr("The conversation reached the time limit of the service."),
            tr("Start again to go on."),
        ),
        "token_timeout": (
            tr("The board asked this computer for a key and got none."),
            tr("Leave Parley open while the board starts, then start again."),
        ),
        RESTARTED: (tr("The board restarted."), again),
    }


def _wifi_texts() -> dict[str, tuple[str, str]]:
    return {
        "bad_password": (
            tr("The Wi-Fi did not accept the password."),
            tr("Check the password; capitals count."),
        ),
        "not_found": (
            tr("The board does not find the Wi-Fi."),
            tr("Check its name and that it has 2.4 GHz; the board hears no other."),
        ),
        "lost": (
            tr("The board lost the Wi-Fi."),
            tr("It tries again by itself. Move it nearer if this comes back."),
        ),
        "refused": (
            tr("The Wi-Fi refused the board."),
            tr("See in the router whether it lets new devices in."),
        ),
    }


def session_words(code: str) -> tuple[str, str]:
    """What happened and what to do, for the code of a `session` record, known or not."""
    unknown = (tr("The conversation ended ({code}).", code=code), tr("Start again."))
    return _session_texts().get(code, unknown)


def sentence(event: SessionIs | WifiIs) -> str:
    """One line for a status bar: the state, or what went wrong."""
    match event:
        case SessionIs(code=code) if code not in _FINE:
            return session_words(code)[0]
        case SessionIs(state=state):
            return _state_words(state)
        case WifiIs():
            fault = wifi_fault_of(event)
            return fault.what if fault else _wifi_words(event)


def _state_words(state: SessionState) -> str:
    match state:
        case SessionState.IDLE:
            return tr("Ready to start.")
        case SessionState.TOKEN | SessionState.OFFER | SessionState.CONNECTING:
            return tr("Connecting.")
        case SessionState.LIVE:
            return tr("Listening.")
        case SessionState.CLOSING:
            return tr("Ending.")
        case SessionState.WAITING:
            return tr("Trying again soon.")


def _wifi_words(event: WifiIs) -> str:
    match event.state:
        case "up":
            return tr("Wi-Fi: {ssid}", ssid=event.ssid)
        case "joining":
            return tr("Joining {ssid}.", ssid=event.ssid)
        case "waiting":
            return tr("Waiting for {ssid}.", ssid=event.ssid)
        case _:
            return tr("Wi-Fi is off.")


def fault_of(event: SessionIs) -> Fault | None:
    """The message for the user when a conversation failed; None when all is as it should be."""
    if event.code in _FINE:
        return None
    at_desk = event.source is Source.DESKTOP
    own = call_text.texts() if at_desk else {}
    what, remedy = own.get(event.code) or session_words(event.code)
    if event.state is SessionState.WAITING:
        seconds = -(-event.retry_ms // 1000)
        if at_desk:
            return Fault(what, call_text.again_in(seconds), event.reason or event.code)
        remedy = tr("The board tries again in {seconds} s by itself.", seconds=seconds)
    detail = f"{event.code}: {event.reason}" if event.reason else event.code
    return Fault(what, remedy, detail)


def wifi_fault_of(event: WifiIs) -> Fault | None:
    """The message for the user when the board has no Wi-Fi though it should; None otherwise."""
    if not event.code:
        return None
    unknown = (tr("The board cannot join the Wi-Fi."), tr("Check its name and password."))
    what, remedy = _wifi_texts().get(event.code, unknown)
    return Fault(what, remedy, f"{event.ssid}: {event.code} {event.reason}".rstrip())
