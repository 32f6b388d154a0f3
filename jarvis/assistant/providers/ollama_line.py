"""What the `ollama` package sends and receives, kept within bounds that neither it nor its HTTP library has: how much
comes, nothing unpacked, and no key over a line that others can read. Importing it takes 200 ms, and `ollama`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import httpx
import ollama

from jarvis.assistant.providers.calls import MAX_STREAM_BYTES, is_loopback, throttled
from jarvis.core.errors import EngineFailed


def client(url: str, timeout_s: float) -> ollama.AsyncClient:
    """Raises ValueError for what is no address."""
    return ollama.AsyncClient(url, timeout=timeout_s, trust_env=False, follow_redirects=False, transport=Line(url))


class Line(httpx.AsyncBaseTransport):
    """To the one server at `url`."""

    def __init__(self, url: str) -> None:
        plain = url.startswith("http:")
        self._keyless = plain and not is_loopback(url)
        # Reading the certificates is 13 ms, for nothing where there is no TLS.
        self._below = httpx.AsyncHTTPTransport(verify=not plain, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises Throttled, EngineFailed for what is not Ollama's protocol, and what httpx raises."""
        request.headers["Accept-Encoding"] = "identity"
        if self._keyless:
            request.headers.pop("Authorization", None)  # the package takes OLLAMA_API_KEY wherever it goes
        response = await self._below.handle_async_request(request)
        if response.status_code in (429, 503):
            await response.aclose()
            raise throttled("Ollama", response.headers.get("Retry-After"))
        if response.headers.get("Content-Encoding", "identity") != "identity":
            await response.aclose()
            raise EngineFailed("Ollama answered something that is not its protocol.")
        response.stream = _Bounded(cast(httpx.AsyncByteStream, response.stream))
        return response

    async def aclose(self) -> None:
        await self._below.aclose()


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, below: httpx.AsyncByteStream) -> None:
        self._below = below

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_STREAM_BYTES
        async for received in self._below:
            left -= len(received)
            if left < 0:
                raise EngineFailed("Ollama answered far too much.")
            yield received

    async def aclose(self) -> None:
        await self._below.aclose()
