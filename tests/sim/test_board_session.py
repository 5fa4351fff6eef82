"""The real firmware core on the virtual chip, against the real local service where there is one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from board_rig import Desk, build_core, desk, nothing_left, web_server

from app.core.schema import SCHEMA
from app.sim.chip import Room
from app.sim.room import Person, SilentRoom
from app.sim.service import Service
from app.sim.speech import speak

KEY = "sk-test-MARKED-5d1f"
HOME: dict[str, int | str] = {
    **{setting.key: setting.default for setting in SCHEMA},
    "wifi_ssid": "home",
    "wifi_psw": "correct horse",
    "api_key": KEY,
    "auto_start": 0,
    "greeting": "",
}


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    async with nothing_left():
        yield


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_core(tmp_path_factory.mktemp("core"))


@asynccontextmanager
async def board_at(
    base_url: str, core: Path, *, room: Room | None = None, **settings: int | str
) -> AsyncIterator[Desk]:
    """A board on the Wi-Fi; its console never showed the key."""
    async with desk(core, room=room, **{**HOME, "base_url": base_url, **settings}) as board:
        await board.record(k="wifi", state="up")
        yield board
    assert KEY not in "".join(board.lines)
    assert "correct horse" not in "".join(board.lines)


@asynccontextmanager
async def service() -> AsyncIterator[Service]:
    running = Service()
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


def records(board: Desk, kind: str) -> list[dict[str, Any]]:
    told = [json.loads(line[1:]) for line in board.lines if line.startswith("\x1e")]
    assert [record["n"] for record in told] == list(range(len(told)))
    return [record for record in told if record["k"] == kind]


async def test_boot_record(core: Path) -> None:
    async with desk(core, auto_start=0) as board:
        boot = await board.record(k="boot")
        assert (boot["board"], boot["build"]) == ("korvo2", "0123456789abcdef")
        assert (boot["reset"], boot["protocol"], boot["n"]) == ("power_on", 1, 0)
        assert boot["version"] == board.firmware.version
        assert (boot["psram"], boot["flash"]) == (8 << 20, 16 << 20)


@pytest.mark.parametrize(
    ("wifi", "code"),
    [
        ({"wifi_psw": "wrong"}, "bad_password"),
        ({"wifi_ssid": "nowhere"}, "not_found"),
    ],
)
async def test_wifi_trouble_has_a_name(core: Path, wifi: dict[str, str], code: str) -> None:
    async with desk(core, **{**HOME, **wifi}) as board:
        await board.record(k="wifi", code=code)


async def test_wifi_comes_back(core: Path) -> None:
    async with desk(core, **HOME) as board:
        up = await board.record(k="wifi", state="up")
        assert str(up["ip"]).startswith("192.168.4.")
        board.firmware.drop_wifi()
        await board.record(k="wifi", code="lost")
        await board.record(k="wifi", state="up", within_s=15)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"error": {"message": "no such key", "code": "invalid_api_key"}}, "unauthorized"),
        (500, {"error": {"message": "sorry"}}, "server_error"),
        (429, {"error": {"message": "pay", "code": "insufficient_quota"}}, "no_quota"),
        (200, "<html>hello</html>", "bad_answer"),
    ],
)
async def test_refusals_have_a_name(
    core: Path, status: int, body: dict[str, Any] | str, code: str
) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, content_type="application/json")

    route = web.post("/v1/realtime/client_secrets", refuse)
    async with web_server(route) as url, board_at(f"{url}/v1", core) as board:
        board.type("#1 start\n")
        await board.record(k="session", state="token")
        await board.record(k="session", code=code)


async def test_nobody_listens(core: Path) -> None:
    async with web_server() as url:
        pass
    async with board_at(f"{url}/v1", core) as board:
        board.type("start\n")
        await board.record(k="session", code="unreachable")


async def test_a_conversation(core: Path) -> None:
    room = Person([speak("Please turn the light blue.")], speaks_first=True, capture=True)
    async with service() as cloud, board_at(cloud.base_url, core, room=room) as board:
        began = time.monotonic()
        board.type("#1 start\n")
        await board.record(k="session", state="live")
        assert time.monotonic() - began < 3.0
        assert not records(board, "error")
        call = await board.record(k="call", name="SetLightState", within_s=10)
        assert json.loads(str(call["arguments"]))["LightState"] is True
        assert (await board.record(k="result", call=call["call"]))["ok"] is True
        said = await board.record(k="words", role="assistant", final=True, within_s=10)
        assert "light" in str(said["text"]).lower()
        await board.line(lambda line: room.heard_s > 0.5, within_s=10)
        assert any(record["role"] == "user" for record in records(board, "words"))
        assert records(board, "device")[-1]["light"] is True
        board.type("#2 i 1\n")
        load = await board.record(k="load")
        tasks = {task[0]: task[2] for task in load["tasks"]}
        assert tasks["peer"] > 0
        assert await board.record(k="media")
        assert await board.record(k="level")
        board.type("#3 stop\n")
        ended = await board.record(k="session", state="idle")
        assert ended["code"] == "stopped"
        assert room.said == (0,)
        assert not records(board, "error")
        microphone, speaker = room.captured()
        assert len(microphone) > 2 * 48_000
        assert int(abs(speaker).max()) > 1_000


async def test_start_after_stop(core: Path) -> None:
    async with service() as cloud, board_at(cloud.base_url, core, room=SilentRoom()) as board:
        for _ in range(2):
            board.type("start\n")
            await board.record(k="session", state="live")
            board.type("stop\n")
            await board.record(k="session", state="idle")


async def test_a_service_that_vanishes(core: Path) -> None:
    async with service() as cloud, board_at(cloud.base_url, core) as board:
        board.type("start\n")
        await board.record(k="session", state="live")
        cloud.fault = "drop"
        ended = await board.record(k="session", code="peer_lost", within_s=10)
        assert ended["reason"]
        cloud.fault = ""
        board.type("start\n")
        await board.record(k="session", state="live", within_s=10)


async def test_reset_in_mid_session(core: Path) -> None:
    async with service() as cloud, board_at(cloud.base_url, core) as board:
        board.type("start\n")
        await board.record(k="session", state="live")
        await asyncio.wait_for(board.firmware.stop(), 3.0)


async def test_noise_on_the_console(core: Path) -> None:
    async with desk(core, auto_start=0) as board:
        board.firmware.console_in(bytes(range(256)) * 64 + b"\n" + b"x" * 100_000 + b"\n")
        board.type("#7 help\n")
        assert (await board.record(k="reply", to=7))["ok"] is True


async def test_reboot_asks_the_chip(core: Path) -> None:
    async with desk(core, auto_start=0) as board:
        board.type("reboot\n")
        await asyncio.wait_for(board.restarted.wait(), 3.0)
