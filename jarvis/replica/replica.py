"""One node's copy of the home, for the rooms above: it accepts records, its own and its peers', on one path, each
batch in one transaction, and reads what they add up to.

It reads no clock, file, socket or random source; it lives in the store's writer thread, where every method is
called with that thread's transaction. What it keeps in memory is a cache of the store and is forgotten when work is
undone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jarvis.core.codec import Value, pack
from jarvis.core.errors import BadConfiguration, InvalidInput
from jarvis.crdt.lifecycle import Lifecycle
from jarvis.crdt.registry import kind_of
from jarvis.identity.branches import Branches
from jarvis.identity.entries import RawEntry
from jarvis.identity.fork import ForkProof
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.identity.record import SignedRecord
from jarvis.replica.accepted import Accepted
from jarvis.replica.answers import answer, proofs
from jarvis.replica.authorship import Authorship
from jarvis.replica.bounds import Bounds
from jarvis.replica.composition import Composition
from jarvis.replica.documents import Documents
from jarvis.replica.erasure import Erasure
from jarvis.replica.holdings import Floor, Holdings
from jarvis.replica.horizon import Horizons, Next
from jarvis.replica.proposing import Proposing
from jarvis.replica.rewriting import Rewriting, Rewritten, forked_away
from jarvis.replica.standing import Standing
from jarvis.replica.waiting import Need
from jarvis.store.protocol import Head, StoredRecord, Transaction

MAX_ANSWERED = 512
"""Records in one answer, as many as a frame may hold."""
DIGEST_TAG = b"jarvis home v1\x00"


class Replica:
    """`entropy(n)` gives n random bytes; `wall_ms()` reads the wall clock. Both are the caller's, so that a simulation
    can bring its own."""

    def __init__(self, key: SigningKey, *, entropy: Callable[[int], bytes], wall_ms: Callable[[], int]) -> None:
        self._key = key
        self._entropy = entropy
        self._documents = Documents()
        self._held = Holdings(wall_ms)
        self._authorship = Authorship(key.node_id, self._held, entropy)
        self._erasure = Erasure(self._documents)
        self._standing = Standing(self._held, self._documents, self._erasure, lowered=self._lowered)
        self._acceptance = self._standing.acceptance
        self.horizons = Horizons(
            self._held, self._documents, self._erasure, restate=self._standing.restate, forsaken=self._lowered
        )
        self.proposing = Proposing(key, self._held, self.horizons, author=self._authorship.author)

    # --- who we are -------------------------------------------------------------------------------------------

    def open(self, tx: Transaction, *, guest: bool = False) -> Chain:
        """Take up where the store left off. Raises BadConfiguration when it holds no home, or not one of ours.

        A `guest` may read a home that has not admitted its key yet: one restored from a member's backup."""
        self._held.load_clock(tx)
        chain = self.chain(tx)
        if self._key.node_id in chain.removed:
            raise BadConfiguration(
                "This node was taken out of its home.",
                fix="Run `jarvis node leave` to empty its directory; then it may join again, as a new node.",
            )
        if self._key.node_id not in chain.members and not guest:
            raise BadConfiguration(
                "This node's key is no member of the home in its store.",
                fix="The data directory mixes two nodes; restore both keys and store from the same one.",
            )
        self._authorship.open(tx)
        self._acceptance.judge_unknown(tx)
        return chain

    def found(self, tx: Transaction, chain: Chain) -> None:
        """Write the first chain into an empty store, as the founder or as one who was just admitted."""
        if tx.membership():
            raise BadConfiguration("This data directory belongs to a home already.", fix="Choose an empty one.")
        self._held.put_branches(tx, Branches(chain))

    def chain(self, tx: Transaction) -> Chain:
        return self._held.chain(tx)

    def branches(self, tx: Transaction) -> Branches:
        """The chain, and the branches that lost against it."""
        return self._held.branches(tx)

    def accept_membership(self, tx: Transaction, entries: Sequence[RawEntry]) -> tuple[bool, Accepted]:
        """Take a chain if it supersedes ours, and whether it did; keep one that parts from it as a losing branch.
        Records that waited for either are accepted. Raises InvalidBytes."""
        accepted = Accepted()
        changed = self._standing.take_chain(tx, entries, accepted)
        self._delete_again(tx, accepted)
        self._held.save_clock(tx)
        return changed, accepted

    def bounds(self, tx: Transaction) -> Bounds:
        """How far each author counts."""
        return self._held.bounds(tx)

    def accept_fork(self, tx: Transaction, proof: ForkProof) -> Accepted:
        """Take a proof. Raises InvalidBytes when it does not hold, or speaks of no member."""
        accepted = Accepted()
        self._standing.take_fork(tx, proof, accepted)
        self._delete_again(tx, accepted)
        self._held.save_clock(tx)
        return accepted

    def floor(self, tx: Transaction) -> Floor:
        """The horizon that this node has taken."""
        return self._held.floor(tx)

    def take_horizon(self, tx: Transaction) -> tuple[Next, Accepted]:
        """Do one small thing towards the newest horizon, and say what is next."""
        accepted = Accepted()
        following = self.horizons.step(tx, accepted)
        self._delete_again(tx, accepted)
        self._held.save_clock(tx)
        return following, accepted

    def _lowered(self, tx: Transaction, author: bytes) -> None:
        if author == self._authorship.author(tx):
            self._authorship.forsake(tx)

    def author(self, tx: Transaction) -> bytes:
        """The author of this node's last record; empty before the first."""
        return self._authorship.author(tx)

    def writing_author(self, tx: Transaction) -> bytes:
        """Whose the next record of our own will be."""
        return self._authorship.writing_author(tx)

    def echo(self, tx: Transaction, heads: Mapping[bytes, Head]) -> None:
        """What a member says it durably holds."""
        self._authorship.echo(tx, heads)

    # --- writing and accepting ----------------------------------------------------------------------------------

    def forked_away(self, tx: Transaction) -> list[StoredRecord]:
        """What this node's own forks have set aside and nobody has looked at yet; none where it cannot write."""
        if self._key.node_id not in self.chain(tx).members:
            return []
        return forked_away(tx, self.bounds(tx), self._key.node_id)

    def rewrite(self, tx: Transaction) -> Rewritten:
        """Write that again, some of it, where it still makes sense."""
        records = self.forked_away(tx)
        if not records:
            return Rewritten()
        return Rewriting(tx, self.compose(tx), self.writing_author(tx)).run(records)

    def compose(self, tx: Transaction) -> Composition:
        """Begin to write in our own name; nothing is written before its `finish`."""
        return Composition(
            tx,
            self._key,
            held=self._held,
            documents=self._documents,
            authorship=self._authorship,
            acceptance=self._acceptance,
            erasure=self._erasure,
            entropy=self._entropy,
        )

    def append(self, tx: Transaction, document: str, operations: list[Value]) -> tuple[SignedRecord, Accepted]:
        """One record of our own. Raises InvalidInput when the operations are not the document's, NotAllowed when the
        home has not admitted this node."""
        composition = self.compose(tx)
        place = composition.add(document, lambda _: operations)
        if place is None:
            raise InvalidInput("There is nothing to write.")
        records, accepted = composition.finish()
        return records[place.seq], accepted

    def accept(self, tx: Transaction, records: Iterable[SignedRecord]) -> Accepted:
        """Accept what can be accepted, keep waiting what cannot yet, refuse the rest. Never raises for a record."""
        accepted = Accepted()
        self._acceptance.accept_all(tx, records, accepted)
        if self.author(tx) in accepted.heads:
            # Our own words come from a member: this disk is older than what we wrote, and how much more others hold
            # cannot be known.
            self._authorship.forsake(tx)
        self._delete_again(tx, accepted)
        self._held.save_clock(tx)
        return accepted

    def _delete_again(self, tx: Transaction, accepted: Accepted) -> None:
        """What was erased here stays deleted, whatever becomes of the record that said so. A node that may not write
        leaves it to the others."""
        if self._key.node_id not in self.chain(tx).members:
            return
        for lifecycle, ids in self._erasure.to_delete_again(tx):
            record, done = self.append(tx, lifecycle, [Lifecycle.delete(one) for one in ids])
            accepted.own.append(record)
            accepted.heads |= done.heads
            accepted.records += done.records
            accepted.restated |= done.restated

    # --- reading ------------------------------------------------------------------------------------------------

    def heads(self, tx: Transaction) -> dict[bytes, Head]:
        """The frontier. The caller copies it if it keeps it."""
        return self._held.heads(tx)

    def head(self, tx: Transaction, author: bytes) -> Head:
        return self._held.head(tx, author)

    def stamp(self, tx: Transaction, author: bytes) -> int:
        """Of an author's last record, -1 before the first."""
        return self._held.stamp(tx, author)

    def records(self, tx: Transaction, author: bytes, first: int, through: int, max_bytes: int) -> list[StoredRecord]:
        """Records to send to a peer: of those that count, in one frame, cut before `max_bytes`; erased ones behind what
        deleted them."""
        first = max(first, self._held.settled(tx, author) + 1)
        last = min(through, self.head(tx, author).seq)
        if first > last:
            return []
        return answer(tx, self._erasure, author, first, last, max_records=MAX_ANSWERED, max_bytes=max_bytes)

    def deletions(
        self, tx: Transaction, records: Iterable[StoredRecord], proven: set[str]
    ) -> dict[int, list[StoredRecord]]:
        """Of erased records the ones that deleted what they were part of, by the position of what they stand before;
        not again for documents among the `proven`, which grow."""
        return {one.position: found for one in records if (found := proofs(tx, self._erasure, one, proven))}

    def is_deleted(self, tx: Transaction, document: str) -> bool:
        """For good: nothing can be written there any more."""
        return self._erasure.is_deleted(tx, document)

    def state(self, tx: Transaction, document: str) -> Any:
        """A document's state, to be read and not changed, and not kept beyond the transaction."""
        return self._documents.state(tx, document)

    def digests(self, tx: Transaction) -> dict[str, bytes]:
        """Every document's digest, by name."""
        return {name: self._documents.digest(tx, name) for name in tx.documents() if kind_of(name)}

    def digest(self, tx: Transaction) -> bytes:
        """32 bytes over the membership chain and all documents: equal where the same records are held."""
        content = pack([self.chain(tx).head, sorted(self.digests(tx).items())])
        return hashlib.sha256(DIGEST_TAG + content).digest()

    def waiting(self) -> int:
        return len(self._acceptance.waiting)

    def waits(self) -> list[tuple[SignedRecord, Need]]:
        """What cannot be accepted yet, and what each waits for first."""
        return self._acceptance.waiting.items()

    def forget(self) -> None:
        """Work was undone: drop every cache. The clock stays, since it may only rise."""
        self._documents.forget()
        self._erasure.forget()
        self._acceptance.waiting.clear()
        self._held.forget()
        self.horizons.forget()
        self._authorship.forget()
