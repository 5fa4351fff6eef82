"""Sessions of tests/vectors/sessions through the core, its records through the app's transcript."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from core_door import ROOT, World

from app.core.events import Source
from app.core.transcript import Transcript
from app.core.transcript_rows import Bubble, Divider, Row, ToolRow
from app.core.wire import Decoder

SESSIONS = ROOT / "tests/vectors/sessions"
NAMES = sorted(path.stem for path in SESSIONS.glob("*.jsonl") if ".golden" not in path.name)
STORE: dict[str, int | str] = {
    "wifi_ssid": "home",
    "wifi_psw": "wifi-secret",
    "api_key": "sk-secret-0123456789",
    "base_url": "http://127.0.0.1:9/v1",
    "greeting": "",
    "tools2": '{"type":"function","name":"Mow"}',
}


class Recorded(World):
    """Keeps records and sent events in one list, in their order."""

    def __init__(self) -> None:
        self.done: list[dict[str, Any]] = []
        super().__init__(**STORE)

    def _console_write(self, _: int, line: int, length: int) -> None:
        super()._console_write(_, line, length)
        if self.output[-1].startswith(b"\x1e"):
            self.done.append({"record": json.loads(self.output[-1][1:])})

    def _peer_send(self, _: int, number: int, text: int, length: int) -> None:
        super()._peer_send(_, number, text, length)
        self.done.append({"sent": self.sent()[-1]})

    def wait(self, ms: int) -> None:
        """Time passes; ticks come when the core wants them."""
        end_ms = self.now_ms + ms
        while self.now_ms + self.wait_ms <= end_ms:
            self.tick(after_ms=self.wait_ms)
        self.wait_ms -= end_ms - self.now_ms
        self.now_ms = end_ms


def play(name: str, kind: type[Recorded] = Recorded) -> Recorded:
    world = kind()
    world.boot().go_live()
    world.done.clear()
    world.output.clear()
    for line in (SESSIONS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        step = json.loads(line)
        world.wait(step["after_ms"])
        match step:
            case {"service": event}:
                world.say(event)
            case {"speaker": playing}:
                world.speaker(playing)
            case {"console": text}:
                world.line(text)
            case {"peer_down": _}:
                world.peer("peer_down", world.last_id("peer_open"))
            case {"reconnect": _}:
                connect(world)
            case _:
                raise AssertionError(step)
    world.wait(2000)
    return world


def connect(world: World) -> None:
    world.http(world.last_id("http_post"), 200, b'{"value":"ek_second_one_12345"}')
    peer = world.last_id("peer_open")
    world.peer("peer_offer", peer, b"v=0\r\noffer\r\n")
    world.http(world.last_id("http_post"), 201, b"v=0\r\nanswer\r\n", b"/v1/calls/rtc_2")
    world.peer("channel_open", peer)


def golden(world: Recorded) -> str:
    return "".join(json.dumps(done, ensure_ascii=False) + "\n" for done in world.done)


def transcript_text(world: World) -> str:
    decoder, transcript = Decoder(), Transcript()
    live = b'\x1e{"k":"session","n":0,"t":0,"state":"live"}\n'
    for data in [live, *world.output]:
        for event in decoder.receive(data, 1.0):
            transcript.apply(event)
    return "".join(f"{_shown(row)}\n" for row in transcript.rows)


def _shown(row: Row) -> str:
    assert row.source is Source.BOARD
    match row:
        case Bubble(role=role, text=text):
            marks = ["cut"] if row.interrupted else []
            marks += [] if row.latency_ms is None else [f"after {row.latency_ms} ms"]
            marks += [] if row.final else ["not complete"]
            return f"{role}: {text}" + (f" [{', '.join(marks)}]" if marks else "")
        case ToolRow(name=name, arguments=arguments, output=output):
            return f"{name} {arguments} -> {output}"
        case Divider(live=live, code=code):
            return f"-- {'live' if live else code}"


@pytest.mark.parametrize("name", NAMES)
def test_the_core_does_what_it_must(name: str) -> None:
    world = play(name)
    expected = (SESSIONS / f"{name}.golden.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in golden(world).splitlines()] == [
        json.loads(line) for line in expected.splitlines()
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_app_shows_the_conversation(name: str) -> None:
    expected = (SESSIONS / f"{name}.txt").read_text(encoding="utf-8")
    assert transcript_text(play(name)) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_session_told_twice_is_one_session(name: str) -> None:
    """Every event of the service doubled: the same records, the same events sent."""

    class Doubled(Recorded):
        def say(self, event: dict[str, Any] | bytes) -> None:
            super().say(event)
            super().say(event)

    once, twice = play(name), play(name, Doubled)
    assert twice.done == once.done


def test_every_kind_of_session_is_there() -> None:
    assert len(NAMES) == 9


def _write(folder: Path) -> None:
    for name in NAMES:
        world = play(name)
        (folder / f"{name}.golden.jsonl").write_text(golden(world), encoding="utf-8")
        (folder / f"{name}.txt").write_text(transcript_text(world), encoding="utf-8")


if __name__ == "__main__":
    _write(SESSIONS)
