"""The HTTP side: the two requests that open a call, the one that ends it, and the errors in the
API's own JSON.

Only this machine may ask: Host and Origin must name the loopback, or any web page could open calls
through a browser that runs here (DNS rebinding).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from aiohttp import BodyPartReader, web

from app.sim.service import faults, rules
from app.sim.service.refusal import Refusal, bad_key, missing, wrong_value
from app.sim.service.session import Json, effective

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
BODY_BYTES = 1_000_000
DEAD_PATHS = ("/v1/realtime", "/v1/realtime/sessions", "/v1/realtime/transcription_sessions")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A call that was answered."""

    call_id: str
    sdp: str


class Desk(Protocol):
    """What the requests ask of the service."""

    fault: str

    def accepts_key(self, key: str) -> bool: ...

    def session_of_secret(self, secret: str) -> Json | None:
        """The session settings behind an ephemeral secret; None: unknown or expired."""

    def new_secret(self, session: Json | None, lifetime_s: int) -> Json: ...

    async def open_call(self, offer: str, session: Json | None, *, fault: str) -> Opened: ...

    async def hang_up(self, call_id: str) -> bool: ...

    async def wait_for_stop(self) -> None: ...

    def told(self, kind: str, facts: dict[str, Any]) -> None: ...


def application(desk: Desk) -> web.Application:
    """All routes over one desk."""
    app = web.Application(middlewares=[_errors(desk), _only_local], client_max_size=BODY_BYTES)
    routes = _Routes(desk)
    app.router.add_post("/v1/realtime/client_secrets", routes.client_secrets)
    app.router.add_post("/v1/realtime/calls", routes.calls)
    app.router.add_post("/v1/realtime/calls/{call_id}/hangup", routes.hangup)
    for path in DEAD_PATHS:
        app.router.add_post(path, routes.beta)
    return app


class _Routes:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def client_secrets(self, request: web.Request) -> web.StreamResponse:
        self._project_key(request)
        _refuse_beta(request)
        body = _object(await request.read() or b"{}")
        rules.fields({"expires_after": rules.anything, "session": rules.anything})(body, "body")
        session = body.get("session")
        whole = effective(session)
        answer = await self._faulty(faults.at(faults.SECRETS, self._fault(whole)))
        if answer is not None:
            return answer
        return web.json_response(self._desk.new_secret(session, _lifetime_s(body)))

    async def calls(self, request: web.Request) -> web.StreamResponse:
        _refuse_beta(request)
        key = _bearer(request)
        match request.content_type:
            case "application/sdp":
                session = self._session_for(key)
                offer = (await request.read()).decode(errors="replace")
            case "multipart/form-data":
                self._project_key(request)
                offer, session = await _parts(request)
            case _:
                raise Refusal(
                    "Unsupported content type. This API method only accepts 'application/sdp' and "
                    "'multipart/form-data' requests.",
                    code="unsupported_content_type",
                )
        name = faults.at(faults.CALLS, self._fault(effective(session)))
        answer = await self._faulty(name)
        if answer is not None:
            return answer
        opened = await self._desk.open_call(offer, session, fault=name)
        return web.Response(
            status=201,
            # As bytes: the line ends are part of the message, and no charset is named.
            body=opened.sdp.encode(),
            content_type="application/sdp",
            headers={"Location": f"/v1/realtime/calls/{opened.call_id}"},
        )

    async def hangup(self, request: web.Request) -> web.StreamResponse:
        self._project_key(request)
        if not await self._desk.hang_up(request.match_info["call_id"]):
            raise Refusal("No session found for this call id.", code="not_found", status=404)
        return web.Response(status=200)

    async def beta(self, request: web.Request) -> web.StreamResponse:
        raise _beta_is_gone()

    def _project_key(self, request: web.Request) -> None:
        key = _bearer(request)
        if key.startswith("ek_") or not self._desk.accepts_key(key):
            raise bad_key()

    def _session_for(self, key: str) -> Json | None:
        if key.startswith("ek_"):
            session = self._desk.session_of_secret(key)
            if session is None:
                raise bad_key()
            return session or None
        if not self._desk.accepts_key(key):
            raise bad_key()
        return None

    def _fault(self, session: Json) -> str:
        return faults.named_by(session["model"]) or self._desk.fault

    async def _faulty(self, name: str) -> web.StreamResponse | None:
        """The answer a fault puts in place of the real one."""
        if name == "hang":
            await self._desk.wait_for_stop()
            raise Refusal("The server is shutting down.", code=None, status=503)
        if name == "html":
            return web.Response(status=502, text=faults.HTML, content_type="text/html")
        refusal = faults.HTTP.get(name)
        return None if refusal is None else _error_response(refusal)


