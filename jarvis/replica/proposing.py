"""Proposing a horizon, on the owner's node, and acknowledging one, on all others. A frontier is proposed that is a
beginning of the records in their order of arrival here, since whatever a record names stands before it: so what lies at
or below names nothing beyond. A node signs only what it holds durably, whole, and found the same root in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from jarvis.core.errors import InvalidBytes
from jarvis.identity.horizon import MAX_AUTHORS, Frontier, Place, acknowledge
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.replica.frontier import node_of
from jarvis.replica.holdings import Holdings
from jarvis.replica.horizon import Horizons
from jarvis.replica.manifest import Impossible, root_of
from jarvis.store.protocol import Transaction


@dataclass(frozen=True, slots=True)
class Reply:
    """To a proposal: a signature, or why not."""

    signature: bytes = b""
    reason: str = ""


class Proposing:
    """`author` is this node's own of now."""

    def __init__(
        self, key: SigningKey, held: Holdings, horizons: Horizons, *, author: Callable[[Transaction], bytes]
    ) -> None:
        self._key = key
        self._held = held
        self._horizons = horizons
        self._author = author

    def frontier(
        self, tx: Transaction, told: Sequence[Mapping[bytes, int]], stale: Collection[bytes] = ()
    ) -> dict[bytes, Place]:
        """The furthest that all can acknowledge which said to hold `told` (author -> seq). Authors that nobody writes
        under any more are left out, but not those of `stale` nodes, which cannot say so. Raises Impossible."""
        chain, ground = self._held.chain(tx), self._held.ground(tx)
        if ground.horizon is not None and self._held.floor(tx).entry != ground.horizon.entry:
            raise Impossible("this node has not taken the last horizon yet")
        before = self._first_lacking(tx, told)
        authors = {author for author in self._held.heads(tx) if chain.member(node_of(author)) is not None}
        if ground is not chain:  # the chain does not know what a lost branch has closed
            authors |= self._held.floor(tx).frontier.keys()
        frontier = {author: self._place(tx, author, before) for author in authors}
        found = {author: place for author, place in frontier.items() if place[0]}
        for author in self._closable(tx, chain, found, stale) if ground is chain else ():
            del found[author]
        if len(found) > MAX_AUTHORS:
            raise Impossible(f"its records have {len(found)} authors, and a horizon holds {MAX_AUTHORS}")
        return found

    def _first_lacking(self, tx: Transaction, told: Sequence[Mapping[bytes, int]]) -> int | None:
        """The position of the first record here that somebody did not say to hold, None when there is none."""
        positions = []
        floor = self._held.floor(tx)
        for author, head in self._held.heads(tx).items():
            least = min((one.get(author, 0) for one in told), default=head.seq)
            record = tx.record(author, max(least, floor.seq(author)) + 1) if least < head.seq else None
            if record is not None and record.seq <= head.seq:
                positions.append(record.position)
        return min(positions, default=None)

    def _place(self, tx: Transaction, author: bytes, before: int | None) -> Place:
        """An author's last record before a position; positions rise along its chain."""
        head, floor = self._held.head(tx, author), self._held.floor(tx)
        if before is None and head.seq >= floor.seq(author):
            return head.seq, head.hash
        place = floor.frontier.get(author, (0, b""))
        low, high = place[0], head.seq
        while low < high:
            middle = (low + high + 1) // 2
            record = tx.record(author, middle)
            if record is not None and (before is None or record.position < before):
                low, place = middle, (middle, record.hash)
            else:
                high = middle - 1
        return place

    def _closable(self, tx: Transaction, chain: Chain, frontier: Frontier, stale: Collection[bytes]) -> list[bytes]:
        """Authors of the last horizon that wrote nothing since, although their node did under another name."""
        newest: dict[bytes, tuple[int, bytes]] = {}
        for author in self._held.heads(tx):
            newest[node_of(author)] = max(
                newest.get(node_of(author), (-1, b"")), (self._held.stamp(tx, author), author)
            )
        before = chain.horizon.frontier if chain.horizon else {}
        return [
            author
            for author, place in before.items()
            if frontier.get(author) == place
            and self._held.head(tx, author).seq == place[0]
            and newest[node_of(author)][1] != author
            and author != self._author(tx)
            and node_of(author) not in stale
        ]

    def reply(self, tx: Transaction, frontier: Frontier, root: bytes) -> Reply | None:
        """This node's answer to a proposal, None while there is more to look at."""
        try:
            self._check(tx, frontier)
            manifest = self._horizons.make(tx, frontier)
        except Impossible as error:
            return Reply(reason=str(error))
        if manifest is None:
            return None
        if root_of(manifest.encode()) != root:
            return Reply(reason="it finds other documents there")
        return Reply(acknowledge(self._key, self._held.chain(tx).home_id, frontier, root))

    def _check(self, tx: Transaction, frontier: Frontier) -> None:
        """Raises Impossible unless this node may sign that frontier, whatever its root."""
        ground = self._held.ground(tx)
        if ground.horizon is not None and self._held.floor(tx).entry != ground.horizon.entry:
            raise Impossible("it has not taken the last horizon yet")
        try:
            ground.reach(frontier)
        except InvalidBytes as error:
            raise Impossible(str(error)) from None
        for author in (ground.horizon.frontier if ground.horizon else {}).keys() - frontier.keys():
            written = self._held.head(tx, author).seq > ground.reach(frontier)[author][0]
            if written or author == self._author(tx):
                raise Impossible("it holds more of an author that was left out")
        if not self._horizons.covers(tx, frontier):
            raise Impossible("it does not hold all of that")
