"""What the outside world does wrong, and what the user and the board make of it."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import serial
from program_run import Run

from app.adapters import files
from app.compose import bundles, places
from app.compose.program import install, read_virtual_bundle
from app.core.events import Boot, FlashWrote, SessionState, Start, Stop, StoreValue
from app.core.faults import BundleDamaged, Fault, PortBusy
from app.core.session_text import fault_of

CODES = {
    "401": "unauthorized",
    "429": "rate_limited",
    "429_quota": "no_quota",
    "500": "server_error",
    "html": "server_error",  # a gateway says 502 in HTML
    "hang": "timeout",
}


async def test_a_misbehaving_service_is_told_in_words_and_start_works_afterwards(run: Run) -> None:
    await run.install()
    for fault, code in CODES.items():
        await run.program.world.set_fault(fault)
        since = len(run.told)
        await run.program.send(Start())
        ended = await run.session_reaches("idle", since=since, within_s=21)
        assert ended.code == code, fault
        shown = fault_of(ended)
        assert shown is not None, fault
        assert shown.what, fault
        assert shown.remedy, fault
    await run.program.world.set_fault("")
    since = len(run.told)
    await run.program.send(Start())
    await run.session_reaches("live", since=since)
    await run.program.send(Stop())
    await run.session_reaches("idle", since=since)


@asynccontextmanager
async def service_process(port: int = 0) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`parley service` as a process, so that it can die as one; yields it and its base URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "app", "service", "--port", str(port),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            while not (found := re.match(rb"base_url (\S+)", await process.stdout.readline())):
                pass
        yield process, found[1].decode()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            await process.communicate()


async def test_a_service_that_dies_is_noticed_within_ten_seconds(run: Run) -> None:
    await run.install()
    async with service_process() as (process, base_url):
        await run.program.send(StoreValue("base_url", base_url))
        since = len(run.told)
        await run.program.send(Start())
        await run.session_reaches("live", since=since)
        process.kill()
        since = len(run.told)
        lost = await run.session_reaches("waiting", "idle", since=since, within_s=10)
        assert lost.code in ("peer_lost", "peer_failed", "channel_closed")
        assert fault_of(lost) is not None
    port = int(base_url.rsplit(":", 1)[1].split("/")[0])
    async with service_process(port):
        since = len(run.told)
        await run.program.send(Start())
        await run.session_reaches("live", since=since)
        await run.program.send(Stop())
        await run.session_reaches("idle", since=since)


async def test_a_board_that_dies_is_noticed_by_the_service_within_ten_seconds(run: Run) -> None:
    await run.install()
    since = len(run.told)
    await run.program.send(Start())
    await run.session_reaches("live", since=since)
    world = run.program.world
    await run.until(lambda: len(world.open_calls) == 1)
    await run.program.board.close()
    await asyncio.to_thread(world.board.power_off)
    await run.until(lambda: not world.open_calls, within_s=10)


async def test_a_damaged_bundle_is_refused_before_the_port_is_opened(
    run: Run, tmp_path: Path
) -> None:
    whole = places.virtual_bundle().read_bytes()
    world = run.program.world
    await world.start()
    blank = bytes(world.board.flash.cells)
    for position in (0, len(whole) // 2, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        file = tmp_path / "demo firmware.zip"
        file.write_bytes(damaged)
        with pytest.raises(BundleDamaged) as refused:
            bundles.read(file)
        told = f"{refused.value} {refused.value.detail}"
        assert file.name in told
        digests = re.search(r"expected: (.{64}); found: ([0-9a-f]{64})$", told)
        assert digests, told
        assert digests[1] != digests[2]
    assert bytes(world.board.flash.cells) == blank
    assert not run.program.board.is_open


async def test_a_port_held_by_another_program_is_told_and_flashing_works_later(run: Run) -> None:
    world = run.program.world
    await world.start()
    with serial.serial_for_url(world.port.name):
        with pytest.raises(PortBusy) as refused:
            await run.program.choose(world.port.name)
        assert refused.value.remedy
    await run.install()
    assert any(isinstance(event, Boot) for event in run.told)


async def test_a_port_that_vanishes_while_flashing_is_told_and_flashing_again_works(
    run: Run,
) -> None:
    world = run.program.world
    await world.start()
    await run.program.choose(world.port.name)

    def pull_the_cable(event: object) -> None:
        if isinstance(event, FlashWrote) and event.part == "app" and event.done:
            world.board.unplug()

    with run.program.moments.heard_by(pull_the_cable), pytest.raises(Fault) as refused:
        await install(
            run.program.board, read_virtual_bundle(), world.settings(), run.program.moments.tell
        )
    assert refused.value.remedy
    world.board.plug()
    await run.install()
    since = len(run.told)
    await run.program.send(Start())
    live = await run.session_reaches("live", since=since)
    assert live.state is SessionState.LIVE


def test_a_missing_bundle_is_a_fault_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(Fault) as refused:
        files.read_bundle(tmp_path / "nothing.zip")
    assert refused.value.remedy
