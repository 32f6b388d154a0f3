"""Who belongs to the home: a linear, hash-chained list of entries signed by the owner key. Linear on purpose: access
lists that are themselves CRDTs diverge by the order of receipt. Names and rooms are not here but in `config`.

The owner key may be handed over; only the recovery key raises the term, and the higher term wins. What an entry says
and its bytes are in `entries`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from jarvis.core.errors import InvalidBytes, InvalidInput, NotAllowed, NotFound
from jarvis.core.ids import NODE_ID_BYTES
from jarvis.identity.certificate import public_key_of
from jarvis.identity.entries import (
    ADMIT,
    FOUND,
    HANDOVER,
    HORIZON,
    NOTHING_COUNTS,
    RECOVER,
    REMOVE,
    TAG,
    Cutoff,
    Entry,
    RawEntry,
    cutoffs_of,
    entry_hash,
    read_entry,
    write_entry,
)
from jarvis.identity.horizon import (
    Frontier,
    Horizon,
    Place,
    collapsed_by,
    is_acknowledged,
    read_frontier,
    write_frontier,
)
from jarvis.identity.keys import SigningKey, node_id_of, verify
from jarvis.identity.record import ENTRY_ID_BYTES

MAX_ENTRIES = 1_024
"""A home of 50 nodes that admits and replaces one a week needs this many in ten years."""


@dataclass(frozen=True, slots=True)
class Member:
    node_id: bytes
    public_key: bytes
    certificate: bytes
    """DER."""
    admitted_at: int
    """Index of the entry that admitted it."""


@dataclass(frozen=True, slots=True)
class Removal:
    member: Member
    removed_at: int
    """Index of the entry that removed it."""
    cutoffs: Mapping[bytes, Cutoff]
    """By author; of an author that is not here, nothing counts."""


@dataclass(frozen=True)
class Chain:
    """A verified membership chain; immutable, and every change gives a new one."""

    entries: tuple[RawEntry, ...]
    owner: bytes
    """Public key that signs entries."""
    owner_node: bytes
    """The node that keeps the owner key."""
    recovery: bytes
    term: int
    members: Mapping[bytes, Member]
    """Those of now, by node id, in the order of admission."""
    removed: Mapping[bytes, Removal]
    hashes: tuple[bytes, ...]
    horizon: Horizon | None = None
    """The newest."""
    collapsed: Mapping[bytes, Place] = field(default_factory=dict)
    """Authors that lie wholly below it, by their last record: nobody writes under these names any more."""

    # --- changing -------------------------------------------------------------------------------------------------

    @staticmethod
    def found(owner: SigningKey, recovery_public: bytes, certificate: bytes, *, nonce: bytes, at_ms: int) -> Chain:
        """A new home with one node, the one with `certificate`. `nonce` is 16 random bytes."""
        fields = {"owner": owner.public, "recovery": recovery_public, "nonce": nonce}
        first = write_entry(owner, FOUND, term=0, index=0, prev=b"", at_ms=at_ms, fields=fields)
        return Chain.verify([first]).admit(owner, certificate, at_ms=at_ms)

    def admit(self, owner: SigningKey, certificate: bytes, *, at_ms: int) -> Chain:
        """This chain and one more member. A node that is one already changes nothing; one that was removed needs a
        new key."""
        try:
            node_id = node_id_of(public_key_of(certificate))
        except InvalidBytes as error:
            raise InvalidInput(str(error)) from None
        if node_id in self.removed:
            raise NotAllowed("That node was removed for good.", fix="Join with an empty data directory.")
        if node_id in self.members and owner.public == self.owner:
            return self
        return self._extend(owner, ADMIT, at_ms, {"certificate": certificate})

    def remove(self, owner: SigningKey, node_id: bytes, cutoffs: Mapping[bytes, Cutoff], *, at_ms: int) -> Chain:
        """This chain without a member. Of its authors in `cutoffs` the records up to there count, of others none."""
        if node_id not in self.members:
            raise NotFound("That node is no member.")
        if node_id == self.owner_node:
            raise NotAllowed("The owner's node cannot be removed.", fix="Hand the home over to another node first.")
        written = {author: [cutoff.seq, cutoff.hash] for author, cutoff in cutoffs.items() if cutoff.seq}
        return self._extend(owner, REMOVE, at_ms, {"node": node_id, "cutoffs": written})

    def hand_over(self, owner: SigningKey, new_owner: bytes, node_id: bytes, *, at_ms: int) -> Chain:
        """This chain with another owner key (its public half), which `node_id` keeps."""
        if node_id not in self.members:
            raise NotFound("That node is no member.")
        return self._extend(owner, HANDOVER, at_ms, {"owner": new_owner, "node": node_id})

    def declare_horizon(
        self,
        owner: SigningKey,
        frontier: Frontier,
        root: bytes,
        acks: Mapping[bytes, bytes],
        stale: Iterable[bytes],
        *,
        at_ms: int,
    ) -> Chain:
        """This chain with a horizon that every member but the owner's node acknowledged, or is `stale`."""
        fields = {"frontier": write_frontier(frontier), "root": root, "acks": dict(acks), "stale": sorted(stale)}
        return self._extend(owner, HORIZON, at_ms, fields)

    def recover(
        self, recovery: SigningKey, new_owner: bytes, new_recovery: bytes, node_id: bytes, *, at_ms: int
    ) -> Chain:
        """This chain in the next term, with new owner and recovery keys (public halves); `node_id` keeps the owner's.
        It wins over whatever the lost owner key signs."""
        if recovery.public != self.recovery:
            raise NotAllowed("That is not this home's recovery phrase.")
        fields = {"owner": new_owner, "recovery": new_recovery, "node": node_id}
        entry = write_entry(
            recovery,
            RECOVER,
            term=self.term + 1,
            index=len(self.entries),
            prev=self.head,
            at_ms=at_ms,
            fields=fields,
        )
        return Chain.verify([*self.entries, entry])

    def _extend(self, owner: SigningKey, action: str, at_ms: int, fields: dict[str, object]) -> Chain:
        if owner.public != self.owner:
            raise NotAllowed("Only the home's owner can do that.")
        index = len(self.entries)
        entry = write_entry(owner, action, term=self.term, index=index, prev=self.head, at_ms=at_ms, fields=fields)
        return Chain.verify([*self.entries, entry])

    # --- verifying ------------------------------------------------------------------------------------------------

    @staticmethod
    def verify(entries: Iterable[RawEntry]) -> Chain:
        """The chain in these entries. Raises InvalidBytes at the first that does not follow from those before it."""
        entries = tuple(entries)
        if not 1 <= len(entries) <= MAX_ENTRIES:
            raise InvalidBytes(f"A membership chain has 1 to {MAX_ENTRIES} entries.")
        reading = _Reading()
        for index, raw in enumerate(entries):
            reading.take(index, raw)
        return Chain(
            entries,
            reading.owner,
            reading.owner_node,
            reading.recovery,
            reading.term,
            MappingProxyType(reading.members),
            MappingProxyType(reading.removed),
            tuple(reading.hashes),
            reading.horizon,
            MappingProxyType(reading.collapsed),
        )

    # --- asking ---------------------------------------------------------------------------------------------------

    @property
    def head(self) -> bytes:
        return self.hashes[-1]

    @property
    def head_id(self) -> bytes:
        """What records name: the first 16 bytes of the head's hash."""
        return self.head[:ENTRY_ID_BYTES]

    @property
    def home_id(self) -> bytes:
        return self.hashes[0][:NODE_ID_BYTES]

    @cached_property
    def _index_of(self) -> dict[bytes, int]:
        return {one[:ENTRY_ID_BYTES]: index for index, one in enumerate(self.hashes)}

    def knows(self, entry_id: bytes) -> bool:
        return entry_id in self._index_of

    def member(self, node_id: bytes) -> Member | None:
        """A member of now or of once."""
        removal = self.removed.get(node_id)
        return removal.member if removal else self.members.get(node_id)

    def member_at(self, node_id: bytes, entry_id: bytes) -> Member | None:
        """The member `node_id` was when `entry_id` was the head; None when it was none, or the entry is unknown."""
        member, index = self.member(node_id), self._index_of.get(entry_id)
        if member is None or index is None or index < member.admitted_at:
            return None
        removal = self.removed.get(node_id)
        return None if removal and index >= removal.removed_at else member

    def cutoff(self, author: bytes) -> Cutoff | None:
        """The last record of an author that counts; None for the authors of a member of now: all do."""
        removal = self.removed.get(author[:NODE_ID_BYTES])
        return removal.cutoffs.get(author, NOTHING_COUNTS) if removal else None

    def reach(self, frontier: Frontier) -> dict[bytes, Place]:
        """Of each author, closed ones too, the last record at or below a horizon at `frontier`, the newest or one that
        would follow it. Raises InvalidBytes when it does not cover the newest."""
        return {**self.collapsed, **collapsed_by(self.horizon, frontier), **frontier}

    def supersedes(self, other: Chain) -> bool:
        """Whether a node that holds `other` must take this one: the same home and a higher term; in the same term
        longer, or, where the two part, the lower hash. A total order, so every node settles on the same chain."""
        if self.home_id != other.home_id or self.hashes == other.hashes:
            return False
        if self.term != other.term:
            return self.term > other.term
        for mine, theirs in zip(self.hashes, other.hashes, strict=False):
            if mine != theirs:
                return mine < theirs
        return len(self.hashes) > len(other.hashes)


