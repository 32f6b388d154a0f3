"""The branches of the membership chain that lost, as they are told to peers: small, rare, and told once on each link,
so that what names their entries is understood everywhere and what they removed stays out."""

from __future__ import annotations

from jarvis.identity.branches import Branches
from jarvis.identity.entries import RawEntry, entry_hash
from jarvis.sync.messages import Branch

MAX_BRANCH_BYTES = 192 * 1024
"""Of entries in one message; a longer branch is told up to there."""


def branch_messages(branches: Branches) -> tuple[Branch, ...]:
    """One for each branch that lost."""
    messages = []
    for branch in branches.losing:
        first = branches.parts_at(branch)
        entries: list[RawEntry] = []
        size_bytes = 0
        for data, signature in branch.entries[first:]:
            size_bytes += len(data) + len(signature)
            if size_bytes > MAX_BRANCH_BYTES:
                break
            entries.append((data, signature))
        messages.append(Branch(first, branches.chain.hashes[first - 1], tuple(entries)))
    return tuple(messages)


class Branching:
    """What is known here of losing branches."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        """Hashes of their entries."""
        self.told: tuple[Branch, ...] = ()

    def now(self, branches: Branches | None) -> tuple[Branch, ...]:
        """These are known from now on; messages for those among them that hold something new."""
        self.told = branch_messages(branches) if branches else ()
        new = tuple(one for one in self.told if not self.is_known(one))
        self._known = {entry_hash(data) for one in self.told for data, _ in one.entries}
        return new

    def is_known(self, branch: Branch) -> bool:
        return entry_hash(branch.entries[-1][0]) in self._known
