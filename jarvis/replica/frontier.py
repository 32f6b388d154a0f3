"""A frontier: of each author the last record held without a gap. Small things said of it and of authors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from jarvis.core.codec import pack
from jarvis.core.ids import NODE_ID_BYTES
from jarvis.store.protocol import Head


def encode_heads(heads: Mapping[bytes, Head]) -> bytes:
    """A frontier's canonical bytes: equal frontiers, equal bytes."""
    return pack({author: [head.seq, head.hash] for author, head in heads.items()})


def frontier_digest(heads: Mapping[bytes, Head]) -> bytes:
    return hashlib.sha256(encode_heads(heads)).digest()


def node_of(author: bytes) -> bytes:
    """The node behind an author."""
    return author[:NODE_ID_BYTES]
