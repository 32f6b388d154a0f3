"""A member that lies: it holds the hall's real key and certificate, links as the hall, and sends whatever a test wants.
And a recorder that sits between two nodes and keeps every byte."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from jarvis.core.codec import Value
from jarvis.crdt.registry import CONFIG
from jarvis.identity.certificate import make_certificate, public_key_of
from jarvis.identity.keys import SEED_BYTES, SigningKey, node_id_of
from jarvis.identity.membership import Chain
from jarvis.identity.record import SignedRecord
from jarvis.net.settle import Ticket
from jarvis.net.transport import TlsTransport
from jarvis.net.websocket import WebSocketLink
from jarvis.node.directory import DataDirectory
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import Head, Transaction
from jarvis.sync.messages import PROTOCOL, Digest, Heads, Hello, Membership, Message, decode, encode

DEADLINE_S = 10.0


def members_of(folder: Path) -> dict[bytes, bytes]:
    """Node id -> certificate, of every room in a test's folder."""
    found = {}
    for path in folder.glob("*/keys/node.crt"):
        der = ssl.PEM_cert_to_DER_cert(path.read_text())
        found[node_id_of(public_key_of(der))] = der
    return found


class Liar:
    """One link as a room whose own node does not run; `at` where a loop runs already."""

    def __init__(self, folder: Path, room: str = "hall", *, chain: Chain | None = None) -> None:
        self.folder, self.room = folder, room
        self.directory = DataDirectory(folder / room)
        self.key = self.directory.load_identity()
        self.members = members_of(folder)
        self.chain = chain or asyncio.run(_read_chain(self.directory))
        self.link: WebSocketLink | None = None
        self.frontier: dict[bytes, Head] = {}
        """What the other side said first that it holds."""

    @classmethod
    async def at(cls, directory: Path) -> Liar:
        return cls(directory.parent, directory.name, chain=await _read_chain(DataDirectory(directory)))

    def another(self) -> Liar:
        """The same liar with a link of its own."""
        return Liar(self.folder, self.room, chain=self.chain)

    @asynccontextmanager
    async def linked(self, address: str, *, greet: bool = True) -> AsyncIterator[Liar]:
        """A link of its own; with `greet` up to the exchange of frontiers, as an honest node does."""
        transport = TlsTransport(
            me=self.key.node_id,
            members=lambda: self.members,
            certificate=self.directory.certificate,
            key=self.directory.node_key,
        )
        link = await transport.dial(address, Ticket(os.urandom(8), 1), await transport.whose(address))
        assert isinstance(link, WebSocketLink)
        self.link = link
        try:
            if greet:
                await self.greet()
            yield self
        finally:
            await link.close("done lying")
            await transport.close()

    async def greet(self) -> None:
        home, entries = self.chain.home_id, self.chain.entries
        await self.send(Hello(PROTOCOL, home, self.key.node_id, int(time.time() * 1000)))
        await self.send(Membership(len(entries), self.chain.head, len(entries)))
        said = await self.until_said(Heads)
        assert isinstance(said, Heads)
        self.frontier.update(said.heads)
        await self.send(Heads(()))

    async def send(self, message: Message) -> None:
        assert self.link is not None
        await self.link.send(encode(message))

    async def send_raw(self, frame: bytes) -> None:
        """Past every check of our own."""
        assert self.link is not None
        await self.link._socket.send_bytes(frame)

    async def until_said(self, kind: type[Message]) -> Message:
        assert self.link is not None
        async with asyncio.timeout(DEADLINE_S):
            while (frame := await self.link.receive()) is not None:
                message = decode(frame)
                if isinstance(message, kind):
                    return message
        raise AssertionError(f"the link ended before {kind.__name__} was said: {self.link.closed_reason}")

    async def until_heard(self) -> None:
        """Until everything said so far was dealt with: the other side answers this in its turn."""
        await self.send(Digest(True, bytes(32), bytes(32)))
        await self.until_said(Digest)

    async def until_ended(self) -> str:
        """The reason the other side gave for hanging up."""
        assert self.link is not None
        async with asyncio.timeout(DEADLINE_S):
            while await self.link.receive() is not None:
                pass
        return self.link.closed_reason

    def records(self, *values: str, key: SigningKey | None = None, chain: Chain | None = None) -> list[SignedRecord]:
        """Good records of a fresh incarnation, one for each value of a config key; by another key or home if given."""
        return asyncio.run(_records(key or self.key, chain or self.chain, values))


async def _read_chain(directory: DataDirectory) -> Chain:
    store = await directory.open_store()
    try:
        return Chain.verify(await store.read(lambda tx: tx.membership()))
    finally:
        await store.close()


async def _records(key: SigningKey, chain: Chain, values: tuple[str, ...]) -> list[SignedRecord]:
    store = MemoryStore()
    replica = Replica(key, entropy=os.urandom, wall_ms=lambda: int(time.time() * 1000))
    await store.write(lambda tx: replica.found(tx, chain))

    def append(value: str) -> Callable[[Transaction], SignedRecord]:
        def work(tx: Transaction) -> SignedRecord:
            operations: list[Value] = [replica.state(tx, CONFIG).put("liar.value", value)]
            return replica.append(tx, CONFIG, operations)[0]

        return work

    return [await store.write(append(value)) for value in values]


def other_home(key: SigningKey) -> Chain:
    """A home of its own, with this key as its first node."""
    owner = SigningKey(os.urandom(SEED_BYTES))
    recovery = SigningKey(os.urandom(SEED_BYTES)).public
    return Chain.found(owner, recovery, make_certificate(key), nonce=os.urandom(16), at_ms=0)


class Recorder:
    """Forwards TCP to `target` and keeps both directions of every connection."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.streams: list[bytearray] = []
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._listener, *self._open):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target, timeout=DEADLINE_S)
            except OSError:
                return
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                kept = bytearray()
                self.streams.append(kept)
                threading.Thread(target=_pump, args=(source, sink, kept), daemon=True).start()


def _pump(source: Any, sink: Any, kept: bytearray) -> None:
    try:
        while data := source.recv(65536):
            kept += data
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
