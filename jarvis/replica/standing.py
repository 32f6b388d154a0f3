"""What stands: it takes membership chains and fork proofs, and states anew what counts when they change how far an
author does. From a fork or beyond a cut-off on records are set aside, kept and shown, and frontiers go back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jarvis.core.errors import InvalidBytes
from jarvis.core.ids import NODE_ID_BYTES
from jarvis.identity.branches import Branches
from jarvis.identity.entries import RawEntry
from jarvis.identity.fork import ForkProof
from jarvis.identity.membership import Chain
from jarvis.identity.record import ENTRY_ID_BYTES, decode_record
from jarvis.replica.acceptance import Acceptance
from jarvis.replica.accepted import Accepted
from jarvis.replica.bounds import Bounds
from jarvis.replica.documents import Documents
from jarvis.replica.erasure import Erasure
from jarvis.replica.holdings import Holdings
from jarvis.replica.restating import restate
from jarvis.store.protocol import ASIDE, Head, StoredRecord, Transaction


class Standing:
    """`lowered` is told of each author whose frontier goes back."""

    def __init__(
        self,
        held: Holdings,
        documents: Documents,
        erasure: Erasure,
        *,
        lowered: Callable[[Transaction, bytes], None],
    ) -> None:
        self._held = held
        self._documents = documents
        self._erasure = erasure
        self._lowered = lowered
        self.acceptance = Acceptance(held, documents, erasure, on_fork=self.take_fork)

    def take_chain(self, tx: Transaction, entries: Sequence[RawEntry], accepted: Accepted) -> bool:
        """Whether this chain superseded ours; a branch that lost is kept beside it. Records that waited for either are
        accepted then. Raises InvalidBytes."""
        offered = Chain.verify(entries)
        before = self._held.branches(tx)
        if offered.home_id != before.chain.home_id:
            raise InvalidBytes("That membership chain is another home's.")
        after = before.joined(offered)
        if after is before:
            return False
        accepted.branches = after
        self._held.put_branches(tx, after)
        if _what_bounds(after) != _what_bounds(before):
            self.restate(tx, accepted)
        for branch in (after.chain, *after.losing):
            for entry in branch.hashes:
                self.acceptance.met(tx, (entry[:ENTRY_ID_BYTES], 0), accepted)
        return after.chain is not before.chain

    def take_fork(self, tx: Transaction, proof: ForkProof, accepted: Accepted) -> None:
        """From the fork on the author's records are set aside. An earlier fork of the same author replaces a later one.
        Raises InvalidBytes when the proof does not hold, or speaks of no member."""
        member = self._held.branches(tx).member(proof.author[:NODE_ID_BYTES])
        if member is None or not proof.holds(member.public_key):
            raise InvalidBytes("A fork proof that does not hold.")
        known = self._held.bounds(tx).forks.get(proof.author)
        if known is None or proof.seq < known.seq:
            self._held.put_fork(tx, proof)
            accepted.forks.append(proof)
            self.restate(tx, accepted)

    def restate(self, tx: Transaction, accepted: Accepted) -> None:
        """Bounds have changed: state anew what counts, here and in the waiting room."""
        bounds = accepted.bounds = self._held.bounds(tx)
        self._raise(tx, accepted)
        for author, head in list(self._held.heads(tx).items()):
            if not bounds.counts(author, head.seq):
                accepted.lowered[author] = self._held.lower_head(tx, author, bounds.last(author) or 0)
                accepted.heads.pop(author, None)
                self._lowered(tx, author)
        risen = self._take_up(tx, bounds)
        floor = self._held.floor(tx)
        any_aside = floor.aside or any(one.status == ASIDE for one in tx.unapplied())
        changed = restate(tx, bounds, floor, risen) if bounds.any or any_aside or risen else set()
        self._documents.reload(changed)
        accepted.restated |= changed | self._erasure.restated(tx, changed)
        again = [decode_record(one.header, one.signature, one.payload) for one in risen]
        self.acceptance.accept_all(tx, again, accepted)
        self.acceptance.accept_waiting(tx, accepted)

    def _raise(self, tx: Transaction, accepted: Accepted) -> None:
        """What was set aside by a fork and lies at or below a horizon counts again: the horizon has the last word."""
        horizon = self._held.ground(tx).horizon
        for author, (seq, digest) in horizon.frontier.items() if horizon else ():
            if self._held.head(tx, author).seq < seq:
                record = tx.record(author, seq)
                if record is not None and record.hash == digest:
                    accepted.heads[author] = Head(seq, digest)
                    self._held.set_head(tx, author, Head(seq, digest))

    def _take_up(self, tx: Transaction, bounds: Bounds) -> list[StoredRecord]:
        """Records beyond their author's frontier that count again, since the branch that cut them off has lost: taken
        out, in order of arrival, to be accepted like any others."""
        again = [
            one
            for one in tx.unapplied()
            if one.seq > self._held.head(tx, one.author).seq and bounds.counts(one.author, one.seq)
        ]
        tx.delete_records(again)
        return again


def _what_bounds(branches: Branches) -> tuple[object, ...]:
    """Of the membership what says how far authors count."""
    return branches.chain.removed, branches.ground.horizon, branches.strangers
