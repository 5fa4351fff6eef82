"""The door to the C core, with a probe in the core's place: each port function in any order."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from board_rig import (
    FIRMWARE,
    PROBE_SOURCE,
    Desk,
    build_core,
    build_library,
    build_probe,
    desk,
    nothing_left,
    web_server,
)

from app.sim import core_abi
from app.sim.board_http import BODY_MAX_BYTES, BoardHttp, Post
from app.sim.core_abi import CoreError, Kind, Net
from app.sim.room import Echo, Person, SilentRoom

TIMEOUT, UNREACHABLE, CLOSED = int(Net.TIMEOUT), int(Net.UNREACHABLE), int(Net.CLOSED)


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    async with nothing_left():
        yield


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_probe(tmp_path_factory.mktemp("probe"))


# ---- the library ---------------------------------------------------------------------------------


def test_a_file_that_is_no_library_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "core.so"
    path.write_bytes(b"not a library")
    with pytest.raises(CoreError, match=r"core\.so is no firmware core"):
        core_abi.load_core(path)


def test_a_library_without_the_functions_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "other.c"
    source.write_text("int other(void) { return 1; }\n")
    with pytest.raises(CoreError, match="no firmware core"):
        core_abi.load_core(build_library(tmp_path / "other.so", source))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("sizeof(parley_level_t),", "sizeof(parley_level_t) + 2,"), "Level is 8 there and 6"),
        (("AT(parley_port_t, restart),", ""), "layout numbers"),
        (("PARLEY_EV_COUNT,\n", "PARLEY_EV_COUNT, 7,\n"), "layout numbers"),
    ],
)
def test_another_layout_is_refused(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    layout = tmp_path / "layout.c"
    text = (FIRMWARE / "host/layout.c").read_text()
    assert text.count(change[0]) == 1
    layout.write_text(text.replace(*change))
    library = build_library(tmp_path / "odd.so", PROBE_SOURCE, layout)
    with pytest.raises(CoreError, match=says):
        core_abi.load_core(library)


def test_events_keep_their_bytes_alive() -> None:
    events = [core_abi.peer(Kind.CHANNEL_TEXT, 1, text=b"a\0b%d" % number) for number in range(200)]
    gc.collect()
    for number, event in enumerate(events):
        text = event.body.peer.text
        copy = core_abi.Span.from_buffer_copy(text).copy()
        assert copy == b"a\0b%d" % number


# ---- time, order, failures -----------------------------------------------------------------------


async def test_boot_tells_the_facts_of_the_board(probe: Path) -> None:
    async with desk(probe) as board:
        assert await board.line("boot") == (
            "boot korvo2 host 0123456789abcdef power_on 8388608 16777216\n"
        )
        assert board.firmware.version == "probe"


async def test_a_tick_comes_when_it_was_asked_for(probe: Path) -> None:
    async with desk(probe) as board:
        began = time.monotonic()
        board.type("tick|60")
        told_ms = int((await board.line("tick")).split()[1])
        assert 0.05 < time.monotonic() - began < 1.0
        assert 50 <= told_ms < 2000
        board.type("tick|5000")
        board.type("random")
        await board.line("random")
        # The later step took the wish back.
        assert board.firmware._tick is None


async def test_two_boards_do_not_know_each_other(probe: Path) -> None:
    async with desk(probe, volume=11) as one, desk(probe, volume=22) as other:
        one.type("number|volume|0")
        other.type("number|volume|0")
        assert await one.line("number") == "number 0 11\n"
        assert await other.line("number") == "number 0 22\n"


async def test_console_bytes_with_nul_arrive_whole(probe: Path) -> None:
    async with desk(probe) as board:
        board.firmware.console_in(b"settext|greeting|a\0b")
        assert await board.line("set") == "set 0\n"
        assert board.store.values["greeting"] == ("string", "a\0b")


async def test_an_exception_in_a_port_function_reaches_the_loop(probe: Path) -> None:
    class Broken(Desk):
        def _write(self, data: bytes) -> None:
            if data.startswith(b"random"):
                raise RuntimeError("the console is gone")
            super()._write(data)

    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    board = Broken(probe)
    board.firmware.start()
    board.type("random")
    board.type("load")
    await board.line("load")
    await board.firmware.stop()
    assert [str(context["exception"]) for context in told] == ["the console is gone"]


async def test_restart_ends_the_stepping_and_asks_the_chip(probe: Path) -> None:
    async with desk(probe) as board:
        board.type("restart")
        board.type("random")
        await board.line("boot")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert board.restarts == 1
        assert not any(line.startswith("random") for line in board.lines)


async def test_nothing_runs_after_stop(probe: Path) -> None:
    async with desk(probe) as board:
        await board.line("boot")
        for command in ("join|home|correct horse", "scan", "tick|1"):
            board.type(command)
        await asyncio.sleep(0)
        await board.firmware.stop()
        board.type("random")
        await asyncio.gather(board.firmware.stop(), board.firmware.stop())
        assert len(board.lines) == 1


async def test_stop_before_start_is_nothing(probe: Path) -> None:
    await Desk(probe).firmware.stop()


# ---- cfg -----------------------------------------------------------------------------------------


async def test_settings(probe: Path) -> None:
    async with desk(probe, volume=60, wifi_ssid="home", empty="") as board:
        for command, says in [
            ("number|volume|0", "number 0 60\n"),
            ("number|absent|0", "number 1 -99\n"),
            ("number|volume|3", "number 2 -99\n"),
            ("number|wifi_ssid|0", "number 2 -99\n"),
            ("text|wifi_ssid|5", "text 0 4 home\n"),
            ("text|wifi_ssid|4", "text 3 0 \n"),
            ("text|empty|1", "text 0 0 \n"),
            ("text|absent|9", "text 1 0 \n"),
            ("text|volume|9", "text 2 0 \n"),
        ]:
            board.type(command)
            assert (await board.line(lambda line: line[0] in "nt")) == says
        board.type("setnumber|mic_gain|1|-3")
        await board.line("set 0")
        assert board.store.values["mic_gain"] == ("i8", -3)


# ---- Wi-Fi ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("join", "says"),
    [
        ("join|home|correct horse", "wifi up -48 192.168.4."),
        ("join|home|wrong", "wifi down 1\n"),
        ("join|nowhere|x", "wifi down 2\n"),
        ("join|cafe|", "wifi up -71 "),
        ("join|attic|shh", "wifi up -80 "),
    ],
)
async def test_join(probe: Path, join: str, says: str) -> None:
    async with desk(probe) as board:
        board.type(join)
        assert (await board.line("wifi")).startswith(says)


async def test_scan_shows_what_shows_itself(probe: Path) -> None:
    async with desk(probe) as board:
        board.type("scan")
        assert await board.line("network") == "network -48 3 6 home\n"
        assert await board.line("network") == "network -71 0 11 cafe\n"
        await board.line("scanned")


async def test_a_lost_network_can_be_joined_again(probe: Path) -> None:
    async with desk(probe) as board:
        board.firmware.drop_wifi()
        board.type("join|cafe|")
        await board.line("wifi up")
        board.firmware.drop_wifi()
        assert await board.line("wifi down") == "wifi down 3\n"
        board.type("leave")
        board.type("join|home|correct horse")
        await board.line("wifi up")


# ---- HTTP ----------------------------------------------------------------------------------------


async def seen(request: web.Request) -> web.Response:
    body = await request.read()
    told = f"{request.headers['Authorization']} {request.content_type} ".encode() + body
    return web.Response(status=201, body=told, headers={"Location": "/v1/realtime/calls/rtc_1"})


async def never(_request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def test_post_through_the_core(probe: Path) -> None:
    async with web_server(web.post("/calls", seen)) as url, desk(probe) as board:
        board.type(f"post|1|3000|{url}/calls|v=0\r\n")
        assert await board.line("http") == f"http 1 {UNREACHABLE} 0 |\n"
        board.type("join|cafe|")
        await board.line("wifi up")
        board.firmware.console_in(f"post|2|3000|{url}/calls|v=0\0\r\n".encode())
        assert await board.line("http") == (
            "http 2 0 201 /v1/realtime/calls/rtc_1|Bearer sk-probe application/sdp v=0\0\r\n\n"
        )


async def test_each_post_ends_once(probe: Path) -> None:
    async with web_server(web.post("/never", never)) as url, desk(probe) as board:
        board.type("join|cafe|")
        await board.line("wifi up")
        board.type(f"post|1|60|{url}/never|x")
        assert await board.line("http") == f"http 1 {TIMEOUT} 0 |\n"
        board.type(f"postcancel|2|9000|{url}/never|x")
        assert await board.line("http") == f"http 2 {CLOSED} 0 |\n"
        board.type(f"post|3|9000|{url}/never|x")
        board.type("cancel|3")
        board.type("cancel|3")
        assert await board.line("http") == f"http 3 {CLOSED} 0 |\n"
        board.type(f"post|4|9000|{url}/never|x")
        board.type("random")
        await board.line("random")
        board.firmware.drop_wifi()
        assert await board.line("http") == f"http 4 {int(Net.LOST)} 0 |\n"
        board.type(f"post|5|9000|{url}/never|x")
        assert [line for line in board.lines if line.startswith("http 1")] != []
    assert sum(line.startswith("http") for line in board.lines) <= 5


def request_for(url: str, *, timeout_ms: int = 3000, body: bytes = b"{}") -> Post:
    return Post(url, "sk-secret", "application/json", body, timeout_ms)


async def test_how_exchanges_end() -> None:
    async def refused(_request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "no"}}, status=401)

    async def failed(_request: web.Request) -> web.Response:
        return web.Response(status=500, body=b"\xff\0oops")

    async def moved(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/seen")

    async def full(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * BODY_MAX_BYTES)

    async def too_long(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * (BODY_MAX_BYTES + 1))

    async def hung_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    routes = [
        web.post("/" + handler.__name__, handler)
        for handler in (seen, refused, failed, moved, full, too_long, hung_up, cut, never)
    ]
    http = BoardHttp()
    async with web_server(*routes) as url:
        exact = await http.post(request_for(f"{url}/seen", body=b"a\r\n\r\n"))
        assert exact.body.endswith(b" a\r\n\r\n")
        assert exact.location == "/v1/realtime/calls/rtc_1"
        assert (await http.post(request_for(f"{url}/refused"))).status == 401
        assert (await http.post(request_for(f"{url}/failed"))).body == b"\xff\0oops"
        assert (await http.post(request_for(f"{url}/moved"))).status == 302
        assert len((await http.post(request_for(f"{url}/full"))).body) == BODY_MAX_BYTES
        assert (await http.post(request_for(f"{url}/too_long"))).why is Net.TOO_LONG
        assert (await http.post(request_for(f"{url}/hung_up"))).why is Net.CLOSED
        assert (await http.post(request_for(f"{url}/cut"))).why is Net.CLOSED
        late = await http.post(request_for(f"{url}/never", timeout_ms=50))
        assert late.why is Net.TIMEOUT
        tls = await http.post(request_for(url.replace("http:", "https:")))
        assert tls.why is Net.TLS
    assert (await http.post(request_for(url))).why is Net.UNREACHABLE
    for nonsense in ("", "ftp://127.0.0.1/x", "http://", "http://127.0.0.1:99999/"):
        assert (await http.post(request_for(nonsense))).why in (Net.FAILED, Net.UNREACHABLE)
    await http.close()
    await http.close()


def test_requests_show_no_secret() -> None:
    assert "sk-secret" not in repr(request_for("http://127.0.0.1/"))


# ---- load ----------------------------------------------------------------------------------------


async def test_load_names_the_tasks_of_the_board(probe: Path) -> None:
    async with desk(probe) as board:
        board.type("load")
        head = (await board.line("load")).split()
        assert head[1] == "2"
        assert int(head[4]) > 100_000
        names = [(await board.line("task")).split()[1] for _ in range(8)]
        assert names == ["main", "core", "peer", "audio_in", "audio_out", "wifi", "idle0", "idle1"]


def test_person_is_a_room(probe: Path) -> None:
    assert Person([]).hear().shape == (960,)
    assert ctypes.sizeof(core_abi.Span) == ctypes.sizeof(core_abi.Text)


# ---- the sound test, with the real core ----------------------------------------------------------


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_core(tmp_path_factory.mktemp("core"))


async def test_the_sound_test_measures_the_loop(core: Path) -> None:
    room = SilentRoom(echo=Echo(delay_frames=4, gain=0.1))
    async with desk(core, room=room, volume=50) as board:
        board.type("#1 sound\n")
        result = await board.record(k="sound")
    assert result["heard"]
    delay_ms = result["delay_ms"]
    assert isinstance(delay_ms, int)
    # Four frames in the room, and up to three in the speaker's queue.
    assert 80 <= delay_ms <= 160
    assert result["tone"] == pytest.approx(-21.3, abs=0.3)
    assert result["mic"] == result["echo"] == pytest.approx(-41.3, abs=0.5)


async def test_a_sound_test_that_nobody_hears(core: Path) -> None:
    async with desk(core) as board:
        board.type("sound\n")
        result = await board.record(k="sound")
        assert not result["heard"]
        assert "delay_ms" not in result
        assert "did not hear the tone" in await board.line("W (")
        board.type("sound\n")  # and a reset in the middle of one leaves nothing behind
        await asyncio.sleep(0)


async def test_hello_repeats_the_boot_record(core: Path) -> None:
    async with desk(core) as board:
        first = await board.record(k="boot")
        board.type("#1 hello\n")
        again = await board.record(k="boot")
        assert again.pop("repeated")
        assert {**again, "n": 0, "t": 0} == {**first, "n": 0, "t": 0}
