"""What a replica remembers of its store: the membership chain, how far each author counts, the frontier with its
stamps, the floor below which records are deleted, and the clock. A cache that is written through and forgotten whenever
work is undone; it decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from jarvis.core.codec import Limits, pack, unpack
from jarvis.core.errors import BadConfiguration
from jarvis.core.hlc import HybridClock
from jarvis.identity.branches import Branches, read_branch, write_branch
from jarvis.identity.fork import ForkProof, read_proof
from jarvis.identity.membership import Chain
from jarvis.identity.record import decode_header
from jarvis.replica.accepted import NOTHING
from jarvis.replica.bounds import Bounds
from jarvis.store.protocol import Head, Transaction

_CLOCK, _FORKS, _FLOOR = "replica/clock", "replica/fork/", "horizon/floor"
_BRANCHES = "replica/branch/"
_FLOOR_LIMITS = Limits(size_bytes=2**31, depth=8, items=2**31)
"""Our own bytes from our own store."""

Key = tuple[bytes, int]
"""(author, seq) of a record."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The horizon that this node has taken. Its records need not be here: what they came to lies in the bases."""

    entry: bytes = b""
    """Hash of the membership entry that declares it; empty before the first."""
    root: bytes = b""
    """Of its manifest."""
    frontier: Mapping[bytes, tuple[int, bytes]] = field(default_factory=dict)
    """Author -> seq and hash of its last record at or below it; closed authors too."""
    stamps: Mapping[bytes, int] = field(default_factory=dict)
    """Of these records, but for closed authors."""
    aside: Mapping[Key, str] = field(default_factory=dict)
    """What was set aside at or below it, with its document."""

    def seq(self, author: bytes) -> int:
        place = self.frontier.get(author)
        return place[0] if place else 0


class Holdings:
    """`wall_ms()` reads the wall clock."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._clock = HybridClock()
        self._heads: dict[bytes, Head] | None = None
        self._stamps: dict[bytes, int] = {}
        self._chain: Chain | None = None
        self._branches: Branches | None = None
        self._bounds: Bounds | None = None
        self._floor: Floor | None = None

    def forget(self) -> None:
        """The clock stays, since it may only rise."""
        self._heads = None
        self._chain = None
        self._branches = None
        self._bounds = None
        self._floor = None
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

    def branches(self, tx: Transaction) -> Branches:
        """The chain, and those that lost against it."""
        if self._branches is None:
            losing = [read_branch(tx.get(key) or b"") for key in tx.keys(_BRANCHES)]
            self._branches = Branches(self.chain(tx), tuple(losing))
        return self._branches

    def ground(self, tx: Transaction) -> Chain:
        """The branch with the newest horizon."""
        return self.branches(tx).ground

    def put_branches(self, tx: Transaction, branches: Branches) -> None:
        tx.put_membership(branches.chain.entries)
        for key in tx.keys(_BRANCHES):
            tx.delete(key)
        for branch in branches.losing:  # their keys are in the order of their heads
            tx.put(_BRANCHES + branch.head.hex(), write_branch(branch))
        self._chain, self._branches, self._bounds = branches.chain, branches, None

    def bounds(self, tx: Transaction) -> Bounds:
        if self._bounds is None:
            proofs = [read_proof(tx.get(key) or b"") for key in tx.keys(_FORKS)]
            forks = {proof.author: proof for proof in proofs}
            branches = self.branches(tx)
            self._bounds = Bounds(branches.chain, forks, branches.strangers, branches.ground)
        return self._bounds

    def put_fork(self, tx: Transaction, proof: ForkProof) -> None:
        bounds = self.bounds(tx)
        tx.put(_FORKS + proof.author.hex(), proof.to_bytes())
        # Not read anew: who forks a hundred names would otherwise have every proof read a hundred times.
        self._bounds = replace(bounds, forks={**bounds.forks, proof.author: proof})

    def floor(self, tx: Transaction) -> Floor:
        if self._floor is None:
            data = tx.get(_FLOOR)
            if data is None:
                self._floor = Floor()
            else:
                entry, root, frontier, stamps, aside = unpack(data, _FLOOR_LIMITS)
                places = {author: (seq, digest) for author, (seq, digest) in frontier.items()}
                names = {(author, seq): name for author, seq, name in aside}
                self._floor = Floor(entry, root, places, stamps, names)
        return self._floor

    def put_floor(self, tx: Transaction, floor: Floor) -> None:
        places = {author: list(place) for author, place in floor.frontier.items()}
        aside = [[author, seq, name] for (author, seq), name in sorted(floor.aside.items())]
        tx.put(_FLOOR, pack([floor.entry, floor.root, places, dict(floor.stamps), aside]))
        self._floor = floor

    def settled(self, tx: Transaction, author: bytes) -> int:
        """The last of an author's records that nothing changes any more, held or not; 0 when there is none."""
        return max(self.bounds(tx).settled(author), self.floor(tx).seq(author))

    def through(self, tx: Transaction, author: bytes) -> int:
        """Of an author, open or closed, the last record that is held, or was and lies in the bases."""
        return max(self.head(tx, author).seq, self.floor(tx).seq(author))

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
        if record is None and last and last == self.floor(tx).seq(author):
            head = Head(*self.floor(tx).frontier[author])
        self.set_head(tx, author, head)
        return head

    def set_head(self, tx: Transaction, author: bytes, head: Head) -> None:
        """Wherever that is."""
        if head == NOTHING:
            tx.drop_head(author)
            self.heads(tx).pop(author, None)
        else:
            tx.put_head(author, head)
            self.heads(tx)[author] = head
        self._stamps.pop(author, None)

    def stamp(self, tx: Transaction, author: bytes) -> int:
        """Of an author's last record, -1 before the first."""
        head = self.head(tx, author)
        if head == NOTHING:
            return -1
        if author not in self._stamps:
            last = tx.record(author, head.seq)
            self._stamps[author] = decode_header(last.header).hlc if last else self.floor(tx).stamps[author]
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
