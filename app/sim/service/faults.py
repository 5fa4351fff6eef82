"""What can be made to go wrong, by name. A name is set on the running service (`Service.fault`, or
`POST /_control/fault` from this computer), or comes with one call: as the model `fault-NAME`, so
that a client which only has a settings file can ask for it too, or as the request header
`X-Parley-Fault`. `calls-NAME` and `secrets-NAME` limit an HTTP fault to that request; a number
behind the names of `TIMED` says after how many seconds (`expire-5`).
"""

from __future__ import annotations

from app.sim.service.refusal import Refusal

HTTP = {
    "401": Refusal("Incorrect API key provided.", code="invalid_api_key", status=401),
    "403": Refusal(
        "You are not allowed to use this model.",
        code=None,
        kind="permission_error",
        status=403,
    ),
    "404": Refusal(
        "The model does not exist or you do not have access to it.",
        code="model_not_found",
        status=404,
    ),
    "429": Refusal(
        "Rate limit reached. Please try again later.",
        code="rate_limit_exceeded",
        kind="requests",
        status=429,
    ),
    "429_quota": Refusal(
        "You exceeded your current quota, please check your plan and billing details.",
        code="insufficient_quota",
        kind="insufficient_quota",
        status=429,
    ),
    "500": Refusal(
        "The server had an error while processing your request. Sorry about that.",
        code=None,
        kind="server_error",
        status=500,
    ),
}
"""Faults that are an error answer."""

MEANING = {
    **{name: f"HTTP {refusal.status}: {refusal.message}" for name, refusal in HTTP.items()},
    "html": "HTTP 502 with a body that is no JSON",
    "slow": "HTTP answers come late, after 4 s",
    "hang": "no answer at all",
    "bad_sdp": "an SDP answer nobody can use (no ICE credentials)",
    "no_ice": "an SDP answer whose addresses lead nowhere: the call never connects",
    "no_ice_lite": "an SDP answer without a=ice-lite",
    "no_ufrag": "candidates without their ufrag suffix",
    "candidates_twice": "candidates in the data section, too",
    "tcp_candidates": "TCP candidates beside each UDP one, as the real service lists them",
    "no_session_created": "the call opens and the service never says a word",
    "drop": "the service goes silent after 1 s: no event, no sound, no goodbye",
    "channel_closes": "the data channel closes after 1 s, the sound stays",
    "expire": "the session reaches its time limit, after 2 s",
    "updated_twice": "each session.updated comes twice",
    "updated_lost": "no session.updated ever comes",
    "transcript_late": "the user's words come after the response they led to",
    "started_late": "output_audio_buffer.started comes after response.done",
    "unknown_events": "an event of an unknown type before each event, and keys nobody knows",
    "large_event": "an event of 200 KB follows session.created",
    "transcription_failed": "the user's speech cannot be transcribed",
    "response_failed": "each response fails (server_error)",
    "response_quota": "each response fails (insufficient_quota)",
    "response_incomplete": "each response is cut short (max_output_tokens)",
    "response_filtered": "each response is cut short (content_filter)",
}
"""Every fault and what it does."""

TIMED = {"slow": 4.0, "drop": 1.0, "channel_closes": 1.0, "expire": 2.0}
"""Faults that take a number of seconds, and theirs without one."""

HTML = "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"
MODEL_PREFIX = "fault-"
HEADER = "X-Parley-Fault"
CALLS, SECRETS = "calls-", "secrets-"


def checked(name: str) -> str:
    """The name itself; "" is no fault. Raises ValueError for one that does not exist."""
    if name and kind_of(name.removeprefix(CALLS).removeprefix(SECRETS)) not in MEANING:
        raise ValueError(f"no fault {name!r}; there are {', '.join(MEANING)}")
    return name


def kind_of(name: str) -> str:
    """The fault without its number of seconds."""
    kind, _, seconds = name.rpartition("-")
    return kind if kind in TIMED and _seconds(seconds) is not None else name


def delay_s(name: str) -> float:
    """After how many seconds it strikes. Raises KeyError for a fault without a time."""
    kind = kind_of(name)
    given = _seconds(name.removeprefix(kind).removeprefix("-"))
    return TIMED[kind] if given is None else given


def _seconds(text: str) -> float | None:
    """A plain decimal number; no sign, no exponent, no infinity."""
    return float(text) if text.replace(".", "", 1).isdecimal() else None


def named_by(model: object) -> str:
    """The fault a model name asks for, "" for any other model."""
    if not isinstance(model, str) or not model.startswith(MODEL_PREFIX):
        return ""
    return known(model.removeprefix(MODEL_PREFIX))


def known(name: str) -> str:
    """The name if there is such a fault, else ""."""
    try:
        return checked(name)
    except ValueError:
        return ""


def at(place: str, name: str) -> str:
    """The fault as far as it concerns `place` (CALLS or SECRETS)."""
    if name.startswith((CALLS, SECRETS)):
        return name.removeprefix(place) if name.startswith(place) else ""
    return name
