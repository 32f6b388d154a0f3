"""TLS 1.3 between members, both ways, with their self-signed Ed25519 certificates. OpenSSL's trust store holds the
members' certificates; the gate is the byte comparison after the handshake. It never writes a key: it reads the
node's own two files, because `ssl` takes only files."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from jarvis.core.errors import BadConfiguration, InvalidBytes
from jarvis.identity.certificate import public_key_of
from jarvis.identity.keys import node_id_of

Members = Callable[[], Mapping[bytes, bytes]]
"""Gives node id (16 bytes) -> certificate (DER) of every member, this node included."""

ALPN = "jarvis-link/1"
"""What a node speaks where it grants links: it shows the same certificate where it lets others join."""

log = structlog.get_logger()


class Trust:
    """Who counts as a member, as TLS contexts. `update` takes effect for every handshake that begins after it."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """`certificate` and `key` are PEM files of this node; raises BadConfiguration when they do not fit."""
        self._files = (certificate, key)
        self._members: dict[bytes, bytes] = {}
        self._inner = self._context(ssl.PROTOCOL_TLS_SERVER)
        self.client = self._context(ssl.PROTOCOL_TLS_CLIENT)
        self.server = self._context(ssl.PROTOCOL_TLS_SERVER)
        """For the listener. A listening socket keeps its context, and a trust store can grow but not shrink: so
        each handshake is moved to the newest context as soon as its first message is read."""
        self.server.sni_callback = self._move

    def update(self, members: Mapping[bytes, bytes]) -> None:
        """Trust exactly these (node id -> certificate DER). One that is not the certificate of its node id is left
        out: it must not make the rest unreachable."""
        good = {node_id: der for node_id, der in members.items() if _belongs(node_id, der)}
        if good == self._members:
            return
        inner, client = self._context(ssl.PROTOCOL_TLS_SERVER), self._context(ssl.PROTOCOL_TLS_CLIENT)
        if good:
            store = b"".join(good.values())
            inner.load_verify_locations(cadata=store)
            client.load_verify_locations(cadata=store)
        self._inner, self.client, self._members = inner, client, good

    def member_of(self, certificate: bytes | None) -> bytes | None:
        """The node id whose member certificate these bytes (DER) are; None for a stranger's."""
        return next((node_id for node_id, der in self._members.items() if der == certificate), None)

    def _move(self, handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        handshake.context = self._inner

    def _context(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # certificates name nodes, not hosts
        context.verify_mode = ssl.CERT_REQUIRED
        context.options |= ssl.OP_NO_COMPRESSION
        if protocol == ssl.PROTOCOL_TLS_SERVER:
            context.num_tickets = 0  # a resumed session would skip the trust store
        context.set_alpn_protocols([ALPN])
        show_certificate(context, *self._files)
        return context


def show_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Prove to be this node, with its two PEM files. Raises BadConfiguration."""
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise BadConfiguration(
            f"The node's certificate or key cannot be used ({type(error).__name__}).",
            fix="Restore the keys folder of the data directory, or join the home again.",
        ) from None


def _belongs(node_id: bytes, certificate: bytes) -> bool:
    try:
        if node_id_of(public_key_of(certificate)) == node_id:
            return True
    except InvalidBytes:
        pass
    log.warning("net.bad_member_certificate", node=node_id.hex())
    return False


def peer_certificate(connection: ssl.SSLObject | ssl.SSLSocket | None) -> bytes | None:
    """The DER the other side proved to own in this handshake; None without TLS."""
    return connection.getpeercert(binary_form=True) if connection is not None else None
