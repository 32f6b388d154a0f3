"""A member who may sign anything as itself, and a replica to try it on."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from typing import Any

from jarvis.core.codec import pack
from jarvis.core.hlc import stamp
from jarvis.crdt.registry import kind_of
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.identity.record import TAG, VERSION, Header, SignedRecord
from jarvis.replica.replica import Accepted, Replica
from jarvis.store.memory import MemoryStore

NOW = 1_800_000_000_000
OWNER = SigningKey(b"o" * 32)
KEYS = [SigningKey(bytes([n + 1]) * 32) for n in range(4)]
"""0 is the node under test; 1 and 2 are members; 3 is nobody until it is admitted."""
CERTIFICATES = [make_certificate(key) for key in KEYS]
SESSION = "session/aaaaaaaaaaaaaaaa"


def make_chain(*members: int, nonce: bytes = b"n" * 16) -> Chain:
    chain = Chain.found(OWNER, KEYS[3].public, CERTIFICATES[members[0]], nonce=nonce, at_ms=NOW)
    for number in members[1:]:
        chain = chain.admit(OWNER, CERTIFICATES[number], at_ms=NOW)
    return chain


CHAIN = make_chain(0, 1, 2)
GROWN = CHAIN.admit(OWNER, CERTIFICATES[3], at_ms=NOW)
OTHER_HOME = make_chain(0, 1, 2, nonce=b"m" * 16)


class Author:
    """Signs one record after another; every field can be bent on the way."""

    def __init__(self, number: int, incarnation: int = 0, *, chain: Chain = CHAIN, hlc: int = stamp(NOW)) -> None:
        self.key = KEYS[number]
        self.name = self.key.node_id + incarnation.to_bytes(16, "big")
        self.chain = chain
        self.seq, self.prev, self.hlc = 0, b"", hlc
        self._rng = random.Random(number * 1_000_003 + incarnation)

    def write(self, document: str, *operations: Any, body: bytes | None = None, **bent: Any) -> SignedRecord:
        """The next record. `body` stands in the place of the packed operations."""
        payload = self._rng.randbytes(16) + (pack(list(operations)) if body is None else body)
        kind = kind_of(document)
        self.hlc += 1
        header = Header(
            self.chain.home_id,
            document,
            self.name,
            self.seq + 1,
            self.prev,
            self.chain.head_id,
            self.hlc,
            kind.code if kind else 0,
            len(payload),
            hashlib.sha256(payload).digest(),
            version=VERSION,
        )
        header = replace(header, **bent)
        data = header.encode()
        record = SignedRecord(data, self.key.sign(TAG + data), payload, header)
        self.seq, self.prev = header.seq, record.hash
        return record

    def put(self, key: str, value: Any, *replaces: tuple[bytes, int, int]) -> SignedRecord:
        """A write of `config`."""
        return self.write("config", ["put", key, value, [list(dot) for dot in sorted(replaces)]])

    def fork(self) -> Author:
        """The same author, going on from here another way."""
        twin = object.__new__(Author)
        twin.__dict__.update(self.__dict__)
        twin._rng = random.Random(99)
        return twin


class Node:
    """The replica under test with its store."""

    def __init__(
        self, chain: Chain = CHAIN, *, store: MemoryStore | None = None, number: int = 0, life: int = 0
    ) -> None:
        self.broken = False
        self.store = store or MemoryStore(commit=self._commit)
        self.number, self.wall_ms = number, NOW
        self.life = life
        self.rng = random.Random(life)
        self.start()
        if not self.store.view(lambda tx: tx.membership()):
            self.store.transact(lambda tx: self.replica.found(tx, chain))
        self.store.transact(self.replica.open)

    def _commit(self) -> None:
        if self.broken:
            raise OSError("the disk is full")

    def start(self) -> None:
        self.replica = Replica(KEYS[self.number], entropy=self.rng.randbytes, wall_ms=lambda: self.wall_ms)
        self.store.on_undo(self.replica.forget)

    def restart(self) -> Node:
        """The same disk, nothing in memory."""
        return Node(store=self.store, number=self.number, life=self.life + 1)

    def accept(self, *records: SignedRecord) -> Accepted:
        return self.store.transact(lambda tx: self.replica.accept(tx, records))

    def append(self, document: str, *operations: Any) -> SignedRecord:
        return self.store.transact(lambda tx: self.replica.append(tx, document, list(operations)))[0]

    def state(self, document: str) -> Any:
        return self.store.view(lambda tx: self.replica.state(tx, document))

    def digest(self) -> bytes:
        return self.store.view(self.replica.digest)

    def seq(self, author: bytes) -> int:
        return self.store.view(lambda tx: self.replica.head(tx, author)).seq

    def everything(self) -> tuple[Any, ...]:
        """All that must be the same before and after work that was undone."""
        tables = self.store._tables.copy()
        return tables, self.digest(), self.store.view(lambda tx: dict(self.replica.heads(tx)))
