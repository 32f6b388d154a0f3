"""What a replica remembers of its store: the membership chain, how far each author counts, the frontier with its
stamps, and the clock. A cache that is written through and forgotten whenever work is undone; it decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from jarvis.core.errors import BadConfiguration
from jarvis.core.hlc import HybridClock
from jarvis.identity.fork import ForkProof, read_proof
from jarvis.identity.membership import Chain
from jarvis.identity.record import decode_header
from jarvis.replica.accepted import NOTHING
from jarvis.replica.bounds import Bounds
from jarvis.store.protocol import Head, Transaction

_CLOCK, _FORKS = "replica/clock", "replica/fork/"


class Holdings:
    """`wall_ms()` reads the wall clock."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._clock = HybridClock()
        self._heads: dict[bytes, Head] | None = None
        self._stamps: dict[bytes, int] = {}
        self._chain: Chain | None = None
        self._bounds: Bounds | None = None

    def forget(self) -> None:
        """The clock stays, since it may only rise."""
        self._heads = None
        self._chain = None
        self._bounds = None
        self._stamps.clear()

    # --- who counts, and how far --------------------------------------------------------------------------------

    def chain(self, tx: Transaction) -> Chain:
        """Raises BadConfiguration when the store holds no home."""
        if self._chain is None:
            entries = tx.membership()
            if not entries:
                raise BadConfiguration(
                    "There is no home here yet.", fix="Run `jarvis init` or `jarvis node join CODE`."
                )
            self._chain = Chain.verify(entries)
        return self._chain

    def put_chain(self, tx: Transaction, chain: Chain) -> None:
        tx.put_membership(chain.entries)
        self._chain, self._bounds = chain, None

    def bounds(self, tx: Transaction) -> Bounds:
        if self._bounds is None:
            proofs = [read_proof(tx.get(key) or b"") for key in tx.keys(_FORKS)]
            self._bounds = Bounds(self.chain(tx), {proof.author: proof for proof in proofs})
        return self._bounds

    def put_fork(self, tx: Transaction, proof: ForkProof) -> None:
        bounds = self.bounds(tx)
        tx.put(_FORKS + proof.author.hex(), proof.to_bytes())
        # Not read anew: who forks a hundred names would otherwise have every proof read a hundred times.
        self._bounds = replace(bounds, forks={**bounds.forks, proof.author: proof})

    # --- the frontier ---------------------------------------------------------------------------------------------

    def heads(self, tx: Transaction) -> dict[bytes, Head]:
        """The caller copies it if it keeps it."""
        if self._heads is None:
            self._heads = tx.heads()
        return self._heads

    def head(self, tx: Transaction, author: bytes) -> Head:
        return self.heads(tx).get(author, NOTHING)

    def move_head(self, tx: Transaction, author: bytes, head: Head, hlc: int) -> None:
        """To an author's next record, whose stamp is `hlc`."""
        tx.put_head(author, head)
        self.heads(tx)[author] = head
        self._stamps[author] = hlc
        self._clock.observe(hlc, self._wall_ms())

    def lower_head(self, tx: Transaction, author: bytes, last: int) -> Head:
        """Back to an author's record `last`, NOTHING when that is not held. Returns where it is now."""
        record = tx.record(author, last) if last else None
        head = NOTHING if record is None else Head(last, record.hash)
        if head == NOTHING:
            tx.drop_head(author)
            del self.heads(tx)[author]
        else:
            tx.put_head(author, head)
            self.heads(tx)[author] = head
        self._stamps.pop(author, None)
        return head

    def stamp(self, tx: Transaction, author: bytes) -> int:
        """Of an author's last record, -1 before the first."""
        head = self.head(tx, author)
        if head == NOTHING:
            return -1
        if author not in self._stamps:
            last = tx.record(author, head.seq)
            assert last is not None
            self._stamps[author] = decode_header(last.header).hlc
        return self._stamps[author]

    # --- the clock --------------------------------------------------------------------------------------------------

    def load_clock(self, tx: Transaction) -> None:
        self._clock.last = int.from_bytes(tx.get(_CLOCK) or b"", "big")

    def tick(self, above: int) -> int:
        """A stamp for a record of our own. Its author's last stamp, `above`, counts however far ahead of our clock it
        is: the next must rise above it."""
        self._clock.last = max(self._clock.last, above)
        return self._clock.tick(self._wall_ms())

    def save_clock(self, tx: Transaction) -> None:
        data = self._clock.last.to_bytes(8, "big")
        if tx.get(_CLOCK) != data:
            tx.put(_CLOCK, data)
