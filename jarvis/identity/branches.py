"""The membership chain that stands, and beside it the branches that lost against it: what an owner's disk that was put
back has signed, or a lost owner's node after a recovery. They admit nobody; but a removal in one stays in force, and a
record that names an entry of one can be understood. Values only: how they are kept and told is not decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from jarvis.core.codec import Limits, pack, unpack
from jarvis.identity.entries import Cutoff
from jarvis.identity.membership import Chain, Member

MAX_LOSING = 8
"""Only who holds an owner key can make one, by accident once or twice in a home's life. Of more, those with the lowest
heads are kept: the same ones everywhere, in whatever order they come."""
_KEPT = Limits(size_bytes=2**31, depth=4, items=2**20)
"""Our own bytes from our own encrypted store."""


@dataclass(frozen=True)
class Branches:
    chain: Chain
    losing: tuple[Chain, ...] = ()
    """By their heads. Each parts from `chain`, and none is the beginning of another."""

    def joined(self, offered: Chain) -> Branches:
        """These and one more chain of the same home: the one that supersedes the others stands. The same value where it
        tells nothing new."""
        every = [self.chain, *self.losing]
        if any(_begins(one, offered) for one in every):
            return self
        stands = offered if offered.supersedes(self.chain) else self.chain
        every = [one for one in (*every, offered) if one is not stands and not _begins(stands, one)]
        losing = sorted((one for one in every if not any(_begins(other, one, more=True) for other in every)), key=_head)
        found = Branches(stands, tuple(losing[:MAX_LOSING]))
        return self if (found.chain, found.heads) == (self.chain, self.heads) else found

    @property
    def heads(self) -> tuple[bytes, ...]:
        """Of those that lost."""
        return tuple(one.head for one in self.losing)

    def knows(self, entry_id: bytes) -> bool:
        return self._of(entry_id) is not None

    def member_at(self, node_id: bytes, entry_id: bytes) -> Member | None:
        """The member `node_id` was when `entry_id` was the head of its branch. Whoever only a losing branch has
        admitted is none."""
        branch = self._of(entry_id)
        if branch is None or self.chain.member(node_id) is None:
            return None
        return branch.member_at(node_id, entry_id)

    def member(self, node_id: bytes) -> Member | None:
        """One of now or of once, in whatever branch."""
        return next((found for one in (self.chain, *self.losing) if (found := one.member(node_id))), None)

    @cached_property
    def ground(self) -> Chain:
        """The branch whose horizon lies furthest, the chain itself where none has one: below it records are gone, also
        when the entry that says so has lost."""
        return max((self.chain, *self.losing), key=lambda one: (_depth(one), one is self.chain, one.head))

    @cached_property
    def strangers(self) -> frozenset[bytes]:
        """Nodes that only losing branches know: nothing of theirs counts, also where it was taken in before."""
        known = {node_id for branch in self.losing for node_id in (*branch.members, *branch.removed)}
        return frozenset(node_id for node_id in known if self.chain.member(node_id) is None)

    @cached_property
    def removed(self) -> Mapping[bytes, Mapping[bytes, Cutoff]]:
        """Members that a losing branch has removed, with what counts of them; never the owner's node. The owner's node
        signs these again; until then nobody talks to them."""
        found: dict[bytes, dict[bytes, Cutoff]] = {}
        for branch in self.losing:
            for node_id, removal in branch.removed.items():
                if node_id in self.chain.members and node_id != self.chain.owner_node:
                    cutoffs = found.setdefault(node_id, {})
                    for author, cutoff in removal.cutoffs.items():
                        if author not in cutoffs or cutoff.seq > cutoffs[author].seq:
                            cutoffs[author] = cutoff
        return found

    def parts_at(self, branch: Chain) -> int:
        """How many entries a losing branch shares with the chain that stands."""
        pairs = zip(self.chain.hashes, branch.hashes, strict=False)
        return next((index for index, (ours, its) in enumerate(pairs) if ours != its), 0)

    def _of(self, entry_id: bytes) -> Chain | None:
        return next((one for one in (self.chain, *self.losing) if one.knows(entry_id)), None)


def write_branch(branch: Chain) -> bytes:
    """For this node's own store."""
    return pack([list(entry) for entry in branch.entries])


def read_branch(data: bytes) -> Chain:
    return Chain.verify((entry, signature) for entry, signature in unpack(data, _KEPT))


def _begins(one: Chain, other: Chain, *, more: bool = False) -> bool:
    """Whether `other` is the beginning of `one`, or, unless `more`, all of it."""
    return one.hashes[: len(other.hashes)] == other.hashes and (not more or len(one.hashes) > len(other.hashes))


def _depth(chain: Chain) -> int:
    """How many records lie below its horizon."""
    return sum(seq for seq, _ in chain.reach(chain.horizon.frontier).values()) if chain.horizon else 0


def _head(chain: Chain) -> bytes:
    return chain.head
