"""What can be made to go wrong, by name. A name is set on the running service (`Service.fault`) or
comes with one call as the model `fault-NAME`, so that a client which only has a settings file can
ask for it too. `calls-NAME` and `secrets-NAME` limit an HTTP fault to that request.
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
    "hang": "no answer at all",
    "bad_sdp": "an SDP answer nobody can use (no ICE credentials)",
    "no_session_created": "the call opens and the service never says a word",
    "drop": "the service goes silent: no event, no sound, no goodbye",
    "expire": "the session reaches its time limit",
}
"""Every fault and what it does."""

HTML = "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"
MODEL_PREFIX = "fault-"
CALLS, SECRETS = "calls-", "secrets-"


def checked(name: str) -> str:
    """The name itself; "" is no fault. Raises ValueError for one that does not exist."""
    if name and name.removeprefix(CALLS).removeprefix(SECRETS) not in MEANING:
        raise ValueError(f"no fault {name!r}; there are {', '.join(MEANING)}")
    return name


def named_by(model: object) -> str:
    """The fault a model name asks for, "" for any other model."""
    if not isinstance(model, str) or not model.startswith(MODEL_PREFIX):
        return ""
    name = model.removeprefix(MODEL_PREFIX)
    return name if name.removeprefix(CALLS).removeprefix(SECRETS) in MEANING else ""


def at(place: str, name: str) -> str:
    """The fault as far as it concerns `place` (CALLS or SECRETS)."""
    if name.startswith((CALLS, SECRETS)):
        return name.removeprefix(place) if name.startswith(place) else ""
    return name