class _Reading:
    """What a chain says so far, while it is verified entry by entry."""

    def __init__(self) -> None:
        self.owner = self.owner_node = self.recovery = b""
        self.term = 0
        self.members: dict[bytes, Member] = {}
        self.removed: dict[bytes, Removal] = {}
        self.hashes: list[bytes] = []
        self.horizon: Horizon | None = None
        self.collapsed: dict[bytes, Place] = {}

    def take(self, index: int, raw: RawEntry) -> None:
        data, signature = raw
        entry = read_entry(data, index, self.hashes[-1] if self.hashes else b"")
        if entry.action == FOUND:
            self.owner, self.recovery = entry.fields["owner"], entry.fields["recovery"]
        signer = self.recovery if entry.action == RECOVER else self.owner
        if not verify(signer, TAG + data, signature):
            raise InvalidBytes(f"Membership entry {index} ({entry.action}) is not signed by the home's owner.")
        if entry.term != self.term + (entry.action == RECOVER):
            raise InvalidBytes(f"Membership entry {index} ({entry.action}) is of the wrong term.")
        self.hashes.append(entry_hash(data))
        getattr(self, f"_{entry.action}")(index, entry)

    def _found(self, index: int, entry: Entry) -> None:
        pass

    def _admit(self, index: int, entry: Entry) -> None:
        public_key = public_key_of(entry.fields["certificate"])
        member = Member(node_id_of(public_key), public_key, entry.fields["certificate"], index)
        if member.node_id in self.removed:
            raise InvalidBytes(f"Membership entry {index} admits a node that was removed.")
        self.members.setdefault(member.node_id, member)
        self.owner_node = self.owner_node or member.node_id

    def _remove(self, index: int, entry: Entry) -> None:
        member = self.members.pop(entry.fields["node"], None)
        if member is None or member.node_id == self.owner_node:
            raise InvalidBytes(f"Membership entry {index} removes a node that cannot be removed.")
        self.removed[member.node_id] = Removal(member, index, MappingProxyType(cutoffs_of(entry)))

    def _handover(self, index: int, entry: Entry) -> None:
        self._must_be_member(index, entry.fields["node"])
        self.owner, self.owner_node = entry.fields["owner"], entry.fields["node"]

    def _recover(self, index: int, entry: Entry) -> None:
        self._must_be_member(index, entry.fields["node"])
        self.owner, self.recovery = entry.fields["owner"], entry.fields["recovery"]
        self.owner_node, self.term = entry.fields["node"], entry.term

    def _horizon(self, index: int, entry: Entry) -> None:
        frontier, root = read_frontier(entry.fields["frontier"]), entry.fields["root"]
        acks, stale = entry.fields["acks"], tuple(entry.fields["stale"])
        if sorted([*acks, *stale, self.owner_node]) != sorted(self.members):
            raise InvalidBytes(f"Membership entry {index} names a horizon that not every member has acknowledged.")
        home_id = self.hashes[0][:NODE_ID_BYTES]
        for node_id, ack in acks.items():
            if not is_acknowledged(self.members[node_id].public_key, ack, home_id, frontier, root):
                raise InvalidBytes(f"Membership entry {index} holds an acknowledgement that is not its member's.")
        known = self.members.keys() | self.removed.keys()
        if any(author[:NODE_ID_BYTES] not in known or author in self.collapsed for author in frontier):
            raise InvalidBytes(f"Membership entry {index} names an author that cannot be.")
        self.collapsed |= collapsed_by(self.horizon, frontier)
        self.horizon = Horizon(self.hashes[-1], MappingProxyType(frontier), root, stale, MappingProxyType(acks))

    def _must_be_member(self, index: int, node_id: bytes) -> None:
        if node_id not in self.members:
            raise InvalidBytes(f"Membership entry {index} makes a stranger the owner.")
