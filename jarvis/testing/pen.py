"""Signs records of one incarnation, one after another, in whatever way a liar wants: nothing is checked."""

from __future__ import annotations

from collections.abc import Callable

from jarvis.core.codec import Value
from jarvis.crdt.mvmap import MVMap
from jarvis.crdt.registry import CONFIG, kind_of
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.identity.record import SignedRecord, write_record


class Pen:
    """`chain` gives the membership as it is now, `entropy` so many random bytes; `put` writes `config_key`."""

    def __init__(
        self,
        key: SigningKey,
        chain: Callable[[], Chain],
        entropy: Callable[[int], bytes],
        incarnation: bytes,
        *,
        hlc: int,
        config_key: str,
    ) -> None:
        self._key, self._chain, self._entropy, self._config_key = key, chain, entropy, config_key
        self.author = key.node_id + incarnation
        self.seq, self.prev, self.hlc = 0, b"", hlc

    def write(
        self, document: str, *operations: Value, hlc: int = 0, kind: int = 0, author: bytes = b""
    ) -> SignedRecord:
        chain, own = self._chain(), kind_of(document)
        assert own is not None
        self.seq, self.hlc = self.seq + 1, hlc or self.hlc + 1
        record = write_record(
            self._key,
            home_id=chain.home_id,
            document=document,
            author=author or self.author,
            seq=self.seq,
            prev=self.prev,
            entry=chain.head_id,
            hlc=self.hlc,
            kind=kind or own.code,
            operations=list(operations),
            nonce=self._entropy(16),
        )
        self.prev = record.hash
        return record

    def put(self, value: str, **more: int) -> SignedRecord:
        return self.write(CONFIG, MVMap().put(self._config_key, value), **more)  # type: ignore[arg-type]
