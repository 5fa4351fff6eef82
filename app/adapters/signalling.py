"""The two requests of a call over HTTPS: offer → answer, and hanging up.

One connection, opened early and kept, so that a call does not wait for TLS. 15 seconds, and never a
second try: each try may open a call that is paid for. A key (`sk-`) sends the session along; a
short-lived secret (`ek_`) carries it already.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp

from app.core.events import SessionIs, SessionState, Source
from app.core.faults import Fault
from app.core.secret import Secret
from app.core.session_text import fault_of

WITHIN_S = 15.0
WARM_WITHIN_S = 5.0
ANSWER_MOST_BYTES = 200_000
_SHOWN_MOST = 300
_KEEP_S = 300.0

_CODE_OF_STATUS = {401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited"}
_SECRET = re.compile(r"\b(?:sk-|ek_)[A-Za-z0-9_*\-]{3,}")


class Refused(Fault):
    """The call did not come about; `code` is one of the wire's table."""

    def __init__(self, code: str, reason: str) -> None:
        told = fault_of(SessionIs(Source.DESKTOP, 0.0, SessionState.IDLE, code, reason))
        assert told is not None
        super().__init__(told.what, told.remedy, told.detail)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to an offer; `call` is its id, empty when the service gave none."""

    sdp: str
    call: str


class Signalling:
    """Requests to one service. On one loop; `close` ends the connection."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._http: aiohttp.ClientSession | None = None

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=4, keepalive_timeout=_KEEP_S),
                timeout=aiohttp.ClientTimeout(total=WITHIN_S),
                # A cookie of one call has no business in the next.
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._http

    async def warm(self) -> None:
        """Open the connection. Without a key; whatever the answer, the connection is there."""
        timeout = aiohttp.ClientTimeout(total=WARM_WITHIN_S)
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self._session().head(
                self._base_url, timeout=timeout, allow_redirects=False
            ) as answer:
                await answer.read()

    async def call(self, key: Secret, offer: str, session: dict[str, Any]) -> Answered:
        """The service's answer to `offer`. Raises Refused."""
        headers = {"Authorization": f"Bearer {key.reveal()}"}
        body: bytes | aiohttp.FormData
        if key.reveal().startswith("ek_"):
            headers["Content-Type"] = "application/sdp"
            body = offer.encode()
        else:
            body = aiohttp.FormData()
            body.add_field("sdp", offer, content_type="application/sdp")
            shown = json.dumps(session, ensure_ascii=False, separators=(",", ":"))
            body.add_field("session", shown, content_type="application/json")
        status, location, text = await self._post("/realtime/calls", headers, body)
        if not 200 <= status < 300:
            raise refusal(status, text)
        if not text.startswith("v=0"):
            raise Refused("bad_answer", f"HTTP {status}: {_shown(text)}")
        return Answered(text, call_id(location))

    async def hang_up(self, key: Secret, call: str) -> bool:
        """Whether the service ended the call at once. A short-lived secret may not ask."""
        if not call or key.reveal().startswith("ek_"):
            return False
        headers = {"Authorization": f"Bearer {key.reveal()}", "Content-Type": "application/json"}
        try:
            status, _, _ = await self._post(f"/realtime/calls/{call}/hangup", headers, b"")
        except Refused:
            return False
        return 200 <= status < 300

    async def _post(
        self, path: str, headers: dict[str, str], body: bytes | aiohttp.FormData
    ) -> tuple[int, str, str]:
        url = self._base_url + path
        try:
            async with self._session().post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                raw = bytearray()
                async for part in answer.content.iter_any():
                    raw += part[: ANSWER_MOST_BYTES - len(raw)]
                text = raw.decode(errors="replace")
                return answer.status, answer.headers.get("Location", ""), text
        except TimeoutError:
            raise Refused("timeout", "the service did not answer in time") from None
        except (aiohttp.ClientSSLError, ssl.SSLError) as why:
            raise Refused("tls", type(why).__name__) from None
        except (aiohttp.ClientError, OSError, ValueError) as why:
            raise Refused("unreachable", _shown(f"{type(why).__name__}: {why}")) from None

    async def close(self) -> None:
        """Idempotent."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()
            await asyncio.sleep(0)  # the transports say goodbye in the loop's next turn


def call_id(location: str) -> str:
    """The last segment of the path, whatever the host and the query; empty when it is no id."""
    name = re.split(r"[?#]", location, maxsplit=1)[0].rsplit("/", 1)[-1]
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,128}", name) else ""


def refusal(status: int, body: str) -> Refused:
    """What an answer that is no 2xx means."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    error = told.get("error") if isinstance(told, dict) else None
    error = error if isinstance(error, dict) else {}
    code = _CODE_OF_STATUS.get(status) or ("server_error" if status >= 500 else "refused")
    if status == 429 and "insufficient_quota" in (error.get("code"), error.get("type")):
        code = "no_quota"
    message = error.get("message")
    shown = message if isinstance(message, str) else body
    return Refused(code, f"HTTP {status}: {_shown(shown)}".rstrip(": "))


def _shown(text: str) -> str:
    """What of a foreign text may be shown: one line, no key, not long."""
    return _SECRET.sub("•••", " ".join(text.split()))[:_SHOWN_MOST]
