"""One node's copy of the home: it accepts records, its own and its peers', on one path, each batch in one transaction.

    held already? -> membership -> payload hash and signature -> fork? -> gap? -> named records held? -> validity
    -> record, document state and frontier in the caller's transaction

It reads no clock, file, socket or random source; it lives in the store's writer thread, where every method is
called with that thread's transaction. What it keeps in memory is a cache of the store and is forgotten when work is
undone.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jarvis.core.codec import Value, pack
from jarvis.core.errors import BadConfiguration, InvalidBytes, InvalidInput, NotAllowed
from jarvis.core.hlc import HybridClock
from jarvis.core.ids import NODE_ID_BYTES
from jarvis.crdt.dots import Dot
from jarvis.crdt.registry import fingerprint, kind_of
from jarvis.identity.entries import RawEntry
from jarvis.identity.fork import ForkProof, fork_proof, read_proof
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.identity.record import (
    ENTRY_ID_BYTES,
    INCARNATION_BYTES,
    NONCE_BYTES,
    SignedRecord,
    decode_header,
    decode_record,
    is_authentic,
    write_record,
)
from jarvis.replica.accepted import NOTHING, Accepted, Refusal
from jarvis.replica.bounds import FORKED, Bounds
from jarvis.replica.documents import Documents
from jarvis.replica.restating import restate
from jarvis.replica.validity import Verdict, judge
from jarvis.replica.waiting import Need, WaitingRoom
from jarvis.store.protocol import APPLIED, ASIDE, REJECTED, UNKNOWN, Head, StoredRecord, Transaction

DIGEST_TAG = b"jarvis home v1\x00"
_CLOCK, _AUTHOR, _FORKS, _KNOWN = "replica/clock", "replica/author", "replica/fork/", "replica/known"


class Replica:
    """`entropy(n)` gives n random bytes; `wall_ms()` reads the wall clock. Both are the caller's, so that a simulation
    can bring its own."""

    def __init__(self, key: SigningKey, *, entropy: Callable[[int], bytes], wall_ms: Callable[[], int]) -> None:
        self._key = key
        self._entropy = entropy
        self._wall_ms = wall_ms
        self._documents = Documents()
        self._waiting = WaitingRoom()
        self._clock = HybridClock()
        self._heads: dict[bytes, Head] | None = None
        self._stamps: dict[bytes, int] = {}
        self._chain: Chain | None = None
        self._bounds: Bounds | None = None
        self._author: bytes | None = None
        self._confirmed: bytes | None = None
        """The author that may go on writing: made in this life, or echoed by a member."""

    # --- who we are -------------------------------------------------------------------------------------------

    def open(self, tx: Transaction, *, guest: bool = False) -> Chain:
        """Take up where the store left off. Raises BadConfiguration when it holds no home, or not one of ours.

        A `guest` may read a home that has not admitted its key yet: one restored from a member's backup."""
        self._clock.last = int.from_bytes(tx.get(_CLOCK) or b"", "big")
        chain = self.chain(tx)
        if self._key.node_id not in chain.members and not guest:
            raise BadConfiguration(
                "This node's key is no member of the home in its store.",
                fix="The data directory mixes two nodes; restore both keys and store from the same one.",
            )
        # Alone, nobody can hold more of our chain than we do. With others, one of them must say so first (`echo`):
        # a restored or cloned disk would otherwise write a second history under the same numbers.
        if len(chain.members) == 1:
            self._confirmed = self.author(tx)
        self._judge_unknown(tx)
        return chain

    def found(self, tx: Transaction, chain: Chain) -> None:
        """Write the first chain into an empty store, as the founder or as one who was just admitted."""
        if tx.membership():
            raise BadConfiguration("This data directory belongs to a home already.", fix="Choose an empty one.")
        tx.put_membership(chain.entries)
        self._chain = chain

    def chain(self, tx: Transaction) -> Chain:
        if self._chain is None:
            entries = tx.membership()
            if not entries:
                raise BadConfiguration(
                    "There is no home here yet.", fix="Run `jarvis init` or `jarvis node join CODE`."
                )
            self._chain = Chain.verify(entries)
        return self._chain

    def accept_membership(self, tx: Transaction, entries: Sequence[RawEntry]) -> tuple[bool, Accepted]:
        """Take a chain if it supersedes ours; records that waited for it are accepted. Raises InvalidBytes."""
        offered = Chain.verify(entries)
        current = self.chain(tx)
        if offered.home_id != current.home_id:
            raise InvalidBytes("That membership chain is another home's.")
        accepted = Accepted()
        if not offered.supersedes(current):
            return False, accepted
        tx.put_membership(offered.entries)
        self._chain, self._bounds = offered, None
        if offered.removed != current.removed:
            self._restate(tx, accepted)
        for entry in offered.hashes:
            self._accept_all(tx, self._waiting.release((entry[:ENTRY_ID_BYTES], 0), self._is_met(tx)), accepted)
        self._save_clock(tx)
        return True, accepted

    def bounds(self, tx: Transaction) -> Bounds:
        """How far each author counts."""
        if self._bounds is None:
            proofs = [read_proof(tx.get(key) or b"") for key in tx.keys(_FORKS)]
            self._bounds = Bounds(self.chain(tx), {proof.author: proof for proof in proofs})
        return self._bounds

    def accept_fork(self, tx: Transaction, proof: ForkProof) -> Accepted:
        """Take a proof: from the fork on the author's records are set aside. An earlier fork of the same author
        replaces a later one. Raises InvalidBytes when the proof does not hold, or speaks of no member."""
        accepted = Accepted()
        member = self.chain(tx).member(proof.author[:NODE_ID_BYTES])
        if member is None or not proof.holds(member.public_key):
            raise InvalidBytes("A fork proof that does not hold.")
        known = self.bounds(tx).forks.get(proof.author)
        if known is None or proof.seq < known.seq:
            tx.put(_FORKS + proof.author.hex(), proof.to_bytes())
            self._bounds = None
            accepted.forks.append(proof)
            self._restate(tx, accepted)
        return accepted

    def _restate(self, tx: Transaction, accepted: Accepted) -> None:
        """Bounds have changed: state anew what counts, here and in the waiting room."""
        bounds = self.bounds(tx)
        for author, head in list(self.heads(tx).items()):
            if not bounds.counts(author, head.seq):
                self._lower(tx, author, bounds.last(author) or 0, accepted)
        accepted.bounds = bounds
        changed = restate(tx, bounds)
        self._documents.reload(changed)
        accepted.restated |= changed
        self._accept_all(tx, self._waiting.take_all(), accepted)

    def _lower(self, tx: Transaction, author: bytes, last: int, accepted: Accepted) -> None:
        record = tx.record(author, last) if last else None
        head = NOTHING if record is None else Head(last, record.hash)
        if head == NOTHING:
            tx.drop_head(author)
            del self.heads(tx)[author]
        else:
            tx.put_head(author, head)
            self.heads(tx)[author] = head
        self._stamps.pop(author, None)
        accepted.lowered[author] = head
        accepted.heads.pop(author, None)
        if author == self.author(tx):
            self._forsake_author(tx)

    def _forsake_author(self, tx: Transaction) -> None:
        """Never go on under this name: the next record of our own begins a new incarnation."""
        self._author = b""
        tx.put(_AUTHOR, b"")

    def author(self, tx: Transaction) -> bytes:
        """The author of this node's last record; empty before the first."""
        if self._author is None:
            self._author = tx.get(_AUTHOR) or b""
        return self._author

    def echo(self, tx: Transaction, heads: Mapping[bytes, Head]) -> None:
        """What a member says it durably holds. If that is all we hold of our own author, we may continue its chain."""
        author = self.author(tx)
        if author in heads and heads[author] == self.head(tx, author):
            self._confirmed = author

    # --- writing and accepting ----------------------------------------------------------------------------------

    def append(self, tx: Transaction, document: str, operations: list[Value]) -> tuple[SignedRecord, Accepted]:
        """Sign and accept one record of our own. Raises InvalidInput when the operations are not the document's,
        NotAllowed when the home has not admitted this node."""
        kind = kind_of(document)
        if kind is None:
            raise InvalidInput(f"There is no document called {document!r}.")
        if self._key.node_id not in self.chain(tx).members:
            raise NotAllowed(
                "This node is no member of its home, so it can read and not write.",
                fix="Run `jarvis node invite` on a member, then stop this node and run `jarvis node join CODE`.",
            )
        try:
            for operation in operations:
                kind.check(operation)
            author, chain = self.writing_author(tx), self.chain(tx)
            head = self.head(tx, author)
            # Our own last stamp counts however far ahead of our clock it is: the next must rise above it.
            self._clock.last = max(self._clock.last, self._stamp(tx, author, head))
            record = write_record(
                self._key,
                home_id=chain.home_id,
                document=document,
                author=author,
                seq=head.seq + 1,
                prev=head.hash,
                entry=chain.head_id,
                hlc=self._clock.tick(self._wall_ms()),
                kind=kind.code,
                operations=operations,
                nonce=self._entropy(NONCE_BYTES),
            )
        except InvalidBytes as error:
            raise InvalidInput(str(error)) from None
        accepted = Accepted()
        self._accept_all(tx, [record], accepted)
        self._save_clock(tx)
        status = next((one.status for one in accepted.records if one.hash == record.hash), None)
        if status is None:
            raise InvalidInput("That entry names something that is not held here.")
        if status != APPLIED:
            raise InvalidInput("That entry is nested too deeply, or holds too much.")
        return record, accepted

    def writing_author(self, tx: Transaction) -> bytes:
        """Whose the next record of our own will be: the confirmed author, else a new incarnation. Two clones of this
        disk may have forked it beyond what we hold: then nothing more under that name would count."""
        author = self.author(tx)
        goes_on = author == self._confirmed and self.bounds(tx).counts(author, self.head(tx, author).seq + 1)
        if not author or not goes_on:
            author = self._key.node_id + self._entropy(INCARNATION_BYTES)
            tx.put(_AUTHOR, author)
            self._author = self._confirmed = author
        return author

    def accept(self, tx: Transaction, records: Iterable[SignedRecord]) -> Accepted:
        """Accept what can be accepted, keep waiting what cannot yet, refuse the rest. Never raises for a record."""
        accepted = Accepted()
        self._accept_all(tx, records, accepted)
        if self.author(tx) in accepted.heads:
            # Our own words come from a member: this disk is older than what we wrote, and how much more others hold
            # cannot be known.
            self._forsake_author(tx)
        self._save_clock(tx)
        return accepted

    def _accept_all(self, tx: Transaction, records: Iterable[SignedRecord], accepted: Accepted) -> None:
        """These, and whatever waited for them."""
        queue = deque(records)
        while queue:
            record = queue.popleft()
            if self._accept_one(tx, record, accepted):
                self._waiting.drop(record.header.author, record.header.seq)
                queue.extend(self._waiting.release((record.header.author, record.header.seq), self._is_met(tx)))

    def _accept_one(self, tx: Transaction, record: SignedRecord, accepted: Accepted) -> bool:
        """Whether the frontier moved."""
        header, chain = record.header, self.chain(tx)
        head = self.head(tx, header.author)
        if self._is_held(tx, record, head):
            accepted.duplicates += 1
            return False
        if header.home_id != chain.home_id:
            return self._refuse(accepted, record, "it belongs to another home", "sender")
        entry_known = chain.knows(header.entry)
        member = chain.member_at(header.node_id, header.entry) if entry_known else chain.member(header.node_id)
        if member is None:
            return self._refuse(accepted, record, "its author is no member of this home", "sender")
        if not is_authentic(record, member.public_key):
            return self._refuse(accepted, record, "its signature or payload hash does not hold", "sender")
        bounds = self.bounds(tx)
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
        if needs:
            self._waiting.put(record, needs)
            return False
        verdict, needs = self._weigh(tx, record, self._stamp(tx, header.author, head))
        if needs:
            self._waiting.put(record, needs)
            return False
        if verdict.status == APPLIED:
            self._documents.apply(tx, header.document, verdict.operations, (header.author, header.seq), header.hlc)
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
        self._move_head(tx, header.author, Head(header.seq, record.hash), header.hlc, accepted)
        accepted.records.append(stored)
        return True

    def _two_histories(self, tx: Transaction, record: SignedRecord, accepted: Accepted) -> bool:
        """An authentic record whose number is taken by another one: its author forked. From there on nothing counts."""
        held = tx.record(record.header.author, record.header.seq)
        assert held is not None  # the frontier has passed it
        proof = fork_proof((held.header, held.signature), (record.header_data, record.signature))
        found = self.accept_fork(tx, proof)
        accepted.forks += found.forks
        accepted.bounds = found.bounds
        accepted.lowered |= found.lowered
        accepted.restated |= found.restated
        accepted.records += found.records
        accepted.heads = {a: h for a, h in accepted.heads.items() if a not in found.lowered} | found.heads
        return self._refuse(accepted, record, FORKED, "author")

    def _names_what_is_aside(self, tx: Transaction, names: Iterable[Dot]) -> bool:
        bounds = self.bounds(tx)
        for dot in names:
            held = tx.record(dot.author, dot.seq)
            if not bounds.counts(dot.author, dot.seq) or (held is not None and held.status == ASIDE):
                return True
        return False

    def _weigh(self, tx: Transaction, record: SignedRecord, previous_hlc: int) -> tuple[Verdict, list[Need]]:
        """What a record comes to, and what must come before it can be said."""
        verdict = judge(record, previous_hlc)
        if verdict.status == APPLIED and self.bounds(tx).any and self._names_what_is_aside(tx, verdict.names):
            verdict = Verdict(ASIDE, "it names what was set aside")
        needs = self._missing(tx, verdict.names)
        if verdict.status == APPLIED and not needs:
            verdict = self._fitted(tx, record, verdict)
        return verdict, needs

    def _judge_unknown(self, tx: Transaction) -> None:
        """After an upgrade: judge what an older program could only keep. What still waits for something is judged at
        the next start; until then this node's digest differs from those that had it in order."""
        known = fingerprint()
        if tx.get(_KNOWN) == known:
            return
        left = False
        for stored in tx.records_in_order(0):
            if stored.status != UNKNOWN or stored.payload is None or kind_of(stored.document) is None:
                continue
            record = decode_record(stored.header, stored.signature, stored.payload)
            before = tx.record(stored.author, stored.seq - 1)
            verdict, needs = self._weigh(tx, record, decode_header(before.header).hlc if before else -1)
            left = left or bool(needs)
            if needs or verdict.status == UNKNOWN:
                continue
            if verdict.status == APPLIED:
                dot = (stored.author, stored.seq)
                self._documents.apply(tx, stored.document, verdict.operations, dot, record.header.hlc)
            tx.set_status(stored.author, stored.seq, verdict.status)
        if not left:
            tx.put(_KNOWN, known)

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
    def _refuse(accepted: Accepted, record: SignedRecord, reason: str, blame: str) -> bool:
        accepted.refused.append(Refusal(record.header.author, record.header.seq, reason, blame))
        return False

    def _move_head(self, tx: Transaction, author: bytes, head: Head, hlc: int, accepted: Accepted) -> None:
        tx.put_head(author, head)
        self.heads(tx)[author] = head
        self._stamps[author] = hlc
        self._clock.observe(hlc, self._wall_ms())
        accepted.heads[author] = head

    def _save_clock(self, tx: Transaction) -> None:
        data = self._clock.last.to_bytes(8, "big")
        if tx.get(_CLOCK) != data:
            tx.put(_CLOCK, data)

    # --- reading ------------------------------------------------------------------------------------------------

    def heads(self, tx: Transaction) -> dict[bytes, Head]:
        """The frontier. The caller copies it if it keeps it."""
        if self._heads is None:
            self._heads = tx.heads()
        return self._heads

    def records(self, tx: Transaction, author: bytes, first: int, through: int, max_bytes: int) -> list[StoredRecord]:
        """Records to send to a peer: of those that count, cut before `max_bytes`."""
        last = min(through, self.head(tx, author).seq)
        return tx.records(author, first, last, max_bytes) if first <= last else []

    def head(self, tx: Transaction, author: bytes) -> Head:
        return self.heads(tx).get(author, NOTHING)

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
        return len(self._waiting)

    def forget(self) -> None:
        """Work was undone: drop every cache. The clock stays, since it may only rise."""
        self._documents.forget()
        self._waiting.clear()
        self._heads = None
        self._chain = None
        self._bounds = None
        self._stamps.clear()
        self._author = None

    def _missing(self, tx: Transaction, names: Iterable[Dot]) -> list[Need]:
        """What must come before these dots are held: of each author the last that is named."""
        missing: dict[bytes, int] = {}
        for dot in names:
            if dot.seq > self.head(tx, dot.author).seq:
                missing[dot.author] = max(dot.seq, missing.get(dot.author, 0))
        return sorted(missing.items())

    def _is_met(self, tx: Transaction) -> Callable[[Need], bool]:
        def is_met(need: Need) -> bool:
            name, seq = need
            return self.head(tx, name).seq >= seq if seq else self.chain(tx).knows(name)

        return is_met

    def _stamp(self, tx: Transaction, author: bytes, head: Head) -> int:
        """The stamp of an author's last record, -1 before the first."""
        if head == NOTHING:
            return -1
        if author not in self._stamps:
            last = tx.record(author, head.seq)
            assert last is not None
            self._stamps[author] = decode_header(last.header).hlc
        return self._stamps[author]
