"""What the `ollama` package sends and receives, kept within bounds that neither it nor its HTTP library has: how much
comes, nothing unpacked, and no key over a line that others can read. Importing it takes 200 ms, and `ollama`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import cast

import httpx
import ollama

from jarvis.assistant.providers.calls import MAX_STREAM_BYTES, is_loopback, throttled
from jarvis.core.errors import EngineFailed


def client(url: str, timeout_s: float, headers: Mapping[str, str]) -> ollama.AsyncClient:
    """`headers` hold the key, if there is one. Raises ValueError for what is no address."""
    secrets = [value.split()[-1].encode() for value in headers.values()]
    line = Line(url, secrets)
    return ollama.AsyncClient(
        url, headers=headers, timeout=timeout_s, trust_env=False, follow_redirects=False, transport=line
    )


class Line(httpx.AsyncBaseTransport):
    """To the one server at `url`, which may repeat none of `secrets`."""

    def __init__(self, url: str, secrets: Sequence[bytes]) -> None:
        self._secrets = secrets
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
        response.stream = _Bounded(cast(httpx.AsyncByteStream, response.stream), self._secrets)
        return response

    async def aclose(self) -> None:
        await self._below.aclose()


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, below: httpx.AsyncByteStream, secrets: Sequence[bytes]) -> None:
        self._below, self._secrets = below, secrets

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left, before = MAX_STREAM_BYTES, b""
        longest = max(map(len, self._secrets), default=0)
        async for received in self._below:
            left -= len(received)
            if left < 0:
                raise EngineFailed("Ollama answered far too much.")
            seen = before + received
            if any(secret in seen for secret in self._secrets):
                raise EngineFailed("Ollama quotes its key.")  # what it answers is kept, and goes to every room
            before = seen[-longest:] if longest else b""
            yield received

    async def aclose(self) -> None:
        await self._below.aclose()
