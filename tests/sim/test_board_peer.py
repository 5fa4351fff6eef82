"""The board's peer against another aiortc peer, with a probe in the core's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from board_rig import Answerer, Desk, build_probe, desk, nothing_left

from app.sim import board_peer, consent
from app.sim.core_abi import Net
from app.sim.room import Person, SilentRoom

FAILED, LOST, CLOSED = int(Net.FAILED), int(Net.LOST), int(Net.CLOSED)


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    async with nothing_left():
        yield


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_probe(tmp_path_factory.mktemp("probe"))


def text_of(line: str) -> str:
    return line.split("|", 1)[1][:-1]


@asynccontextmanager
async def called(board: Desk) -> AsyncIterator[Answerer]:
    """Peer 1 of the board, up and with an open channel."""
    async with Answerer() as other:
        board.type("join|cafe|")
        await board.line("wifi up")
        board.type("open|1")
        offer = text_of(await board.line("peer 1 offer"))
        board.type("answer|1|" + await other.answer(offer))
        await board.line("peer 1 up")
        await board.line("peer 1 open")
        yield other


async def test_the_offer_is_what_the_service_expects(probe: Path) -> None:
    async with desk(probe) as board:
        board.type("join|cafe|")
        await board.line("wifi up")
        board.type("open|7")
        offer = text_of(await board.line("peer 7 offer"))
        assert offer.startswith("v=0\r\n")
        assert offer.endswith("\r\n")
        lines = offer.split("\r\n")
        media = [line.split()[0] for line in lines if line.startswith("m=")]
        assert media == ["m=audio", "m=application"]
        assert "a=sendrecv" in lines
        assert [line for line in lines if line.startswith("a=rtpmap")] == [
            "a=rtpmap:96 opus/48000/2"
        ]
        assert any(line.startswith("a=candidate") for line in lines)
        assert not any("srflx" in line for line in lines)
        board.type("close|7")
        assert await board.line("peer 7 down") == f"peer 7 down {CLOSED}|\n"


async def test_without_wifi_there_is_no_peer(probe: Path) -> None:
    async with desk(probe) as board:
        board.type("open|1")
        assert await board.line("peer") == f"peer 1 down {FAILED}|\n"


async def test_a_peer_closed_at_once_still_ends(probe: Path) -> None:
    async with desk(probe) as board:
        board.type("join|cafe|")
        await board.line("wifi up")
        board.type("open|1")
        board.type("close|1")
        board.type("close|1")
        assert await board.line("peer 1") == f"peer 1 down {CLOSED}|\n"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda sdp: "",
        lambda sdp: "<html>no</html>",
        lambda sdp: "v=0\r\n",
        lambda sdp: sdp[: len(sdp) // 2],
        lambda sdp: sdp.replace("a=setup:active\r\n", ""),
        lambda sdp: "\r\n".join(x for x in sdp.split("\r\n") if not x.startswith("a=fingerprint")),
        lambda sdp: "\r\n".join(x for x in sdp.split("\r\n") if not x.startswith("a=ice-ufrag")),
        lambda sdp: sdp.replace("opus/48000/2", "speex/8000"),
        lambda sdp: sdp.replace("m=audio", "m=video"),
    ],
)
async def test_an_unfit_answer_ends_the_peer(spoil, probe: Path) -> None:
    async with desk(probe) as board, Answerer() as other:
        board.type("join|cafe|")
        await board.line("wifi up")
        board.type("open|1")
        answer = await other.answer(text_of(await board.line("peer 1 offer")))
        board.type("answer|1|" + spoil(answer))
        assert await board.line("peer 1") == f"peer 1 down {FAILED}|\n"


async def test_sound_and_words_go_both_ways(probe: Path) -> None:
    voice = (8_000 * np.sin(np.arange(48_000 * 4) / 10)).astype(np.int16)
    room = Person([voice], speaks_first=True, capture=True)
    async with desk(probe, room=room) as board, called(board) as other:
        await board.line("speaker on")
        board.type("send|1|grüße")
        assert text_of(await board.line("peer 1 message")) == "grüße"
        long = "x" * 200_000
        board.type("send|1|" + long)
        assert text_of(await board.line("peer 1 message")) == long
        level = await board.line(lambda line: line.startswith("level") and "-9600 " not in line)
        _, microphone, speaker, echo = level.split()
        assert -2_500 < int(microphone) < -500
        assert -2_500 < int(speaker) < -500
        assert echo == "-9600"

        board.type("device|50|1")
        await board.line(lambda line: line.startswith("level -9600"))
        other.heard_rms.clear()
        other.tone.loud = False
        await board.line("speaker off")
        figures = (int(figure) for figure in (await board.line("media")).split()[1:])
        up, down, loss, jitter, round_trip, _underruns = figures
        assert 5_000 < up < 3_000_000
        assert 5_000 < down < 3_000_000
        assert (loss, jitter < 200, round_trip < 500) == (0, True, True)
        board.type("load")
        tasks = {}
        for _ in range(8):
            name, *figures = (await board.line("task")).split()[1:]
            tasks[name] = [int(figure) for figure in figures]
        assert all(tasks[name][2] > 0 for name in ("peer", "audio_in", "audio_out"))
    assert room.heard_s > 0.3
    assert max(other.heard_rms[-5:]) < 50


async def test_a_flush_silences_the_speaker(probe: Path) -> None:
    room = SilentRoom()
    async with desk(probe, room=room) as board, called(board) as other:
        await board.line("speaker on")
        other.tone.loud = False
        board.type("flush")
        await board.line("speaker off", within_s=1.0)


async def test_closed_while_connecting(probe: Path) -> None:
    async with desk(probe) as board:
        async with Answerer() as other:
            board.type("join|cafe|")
            await board.line("wifi up")
            board.type("open|1")
            answer = await other.answer(text_of(await board.line("peer 1 offer")))
        board.type("answer|1|" + answer)
        for _ in range(3):
            board.type("random")
            await board.line("random")
        board.type("close|1")
        assert await board.line("peer 1") == f"peer 1 down {CLOSED}|\n"


async def test_close_from_the_board(probe: Path) -> None:
    async with desk(probe) as board, called(board):
        board.type("close|1")
        assert await board.line("peer 1 down") == f"peer 1 down {CLOSED}|\n"
        board.type("send|1|late")
        board.type("open|2")
        await board.line("peer 2 offer")


async def test_close_from_the_other_side(probe: Path) -> None:
    async with desk(probe) as board, called(board) as other:
        await other.close()
        assert await board.line("peer 1 closed")
        assert await board.line("peer 1 down") == f"peer 1 down {CLOSED}|\n"


async def test_a_vanished_peer_is_lost_not_closed(
    probe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The real patience is tried with the real core, in test_board_session.
    monkeypatch.setattr(consent, "INTERVAL_S", 0.3)
    monkeypatch.setattr(consent, "FAILURES", 2)
    monkeypatch.setattr(board_peer, "SILENT_S", 0.6)
    async with desk(probe) as board, called(board) as other:
        other.vanish()
        line = await board.line(lambda line: line.startswith(("peer 1 down", "peer 1 closed")))
        assert line == f"peer 1 down {LOST}|\n"


async def test_reset_in_mid_session_leaves_nothing(probe: Path) -> None:
    async with desk(probe) as board, called(board):
        await asyncio.wait_for(board.firmware.stop(), 3.0)
        assert "peer 1 down" not in "".join(board.lines)


async def test_wifi_lost_in_mid_session(probe: Path) -> None:
    async with desk(probe) as board, called(board):
        board.firmware.drop_wifi()
        await board.line("wifi down")
        assert await board.line("peer 1 down") == f"peer 1 down {LOST}|\n"
