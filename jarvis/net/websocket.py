"""A link over a WebSocket, alike on both sides. It frames, bounds and ends; aiohttp carries. It must never hold more
than its bounds, and never wait without a deadline for a peer that has gone quiet."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
import struct
from asyncio.trsock import TransportSocket

import aiohttp
from aiohttp import web

from jarvis.core.errors import Unreachable
from jarvis.net.link import (
    CLOSE_DEADLINE_S,
    FIRST_FRAME_BYTES,
    MAX_FRAME_BYTES,
    MAX_REASON_BYTES,
    SEND_DEADLINE_S,
    SEND_QUEUE_BYTES,
    check_frame,
    tidy_reason,
)
from jarvis.net.settle import Ticket

HEARTBEAT_S = 15.0
"""A ping after this long without a byte; half as long again without an answer and the link is dead."""
LINK_PATH = "/link/1"
TICKET_HEADER = "Jarvis-Ticket"
PORT_HEADER = "Jarvis-Peer-Port"
NODE_HEADER = "Jarvis-Node"
"""Whom the dialler means: an address may have become another's."""
AIOHTTP_FRAME_BYTES = MAX_FRAME_BYTES + 1
"""aiohttp refuses a length that reaches its limit, before it takes in the payload."""
_CLOSE_CODE = 4000  # the first code of RFC 6455's private range; the reason says the rest
_FRAME_OVERHEAD_BYTES = 512  # what a waiting sender costs besides its frame
UNANSWERED_MS = 1_000
"""Bytes on their way for so long without any answer are lost; on a home's network an answer takes under 0.3 s."""
_TCP_INFO = struct.Struct("=2xB21xI28xI")
"""The start of linux/tcp.h's struct tcp_info: tcpi_retransmits, tcpi_unacked, tcpi_last_ack_recv (ms ago)."""

Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


class WebSocketLink:
    """See `net.link.Link`."""

    def __init__(
        self, socket: Socket, *, peer: bytes, dialled: bool, address: str, mine: Ticket, theirs: Ticket
    ) -> None:
        self.peer, self.dialled, self.address, self.mine, self.theirs = peer, dialled, address, mine, theirs
        self._socket = socket
        self._tcp: TransportSocket | None = socket.get_extra_info("socket")
        self._order = asyncio.Lock()
        self._waiting_bytes = 0
        self._sent = self._received = False
        self._reason = ""

    @property
    def closed_reason(self) -> str:
        return self._reason

    def stalled(self) -> bool:
        return self._tcp is not None and _unanswered(self._tcp)

    async def send(self, frame: bytes) -> None:
        check_frame(frame, first=not self._sent)
        self._still_open()
        cost = len(frame) + _FRAME_OVERHEAD_BYTES
        if self._waiting_bytes + cost > SEND_QUEUE_BYTES:
            await self.close("the peer reads too slowly")
            self._still_open()
        self._sent = True
        self._waiting_bytes += cost
        try:
            async with asyncio.timeout(SEND_DEADLINE_S), self._order:
                self._still_open()
                await self._socket.send_bytes(frame)
        except TimeoutError:
            await self.close("the peer reads too slowly")
            self._still_open()
        except (OSError, aiohttp.ClientError, RuntimeError):  # aiohttp raises RuntimeError when already closed
            self._end("connection lost")
            self._still_open()
        finally:
            self._waiting_bytes -= cost

    async def receive(self) -> bytes | None:
        if self._reason:
            return None
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            limit = MAX_FRAME_BYTES if self._received else FIRST_FRAME_BYTES
            self._received = True
            if len(message.data) <= limit:
                return bytes(message.data)
            await self.close("a frame was too long")
        elif message.type is aiohttp.WSMsgType.TEXT:
            await self.close("a frame was not binary")
        elif message.type is aiohttp.WSMsgType.CLOSE:
            self._end(_their_reason(message))
        elif message.type is aiohttp.WSMsgType.ERROR:
            self._end(_error_reason(message.data))
        else:
            self._end("connection lost")
        return None

    async def close(self, reason: str) -> None:
        if self._reason:
            return
        self._reason = reason or "closed"
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                message = self._reason.encode()[:MAX_REASON_BYTES]
                await self._socket.close(code=_CLOSE_CODE, message=message)
        except (TimeoutError, OSError, aiohttp.ClientError):
            pass  # a goodbye is a courtesy; the cut below is what ends it
        finally:
            self._cut()

    def _end(self, reason: str) -> None:
        """The connection is gone, or the peer has said goodbye. When `close` is under way, it does the rest."""
        if not self._reason:
            self._reason = reason
            self._cut()

    def _cut(self) -> None:
        """End the connection now. Closing the transport would first wait for a peer that may never read again."""
        if self._tcp is not None:
            with contextlib.suppress(OSError):  # it may not be connected any more
                self._tcp.shutdown(sockets.SHUT_RDWR)
            self._tcp = None

    def _still_open(self) -> None:
        if self._reason:
            raise Unreachable(f"The link is closed: {self._reason}.")


def _unanswered(tcp: TransportSocket) -> bool:
    """Whether this connection waits for an answer to something sent; False where the kernel does not tell."""
    try:
        info = tcp.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, _TCP_INFO.size)
        retransmits, unanswered, last_answer_ms = _TCP_INFO.unpack(info)
    except (OSError, AttributeError, struct.error):
        return False
    return bool(retransmits) or (unanswered > 0 and last_answer_ms > UNANSWERED_MS)


def _their_reason(message: aiohttp.WSMessage) -> str:
    if message.data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
        return "a frame of ours was too long"
    return tidy_reason(str(message.extra or "")) or "closed by the peer"


def _error_reason(error: object) -> str:
    if isinstance(error, aiohttp.WebSocketError):
        too_long = error.code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
        return "a frame was too long" if too_long else "not a valid WebSocket frame"
    if isinstance(error, TimeoutError):
        return "the peer stopped answering"
    return "connection lost"
