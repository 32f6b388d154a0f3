"""One connection to Home Assistant: the greeting with the token, questions and their answers by number, events. It
knows nothing of lights; what breaks the protocol ends the connection, and whoever waits is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn

import aiohttp

from jarvis.core.errors import DeadlineExceeded, InvalidBytes, JarvisError, NotAllowed, Overloaded, Unreachable
from jarvis.home_assistant.wire import MAX_MESSAGE_BYTES, messages, refusal, socket_url

GREETING_S = 10.0
"""To connect and be let in; Home Assistant itself waits as long for the token."""
HEARTBEAT_S = 30.0
"""After so much silence we ask whether it is still there: half as often as it asks us."""
MAX_WAITING = 64
"""Questions at once: a dozen at the start, one for a spoken sentence."""
Take = Callable[[Any], None]
AWAY = "Home Assistant does not answer."


class Line:
    """Use `connected`. `read` must run for answers to come."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._hidden = ""
        self._last = 0
        self._sending = asyncio.Lock()
        self._waiting: dict[int, tuple[asyncio.Future[JarvisError | None], Take]] = {}
        self._events: dict[int, Take] = {}

    async def greet(self, token: str) -> str:
        """Be let in; gives Home Assistant's version. Raises NotAllowed for a wrong token."""
        self._hidden = token
        asked = await self._one()
        if asked.get("type") != "auth_required":
            raise InvalidBytes("What answers there is no Home Assistant.")
        await self._socket.send_json({"type": "auth", "access_token": token})
        answer = await self._one()
        if answer["type"] == "auth_invalid":
            raise NotAllowed(
                "Home Assistant does not accept the token.",
                fix="Make a long-lived access token on your profile page in Home Assistant.",
            )
        if answer["type"] != "auth_ok":
            raise InvalidBytes("What answers there is no Home Assistant.")
        return str(answer.get("ha_version", ""))[:32]

    async def ask(self, kind: str, take: Take, *, deadline_s: float, heard: Take | None = None, **fields: Any) -> None:
        """Send a command; `take` gets its result as it is read, before any later message is: so what came first is
        never put over what came next. `heard` gets the events that it subscribes to. Raises what `refusal` gives,
        Unreachable, DeadlineExceeded, Overloaded."""
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded("Home Assistant has not answered much of what it was asked.")
        number = 0
        answered: asyncio.Future[JarvisError | None] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(deadline_s):
                async with self._sending:  # numbers have to arrive in order
                    self._last = number = self._last + 1
                    self._waiting[number] = (answered, take)
                    if heard is not None:
                        self._events[number] = heard
                    await self._socket.send_json({"id": number, "type": kind, **fields})
                refused = await answered
        except TimeoutError:
            raise DeadlineExceeded("Home Assistant did not answer in time.") from None
        except (OSError, aiohttp.ClientError):
            raise Unreachable(AWAY) from None
        finally:
            self._waiting.pop(number, None)
        if refused is not None:
            raise refused

    async def read(self) -> NoReturn:
        """Until it ends, which raises Unreachable, or InvalidBytes for what is not the protocol."""
        try:
            while True:
                for message in await self._received():
                    self._heard(message)
        finally:
            for answered, _ in self._waiting.values():
                if not answered.done():
                    answered.set_result(Unreachable(AWAY))

    def _heard(self, message: dict[str, Any]) -> None:
        number = message.get("id")
        if not isinstance(number, int):
            return
        if message["type"] == "event" and number in self._events:
            self._events[number](message.get("event"))
        elif message["type"] == "result" and number in self._waiting:
            answered, take = self._waiting[number]
            if answered.done():
                return
            if message.get("success") is True:
                take(message.get("result"))
                answered.set_result(None)
            else:
                answered.set_result(refusal(message.get("error"), self._hidden))

    async def _one(self) -> dict[str, Any]:
        found = await self._received()
        if len(found) != 1:
            raise InvalidBytes("What answers there is no Home Assistant.")
        return found[0]

    async def _received(self) -> list[dict[str, Any]]:
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            return messages(message.data)
        if message.type is aiohttp.WSMsgType.BINARY:
            raise InvalidBytes("Home Assistant sent something that is not its protocol.")
        raise Unreachable("Home Assistant closed the connection.")


@contextlib.asynccontextmanager
async def connected(url: str, token: str) -> AsyncIterator[tuple[Line, str]]:
    """A line over which Home Assistant has let us in, and its version. Raises Unreachable, NotAllowed,
    DeadlineExceeded, InvalidBytes, BadConfiguration."""
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_stay)
    async with contextlib.AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(GREETING_S):
                http = await stack.enter_async_context(aiohttp.ClientSession(trace_configs=[trace]))
                opening = http.ws_connect(socket_url(url), max_msg_size=MAX_MESSAGE_BYTES, heartbeat=HEARTBEAT_S)
                line = Line(await stack.enter_async_context(opening))
                version = await line.greet(token)
        except TimeoutError:
            raise DeadlineExceeded(AWAY) from None
        except aiohttp.WSServerHandshakeError as error:
            if error.status == 403:
                raise NotAllowed(
                    "Home Assistant does not let this device in.", fix="Take its address out of ip_bans.yaml."
                ) from None
            raise Unreachable("What answers there is no Home Assistant.", fix="Correct home_assistant.url.") from None
        except (OSError, aiohttp.ClientError, ValueError):
            raise Unreachable(AWAY, fix="Start it, or correct home_assistant.url.") from None
        yield line, version


async def _stay(*_: Any) -> None:
    """The token is for the address that somebody set, and for no other that this one names."""
    raise Unreachable("What answers there sends us to another address.", fix="Set home_assistant.url to that one.")
