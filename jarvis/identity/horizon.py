"""The horizon: up to where every member has acknowledged to hold the same records, which add up to the same bytes. It
is an entry of the membership chain; below it records may be deleted, and nothing changes any more.

    frontier {author: [seq, hash]}   the last record of each author at or below it
    root     SHA-256 of the manifest of that frontier (`jarvis.replica.manifest`)
    acks     {node_id: signature}    of members other than the owner's node, over TAG + pack([home_id, frontier, root])
    stale    [node_id, ...]          members that were not waited for, in ascending order
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jarvis.core.codec import Value, pack
from jarvis.core.errors import InvalidBytes
from jarvis.core.ids import NODE_ID_BYTES
from jarvis.identity.keys import SIGNATURE_BYTES, SigningKey, verify
from jarvis.identity.record import AUTHOR_BYTES, HASH_BYTES, MAX_SEQ

TAG = b"jarvis horizon v1\x00"
HORIZON = "horizon"
MAX_AUTHORS = 320
"""In a frontier: 24 KiB, so that an entry with the acknowledgements of 64 members fits into its 32 KiB."""
MAX_ACKS = 256

Place = tuple[int, bytes]
"""A record of an author that is known: its seq and hash."""
Frontier = Mapping[bytes, Place]


@dataclass(frozen=True, slots=True)
class Horizon:
    entry: bytes
    """Hash of the entry that declares it."""
    frontier: Frontier
    root: bytes
    stale: tuple[bytes, ...] = ()
    acks: Mapping[bytes, bytes] = field(default_factory=dict)

    def seq(self, author: bytes) -> int:
        """The last of an author's records at or below it; 0 when none is."""
        place = self.frontier.get(author)
        return place[0] if place else 0


def write_frontier(frontier: Frontier) -> Value:
    return {author: list(place) for author, place in frontier.items()}


def read_frontier(value: Value) -> dict[bytes, Place]:
    """Raises InvalidBytes."""
    if not is_frontier(value):
        raise InvalidBytes("Not the frontier of a horizon.")
    return {author: (seq, digest) for author, (seq, digest) in value.items()}


def what_is_signed(home_id: bytes, frontier: Frontier, root: bytes) -> bytes:
    """By a member that acknowledges."""
    return TAG + pack([home_id, write_frontier(frontier), root])


def acknowledge(key: SigningKey, home_id: bytes, frontier: Frontier, root: bytes) -> bytes:
    """The signature of a member that durably holds these records and found this root in them."""
    return key.sign(what_is_signed(home_id, frontier, root))


def is_acknowledged(public_key: bytes, signature: bytes, home_id: bytes, frontier: Frontier, root: bytes) -> bool:
    return verify(public_key, what_is_signed(home_id, frontier, root), signature)


def collapsed_by(before: Horizon | None, frontier: Frontier) -> dict[bytes, Place]:
    """Authors that a newer horizon leaves out, with their last record: nobody writes under these names any more. Raises
    InvalidBytes when it does not cover the one before otherwise."""
    left: dict[bytes, Place] = {}
    for author, (seq, digest) in before.frontier.items() if before else ():
        place = frontier.get(author)
        if place is None:
            left[author] = (seq, digest)
        elif place[0] < seq or (place[0] == seq and place[1] != digest):
            raise InvalidBytes("A horizon does not cover the one before it.")
    return left


def is_frontier(value: Value) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= MAX_AUTHORS
        and all(
            _is_bytes(author, AUTHOR_BYTES)
            and isinstance(place, list)
            and len(place) == 2
            and type(place[0]) is int
            and 1 <= place[0] <= MAX_SEQ
            and _is_bytes(place[1], HASH_BYTES)
            for author, place in value.items()
        )
    )


def _are_acks(value: Value) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= MAX_ACKS
        and all(_is_bytes(node, NODE_ID_BYTES) and _is_bytes(ack, SIGNATURE_BYTES) for node, ack in value.items())
    )


def _are_stale(value: Value) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MAX_ACKS
        and all(_is_bytes(node, NODE_ID_BYTES) for node in value)
        and value == sorted(set(value))
    )


def _is_root(value: Value) -> bool:
    return _is_bytes(value, HASH_BYTES)


def _is_bytes(value: Value, length: int) -> bool:
    return isinstance(value, bytes) and len(value) == length


SHAPE: dict[str, Callable[[Value], bool]] = {
    "frontier": is_frontier,
    "root": _is_root,
    "acks": _are_acks,
    "stale": _are_stale,
}
