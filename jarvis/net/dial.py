"""The side of a link that dials: one address in, one link to a proven member out, or a reason why not."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

import aiohttp

from jarvis.core.errors import NotAllowed, Unreachable
from jarvis.core.ids import to_text
from jarvis.net.addresses import join_address, no_address, split_address
from jarvis.net.link import CLOSE_DEADLINE_S, Elsewhere, OwnAddress
from jarvis.net.settle import Ticket
from jarvis.net.tls import ALPN, Trust, peer_certificate
from jarvis.net.websocket import (
    AIOHTTP_FRAME_BYTES,
    HEARTBEAT_S,
    LINK_PATH,
    NODE_HEADER,
    PORT_HEADER,
    TICKET_HEADER,
    WebSocketLink,
)

DIAL_S = 8.0
"""From the first packet to the open link. A small board under load needs about 1 s."""
NEXT_ADDRESS_S = 0.25
"""Before the next of a name's addresses is tried beside the first; RFC 8305 (Happy Eyeballs), and aiohttp's default."""


class _Answer(aiohttp.ClientWebSocketResponse):
    """aiohttp's socket, with the headers of the answer that opened it."""

    def __init__(self, reader: Any, writer: Any, protocol: Any, response: Any, *more: Any, **options: Any) -> None:
        super().__init__(reader, writer, protocol, response, *more, **options)
        self.headers = response.headers


class Dialler:
    def __init__(self, trust: Trust, me: bytes) -> None:
        self._trust, self._me = trust, me
        self._session: aiohttp.ClientSession | None = None

    async def dial(self, address: str, ticket: Ticket, peer: bytes, listening: int) -> WebSocketLink:
        """Open a link to the member `peer` at `address`; `listening` is the port where this node can be dialled itself.

        Raises InvalidInput for what is no address, Unreachable, NotAllowed, Elsewhere.
        """
        host, port = split_address(address)
        headers = {TICKET_HEADER: ticket.to_text(), PORT_HEADER: str(listening), NODE_HEADER: to_text(peer)}
        try:
            async with asyncio.timeout(DIAL_S):
                socket = await self._open().ws_connect(
                    f"wss://{join_address(host, port)}{LINK_PATH}",
                    ssl=self._trust.client,
                    headers=headers,
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=AIOHTTP_FRAME_BYTES,
                    compress=0,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_DEADLINE_S),
                )
        except TimeoutError:
            raise Unreachable(f"Nobody answered at {address} within {DIAL_S:.0f} s.") from None
        except aiohttp.WSServerHandshakeError as error:
            if error.status == 421:
                raise Elsewhere(f"Another node answers at {address}.") from None
            raise NotAllowed(f"The node at {address} refused the link ({error.status}).") from None
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError, ssl.SSLError):
            raise NotAllowed(f"Who answers at {address} is not a member of this home.") from None
        except aiohttp.ClientConnectorError:
            raise Unreachable(f"Nobody answers at {address}.") from None
        except (aiohttp.ClientError, OSError):
            # TLS 1.3 lets the client finish before the server has judged its certificate: a refusal looks like this.
            raise Unreachable(
                f"The node at {address} hung up; perhaps this node is not a member there.",
            ) from None
        except ValueError:  # the resolver found that the name is none
            raise no_address(address) from None
        assert isinstance(socket, _Answer)
        return await self._judge(socket, address, ticket, peer)

    async def whose(self, address: str) -> bytes:
        """The member that proves itself at `address`; the connection ends with the handshake. Raises as `dial`, and
        OwnAddress."""
        host, port = split_address(address)
        try:
            async with asyncio.timeout(DIAL_S):
                _, writer = await asyncio.open_connection(
                    host, port, ssl=self._trust.client, happy_eyeballs_delay=NEXT_ADDRESS_S
                )
        except TimeoutError:
            raise Unreachable(f"Nobody answered at {address} within {DIAL_S:.0f} s.") from None
        except ssl.SSLError:
            raise NotAllowed(f"Who answers at {address} is not a member of this home.") from None
        except OSError:
            raise Unreachable(f"Nobody answers at {address}.") from None
        except ValueError:  # the resolver found that the name is none
            raise no_address(address) from None
        try:
            connection = writer.get_extra_info("ssl_object")
            if connection.selected_alpn_protocol() != ALPN:
                raise NotAllowed(f"What answers at {address} grants no links.")
            return self._proven(connection, address)
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_DEADLINE_S):
                    await writer.wait_closed()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _judge(self, socket: _Answer, address: str, mine: Ticket, meant: bytes) -> WebSocketLink:
        theirs = Ticket.from_text(socket.headers.get(TICKET_HEADER, ""))
        try:
            peer = self._proven(socket.get_extra_info("ssl_object"), address)
            if theirs is None:
                raise NotAllowed(f"What answers at {address} grants no links.")
            if peer != meant:
                raise Elsewhere(f"Another node answers at {address}.")
        except NotAllowed:
            await socket.close()
            raise
        return WebSocketLink(socket, peer=peer, dialled=True, address=address, mine=mine, theirs=theirs)

    def _proven(self, connection: ssl.SSLObject | None, address: str) -> bytes:
        """Whose certificate this is. Raises NotAllowed, OwnAddress."""
        peer = self._trust.member_of(peer_certificate(connection))
        if peer is None:
            raise NotAllowed(f"Who answers at {address} is not a member of this home.")
        if peer == self._me:
            raise OwnAddress(f"{address} is this node itself.")
        return peer

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False)
            self._session = aiohttp.ClientSession(
                connector=connector,
                ws_response_class=_Answer,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            )
        return self._session
