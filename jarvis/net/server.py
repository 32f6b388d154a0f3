"""The side of a link that is dialled: members' connections become links, everybody else's end at the door."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from jarvis.core.ids import to_text
from jarvis.net.accept import HANDSHAKE_S, Arrival, Door, bind_socket
from jarvis.net.addresses import join_address
from jarvis.net.link import CLOSE_DEADLINE_S, Accept, Answer
from jarvis.net.settle import Ticket
from jarvis.net.tls import Trust, peer_certificate
from jarvis.net.websocket import (
    AIOHTTP_FRAME_BYTES,
    HEARTBEAT_S,
    LINK_PATH,
    NODE_HEADER,
    PORT_HEADER,
    TICKET_HEADER,
    WebSocketLink,
)

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class _WebServer(web.Server):
    """aiohttp's server, which says of each connection that it is `gone`."""

    def __init__(self, handler: Handler, gone: Callable[[RequestHandler], None]) -> None:
        super().__init__(handler, access_log=None, lingering_time=0)
        self._said_gone = gone

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._said_gone(handler)


class LinkServer:
    """Listens for members. `listen`, then `serve` in a task of the owner, then `close`."""

    def __init__(self, trust: Trust, me: bytes, bind: str, port: int) -> None:
        self._trust, self._me, self._bind = trust, me, bind
        self.port = port
        self._door: Door | None = None
        self._web: web.Server | None = None
        self._arrivals: dict[asyncio.BaseProtocol, tuple[Arrival, asyncio.Event]] = {}
        """Members that are through TLS and do not have their link yet; bounded by the door until they ask for it."""

    def listen(self, accept: Accept, answer: Answer) -> int:
        listener = bind_socket(self._bind, self.port)
        self.port = listener.getsockname()[1]
        self._accept, self._answer = accept, answer
        self._web = _WebServer(self._upgrade, self._gone)
        self._door = Door(listener, self._trust.server, self._web, self._greet)
        return self.port

    async def serve(self) -> None:
        assert self._door is not None, "listen first"
        await self._door.serve()

    async def close(self) -> None:
        if self._door is not None and self._web is not None:
            self._door.close()
            await self._web.shutdown(CLOSE_DEADLINE_S)

    async def _greet(self, arrival: Arrival) -> None:
        """From the end of TLS to the link: the byte comparison, then a deadline for the upgrade."""
        assert self._door is not None
        if arrival.transport.is_closing():
            return  # it wanted to know whose address this is
        if self._member(arrival.transport) is None:
            self._door.refusals.refused(arrival.host, "not a member's certificate")
            arrival.transport.abort()
            return
        done = asyncio.Event()
        self._arrivals[arrival.protocol] = (arrival, done)
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                await done.wait()
        except TimeoutError:
            arrival.transport.abort()
        finally:
            self._arrivals.pop(arrival.protocol, None)

    async def _upgrade(self, request: web.BaseRequest) -> web.StreamResponse:
        arrival, done = self._arrivals.get(request.protocol, (None, None))
        peer = self._member(request.transport)
        theirs = Ticket.from_text(request.headers.get(TICKET_HEADER, ""))
        if peer == self._me:
            return _refusal(421, "This is your own address.")
        if request.headers.get(NODE_HEADER, me := to_text(self._me)) != me:
            return _refusal(421, "This is another node's address.")
        if arrival is None or done is None or peer is None:
            return _refusal(403, "You are not a member.")
        if theirs is None or request.path != LINK_PATH or request.method != "GET":
            return _refusal(400, f"Links are opened at {LINK_PATH}.")
        arrival.entered()
        mine = await self._answer(peer, theirs)
        if request.transport is None or request.transport.is_closing():
            return _refusal(408, "You left.")  # to nobody
        if mine is None:
            return _refusal(409, "You have asked for this link already.")
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=AIOHTTP_FRAME_BYTES, compress=False, timeout=CLOSE_DEADLINE_S
        )
        socket.headers[TICKET_HEADER] = mine.to_text()
        await socket.prepare(request)
        address = _listening_address(arrival.host, request.headers.get(PORT_HEADER, ""))
        link = WebSocketLink(socket, peer=peer, dialled=False, address=address, mine=mine, theirs=theirs)
        done.set()
        await self._accept(link)
        return socket

    def _gone(self, connection: asyncio.BaseProtocol) -> None:
        _, done = self._arrivals.get(connection, (None, None))
        if done is not None:
            done.set()

    def _member(self, transport: asyncio.BaseTransport | None) -> bytes | None:
        if transport is None:
            return None
        return self._trust.member_of(peer_certificate(transport.get_extra_info("ssl_object")))


def _refusal(status: int, text: str) -> web.Response:
    """It ends the connection, which the door may no longer count."""
    response = web.Response(status=status, text=text + "\n")
    response.force_close()
    return response


def _listening_address(host: str, port: str) -> str:
    """Where the peer that called from `host` says it listens."""
    if host.startswith("::ffff:"):  # an IPv4 peer, seen by a socket for both versions
        host = host.removeprefix("::ffff:")
    if port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536:
        return join_address(host, int(port))
    return ""
