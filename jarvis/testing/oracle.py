"""What must be true of a home once all faults are healed: the promise of replication, read from the disks.

Every machine holds the same frontier, the same bytes and tells the same story, and says the same of who forked and who
was removed; every acknowledged record that lies within its author's bounds is everywhere, provided a disk that
acknowledged it is left; nobody honest was refused; what is in memory is what the disk adds up to; and what was deleted
is gone: its words are on no disk.

An author may fork only where the rules cannot prevent it: a restored or cloned disk whose head a member echoed. A fork
that came about in any other way is a failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jarvis.core.errors import InvalidBytes
from jarvis.core.ids import to_text
from jarvis.crdt.lifecycle import DELETE
from jarvis.crdt.registry import (
    AUDIT_PREFIX,
    CONFIG,
    KNOWLEDGE,
    MEMORY,
    METRICS,
    NOTE_PREFIX,
    SESSION_PREFIX,
    SESSIONS,
    governed,
    kind_of,
)
from jarvis.identity.keys import verify
from jarvis.identity.membership import Chain
from jarvis.identity.record import TAG, operations_of
from jarvis.replica.bounds import FORKED, REMOVED, STRANGER, Bounds
from jarvis.replica.frontier import node_of
from jarvis.replica.replica import Replica
from jarvis.store.protocol import APPLIED, ERASED, StoredRecord, Transaction
from jarvis.testing.machine import Machine, highest
from jarvis.testing.rebuilding import rebuilt

DIVERGED, LOST, CRASHED = "diverged", "lost", "crashed"
OF_LIES = {
    "forge": ("its signature or payload hash does not hold", "its author is no member of this home"),
}
"""What may be said of a member that was made to lie, by the name of the lie."""
OF_FORKS = (FORKED, "it does not follow the record that is held here")
"""What a node may say when it is brought the other history of an author that forked."""
OF_STRANGERS = (STRANGER, "its author is no member of this home")
"""The same of a node that only a branch has admitted that lost."""


@dataclass(frozen=True, slots=True)
class Failure:
    kind: str
    reason: str


@dataclass
class Witness:
    """What the oracle knows beside the disks that are left."""

    machines: Sequence[Machine]
    seen: dict[tuple[bytes, int], dict[bytes, StoredRecord]] = field(default_factory=dict)
    """(author, seq) -> every record that was seen under it, by its hash, on any disk at any look."""

    lies: dict[str, bytes] = field(default_factory=dict)
    """Those that were told, with the member that told them."""
    removed: bool = False
    """Whether a removal was ever signed, also in a branch that lost since."""

    def look(self) -> None:
        """Note what every disk holds; called before a disk goes, and at the end."""
        for machine in self.machines:
            self.look_at(machine)

    def look_at(self, machine: Machine) -> None:
        """Also before it deletes something."""
        for record in machine.store.view(lambda tx: list(tx.records_in_order(0))):
            seen = self.seen.setdefault((record.author, record.seq), {})
            if record.hash not in seen or seen[record.hash].payload is None:
                seen[record.hash] = record

    def forked(self) -> set[bytes]:
        """Authors with two histories."""
        return {author for (author, _), hashes in self.seen.items() if len(hashes) > 1}


def judge(witness: Witness, living: Sequence[Machine]) -> Failure | None:
    """The first thing that is wrong, None when all is well."""
    witness.look()
    bounds = living[0].bounds()
    forked = witness.forked() | bounds.forks.keys()
    unexcused = forked & {author for machine in witness.machines for author in machine.unechoed}
    if unexcused:
        return Failure(DIVERGED, f"{_name(min(unexcused))} wrote two histories though nobody had echoed its head")
    twice = {machine.node_id for machine in witness.machines if machine.replaced} | set(witness.lies.values())
    betrayed = {author for author in forked if node_of(author) not in twice}
    if betrayed:
        return Failure(DIVERGED, f"{_name(min(betrayed))} has two histories, and neither ran twice nor lied")
    for machine in living:
        if _believed(machine.bounds()) != _believed(bounds):
            return Failure(DIVERGED, f"nodes {living[0].number} and {machine.number} disagree who may be believed")
        for reason in machine.refused:
            lied = any(reason in OF_LIES.get(name, ()) for name in witness.lies)
            excused = (
                lied
                or (forked and reason in OF_FORKS)
                or ((witness.removed or bounds.chain.removed) and reason == REMOVED)
                or (bounds.strangers and reason in OF_STRANGERS)
            )
            if not excused:
                return Failure(DIVERGED, f"node {machine.number} refused an honest peer: {reason}")
    disks_lost = any(machine.replaced for machine in witness.machines) or bool(bounds.chain.removed)
    in_vain = disks_lost or "orphan" in witness.lies
    return (
        _forged(witness)
        or _over_the_line(living, bounds.chain)
        or _lost(witness, living, bounds)
        or _unlike(living)
        or _unsound(living, in_vain=in_vain)
        or _unlike_all_records(living[0], witness)
    )


def _believed(bounds: Bounds) -> dict[bytes, int]:
    """Author -> the last record that counts, of those that forked or were removed. Which two of three histories prove a
    fork may differ."""
    authors = {*bounds.forks, *(one for removal in bounds.chain.removed.values() for one in removal.cutoffs)}
    return {author: bounds.last(author) or 0 for author in authors}


def _lost(witness: Witness, living: Sequence[Machine], bounds: Bounds) -> Failure | None:
    """Of authors that are bounded, what lies within their bound is required like everything else."""
    forked = witness.forked()
    for author, head in sorted(highest([machine.acknowledged for machine in living]).items()):
        last = bounds.last(author)
        seq = head.seq if last is None else min(head.seq, last)
        if not seq or (author in forked and author not in bounds.forks):
            continue
        hashes = {head.hash} if seq == head.seq else set(witness.seen.get((author, seq), {}))
        for machine in living:
            held = machine.store.view(lambda tx, author=author, seq=seq: tx.record(author, seq))  # type: ignore[misc]
            if held is None and seq <= machine.floor().seq(author):
                continue  # below the horizon: `_unlike_all_records` looks there
            if held is None or held.hash not in hashes:
                return Failure(LOST, f"node {machine.number} lacks record {seq} of {_name(author)}")
    return None


def _unlike(living: Sequence[Machine]) -> Failure | None:
    first = living[0]
    frontier, digest, told = first.heads(), first.digest(), story(first)
    for machine in living[1:]:
        pair = f"nodes {first.number} and {machine.number}"
        if machine.heads() != frontier:
            return Failure(DIVERGED, f"{pair} have different frontiers")
        if machine.digest() != digest:
            return Failure(DIVERGED, f"{pair} have equal frontiers and different bytes")
        if story(machine) != told:
            return Failure(DIVERGED, f"{pair} have equal bytes and tell different stories")
    return None


def _unlike_all_records(machine: Machine, witness: Witness) -> Failure | None:
    """What lies below a horizon adds up to what its records did, wherever they were."""
    horizon = machine.ground().horizon
    if horizon is None:
        return None
    if machine.floor().entry != horizon.entry:
        return Failure(DIVERGED, f"node {machine.number} has not taken the horizon")
    try:
        expected = rebuilt(machine, witness.seen)
    except InvalidBytes as error:
        return Failure(LOST, str(error))
    if machine.store.view(machine.replica.digests) != expected:
        return Failure(DIVERGED, f"node {machine.number} does not hold what all records add up to")
    return None


def _unsound(living: Sequence[Machine], *, in_vain: bool) -> Failure | None:
    """With a disk gone, what it alone held is waited for in vain; and so is what was never there."""
    for machine in living:
        if machine.replica.waiting() and not in_vain:
            return Failure(DIVERGED, f"on node {machine.number} records wait for ever")
        fresh = Replica(machine.key, entropy=bytes, wall_ms=machine.wall_ms)
        if machine.store.view(fresh.digest) != machine.digest():
            return Failure(DIVERGED, f"node {machine.number} remembers what its disk does not add up to")
        deleted = machine.store.view(_deleted)
        risen = machine.state(SESSIONS).living() & deleted
        if risen:
            return Failure(DIVERGED, f"on node {machine.number} a deleted session lives")
        gone = {governed(SESSIONS, one) for one in deleted | machine.state(SESSIONS).deleted.keys()}
        for record in machine.store.view(lambda tx: list(tx.records_in_order(0))):
            erased = (record.payload is None, record.status == ERASED, record.document in gone)
            if any(erased) and not all(erased):
                return Failure(DIVERGED, f"node {machine.number} {_unlike_erased(*erased)}")
    return None


def _unlike_erased(no_payload: bool, said_so: bool, deleted: bool) -> str:
    if deleted:
        return "keeps words of a deleted session"
    return "erased what nobody deleted" if said_so else "lost a payload"


def _forged(witness: Witness) -> Failure | None:
    """Whatever was kept anywhere, its author signed it, member or not."""
    keys = {machine.node_id: machine.key.public for machine in witness.machines}
    for (author, seq), records in witness.seen.items():
        key = keys.get(node_of(author))
        for record in records.values():
            if key is None or not verify(key, TAG + record.header, record.signature):
                return Failure(DIVERGED, f"record {seq} of {_name(author)} is forged")
    return None


def _over_the_line(living: Sequence[Machine], chain: Chain) -> Failure | None:
    """Nothing beyond a removal's cut-off counts, whoever brought it. Read from the entries, not from what a replica
    makes of them."""
    for node_id, removal in chain.removed.items():
        for machine in living:
            for record in machine.store.view(lambda tx: list(tx.records_in_order(0))):
                cutoff = removal.cutoffs.get(record.author)
                beyond = record.author.startswith(node_id) and (cutoff is None or record.seq > cutoff.seq)
                if beyond and record.status == APPLIED:
                    return Failure(DIVERGED, f"node {machine.number} believes a removed node beyond its cut-off")
    return None


def _deleted(tx: Transaction) -> set[bytes]:
    """Ids that any record deletes, read from the records themselves."""
    found = set()
    for record in tx.document_records(SESSIONS, 0):
        for operation in operations_of(record.payload) if record.payload else ():
            if operation[0] == DELETE:
                found.add(operation[1])
    return found


def story(machine: Machine) -> list[Any]:
    """What people would read here."""
    told: list[Any] = []
    for name in machine.store.view(lambda tx: tx.documents()):
        state: Any = machine.state(name) if kind_of(name) else None
        shown: list[Any]
        if name in (CONFIG, MEMORY, KNOWLEDGE):
            shown = [(key, state.get(key).value, [one.value for one in state.writes(key)]) for key in state.keys()]  # noqa: SIM118
        elif name == SESSIONS:
            shown = sorted(state.living())
        elif name.startswith(AUDIT_PREFIX):
            shown = [entry.value for entry in state.entries()]
        elif name == METRICS:
            shown = [(one, state.value(one)) for one in state.names()]
        elif name.startswith(NOTE_PREFIX):
            shown = [state.text]
        elif name.startswith(SESSION_PREFIX):
            shown = [(turn.utterance, (reply := state.reply(turn.at.dot)) and reply.value) for turn in state.in_order()]
        else:
            continue
        told.append((name, shown))
    return told


def _name(author: bytes) -> str:
    return f"{to_text(author[:16])[:8]}/{author[16:20].hex()}"
