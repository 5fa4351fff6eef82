"""The HTTP side: the requests that open a call, the one that ends it, the sideband's door, and the
door for faults. Who may come in at all is `guard`'s.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import BodyPartReader, web

from app.sim.service import faults, guard, lan, rules, sideband
from app.sim.service.call import Call
from app.sim.service.refusal import Refusal, bad_key, missing, wrong_value
from app.sim.service.session import Json, effective

DEAD_PATHS = ("/v1/realtime", "/v1/realtime/sessions", "/v1/realtime/transcription_sessions")
RETIRED = ("gpt-4o-realtime", "gpt-4o-mini-realtime")
"""Model names that were shut down begin with these."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A call that was answered."""

    call_id: str
    sdp: str


class Desk(Protocol):
    """What the requests ask of the service."""

    fault: str
    names: frozenset[str]

    def accepts_key(self, key: str) -> bool: ...

    def session_of_secret(self, secret: str) -> Json | None:
        """The session settings behind an ephemeral secret; None: unknown or expired."""

    def new_secret(self, session: Json | None, lifetime_s: int) -> Json: ...

    async def open_call(self, offer: str, session: Json | None, *, fault: str) -> Opened: ...

    def call(self, call_id: str) -> Call | None: ...

    async def hang_up(self, call_id: str) -> bool: ...

    async def wait_for_stop(self) -> None: ...

    def told(self, kind: str, facts: dict[str, Any]) -> None: ...


def application(desk: Desk) -> web.Application:
    """All routes over one desk."""
    app = web.Application(middlewares=guard.middlewares(desk), client_max_size=guard.BODY_BYTES)
    routes = _Routes(desk)
    app.router.add_post("/v1/realtime/client_secrets", routes.client_secrets)
    app.router.add_post("/v1/realtime/calls", routes.calls)
    app.router.add_post("/v1/realtime/calls/{call_id}/hangup", routes.hangup)
    app.router.add_get("/v1/realtime", routes.sideband)
    for path in DEAD_PATHS:
        app.router.add_post(path, routes.beta)
    app.router.add_get("/_control/fault", routes.show_fault)
    app.router.add_post("/_control/fault", routes.set_fault)
    app.on_shutdown.append(routes.close_sidebands)
    return app


class _Routes:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sidebands: set[asyncio.Task[Any]] = set()

    async def client_secrets(self, request: web.Request) -> web.StreamResponse:
        self._project_key(request)
        _refuse_beta(request)
        body = _object(await request.read() or b"{}")
        rules.fields({"expires_after": rules.anything, "session": rules.anything})(body, "body")
        session = body.get("session")
        whole = effective(session)
        answer = await self._faulty(faults.at(faults.SECRETS, self._fault(request, whole)))
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
        name = faults.at(faults.CALLS, self._fault(request, effective(session)))
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
            raise _no_call()
        return web.Response(status=200)

    async def sideband(self, request: web.Request) -> web.StreamResponse:
        _refuse_beta(request)
        self._project_key(request)
        call_id = request.query.get("call_id")
        if call_id is None:
            raise missing("call_id")
        call = self._desk.call(call_id)
        if call is None:
            raise _no_call()
        if not web.WebSocketResponse().can_prepare(request):
            raise Refusal("This path wants a WebSocket.", code=None, status=426)
        task = asyncio.current_task()
        assert task is not None
        self._sidebands.add(task)
        try:
            return await sideband.attend(call, request)
        finally:
            self._sidebands.discard(task)

    async def close_sidebands(self, app: web.Application) -> None:
        """The service stops: their calls end, too, and each of them is told so by that."""
        tasks = tuple(self._sidebands)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- faults, for this computer's programs only: no pages, no network

    async def show_fault(self, request: web.Request) -> web.StreamResponse:
        _only_programs_here(request)
        return web.json_response({"fault": self._desk.fault, "faults": faults.MEANING})

    async def set_fault(self, request: web.Request) -> web.StreamResponse:
        _only_programs_here(request)
        body = _object(await request.read())
        rules.fields({"fault": rules.text}, required=("fault",))(body, "body")
        try:
            self._desk.fault = body["fault"]
        except ValueError as why:
            raise Refusal(str(why), code="invalid_value", param="fault") from None
        return web.json_response({"fault": self._desk.fault})

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

    def _fault(self, request: web.Request, session: Json) -> str:
        if session["model"].startswith(RETIRED):
            return "404"
        asked = faults.known(request.headers.get(faults.HEADER, ""))
        return asked or faults.named_by(session["model"]) or self._desk.fault

    async def _faulty(self, name: str) -> web.StreamResponse | None:
        """The answer a fault puts in place of the real one."""
        if faults.kind_of(name) == "slow":
            await asyncio.sleep(faults.delay_s(name))
        if name == "hang":
            await self._desk.wait_for_stop()
            raise Refusal("The server is shutting down.", code=None, status=503)
        if name == "html":
            return web.Response(status=502, text=faults.HTML, content_type="text/html")
        refusal = faults.HTTP.get(name)
        return None if refusal is None else guard.error_response(refusal)


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


def _no_call() -> Refusal:
    return Refusal("No session found for this call id.", code="not_found", status=404)


def _only_programs_here(request: web.Request) -> None:
    if "Origin" in request.headers or not lan.is_this_computer(request.remote):
        raise Refusal("Only for this computer.", code=None, kind="permission_error", status=403)


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
        if len(body) > guard.BODY_BYTES:
            raise guard.too_large()
    return bytes(body)
