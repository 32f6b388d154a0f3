"""The real transport: WebSocket links over TLS between members."""

from __future__ import annotations

from pathlib import Path

from jarvis.net.dial import Dialler
from jarvis.net.link import Accept, Answer, Link
from jarvis.net.server import LinkServer
from jarvis.net.settle import Ticket
from jarvis.net.tls import Members, Trust


class TlsTransport:
    """See `net.link.Transport`."""

    def __init__(
        self, *, me: bytes, members: Members, certificate: Path, key: Path, bind: str = "::", port: int = 0
    ) -> None:
        """`certificate` and `key` are the node's PEM files. Raises BadConfiguration when they do not fit."""
        self._members = members
        self._trust = Trust(certificate, key)
        self._server = LinkServer(self._trust, me, bind, port)
        self._dialler = Dialler(self._trust, me)
        self.members_changed()

    async def listen(self, accept: Accept, answer: Answer) -> int:
        return self._server.listen(accept, answer)

    async def serve(self) -> None:
        await self._server.serve()

    async def dial(self, address: str, ticket: Ticket, peer: bytes) -> Link:
        return await self._dialler.dial(address, ticket, peer, self._server.port)

    async def whose(self, address: str) -> bytes:
        return await self._dialler.whose(address)

    def members_changed(self) -> None:
        self._trust.update(self._members())

    async def close(self) -> None:
        await self._server.close()
        await self._dialler.close()
