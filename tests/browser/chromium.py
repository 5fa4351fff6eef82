"""A headless Chromium, driven through its DevTools protocol: one process, one page."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from contextlib import suppress
from pathlib import Path

import aiohttp

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
START_WITHIN_S = 20.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)


def program() -> str | None:
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Chromium:
    """`async with Chromium(folder, mic=wav) as page: await page.open(url); await page.run(js)`."""

    def __init__(self, folder: Path, *, mic: Path, may_listen: bool) -> None:
        """`mic` is the sound of the fake microphone; pages get it unasked if they `may_listen`."""
        self._folder, self._mic = folder, mic
        # Whoever may listen may also see this computer's addresses; others get mDNS names.
        self._grants = ("--use-fake-ui-for-media-stream",) if may_listen else ()
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future] = {}
        self._session = ""

    async def __aenter__(self) -> Chromium:
        self._process = await asyncio.create_subprocess_exec(
            program(),
            *FLAGS,
            *self._grants,
            f"--user-data-dir={self._folder}",
            f"--use-file-for-fake-audio-capture={self._mic}%noloop",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self._http = aiohttp.ClientSession()
        try:
            async with asyncio.timeout(START_WITHIN_S):
                self._socket = await self._http.ws_connect(await self._door(), max_msg_size=0)
                self._tasks = [
                    asyncio.ensure_future(self._read()),
                    asyncio.ensure_future(self._drain()),
                ]
                target = await self._ask("Target.createTarget", url="about:blank")
                attached = await self._ask(
                    "Target.attachToTarget", targetId=target["targetId"], flatten=True
                )
                self._session = attached["sessionId"]
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *why) -> None:
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(3):
                self._session = ""
                await self._ask("Browser.close")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()
        await self._end()

    async def _end(self) -> None:
        await self._http.close()
        with suppress(ProcessLookupError):
            if self._process.returncode is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(3):
                        await self._process.wait()
                    return
                self._process.kill()
        await self._process.wait()

    async def _door(self) -> str:
        while line := (await self._process.stderr.readline()).decode(errors="replace"):
            if "DevTools listening on " in line:
                return line.split("listening on ")[1].strip()
        raise RuntimeError("Chromium did not start")

    async def _drain(self) -> None:
        while await self._process.stderr.read(65_536):
            pass

    async def _read(self) -> None:
        async for message in self._socket:
            said = json.loads(message.data)
            waiting = self._waiting.pop(said.get("id"), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(said)
        for waiting in self._waiting.values():
            waiting.cancel()

    async def _ask(self, method: str, **params) -> dict:
        number = next(self._ids)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        asked = {"id": number, "method": method, "params": params}
        if self._session:
            asked["sessionId"] = self._session
        await self._socket.send_json(asked)
        said = await self._waiting[number]
        assert "error" not in said, said
        return said["result"]

    async def open(self, url: str) -> None:
        await self._ask("Page.enable")
        await self._ask("Page.navigate", url=url)
        await self.run(
            "new Promise(done => document.readyState === 'complete' ? done() : onload = done)"
        )

    async def run(self, expression: str):
        """The value of a JavaScript expression, awaited. Raises AssertionError with its error."""
        said = await self._ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")
