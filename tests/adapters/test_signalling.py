"""The two requests against a plain HTTP server that answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from app.adapters import signalling
from app.adapters.signalling import Refused, Signalling, call_id, refusal
from app.core.secret import Secret

KEY, SHORT = Secret("sk-marked-123456"), Secret("ek_marked_123456")
SDP = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"


class Server:
    """What came, and what is answered."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status, self.body = 201, SDP.encode()
        self.headers = {"Location": "/v1/realtime/calls/rtc_u1_ab"}
        self.connections: set[object] = set()
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.connections.add(request.transport)
        self.requests.append(
            (request.method, request.path, dict(request.headers), await request.read())
        )
        return web.Response(status=self.status, body=self.body, headers=self.headers)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, Signalling]]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/"
    client = Signalling(server.url)
    try:
        yield server, client
    finally:
        await client.close()
        await runner.cleanup()


async def test_a_key_sends_the_session_along() -> None:
    async with serving() as (server, client):
        answered = await client.call(KEY, SDP, {"type": "realtime", "instructions": "grüß"})
        assert (answered.sdp, answered.call) == (SDP, "rtc_u1_ab")
        method, path, headers, body = server.requests[0]
        assert (method, path) == ("POST", "/v1/realtime/calls")
        assert headers["Authorization"] == "Bearer sk-marked-123456"
        assert headers["Content-Type"].startswith("multipart/form-data")
        assert SDP.encode() in body  # its last line end is part of it
        assert '"instructions":"grüß"'.encode() in body
        assert body.index(b"application/sdp") < body.index(b"application/json")


async def test_a_short_lived_secret_sends_the_bare_offer() -> None:
    async with serving() as (server, client):
        await client.call(SHORT, SDP, {})
        assert server.requests[0][2]["Content-Type"] == "application/sdp"
        assert server.requests[0][3] == SDP.encode()
        assert not await client.hang_up(SHORT, "rtc_u1_ab")


async def test_the_connection_is_opened_early_and_kept() -> None:
    async with serving() as (server, client):
        await client.warm()
        await client.call(KEY, SDP, {})
        assert await client.hang_up(KEY, "rtc_u1_ab") is True
        assert len(server.connections) == 1
        assert "Authorization" not in server.requests[0][2]
        assert server.requests[2][1] == "/v1/realtime/calls/rtc_u1_ab/hangup"


async def test_nothing_is_asked_twice() -> None:
    async with serving() as (server, client):
        server.status, server.body = 500, b"{}"
        with pytest.raises(Refused):
            await client.call(KEY, SDP, {})
        assert len(server.requests) == 1


async def test_time_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signalling, "WITHIN_S", 0.2)
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    client = Signalling(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    with pytest.raises(Refused) as refused:
        await client.call(KEY, SDP, {})
    assert refused.value.code == "timeout"
    await client.close()
    await asyncio.wait_for(gone.wait(), 5)
    server.close()


async def test_nobody_there_and_no_certificate() -> None:
    client = Signalling("http://127.0.0.1:9/v1")
    await client.warm()
    with pytest.raises(Refused) as refused:
        await client.call(KEY, SDP, {})
    assert refused.value.code == "unreachable"
    assert "sk-" not in repr(refused.value.args) + refused.value.detail
    await client.close()
    async with serving() as (server, _):
        client = Signalling(server.url.replace("http:", "https:"))
        with pytest.raises(Refused) as refused:
            await client.call(KEY, SDP, {})
        assert refused.value.code == "tls"
        await client.close()


TABLE = [
    (401, {"code": "invalid_api_key"}, "unauthorized"),
    (403, {}, "forbidden"),
    (404, {"code": "model_not_found"}, "not_found"),
    (429, {"code": "rate_limit_exceeded"}, "rate_limited"),
    (429, {"code": "insufficient_quota"}, "no_quota"),
    (429, {"code": None, "type": "insufficient_quota"}, "no_quota"),
    (400, {"code": "invalid_offer"}, "refused"),
    (302, {}, "refused"),
    (500, {}, "server_error"),
    (503, {}, "server_error"),
]


@pytest.mark.parametrize(("status", "error", "code"), TABLE)
def test_the_table_of_refusals(status: int, error: dict, code: str) -> None:
    body = json.dumps({"error": {"message": "Because sk-abc123 said so.", **error}})
    refused = refusal(status, body)
    assert refused.code == code
    assert refused.what
    assert refused.remedy
    assert f"HTTP {status}: Because ••• said so." in refused.detail


async def test_two_hundred_with_nonsense_is_no_answer() -> None:
    async with serving() as (server, client):
        server.body = b"<html>Welcome to the hotel network</html>" + b"x" * 300_000
        with pytest.raises(Refused) as refused:
            await client.call(KEY, SDP, {})
        assert refused.value.code == "bad_answer"
        assert "hotel" in refused.value.detail
        assert len(refused.value.detail) < 400


@given(st.integers(300, 599), st.text(max_size=80))
@settings(max_examples=50, deadline=None, database=None)
def test_any_refusal(status: int, body: str) -> None:
    assert refusal(status, body).remedy
    assert refusal(status, json.dumps({"error": body})).remedy
    assert refusal(status, json.dumps([body])).remedy


@pytest.mark.parametrize(
    ("location", "call"),
    [
        ("/v1/realtime/calls/rtc_1", "rtc_1"),
        ("https://api.openai.com/v1/calls/rtc_u1_x?a=/b", "rtc_u1_x"),
        ("/v1/realtime/calls/", ""),
        ("", ""),
        ("/x/rtc 1", ""),
        ("/x/" + "a" * 200, ""),
    ],
)
def test_the_calls_id(location: str, call: str) -> None:
    assert call_id(location) == call
