"""Around every request: who may ask at all, what a browser's page is told, and errors in the API's
own JSON.

Any web page could open calls through a browser that runs here (DNS rebinding, or a plain POST), so
Host must name this service and Origin, if there is one, a page of this computer. Pages of this
computer may then really use it: they get the CORS headers, and may read `Location`.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from app.sim.service import lan
from app.sim.service.refusal import Refusal

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
BODY_BYTES = 1_000_000
EXPOSED = "Location, x-request-id"
PREFLIGHT_S = 600

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gate(Protocol):
    """What the guard has to know of the service."""

    names: frozenset[str]
    """Addresses other than the loopback's that the service answers to."""

    def told(self, kind: str, facts: dict[str, Any]) -> None: ...


def middlewares(gate: Gate) -> list[Any]:
    return [_errors(gate), _friends(gate)]


def _errors(gate: Gate) -> Any:
    @web.middleware
    async def errors(request: web.Request, handler: Answer) -> web.StreamResponse:
        try:
            response = await handler(request)
        except Refusal as why:
            response = error_response(why)
        except web.HTTPException as why:
            response = error_response(_in_our_words(why, request))
        if not response.prepared:  # a WebSocket's headers have long been sent
            response.headers["x-request-id"] = f"req_{secrets.token_hex(16)}"
            _let_page_read(request, response)
        gate.told(
            "request",
            {"method": request.method, "path": request.path, "status": response.status},
        )
        return response

    return errors


def _in_our_words(why: web.HTTPException, request: web.Request) -> Refusal:
    match why.status:
        case 404:
            message, code = f"Invalid URL ({request.method} {request.path})", "unknown_url"
            return Refusal(message, code=code, status=404)
        case 413:
            return too_large()
    return Refusal(why.reason, code=None, status=why.status)


def error_response(why: Refusal) -> web.Response:
    return web.json_response({"error": why.as_object()}, status=why.status)


def too_large() -> Refusal:
    return Refusal("The request body is too large.", code=None, status=413)


def _friends(gate: Gate) -> Any:
    @web.middleware
    async def friends(request: web.Request, handler: Answer) -> web.StreamResponse:
        if not (_named(request, gate.names) and lan.is_near(request.remote)):
            raise _stranger()
        if "Origin" in request.headers and not _from_page_here(request):
            raise _stranger()
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return _preflight(request)
        if (request.content_length or 0) > BODY_BYTES:
            raise too_large()  # before a byte of it is read
        return await handler(request)

    return friends


def _stranger() -> Refusal:
    return Refusal(
        "Only programs on this computer may use this service.",
        code="forbidden_host",
        kind="permission_error",
        status=403,
    )


def _named(request: web.Request, names: frozenset[str]) -> bool:
    try:
        host = urlsplit(f"//{request.host}").hostname
    except ValueError:
        return False
    return host in LOOPBACK or host in names


def _from_page_here(request: web.Request) -> bool:
    try:
        origin = urlsplit(request.headers["Origin"])
    except ValueError:
        return False
    return origin.scheme in ("http", "https") and origin.hostname in LOOPBACK


def _preflight(request: web.Request) -> web.Response:
    wanted = request.headers.get("Access-Control-Request-Headers", "")
    headers = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": wanted,
        "Access-Control-Max-Age": str(PREFLIGHT_S),
    }
    if request.headers.get("Access-Control-Request-Private-Network") == "true":
        headers["Access-Control-Allow-Private-Network"] = "true"
    return web.Response(status=204, headers=headers)


def _let_page_read(request: web.Request, response: web.StreamResponse) -> None:
    if "Origin" in request.headers and _from_page_here(request):
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers["Access-Control-Expose-Headers"] = EXPOSED
        response.headers["Vary"] = "Origin"
