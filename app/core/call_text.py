"""Codes of a call at the desk, in the user's words; what is not here is said as for a board."""

from __future__ import annotations

from app.core.language import tr


def texts() -> dict[str, tuple[str, str]]:
    """Code → what happened, what to do."""
    again = tr("Start again.")
    return {
        "no_key": (
            tr("There is no API key yet."),
            tr("Give Parley your key, or talk with the local service first."),
        ),
        "bad_answer": (
            tr("The service answered in a way Parley does not understand."),
            tr("Check the service address, then start again."),
        ),
        "unreachable": (
            tr("The service cannot be reached."),
            tr("Check the internet connection and the service address, then start again."),
        ),
        "tls": (
            tr("The service's certificate is not trusted."),
            tr("Check the service address and this computer's clock, then start again."),
        ),
        "peer_failed": (
            tr("The voice connection could not be made."),
            tr("Your network may block it (UDP). Try another network, then start again."),
        ),
        "peer_lost": (
            tr("The voice connection was lost."),
            tr("Check the internet connection, then start again."),
        ),
        "no_session": (tr("The service opened the call and then said nothing."), again),
        "sound": (
            tr("The microphone or the speaker cannot be used."),
            tr("Check that it is plugged in and allowed, or choose another one."),
        ),
    }


def again_in(seconds: int) -> str:
    return tr("Trying again in {seconds} s.", seconds=seconds)
