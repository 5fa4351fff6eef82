"""HTTP of the virtual board: one POST at a time by value, every ending named.

As on the chip, a redirect is an answer and not followed (the bearer would travel along), no proxy
of the environment is asked, and an answer larger than the board's buffer is refused. The bearer is
written into one header and nowhere else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import aiohttp

from app.sim.core_abi import Net

BODY_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Post:
    """A request; `timeout_ms` is for the whole exchange."""

    url: str
    bearer: str = field(repr=False)
    content_type: str
    body: bytes = field(repr=False)
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Answer:
    """How the exchange ended; the rest counts only when `why` is OK."""

    why: Net
    status: int = 0
    body: bytes = field(default=b"", repr=False)
    location: str = ""


class BoardHttp:
    """The board's HTTP client. Used on one loop; `close` ends its connections."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def post(self, request: Post) -> Answer:
        """Never raises for what the network does: that is the answer's `why`."""
        try:
            async with asyncio.timeout(request.timeout_ms / 1000):
                return await self._exchange(request)
        except TimeoutError:
            return Answer(Net.TIMEOUT)
        except aiohttp.ClientSSLError:
            # Certificates and handshakes alike; before ClientConnectorError, its base.
            return Answer(Net.TLS)
        except aiohttp.ClientConnectorError:
            return Answer(Net.UNREACHABLE)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            return Answer(Net.CLOSED)
        except aiohttp.ClientPayloadError:
            return Answer(Net.CLOSED)
        except (aiohttp.ClientError, ValueError):
            # No URL, no HTTP, or header values that cannot be sent.
            return Answer(Net.FAILED)

    async def close(self) -> None:
        """Ends every connection. May be called again; a later `post` opens anew."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _exchange(self, request: Post) -> Answer:
        headers = {
            "Authorization": f"Bearer {request.bearer}",
            "Content-Type": request.content_type,
            "Accept-Encoding": "identity",
        }
        async with self._opened().post(
            request.url, data=request.body, headers=headers, allow_redirects=False
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > BODY_MAX_BYTES:
                    response.close()
                    return Answer(Net.TOO_LONG)
            location = response.headers.get("Location", "")
            return Answer(Net.OK, response.status, bytes(body), location)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # The exchange has one clock, and it is the caller's.
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "parley-board"},
            )
        return self._session
