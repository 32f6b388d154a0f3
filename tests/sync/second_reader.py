"""A second implementation of the protocol's reading half, written from docs/replication.md alone. It shares no code
with `jarvis`: bytes come in, and what the home says comes out. It knows every kind but text."""

from __future__ import annotations

import hashlib
from typing import Any

import msgpack
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate

MAP, SET, SESSION, LIFECYCLE, UPS, COUNTERS = 1, 2, 3, 4, 5, 6


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def canonical(value: Any) -> bytes:
    def ordered(one: Any) -> Any:
        if isinstance(one, dict):
            return {key: ordered(one[key]) for key in sorted(one, key=msgpack.packb)}
        return [ordered(each) for each in one] if isinstance(one, (list, tuple)) else one

    return msgpack.packb(ordered(value))


def read(data: bytes) -> Any:
    return msgpack.unpackb(data, strict_map_key=False)


def signed_by(public_key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


class Membership:
    """Of founding and admitting entries."""

    def __init__(self, entries: list[list[bytes]]) -> None:
        self.keys: dict[bytes, bytes] = {}
        self.head = b""
        for index, (data, signature) in enumerate(entries):
            version, action, term, at, prev, _, fields = read(data)
            assert (version, term, at, prev) == (1, 0, index, self.head)
            if action == "found":
                self.owner = fields["owner"]
            assert signed_by(self.owner, signature, b"jarvis membership v1\x00" + data)
            if action == "admit":
                key = load_der_x509_certificate(fields["certificate"]).public_key()
                public = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
                self.keys[sha256(public)[:16]] = public
            self.head = sha256(b"jarvis membership v1\x00", data)
            self.home_id = self.head[:16] if index == 0 else self.home_id


class Reader:
    """Accepts records in the order of each author's chain, and adds them up."""

    def __init__(self, membership: Membership) -> None:
        self.membership = membership
        self.frontier: dict[bytes, list[Any]] = {}
        self.documents: dict[str, tuple[int, list[tuple[int, bytes, int, int, Any]]]] = {}
        """name -> kind, [(hlc, author, seq, op, operation)]"""

    def accept(self, header: bytes, signature: bytes, payload: bytes) -> None:
        fields = read(header)
        _, home_id, document, author, seq, prev, _, hlc, kind, payload_bytes, payload_hash = fields
        message = b"jarvis record v1\x00" + header
        assert header == canonical(fields)
        assert home_id == self.membership.home_id
        assert signed_by(self.membership.keys[author[:16]], signature, message)
        assert (payload_bytes, payload_hash) == (len(payload), sha256(payload))
        if self.frontier.get(author, [0])[0] >= seq:
            return  # asked for twice
        assert [seq - 1, prev] == self.frontier.get(author, [0, b""])
        self.frontier[author] = [seq, sha256(message)]
        operations = self.documents.setdefault(document, (kind, []))[1]
        operations += [(hlc, author, seq, op, one) for op, one in enumerate(read(payload[16:]))]

    def frontier_digest(self) -> bytes:
        return sha256(canonical(self.frontier))

    def digest(self) -> bytes:
        digests = []
        for name, (kind, operations) in sorted(self.documents.items()):
            content = canonical([name, kind, state(kind, operations)])
            digests.append([name, sha256(b"jarvis document v1\x00", content)])
        return sha256(b"jarvis home v1\x00", canonical([self.membership.head, digests]))


def state(kind: int, operations: list[tuple[int, bytes, int, int, Any]]) -> Any:
    """A document's state as it is encoded."""
    if kind == SET:
        return [[list(one[:4]), one[4][1]] for one in sorted(operations, key=lambda one: one[:4])]
    if kind == LIFECYCLE:
        added = sorted({one[4][1] for one in operations if one[4][0] == "add"})
        deleted: dict[bytes, list[Any]] = {}
        for _, author, seq, op, (word, one) in operations:
            if word == "delete":
                deleted[one] = min(deleted.get(one, [author, seq, op]), [author, seq, op])
        return [added, [[one, deleted[one]] for one in sorted(deleted)]]
    if kind in (UPS, COUNTERS):
        return counters(operations)
    if kind == SESSION:
        turns = sorted((one for one in operations if one[4][0] == "turn"), key=lambda one: one[:4])
        others = [one for one in operations if one[4][0] != "turn"]
        return [[[list(one[:4]), one[4][1], one[4][2]] for one in turns], registers(others)]
    assert kind == MAP
    return registers(operations)


def registers(operations: list[tuple[int, bytes, int, int, Any]]) -> Any:
    replaced = {tuple(dot) for *_, operation in operations for dot in operation[-1]}
    writes = [
        [one[4][1], list(one[:4]), one[4][2]] for one in operations if one[4][0] == "put" and one[1:4] not in replaced
    ]
    writes.sort(key=lambda write: (isinstance(write[0], bytes), write[0], write[1]))
    distances: dict[bytes, list[int]] = {}
    last: dict[bytes, int] = {}
    for author, seq, op in sorted(replaced):
        distances.setdefault(author, []).extend([seq - last.get(author, 0), op])
        last[author] = seq
    return [writes, distances]


def counters(operations: list[tuple[int, bytes, int, int, Any]]) -> Any:
    totals: dict[str, dict[bytes, list[int]]] = {}
    for _, author, _, _, (_, name, *counts) in operations:
        entry = totals.setdefault(name, {})
        entry[author] = [max(pair) for pair in zip(entry.get(author, counts), counts, strict=True)]
    return totals
