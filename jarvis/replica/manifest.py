"""The manifest of a frontier: all that nodes which hold the same records up to there must agree on, in canonical bytes.
Its hash, the root, is what members sign; whoever is brought the documents checks them against it. Making one takes a
look at every document, one after another, so that the store is never long in one hand. It decides nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jarvis.core.codec import Limits, Value, pack, unpack_canonical
from jarvis.core.errors import InvalidBytes
from jarvis.core.hlc import MAX_STAMP
from jarvis.crdt.registry import kind_of, lifecycle_of
from jarvis.identity.horizon import Frontier, read_frontier, write_frontier
from jarvis.identity.record import AUTHOR_BYTES, HASH_BYTES, MAX_DOCUMENT_BYTES, MAX_SEQ, decode_header
from jarvis.replica.bases import Adding, digest_of, read_state, state_at
from jarvis.replica.erasure import Erasure
from jarvis.replica.holdings import Holdings, Key
from jarvis.store.protocol import ASIDE, ERASED, UNKNOWN, Transaction

TAG = b"jarvis manifest v1\x00"
MAX_MANIFEST_BYTES = 8 * 1024 * 1024
"""80,000 documents of 100 bytes each: a new session every hour for nine years."""
MAX_BASE_BYTES = 256 * 1024 * 1024
"""Of one document, which is in memory whole while it is used."""
STEP_RECORDS = 1_000
"""In one look at the store, which waits meanwhile: some ten milliseconds."""
DOCUMENT_RECORDS = 125
"""What a document costs beside its records, in records, about."""
_LIMITS = Limits(size_bytes=MAX_MANIFEST_BYTES, depth=4, items=600_000)


@dataclass(frozen=True, slots=True)
class Manifest:
    frontier: Frontier
    stamps: Mapping[bytes, int]
    """Of each author's record at the frontier."""
    documents: Mapping[str, tuple[bytes, int]]
    """Digest and length of each document's canonical bytes at the frontier, in the order of names."""
    aside: Mapping[Key, str]
    """Records up to the frontier that were set aside, with their documents: whatever names one is set aside too."""

    def encode(self) -> bytes:
        return pack(
            [
                write_frontier(self.frontier),
                dict(self.stamps),
                {name: list(one) for name, one in self.documents.items()},
                [[author, seq, document] for (author, seq), document in sorted(self.aside.items())],
            ]
        )

    @property
    def size_bytes(self) -> int:
        """Of all documents."""
        return sum(size for _, size in self.documents.values())


def root_of(data: bytes) -> bytes:
    """Of a manifest's bytes."""
    return hashlib.sha256(TAG + data).digest()


def read_manifest(data: bytes) -> Manifest:
    """Raises InvalidBytes."""
    value = unpack_canonical(data, _LIMITS)
    if not isinstance(value, list) or len(value) != 4:
        raise InvalidBytes("A manifest does not have its fields.")
    heads, stamps, documents, aside = value
    frontier = read_frontier(heads)
    good = (
        isinstance(stamps, dict)
        and stamps.keys() == frontier.keys()
        and all(_is_int(one, 0, MAX_STAMP) for one in stamps.values())
        and isinstance(documents, dict)
        and all(isinstance(name, str) and 0 < len(name) <= MAX_DOCUMENT_BYTES for name in documents)
        and all(_is_summary(one) for one in documents.values())
        and isinstance(aside, list)
        and all(_is_aside(one) for one in aside)
    )
    if not good:
        raise InvalidBytes("A field of a manifest is out of range.")
    summaries = {name: (digest, size) for name, (digest, size) in sorted(documents.items())}
    manifest = Manifest(frontier, stamps, summaries, {(author, seq): name for author, seq, name in aside})
    if manifest.encode() != data:
        raise InvalidBytes("A manifest is not in order.")
    return manifest


def _is_summary(value: Value) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], bytes)
        and len(value[0]) == HASH_BYTES
        and _is_int(value[1], 1, MAX_BASE_BYTES)
    )


