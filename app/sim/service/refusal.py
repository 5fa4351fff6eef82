"""What the service refuses, in the words of the API: one exception for HTTP and for events.

Codes and texts: OpenAI Realtime API reference and recorded traffic. A refusal never quotes what a
client sent as its key.
"""

from __future__ import annotations

import secrets


class Refusal(Exception):  # noqa: N818 - the domain's word
    """A request or a client event that the API answers with an error object."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        status: int = 400,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.kind = kind
        self.status = status

    def as_object(self) -> dict[str, str | None]:
        """The four keys every error object carries."""
        return {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }


def unknown(param: str) -> Refusal:
    return Refusal(f"Unknown parameter: '{param}'.", code="unknown_parameter", param=param)


def missing(param: str) -> Refusal:
    return Refusal(
        f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param
    )


def wrong_type(param: str, wanted: str, got: object) -> Refusal:
    """`got` is named by its JSON type, never by its value."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    found = names.get(type(got), "null" if got is None else "a number")
    return Refusal(
        f"Invalid type for '{param}': expected {wanted}, but got {found} instead.",
        code="invalid_type",
        param=param,
    )


def wrong_value(param: str, wanted: str) -> Refusal:
    return Refusal(
        f"Invalid value for '{param}': expected {wanted}.", code="invalid_value", param=param
    )


def bad_key() -> Refusal:
    return Refusal(
        "Incorrect API key provided. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
        code="invalid_api_key",
        status=401,
    )


def new_id(prefix: str) -> str:
    """A fresh id as the API makes them: `event_`, `item_`, `resp_`, `conv_`, `call_`, `sess_`…"""
    return f"{prefix}_{secrets.token_hex(12)}"
