"""Members, strangers and connectors for the tests of links; real sockets on loopback."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from jarvis.identity.certificate import key_pem, make_certificate
from jarvis.identity.keys import SigningKey
from jarvis.net.connector import Connector
from jarvis.net.link import Link
from jarvis.net.transport import TlsTransport


class Identity:
    """A node key with its two files."""

    def __init__(self, folder: Path, seed: int, certificate: bytes | None = None) -> None:
        self.key = SigningKey(seed.to_bytes(32, "big"))
        self.id = self.key.node_id
        self.certificate = certificate or make_certificate(self.key)
        self.certificate_file = folder / f"{seed}.crt"
        self.key_file = folder / f"{seed}.key"
        self.certificate_file.write_text(ssl.DER_cert_to_PEM_cert(self.certificate))
        self.key_file.write_bytes(key_pem(self.key))
        self.key_file.chmod(0o600)


def certificate_for(key: SigningKey, common_name: str) -> bytes:
    """A valid self-signed certificate of `key` that claims any name."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.private.public_key())
    builder = builder.serial_number(7).not_valid_before(datetime.datetime(1970, 1, 1))
    certificate = builder.not_valid_after(datetime.datetime(9999, 12, 31)).sign(key.private, None)
    return certificate.public_bytes(Encoding.DER)


class Home:
    """Who is a member, as every node of the test sees it."""

    def __init__(self, *identities: Identity) -> None:
        self.members = {one.id: one.certificate for one in identities}

    def __call__(self) -> dict[bytes, bytes]:
        return dict(self.members)


class Node:
    """A connector on loopback that greets every peer and keeps what it receives."""

    def __init__(self, identity: Identity, home: Home, *, port: int = 0, peers: Iterable[str] = (), **more) -> None:
        self.id = identity.id
        self.identity = identity
        self.received: list[tuple[bytes, bytes]] = []
        self.ended: list[str] = []
        self.saved: dict[bytes, list[str]] = {}
        self.transport = TlsTransport(
            me=identity.id,
            members=home,
            certificate=identity.certificate_file,
            key=identity.key_file,
            bind="127.0.0.1",
            port=port,
        )
        more.setdefault("on_link", self.on_link)
        more.setdefault("save", self.saved.update)
        self.connector = Connector(self.transport, me=identity.id, members=home, peers=peers, **more)
        self.port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def links(self) -> dict[bytes, Link]:
        return self.connector.links

    async def on_link(self, link: Link) -> None:
        await link.send(b"hello from " + self.id)
        while (frame := await link.receive()) is not None:
            self.received.append((link.peer, frame))
        self.ended.append(link.closed_reason)


@asynccontextmanager
async def running(*nodes: Node, introduce: bool = True) -> AsyncIterator[None]:
    """Run the nodes; `introduce` tells each where the others are, as discovery would."""
    async with asyncio.TaskGroup() as group:
        for node in nodes:
            node.port = await node.connector.open()
            group.create_task(node.connector.run())
        await asyncio.sleep(0)
        if introduce:
            for node in nodes:
                for other in nodes:
                    node.connector.learn(other.id, [other.address])
        try:
            yield
        finally:
            for node in nodes:
                await node.connector.close()


def linked(*nodes: Node) -> bool:
    """Whether each of these holds a link to each of the others."""
    ids = {node.id for node in nodes}
    return all(ids - {node.id} <= set(node.links) for node in nodes)


def play(test: Callable[[], Awaitable[None]], within_s: float = 30.0) -> None:
    """Run a test's coroutine under a deadline."""

    async def main() -> None:
        async with asyncio.timeout(within_s):
            await test()

    asyncio.run(main())