# ---- reading


def _bearer(request: web.Request) -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise Refusal(
            "You didn't provide an API key. You need to provide your API key in an Authorization "
            "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            code=None,
            status=401,
        )
    return key


def _refuse_beta(request: web.Request) -> None:
    if "realtime=v1" in request.headers.get("OpenAI-Beta", "") or "model" in request.query:
        raise _beta_is_gone()


def _beta_is_gone() -> Refusal:
    return Refusal(
        "The Realtime Beta API is no longer available. Please use the GA API instead.",
        code="beta_api_shape_disabled",
    )


def _object(body: bytes) -> Json:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal("We could not parse the JSON body of your request.", code="invalid_json")
    return found


def _lifetime_s(body: Json) -> int:
    after = body.get("expires_after")
    if after is None:
        return 600
    rules.fields({"anchor": rules.one_of("created_at"), "seconds": rules.anything})(
        after, "expires_after"
    )
    seconds = after.get("seconds", 600)
    rules.number(10, 7200, whole=True)(seconds, "expires_after.seconds")
    return int(seconds)


async def _parts(request: web.Request) -> tuple[str, Json | None]:
    """The parts `sdp` and `session`, each byte of the first as it was sent."""
    offer: str | None = None
    session: Json | None = None
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise wrong_value("body", "parts named 'sdp' and 'session'")
            body = await _bounded(part)
            match part.name:
                case "sdp":
                    offer = body.decode(errors="replace")
                case "session":
                    session = _object(body)
                case _:
                    raise wrong_value("body", "parts named 'sdp' and 'session'")
    except (ValueError, AssertionError) as why:
        raise Refusal("The multipart body is broken.", code="invalid_multipart") from why
    if offer is None:
        raise missing("sdp")
    return offer, session


async def _bounded(part: BodyPartReader) -> bytes:
    """The whole part; aiohttp's own limit does not hold for parts."""
    body = bytearray()
    while chunk := await part.read_chunk():
        body += chunk
        if len(body) > BODY_BYTES:
            raise Refusal("The request body is too large.", code=None, status=413)
    return bytes(body)


# ---- around every request


def _errors(desk: Desk) -> Any:
    @web.middleware
    async def errors(request: web.Request, handler: Answer) -> web.StreamResponse:
        try:
            response = await handler(request)
        except Refusal as why:
            response = _error_response(why)
        except web.HTTPException as why:
            response = _error_response(
                Refusal(
                    f"Invalid URL ({request.method} {request.path})"
                    if why.status == 404
                    else why.reason,
                    code="unknown_url" if why.status == 404 else None,
                    status=why.status,
                )
            )
        response.headers["x-request-id"] = f"req_{secrets.token_hex(16)}"
        desk.told(
            "request",
            {"method": request.method, "path": request.path, "status": response.status},
        )
        return response

    return errors


def _error_response(why: Refusal) -> web.Response:
    return web.json_response({"error": why.as_object()}, status=why.status)


@web.middleware
async def _only_local(request: web.Request, handler: Answer) -> web.StreamResponse:
    origin = request.headers.get("Origin")
    names = [urlsplit(f"//{request.host}").hostname]
    if origin is not None:
        names.append(urlsplit(origin).hostname)
    if not LOOPBACK.issuperset(names):
        raise Refusal(
            "Only programs on this computer may use this service.",
            code="forbidden_host",
            kind="permission_error",
            status=403,
        )
    return await handler(request)