def _is_aside(value: Value) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and isinstance(value[0], bytes)
        and len(value[0]) == AUTHOR_BYTES
        and _is_int(value[1], 1, MAX_SEQ)
        and isinstance(value[2], str)
    )


def _is_int(value: Value, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


class Impossible(Exception):
    """This node cannot say what was at that frontier; the message says why."""


class Making:
    """Makes the manifest of a frontier that this node holds whole, some documents a step."""

    def __init__(
        self, tx: Transaction, held: Holdings, erasure: Erasure, frontier: Frontier, before: Iterable[str]
    ) -> None:
        """`before` are the documents of the floor's manifest."""
        self._held = held
        self._erasure = erasure
        self._frontier = dict(frontier)
        self._bounds = held.bounds(tx)
        self._seqs = {author: seq for author, (seq, _) in held.ground(tx).reach(frontier).items()}
        self._before = frozenset(before)
        self._left = tx.documents()[::-1]
        self._adding: Adding | None = None
        """The document under way."""
        self._documents: dict[str, tuple[bytes, int]] = {}

    def step(self, tx: Transaction) -> Manifest | None:
        """The manifest once the last document was looked at. Raises Impossible."""
        if self._held.bounds(tx) is not self._bounds:
            raise Impossible("what counts has changed meanwhile")
        if self._left or self._adding is not None:
            room = STEP_RECORDS
            while room > 0 and (self._left or self._adding is not None):
                room -= self._look_at_more(tx, room)
            return None
        aside, erased = self._unapplied(tx)
        self._refuse_later_deletions(tx, erased)
        manifest = Manifest(self._frontier, self._stamps(tx), dict(sorted(self._documents.items())), aside)
        if len(manifest.encode()) > MAX_MANIFEST_BYTES:
            raise Impossible("the home holds too many documents")
        return manifest

    def _look_at_more(self, tx: Transaction, room: int) -> int:
        """Of a document, or at the next; what it cost."""
        if self._adding is None and kind_of(self._left[-1]) is None:
            self._summarize(self._left[-1], tx.base(self._left.pop()))
            return DOCUMENT_RECORDS
        adding = self._adding = self._adding or Adding(tx, self._left.pop(), self._seqs)
        looked = adding.step(tx, room)
        if looked < room:
            self._summarize(adding.document, adding.data())
            self._adding = None
        return looked + DOCUMENT_RECORDS

    def _summarize(self, document: str, data: bytes | None) -> None:
        if data is not None:
            self._documents[document] = (digest_of(data), len(data))

    def _unapplied(self, tx: Transaction) -> tuple[dict[Key, str], set[str]]:
        """What was set aside up to the frontier, and the documents of which something was erased there."""
        aside, erased = dict(self._held.floor(tx).aside), set()
        for record in tx.unapplied():
            if record.seq > self._seqs.get(record.author, 0):
                continue
            if record.status == UNKNOWN:
                raise Impossible("it holds records that only a newer Jarvis understands")
            if record.status == ASIDE:
                aside[record.author, record.seq] = record.document
            elif record.status == ERASED:
                erased.add(record.document)
        return aside, erased

    def _refuse_later_deletions(self, tx: Transaction, erased: set[str]) -> None:
        """What was deleted after the frontier is gone here, but not from what the home was at the frontier."""
        for document in self._erasure.erased(tx) & (self._before | erased):
            lifecycle, one = lifecycle_of(document) or ("", b"")
            kind, data = kind_of(lifecycle), state_at(tx, lifecycle, self._seqs)
            if kind is None or data is None or one not in read_state(kind, data).deleted:
                raise Impossible("a document was deleted after that frontier")

    def _stamps(self, tx: Transaction) -> dict[bytes, int]:
        stamps = {}
        for author, (seq, _) in self._frontier.items():
            record = tx.record(author, seq)
            stamps[author] = decode_header(record.header).hlc if record else self._held.floor(tx).stamps[author]
        return stamps
