"""`/api/v2/voice` as a WebSocket: a client with a microphone and a loudspeaker of its own. First it says hello in JSON,
then it sends sound: binary messages of int16 mono, little-endian, at the rate that it named. It is told the events of
its own turns as JSON, and sent the reply as such sound, after an `audio` event that says the rate.

A client that hangs costs itself its place and nobody else anything: every wait here is its own, and has an end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import Field, ValidationError

from jarvis.api.face import NodeFace, VoiceCall
from jarvis.api.problems import problem
from jarvis.api.route import Fields
from jarvis.core.errors import DeadlineExceeded, InvalidInput, JarvisError, Overloaded

MAX_CLIENTS = 8
"""At once: all of them share one machine's engines."""
FRAME_BYTES = 64 * 1024
"""A third of a second at the highest rate, two seconds at 16 kHz."""
HELLO_S = 10.0
SEND_S = 10.0
"""For one message to leave. Its client does not read."""
CLOSE_S = 2.0


class HelloFields(Fields):
    rate_hz: int = Field(ge=8_000, le=96_000)
    session: str = Field("own", min_length=1, max_length=64)
    """`own`, `room`, or a session's id."""
    wake: bool = True
    room: str = Field("", max_length=64)
    realtime: bool = True
    private: bool = False


class VoiceSockets:
    """Every voice client of one server."""

    def __init__(self, node: NodeFace) -> None:
        self._node = node
        self._open: set[web.WebSocketResponse] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if len(self._open) >= MAX_CLIENTS:
            raise Overloaded(f"{MAX_CLIENTS} voice clients are connected already.", fix="Close one of them.")
        socket = web.WebSocketResponse(timeout=CLOSE_S, max_msg_size=FRAME_BYTES, compress=False)
        if not socket.can_prepare(request).ok:
            raise InvalidInput("This address is a WebSocket.", fix="Post a sound file to it, or open a WebSocket.")
        self._open.add(socket)
        try:
            await socket.prepare(request)
            code = WSCloseCode.OK
            try:
                with contextlib.suppress(ConnectionError):  # it has left
                    await self._serve(socket)
            except JarvisError as error:
                code = WSCloseCode.TRY_AGAIN_LATER if error.retry else WSCloseCode.POLICY_VIOLATION
                with contextlib.suppress(JarvisError, ConnectionError):
                    await _send(socket, {"event": "error", **problem(error)})
            with contextlib.suppress(ConnectionError):
                await socket.close(code=code)
        finally:
            self._open.discard(socket)
        return socket

    async def close(self) -> None:
        for socket in [one for one in self._open if one.prepared]:
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the node stops")

    async def _serve(self, socket: web.WebSocketResponse) -> None:
        """Until the client leaves, its sound has ended and been answered, or something fails. Raises JarvisError."""
        hello = await _hello(socket)
        call = await self._node.converse(**hello.model_dump())
        await _send(socket, {"event": "ready", "turn": "", "chunk_bytes": FRAME_BYTES})
        hearing = asyncio.create_task(call.run(), name="voice client hears")
        telling = asyncio.create_task(_tell(socket, call), name="voice client is told")
        reading = asyncio.create_task(_read(socket, call), name="voice client speaks")
        tasks = {hearing, telling, reading}
        try:
            while reading in tasks and telling in tasks:
                done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in (hearing, telling, reading):
                task.cancel()
            await asyncio.gather(hearing, telling, reading, return_exceptions=True)


async def _hello(socket: web.WebSocketResponse) -> HelloFields:
    try:
        message = await socket.receive(HELLO_S)
    except TimeoutError:
        raise DeadlineExceeded("No hello came.", fix="See /openapi.json.") from None
    if message.type != WSMsgType.TEXT:
        raise InvalidInput('The first message is a hello, such as {"rate_hz": 16000}.', fix="Send it as text.")
    try:
        return HelloFields.model_validate_json(message.data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "hello"
        raise InvalidInput(f"The field {where!r} is not valid: {first['msg']}.", fix="See docs/voice.md.") from None


async def _read(socket: web.WebSocketResponse, call: VoiceCall) -> None:
    """The client's sound, until it leaves. Raises InvalidInput for what is none."""
    async for message in socket:
        if message.type == WSMsgType.BINARY:
            await call.feed(message.data)
        elif message.type == WSMsgType.TEXT:
            if _event_of(message.data) != "end":
                raise InvalidInput('After the hello only sound is expected, or {"event": "end"}.')
            await call.end()
        elif message.type == WSMsgType.ERROR:  # a message over the limit: aiohttp has closed it
            return


def _event_of(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value.get("event") if isinstance(value, dict) else None


async def _tell(socket: web.WebSocketResponse, call: VoiceCall) -> None:
    """What there is for the client, until all has been said."""
    async for message in call.messages():
        await _send(socket, message)


async def _send(socket: web.WebSocketResponse, message: dict[str, Any] | bytes) -> None:
    """Raises DeadlineExceeded for a client that does not read, ConnectionError for one that has left."""
    try:
        async with asyncio.timeout(SEND_S):
            if isinstance(message, bytes):
                await socket.send_bytes(message)
            else:
                await socket.send_str(json.dumps(message, default=str))
    except TimeoutError:
        raise DeadlineExceeded("The client does not read.", fix="Read messages as they come.") from None
