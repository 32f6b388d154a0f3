"""The other end of the API, for commands: synchronous and on the standard library alone, since a command that loads
an event loop to ask one question is slow before it has asked. It raises what the node raised."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from jarvis.api import problems, runtime
from jarvis.core.errors import DeadlineExceeded, EngineFailed, NotAllowed, Unreachable

ANSWER_BYTES = 64 * 1024 * 1024
"""The longest answer is a session's export or a spoken reply, some megabytes."""
DEADLINE_S = 30.0
LINE_BYTES = 512 * 1024
"""Of a stream: a line is some hundred, a piece of a backup up to 350 KB."""


class Client:
    """Talks to the node that runs on `data_dir`."""

    def __init__(self, data_dir: Path) -> None:
        """Raises Unreachable when no node runs there, NotAllowed when its files are somebody else's."""
        self.data_dir = data_dir
        try:
            found = runtime.read(data_dir)
        except PermissionError:
            raise NotAllowed(
                f"You may not read {data_dir / runtime.RUNTIME_FILE}.", fix="Run this as the user who runs the node."
            ) from None
        if found is None:
            raise self._silent()
        self.runtime = found

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, query=query)

    def post(self, path: str, body: dict[str, Any] | None = None, *, deadline_s: float = DEADLINE_S) -> Any:
        return self.call("POST", path, body=body or {}, deadline_s=deadline_s)

    def put(self, path: str, body: dict[str, Any], *, deadline_s: float = DEADLINE_S) -> Any:
        return self.call("PUT", path, body=body, deadline_s=deadline_s)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self.call("PATCH", path, body=body)

    def delete(self, path: str, **query: Any) -> Any:
        return self.call("DELETE", path, query=query)

    def upload(self, path: str, audio: bytes, *, deadline_s: float, **query: Any) -> Any:
        return self.call("POST", path, query=query, audio=audio, deadline_s=deadline_s)

    def stream(self, path: str, body: dict[str, Any] | None = None) -> Iterator[Any]:
        """The answer's JSON, line by line, until the node ends it; a POST when there is a body. Raises Unreachable when
        it vanishes."""
        connection = self._connection(DEADLINE_S)
        method, content = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        try:
            connection.request(method, path, content, {**self._headers(), "Content-Type": "application/json"})
            answer = connection.getresponse()
            if answer.status >= 400:
                self._value(answer.status, answer.read(ANSWER_BYTES))
            while line := answer.readline(LINE_BYTES):
                if line.strip():
                    yield json.loads(line)
            if answer.chunked and answer.chunk_left is not None:  # the library takes a killed node for the end
                raise self._silent()
        except (OSError, ValueError, http.client.HTTPException):
            raise self._silent() from None
        finally:
            connection.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        audio: bytes | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> Any:
        """The answer's JSON. `deadline_s` bounds each wait for the node. A query that is None is left out."""
        given = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        target = f"{path}?{urlencode(given)}" if given else path
        content = json.dumps(body).encode() if body is not None else audio
        kind = "application/json" if audio is None else "application/octet-stream"
        headers = {**self._headers(), "Content-Type": kind}
        connection = self._connection(deadline_s)
        try:
            connection.request(method, target, content, headers)
            answer = connection.getresponse()
            data = answer.read(ANSWER_BYTES)
        except TimeoutError:
            raise DeadlineExceeded(
                f"The node did not answer within {deadline_s:g} s.", fix="See what it does with `jarvis status`."
            ) from None
        except (OSError, http.client.HTTPException):
            raise self._silent() from None
        finally:
            connection.close()
        return self._value(answer.status, data)

    def _connection(self, deadline_s: float) -> http.client.HTTPConnection:
        address = urlsplit(self.runtime.api_url)
        return http.client.HTTPConnection(address.hostname or "", address.port, timeout=deadline_s)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.runtime.token}", "Connection": "close"}

    def _value(self, status: int, data: bytes) -> Any:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            raise self._silent() from None
        if status < 400:
            return value
        if status == 401:  # a stale file and somebody else's port
            raise self._silent()
        error = problems.error_of(value)
        if error is None:
            fields = value if isinstance(value, dict) else {}
            error = EngineFailed(str(fields.get("detail", "The node refused.")), fix=str(fields.get("fix", "")))
        raise error

    def _silent(self) -> Unreachable:
        return Unreachable(f"The node in {self.data_dir} is not running.", fix="Start it with `jarvis run`.")


def segment(text: str) -> str:
    """One part of a path, whatever characters it holds."""
    return quote(text, safe="")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
