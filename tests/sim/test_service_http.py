"""The HTTP side: who may ask, what is refused, and in which words."""

from __future__ import annotations

import asyncio
import io
import json

import aiohttp
import openai
import pytest
from service_caller import SESSION, Caller

from app.sim.service import Service, demo_brain

SK = {"Authorization": "Bearer sk-test"}
SDP = {"Content-Type": "application/sdp"}
SECRETS, CALLS = "/realtime/client_secrets", "/realtime/calls"


@pytest.fixture
async def service():
    service = Service(keys=frozenset({"sk-test"}), brain=demo_brain())
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


async def refused(answer) -> tuple[int, str | None, str | None]:
    """Status, code and param of an error in the API's own form."""
    body = await answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    assert answer.headers["x-request-id"].startswith("req_")
    return answer.status, body["error"]["code"], body["error"]["param"]


async def offer() -> bytes:
    async with Caller("") as caller:
        return (await caller.offer()).encode()


def parts(sdp: str | None, session: str | None) -> aiohttp.FormData:
    form = aiohttp.FormData()
    if sdp is not None:
        form.add_field("sdp", sdp, content_type="application/sdp")
    if session is not None:
        form.add_field("session", session, content_type="application/json")
    return form


async def test_secret_carries_the_effective_session(service, http):
    body = {"session": SESSION, "expires_after": {"anchor": "created_at", "seconds": 60}}
    async with http.post(service.base_url + SECRETS, json=body, headers=SK) as answer:
        assert answer.status == 200
        made = await answer.json()
    assert made["value"].startswith("ek_")
    assert made["session"]["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200
    assert made["session"]["audio"]["output"]["voice"] == "marin"
    assert made["session"]["id"].startswith("sess_")


NO_KEY = [{}, {"Authorization": "Bearer "}, {"Authorization": "Basic sk-test"}]
BAD_KEY = [{"Authorization": "Bearer sk-wrong"}, {"Authorization": "Bearer ek_123"}]


@pytest.mark.parametrize("path", [SECRETS, CALLS, "/realtime/calls/rtc_1/hangup"])
async def test_keys_are_checked(service, http, path):
    for headers in NO_KEY + BAD_KEY:
        url = service.base_url + path
        async with http.post(url, data=b"v=0", headers={**headers, **SDP}) as answer:
            status, code, _ = await refused(answer)
            text = await answer.text()
        assert status == 401
        assert code == ("invalid_api_key" if headers in BAD_KEY else None)
        assert "sk-wrong" not in text
        assert "ek_123" not in text


async def test_an_expired_secret_is_a_wrong_key(service, http, monkeypatch):
    body = {"expires_after": {"anchor": "created_at", "seconds": 10}}
    async with http.post(service.base_url + SECRETS, json=body, headers=SK) as answer:
        secret = (await answer.json())["value"]
    import app.sim.service as module

    now = module.time.time()
    monkeypatch.setattr(module.time, "time", lambda: now + 11)
    headers = {"Authorization": f"Bearer {secret}", **SDP}
    async with http.post(service.base_url + CALLS, data=b"v=0", headers=headers) as answer:
        assert (await refused(answer))[:2] == (401, "invalid_api_key")


BODIES = [
    (b"{", "invalid_json", None),
    (b"[]", "invalid_json", None),
    (b'{"model": "x"}', "unknown_parameter", "body.model"),
    (b'{"session": {}}', "missing_required_parameter", "session.type"),
    (b'{"session": {"type": "realtime", "x": 1}}', "unknown_parameter", "session.x"),
    (
        b'{"expires_after": {"anchor": "created_at", "seconds": 5}}',
        "invalid_value",
        "expires_after.seconds",
    ),
    (
        b'{"expires_after": {"anchor": "created_at", "seconds": 7201}}',
        "invalid_value",
        "expires_after.seconds",
    ),
    (
        b'{"expires_after": {"anchor": "now", "seconds": 60}}',
        "invalid_value",
        "expires_after.anchor",
    ),
]


@pytest.mark.parametrize(("body", "code", "param"), BODIES)
async def test_bad_secret_requests(service, http, body, code, param):
    async with http.post(service.base_url + SECRETS, data=body, headers=SK) as answer:
        assert await refused(answer) == (400, code, param)


async def test_bad_offers(service, http):
    good = await offer()
    bad = {
        "empty": b"",
        "no sdp": b'{"error": {}}',
        "trimmed": good.rstrip(),
        "no audio": good.replace(b"m=audio", b"m=video"),
        "no fingerprint": b"".join(
            line for line in good.splitlines(True) if b"fingerprint" not in line
        ),
        "no credentials": b"".join(
            line for line in good.splitlines(True) if b"ice-pwd" not in line
        ),
        "no codec": good.replace(b"opus/48000/2", b"speex/8000").replace(b" 0 8", b""),
        "noise": bytes(range(256)) * 8,
        "half": good[: len(good) // 3] + b"\r\n",
    }
    for name, body in bad.items():
        url = service.base_url + CALLS
        async with http.post(url, data=body, headers={**SK, **SDP}) as answer:
            if name == "no codec" and answer.status == 201:
                continue  # PCMU is an answer, too
            assert (await refused(answer))[:2] == (400, "invalid_offer"), name
    assert not [call for call in service.calls.values() if call.id == ""]


async def test_other_bodies_are_refused(service, http):
    url = service.base_url + CALLS
    async with http.post(url, json={"sdp": "v=0"}, headers=SK) as answer:
        assert (await refused(answer))[0] == 400
    good = (await offer()).decode()
    for form, code, param in (
        (parts(None, json.dumps(SESSION)), "missing_required_parameter", "sdp"),
        (parts(good, "{"), "invalid_json", None),
        (parts(good, "{}"), "missing_required_parameter", "session.type"),
        (parts(good, '{"type": "realtime", "voice": "x"}'), "unknown_parameter", "session.voice"),
    ):
        async with http.post(url, data=form, headers=SK) as answer:
            assert await refused(answer) == (400, code, param)
    headers = {**SK, "Content-Type": "multipart/form-data"}
    async with http.post(url, data=b"nothing", headers=headers) as answer:
        assert (await refused(answer))[0] == 400
    huge = io.BytesIO(b"x" * 10_000_000)
    async with http.post(url, data=huge, headers={**SK, **SDP}) as answer:
        assert (await refused(answer))[0] == 413
    async with http.post(url, data=parts("x" * 1_040_000, None), headers=SK) as answer:
        assert (await refused(answer))[0] == 413
    assert not service.calls


async def test_a_large_body_is_refused_before_it_is_read(service):
    """Only the head is sent: the answer must not wait for ten megabytes."""
    port = int(service.base_url.split(":")[2].split("/")[0])
    for path in (SECRETS, CALLS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST /v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-test\r\n"
            "Content-Type: application/sdp\r\nContent-Length: 10000000\r\n\r\nv=0".encode()
        )
        async with asyncio.timeout(2):
            head = await reader.readuntil(b"\r\n\r\n")
        assert b" 413 " in head.splitlines()[0]
        assert b"x-request-id" in head.lower()
        writer.close()
        await writer.wait_closed()


async def test_a_page_of_this_computer_may_use_it(service, http):
    url, page = service.base_url + CALLS, {"Origin": "http://localhost:5173"}
    asks = {
        **page,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    async with http.options(url, headers=asks) as answer:
        assert answer.status == 204
        told = answer.headers
        assert told["Access-Control-Allow-Origin"] == page["Origin"]
        assert told["Access-Control-Allow-Headers"] == "authorization,content-type"
        assert told["Access-Control-Allow-Private-Network"] == "true"
        assert "POST" in told["Access-Control-Allow-Methods"]
    for headers, status in (({**SK, **SDP}, 201), (SDP, 401)):  # it may read errors, too
        async with http.post(url, data=await offer(), headers={**headers, **page}) as answer:
            assert answer.status == status
            assert answer.headers["Access-Control-Allow-Origin"] == page["Origin"]
            assert "Location" in answer.headers["Access-Control-Expose-Headers"]
            assert answer.headers["Vary"] == "Origin"
    async with http.options(url, headers={**asks, "Origin": "https://evil.example"}) as answer:
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
    async with http.options(url, headers={**asks, "Host": "evil.example"}) as answer:
        assert answer.status == 403


async def test_odd_origins_and_hosts(service, http):
    url = service.base_url + SECRETS
    for headers in (
        {"Origin": "file://"},
        {"Origin": "chrome-extension://localhost"},
        {"Origin": "http://[::1"},
        {"Host": "[::1"},
        {"Host": ""},
    ):
        async with http.post(url, json={}, headers={**SK, **headers}) as answer:
            assert (await refused(answer))[0] == 403, headers


async def test_malformed_events_do_not_disturb_the_call(service):
    """Over the real channel; the rules themselves are proven in test_service_dialogue."""
    async with Caller(service.base_url) as caller, Caller(service.base_url) as other:
        await asyncio.gather(caller.by_parts(), other.by_parts())
        await asyncio.gather(caller.until("session.created"), other.until("session.created"))
        for text, code in (
            ("", "invalid_event"),
            ("{", "invalid_event"),
            ("[" * 100_000, "invalid_event"),
            ("null", "invalid_event"),
            (b"\x00\xff", "invalid_event"),
            ('{"type": 5}', "invalid_type"),
            ("{}", "missing_required_parameter"),
            ('{"type": "session.explode"}', "invalid_value"),
            ('{"type": "response.create", "response": {"x": 1}}', "unknown_parameter"),
            (json.dumps({"type": "x" * 1_000_000}), "invalid_value"),
        ):
            after = len(caller.events)
            caller.channel.send(text)
            error = (await caller.until("error", after=after))["error"]
            assert error["code"] == code, text[:40]
            assert len(error["message"]) < 1_000
        caller.say_text("light")
        other.say_text("door")
        await caller.until("response.function_call_arguments.done")
        await other.until("response.function_call_arguments.done")


async def test_dead_beta_paths(service, http):
    for path, headers in (
        ("/realtime?model=gpt-4o-realtime-preview", {}),
        ("/realtime/sessions", {}),
        ("/realtime/transcription_sessions", {}),
        (CALLS + "?model=gpt-realtime", {}),
        (SECRETS, {"OpenAI-Beta": "realtime=v1"}),
    ):
        url = service.base_url + path
        async with http.post(url, data=b"{}", headers={**SK, **headers}) as answer:
            assert (await refused(answer))[:2] == (400, "beta_api_shape_disabled"), path


async def test_unknown_urls_and_calls(service, http):
    async with http.post(f"{service.base_url}/chat/completions", headers=SK) as answer:
        assert (await refused(answer))[0] == 404
    async with http.get(service.base_url + CALLS, headers=SK) as answer:
        assert (await refused(answer))[0] == 405
    async with http.post(f"{service.base_url}/realtime/calls/rtc_0/hangup", headers=SK) as answer:
        assert (await refused(answer))[0] == 404


async def test_only_this_computer_may_ask(service, http):
    url = service.base_url + SECRETS
    for headers in (
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        async with http.post(url, json={}, headers={**SK, **headers}) as answer:
            assert (await refused(answer))[:2] == (403, "forbidden_host"), headers
    port = service.base_url.split(":")[2].split("/")[0]
    for headers in ({"Host": f"localhost:{port}"}, {"Origin": "http://localhost:5173"}):
        async with http.post(url, json={}, headers={**SK, **headers}) as answer:
            assert answer.status == 200, headers


FAULTS = [
    ("401", 401, "invalid_api_key"),
    ("403", 403, None),
    ("404", 404, "model_not_found"),
    ("429", 429, "rate_limit_exceeded"),
    ("429_quota", 429, "insufficient_quota"),
    ("500", 500, None),
]


@pytest.mark.parametrize(("fault", "status", "code"), FAULTS)
async def test_faults_that_are_errors(service, http, fault, status, code):
    url = service.base_url + SECRETS
    service.fault = fault
    async with http.post(url, json={}, headers=SK) as answer:
        assert (await refused(answer))[:2] == (status, code)
    service.fault = ""
    asked = {"session": {"type": "realtime", "model": f"fault-{fault}"}}
    async with http.post(url, json=asked, headers=SK) as answer:
        assert (await refused(answer))[:2] == (status, code)
    asked = {"session": {"type": "realtime", "model": f"fault-calls-{fault}"}}
    async with http.post(url, json=asked, headers=SK) as answer:
        secret = (await answer.json())["value"]
    headers = {"Authorization": f"Bearer {secret}", **SDP}
    async with http.post(service.base_url + CALLS, data=b"v=0", headers=headers) as answer:
        assert (await refused(answer))[:2] == (status, code)
    async with http.post(url, json={}, headers=SK) as answer:
        assert answer.status == 200


async def test_a_body_that_is_no_json(service, http):
    service.fault = "html"
    async with http.post(service.base_url + SECRETS, json={}, headers=SK) as answer:
        assert answer.status == 502
        assert (await answer.text()).startswith("<html>")


async def test_no_answer_at_all_and_stop_does_not_wait_for_it(service, http):
    service.fault = "hang"
    asking = asyncio.ensure_future(http.post(service.base_url + SECRETS, json={}, headers=SK))
    done, _ = await asyncio.wait([asking], timeout=0.3)
    assert not done
    async with asyncio.timeout(1.5):
        await service.stop()
        (await asking).release()


async def test_an_answer_nobody_can_use(service, http):
    service.fault = "bad_sdp"
    headers = {**SK, **SDP}
    async with http.post(service.base_url + CALLS, data=await offer(), headers=headers) as answer:
        text = await answer.text()
        assert answer.status == 201
    assert text.startswith("v=0")
    assert "ice-ufrag" not in text


def test_unknown_faults_are_not_accepted():
    with pytest.raises(ValueError, match="no fault"):
        Service().fault = "earthquake"


async def test_the_openai_package_is_a_client(service):
    client = openai.AsyncOpenAI(
        api_key="sk-test", base_url=service.base_url, max_retries=0, timeout=5
    )
    async with client, Caller(service.base_url) as caller:
        secret = await client.realtime.client_secrets.create(
            session={"type": "realtime", "model": "gpt-realtime-2.1"}
        )
        assert secret.value.startswith("ek_")
        assert secret.session.type == "realtime"
        answer = await client.realtime.calls.create(
            sdp=await caller.offer(), session={"type": "realtime"}
        )
        assert answer.text.startswith("v=0\r\n")
        call_id = answer.response.headers["location"].split("/")[-1]
        assert call_id in service.calls
        await client.realtime.calls.hangup(call_id)
        assert not service.calls
        with pytest.raises(openai.NotFoundError):
            await client.realtime.calls.hangup(call_id)
        with pytest.raises(openai.BadRequestError) as why:
            await client.realtime.calls.create(sdp="v=0", session={"type": "realtime"})
        assert why.value.code == "invalid_offer"
        service.fault = "429_quota"
        with pytest.raises(openai.RateLimitError) as limit:
            await client.realtime.client_secrets.create()
        assert limit.value.code == "insufficient_quota"


async def test_nothing_told_contains_a_key():
    told: list[str] = []
    service = Service(tell=lambda kind, facts: told.append(json.dumps([kind, facts])))
    await service.start()
    async with Caller(service.base_url, key="sk-very-secret") as caller:
        await caller.by_secret()
        await caller.until("session.created")
    await service.stop()
    assert any("session.created" in line for line in told)
    assert not [line for line in told if "sk-very-secret" in line or "ek_" in line]
