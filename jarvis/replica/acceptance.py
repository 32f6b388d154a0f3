"""The one path on which records are accepted, our own and others':

    held already? -> membership -> payload hash and signature -> counts? fork? -> gap?
    -> named records held? -> validity -> record, document state and frontier in the caller's transaction

What cannot be accepted yet waits; whatever was waited for is accepted behind what came. It reads no clock, file, socket
or random source.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from jarvis.core.errors import InvalidBytes
from jarvis.crdt.dots import Dot
from jarvis.crdt.registry import fingerprint, kind_of, lifecycle_of
from jarvis.identity.fork import ForkProof, fork_proof
from jarvis.identity.record import SignedRecord, decode_header, decode_record, is_authentic
from jarvis.replica.accepted import Accepted, Refusal
from jarvis.replica.bounds import FORKED
from jarvis.replica.documents import Documents
from jarvis.replica.erasure import Erasure, deleted_by
from jarvis.replica.holdings import Holdings
from jarvis.replica.validity import Verdict, judge
from jarvis.replica.waiting import DELETED, Need, WaitingRoom
from jarvis.store.protocol import APPLIED, ASIDE, ERASED, REJECTED, UNKNOWN, Head, StoredRecord, Transaction

_KNOWN = "replica/known"


class Acceptance:
    """`on_fork` is told of each proof that a record brings, before the next record is looked at."""

    def __init__(
        self,
        held: Holdings,
        documents: Documents,
        erasure: Erasure,
        *,
        on_fork: Callable[[Transaction, ForkProof, Accepted], None],
    ) -> None:
        self._held = held
        self._documents = documents
        self._erasure = erasure
        self._on_fork = on_fork
        self.waiting = WaitingRoom()

    def accept_all(self, tx: Transaction, records: Iterable[SignedRecord], accepted: Accepted) -> None:
        """These, and whatever waited for them."""
        queue = deque(records)
        while queue:
            queue.extend(self._accept_one(tx, queue.popleft(), accepted))

    def met(self, tx: Transaction, need: Need, accepted: Accepted) -> None:
        """Something that records may wait for has come."""
        self.accept_all(tx, self.waiting.release(need, self._is_met(tx)), accepted)

    def accept_waiting(self, tx: Transaction, accepted: Accepted) -> None:
        """What waits is looked at anew: other things count than before."""
        self.accept_all(tx, self.waiting.take_all(), accepted)

    def _accept_one(self, tx: Transaction, record: SignedRecord, accepted: Accepted) -> list[SignedRecord]:
        """Returns what waited for it."""
        header, chain = record.header, self._held.chain(tx)
        head = self._held.head(tx, header.author)
        if header.seq <= self._held.settled(tx, header.author) or self._is_held(tx, record, head):
            accepted.duplicates += 1
            return []
        if header.home_id != chain.home_id:
            return self._refuse(accepted, record, "it belongs to another home", "sender")
        branches = self._held.branches(tx)
        entry_known = branches.knows(header.entry)
        member = branches.member_at(header.node_id, header.entry) if entry_known else chain.member(header.node_id)
        if member is None:
            return self._refuse(accepted, record, "its author is no member of this home", "sender")
        if not is_authentic(record, member.public_key):
            return self._refuse(accepted, record, "its signature or payload hash does not hold", "sender")
        if self._erasure.is_deleted(tx, header.document):
            record = replace(record, payload=None)
        elif record.payload is None and lifecycle_of(header.document) is None:
            return self._refuse(accepted, record, "its payload is missing", "sender")
        bounds = self._held.bounds(tx)
        if not bounds.counts(header.author, header.seq):
            return self._refuse(accepted, record, bounds.reason(header.author), "author")
        if header.seq <= head.seq:
            return self._two_histories(tx, record, accepted)
        if header.seq == head.seq + 1 and header.prev != head.hash:
            accepted.suspects.append((header.author, head.seq))
            return self._refuse(accepted, record, "it does not follow the record that is held here", "author")
        needs: list[Need] = [] if entry_known else [(header.entry, 0)]
        if header.seq > head.seq + 1:
            needs.append((header.author, header.seq - 1))
        verdict = Verdict(ERASED)
        if not needs and record.payload is not None:
            verdict, needs = self._weigh(tx, record, self._held.stamp(tx, header.author))
        elif not needs and not self._erasure.may_be_erased(tx, header.document):
            needs = [(header.document.encode(), DELETED)]
        if needs:
            return self._wait(tx, record, needs)
        return self._keep(tx, record, verdict, accepted)

    def _wait(self, tx: Transaction, record: SignedRecord, needs: list[Need]) -> list[SignedRecord]:
        self.waiting.put(record, needs)
        freed = []
        for document in sorted(self._erasure.hear(record)):
            freed += self.waiting.release((document.encode(), DELETED), self._is_met(tx))
        return freed

    def _keep(self, tx: Transaction, record: SignedRecord, verdict: Verdict, accepted: Accepted) -> list[SignedRecord]:
        """Its document, itself, the frontier; what it deletes."""
        header = record.header
        key = (header.author, header.seq)
        if verdict.status == APPLIED:
            size_bytes = len(record.payload or b"")
            self._documents.apply(tx, header.document, verdict.operations, key, header.hlc, size_bytes)
        elif verdict.status == ERASED:
            self._erasure.noted(tx, header.document)
        stored = StoredRecord(
            header.author,
            header.seq,
            record.hash,
            record.header_data,
            record.signature,
            record.payload,
            header.document,
            verdict.status,
        )
        position = tx.put_record(stored)
        if verdict.status == APPLIED:
            self._documents.checkpoint_if_due(tx, header.document, position)
        head = accepted.heads[header.author] = Head(header.seq, record.hash)
        self._held.move_head(tx, header.author, head, header.hlc)
        accepted.records.append(stored)
        if verdict.status == REJECTED:
            reason = f"it is not valid: {verdict.reason}"
            accepted.invalid.append(Refusal(header.author, header.seq, reason, "author"))
        self.waiting.drop(*key)
        freed = self.waiting.release(key, self._is_met(tx))
        deleted = deleted_by(header.document, verdict.operations)
        if deleted:
            accepted.restated |= self._erasure.erase(tx, deleted)
            freed += self.waiting.take(deleted)
        return freed

    def _two_histories(self, tx: Transaction, record: SignedRecord, accepted: Accepted) -> list[SignedRecord]:
        """An authentic record whose number is taken by another one: its author forked. From there on nothing counts."""
        held = tx.record(record.header.author, record.header.seq)
        assert held is not None  # the frontier has passed it
        proof = fork_proof((held.header, held.signature), (record.header_data, record.signature))
        self._on_fork(tx, proof, accepted)
        return self._refuse(accepted, record, FORKED, "author")

    def _names_what_is_aside(self, tx: Transaction, document: str, names: Iterable[Dot]) -> bool:
        """As `restating` says: what is set aside, in the same document, or what lies beyond a bound, in any."""
        bounds, below = self._held.bounds(tx), self._held.floor(tx).aside
        for dot in names if bounds.any or below else ():
            held = tx.record(dot.author, dot.seq)
            aside = held is not None and held.status == ASIDE and held.document == document
            aside = aside or below.get((dot.author, dot.seq)) == document
            if aside or not bounds.counts(dot.author, dot.seq):
                return True
        return False

    def _weigh(self, tx: Transaction, record: SignedRecord, previous_hlc: int) -> tuple[Verdict, list[Need]]:
        """What a record comes to, and what must come before it can be said."""
        verdict = judge(record, previous_hlc)
        if verdict.status == APPLIED and self._names_what_is_aside(tx, record.header.document, verdict.names):
            verdict = Verdict(ASIDE, "it names what was set aside")
        needs = self._missing(tx, verdict.names)
        if verdict.status == APPLIED and not needs:
            verdict = self._fitted(tx, record, verdict)
        return verdict, needs

    def _fitted(self, tx: Transaction, record: SignedRecord, verdict: Verdict) -> Verdict:
        """The last of validity: what an author writes must go on from what it wrote in that document before."""
        try:
            self._documents.fit(tx, record.header.document, verdict.operations, record.header.author)
        except InvalidBytes as error:
            return Verdict(REJECTED, str(error))
        return verdict

    def _is_held(self, tx: Transaction, record: SignedRecord, head: Head) -> bool:
        if record.header.seq > head.seq:
            return False
        held = tx.record(record.header.author, record.header.seq)
        return held is not None and held.hash == record.hash

    @staticmethod
    def _refuse(accepted: Accepted, record: SignedRecord, reason: str, blame: str) -> list[SignedRecord]:
        accepted.refused.append(Refusal(record.header.author, record.header.seq, reason, blame))
        return []

    def _missing(self, tx: Transaction, names: Iterable[Dot]) -> list[Need]:
        """What must come before these dots are held: of each author the last that is named."""
        missing: dict[bytes, int] = {}
        for dot in names:
            if dot.seq > self._held.through(tx, dot.author):
                missing[dot.author] = max(dot.seq, missing.get(dot.author, 0))
        return sorted(missing.items())

    def _is_met(self, tx: Transaction) -> Callable[[Need], bool]:
        def is_met(need: Need) -> bool:
            name, seq = need
            if seq == DELETED:
                return self._erasure.may_be_erased(tx, name.decode())
            return self._held.through(tx, name) >= seq if seq else self._held.branches(tx).knows(name)

        return is_met

    def judge_unknown(self, tx: Transaction) -> None:
        """After an upgrade: judge what an older program could only keep. What still waits for something is judged at
        the next start; until then this node's digest differs from those that had it in order."""
        known = fingerprint()
        if tx.get(_KNOWN) == known:
            return
        left = False
        for stored in tx.records_in_order(0):
            if stored.status != UNKNOWN or stored.payload is None or kind_of(stored.document) is None:
                continue
            if self._erasure.is_deleted(tx, stored.document):
                continue  # by what was judged just before
            record = decode_record(stored.header, stored.signature, stored.payload)
            before = tx.record(stored.author, stored.seq - 1)
            below = self._held.floor(tx).stamps.get(stored.author, -1)
            verdict, needs = self._weigh(tx, record, decode_header(before.header).hlc if before else below)
            left = left or bool(needs)
            if needs or verdict.status == UNKNOWN:
                continue
            if verdict.status == APPLIED:
                dot = (stored.author, stored.seq)
                size = len(stored.payload)
                self._documents.apply(tx, stored.document, verdict.operations, dot, record.header.hlc, size)
                self._erasure.erase(tx, deleted_by(stored.document, verdict.operations))
            tx.set_status(stored.author, stored.seq, verdict.status)
        if not left:
            tx.put(_KNOWN, known)
