"""The one door through which language models are asked over HTTP. What was said and the key go to the address that was
set and nowhere else: no proxy of the environment, no redirect, no key over a line that others can read. What a server
says about a failure is never repeated, since it may quote the key or the question; its status tells enough."""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from jarvis.assistant.language.model import TooLong
from jarvis.assistant.providers.sse import ServerEvent, ServerEvents
from jarvis.core.errors import (
    BadConfiguration,
    DeadlineExceeded,
    EngineFailed,
    InvalidBytes,
    JarvisError,
    Missing,
    NotAllowed,
    Overloaded,
    Unreachable,
)

CONNECT_S = 5.0
"""A server that does not even take a call in this time is not there."""
MAX_BODY_BYTES = 1024 * 1024
"""Of an answer that is not streamed, such as a list of models."""
MAX_STREAM_BYTES = 8 * 1024 * 1024
"""Of a streamed one: the longest answer, each of its letters in an event of its own."""
MAX_REASON_BYTES = 16 * 1024
"""Looked at of what a server says about a failure."""
LEAST_KEY_CHARS = 16
"""Of a header that holds a key; shorter ones are versions."""
_TOO_LONG = ("context_length_exceeded", "exceed_context_size", "prompt is too long", "maximum context length")
"""How OpenAI, llama.cpp, Anthropic and vLLM say it."""
Headers = Callable[[], Mapping[str, str]]


class Throttled(Overloaded):
    """It was asked too much; `after_s` is when it may be asked again, 0 when it did not say."""

    def __init__(self, message: str, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s


class Calls:
    """`who` is the server for people. `headers` are asked for at each call, so that a new key holds at once; it raises
    BadConfiguration when the key cannot be read."""

    def __init__(self, who: str, url: str, headers: Headers) -> None:
        self.who, self.url, self._headers = who, url.rstrip("/"), headers

    @property
    def elsewhere(self) -> bool:
        """What is asked leaves this device."""
        return not is_loopback(self.url)

    @property
    def host(self) -> str:
        return _parts(self.url)[1]

    def check(self) -> None:
        """Raises BadConfiguration when it can never be asked as it is set, or its key cannot be read."""
        scheme, host = _parts(self.url)
        if scheme not in ("http", "https") or not host:
            raise BadConfiguration(
                f"{self.who} has no valid address.", fix="Give it a url such as http://host:8080/v1."
            )
        if self._headers():
            refuse_plain(self.who, self.url)

    async def get(self, path: str) -> Any:
        """An answer in JSON."""
        async with self._call("GET", path, None) as response:
            body = await response.content.read(MAX_BODY_BYTES + 1)
            while len(body) <= MAX_BODY_BYTES and (more := await response.content.read(MAX_BODY_BYTES + 1)):
                body += more
            if len(body) > MAX_BODY_BYTES:
                raise EngineFailed(f"{self.who} answered far too much.")
            self._must_not_quote(self._keys(), body.decode("utf-8", "replace"))
            return self.read(body)

    async def stream(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[ServerEvent]:
        """The events of a streamed answer; closing it hangs up."""
        events, keys = ServerEvents(), self._keys()
        async with self._call("POST", path, body) as response:
            if response.content_type != "text/event-stream":
                raise EngineFailed(f"{self.who} answered something that is not its protocol.")
            left = MAX_STREAM_BYTES
            async for received in response.content.iter_any():
                left -= len(received)
                if left < 0:
                    raise EngineFailed(f"{self.who} answered far too much.")
                for event in events.feed(received):
                    self._must_not_quote(keys, event.data)
                    yield event

    def read(self, text: bytes | str) -> Any:
        """JSON, or EngineFailed."""
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise EngineFailed(f"{self.who} answered something that is not its protocol.") from None

    def _keys(self) -> list[str]:
        return [value.split()[-1] for value in self._headers().values() if len(value) >= LEAST_KEY_CHARS]

    def _must_not_quote(self, keys: Sequence[str], text: str) -> None:
        """What a server answers is kept, and goes to every room: one that says its key in there is not heard out."""
        if any(key in text for key in keys):
            raise EngineFailed(f"{self.who} quotes its key.")

    @contextlib.asynccontextmanager
    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One session for each use: none is left open when the loop ends. The caller bounds the time."""
        self.check()
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_S)
        headers = {**self._headers(), "Accept-Encoding": "identity"}
        with self.translated():
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False, auto_decompress=False) as session,
                session.request(method, self.url + path, json=body, headers=headers, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise self._refusal(response, await response.content.read(MAX_REASON_BYTES))
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    # nobody asked for it, and a few bytes of it may be gigabytes
                    raise EngineFailed(f"{self.who} answered something that is not its protocol.")
                yield response

    @contextlib.contextmanager
    def translated(self) -> Any:
        """The library's errors, and those of reading what came, as ours."""
        try:
            yield
        except JarvisError as error:
            if isinstance(error, InvalidBytes):
                raise EngineFailed(f"{self.who} answered something that is not its protocol.") from None
            raise
        except TimeoutError:
            raise DeadlineExceeded(f"{self.who} did not answer in time.") from None
        except aiohttp.ClientConnectionError as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                raise Unreachable(f"{self.who} cannot be reached.") from None
            raise EngineFailed(f"{self.who} broke off its answer.") from None
        except (aiohttp.InvalidURL, ValueError, TypeError, AttributeError, KeyError, IndexError):
            raise EngineFailed(f"{self.who} answered something that is not its protocol.") from None
        except (aiohttp.ClientError, OSError):
            raise EngineFailed(f"{self.who} broke off its answer.") from None

    def _refusal(self, response: aiohttp.ClientResponse, said: bytes) -> JarvisError:
        status, reason = response.status, said.decode("utf-8", "replace").lower()
        if status in (401, 403):
            return NotAllowed(f"{self.who} refuses the key.", fix="Give it another one; see docs/assistant.md.")
        if status in (400, 413, 422) and any(one in reason for one in _TOO_LONG):
            return TooLong(f"That is too long for {self.who}.")
        if status == 404:
            return Missing(f"{self.who} does not have the model that is set.", fix="Set one that it has.")
        if status in (429, 503, 529):
            return throttled(self.who, response.headers.get("Retry-After"))
        if status >= 500:
            return EngineFailed(f"{self.who} failed (HTTP {status}).")
        return EngineFailed(f"{self.who} refused the request (HTTP {status}).")


def throttled(who: str, retry_after: str | None) -> Throttled:
    """`retry_after` is the header of that name."""
    return Throttled(f"{who} is asked too much right now.", _seconds(retry_after))


def refuse_plain(who: str, url: str) -> None:
    """Raises BadConfiguration for a `url` on whose way others can read a key."""
    if _parts(url)[0] == "http" and not is_loopback(url):
        raise BadConfiguration(
            f"{who} is set to http, so its key could be read on the way.",
            fix="Use an https address, or leave out the key.",
        )


def is_loopback(url: str) -> bool:
    host = _parts(url)[1]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parts(url: str) -> tuple[str, str]:
    """Scheme and host, empty for what is no address."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or ""
    except ValueError:
        return "", ""


def _seconds(text: str | None) -> float:
    """Of a Retry-After in seconds; one that is a date counts as none, since this clock may be wrong."""
    try:
        return max(0.0, min(float(text or 0), 3_600.0))
    except ValueError:
        return 0.0
