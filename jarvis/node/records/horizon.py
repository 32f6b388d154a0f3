"""Horizons in a running node: it takes the newest one step by step beside its other work, is brought what it lacks,
replies to proposals, and on the owner's node proposes one: when people ask for it, or when many records have come
since the last. A proposal is kept on disk until all have signed, so that a member may come back a month later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from jarvis.core.codec import Limits, pack, unpack
from jarvis.core.errors import InvalidBytes, JarvisError, NotAllowed, Overloaded
from jarvis.core.ids import to_text
from jarvis.core.time import Clock
from jarvis.identity.horizon import Frontier, is_acknowledged, read_frontier, write_frontier
from jarvis.identity.membership import MAX_ENTRIES, Chain
from jarvis.node.membership.members import Members
from jarvis.node.membership.ownership import current
from jarvis.node.records.audit import Audit
from jarvis.node.records.horizon_links import HorizonLinks
from jarvis.node.records.journal import Commit, Journal
from jarvis.replica.accepted import Accepted
from jarvis.replica.horizon import Next
from jarvis.replica.manifest import Impossible, Manifest, root_of
from jarvis.replica.proposing import Reply
from jarvis.replica.replica import Replica
from jarvis.store.protocol import Transaction
from jarvis.sync.effects import Acknowledged, OfHorizons, Proposed, ReadSnapshot, Stage
from jarvis.sync.horizons import Acknowledge, Proposal, Propose, Snapshot

RETRY_S = 5.0
LOOK_EVERY_S = 60.0
REPLACE_S = 300.0
"""A proposal to which somebody objected is made anew after this: with what was written since, it may be possible."""
DECLARED_WITHIN_S = 10.0
"""How long people wait for members that are linked; the proposal goes on without them."""
_PROPOSAL = "horizon/proposal"
_LIMITS = Limits(size_bytes=64 * 1024, depth=4, items=4_096)

log = structlog.get_logger()


class Compaction:
    """`every` says after how many records a horizon is proposed unasked, 0 for never."""

    def __init__(
        self,
        journal: Journal,
        members: Members,
        links: HorizonLinks,
        audit: Audit,
        node_id: bytes,
        clock: Clock,
        *,
        every: Callable[[], Awaitable[int]],
    ) -> None:
        self._journal = journal
        self._members = members
        self._links = links
        self._audit = audit
        self._node_id = node_id
        self._clock = clock
        self._every = every
        self._wake = asyncio.Event()
        self._wake.set()
        self._lacks = False
        self._asked: tuple[bytes, Propose] | None = None
        """The newest proposal that waits for a reply."""
        self._was_asked = asyncio.Event()
        self._acks: dict[bytes, bytes] = {}
        self._stale: tuple[bytes, ...] = ()
        self._proposed_ms = 0.0
        self._making = asyncio.Lock()
        self._declared = asyncio.Event()
        journal.listen(self._committed)
        links.carry_out = self.carry_out

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take(), name="horizon")
            group.create_task(self._reply(), name="acknowledging")
            group.create_task(self._propose_now_and_then(), name="compaction")

    def _committed(self, commit: Commit) -> None:
        if commit.branches is not None or (self._lacks and commit.documents):
            self._wake.set()

    # --- taking one ---------------------------------------------------------------------------------------------

    async def _take(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                following = Next(more=True)
                while following.more:
                    following = await self._journal.step(lambda tx, replica: replica.take_horizon(tx))
                self._lacks = following.need is not None
                self._links.lacks(following.need)
            except JarvisError as error:
                log.warning("the horizon was not taken", reason=str(error))
                await asyncio.sleep(RETRY_S)
                self._wake.set()

    async def carry_out(self, effect: OfHorizons) -> None:
        """What the protocol decided; in turn with the records of that link."""
        match effect:
            case Proposed(peer, proposal):
                self._asked = (peer, proposal)
                self._was_asked.set()
            case Acknowledged(peer, signature):
                await self._acknowledged(peer, signature)
            case ReadSnapshot(peer, want):
                parts = await self._journal.read(
                    lambda tx, replica: replica.horizons.answer(tx, want.entry, want.document, want.offset)
                )
                self._links.post(peer, Snapshot(want.entry, tuple(parts)))
            case Stage(peer, snapshot):
                await self._stage(peer, snapshot)

    async def _stage(self, peer: bytes, snapshot: Snapshot) -> None:
        def work(tx: Transaction, replica: Replica) -> tuple[tuple[bool, Next], Accepted]:
            useful = replica.horizons.stage(tx, snapshot.entry, snapshot.parts)
            following, accepted = replica.take_horizon(tx)
            return (useful, following), accepted

        useful, following = await self._journal.step(work)
        if not useful:
            log.warning("peer brought nothing of use of the horizon", peer=to_text(peer))
        self._lacks = following.need is not None
        self._links.staged(peer, following.need, useful=useful)
        if following.more:
            self._wake.set()

    # --- acknowledging one ----------------------------------------------------------------------------------------

    async def _reply(self) -> None:
        while True:
            await self._was_asked.wait()
            self._was_asked.clear()
            try:
                await self._reply_to_newest()
            except JarvisError as error:
                log.warning("a proposed horizon was not looked at", reason=str(error))

    async def _reply_to_newest(self) -> None:
        """Some documents at a time, so that other work goes on; a newer proposal takes the place of this one."""
        asked, reply = self._asked, None
        while asked is not None and asked is self._asked and reply is None:
            reply = await self._journal.change_local(self._looking_at(asked[1]))
        if asked is not None and reply is not None:
            if reply.reason:
                log.info("a proposed horizon was not acknowledged", reason=reply.reason)
            self._links.post(asked[0], Acknowledge(asked[1].root, reply.signature, reply.reason))

    def _looking_at(self, proposal: Propose) -> Callable[[Transaction], Reply | None]:
        return self._journal.with_replica(
            lambda tx, replica: replica.proposing.reply(tx, proposal.places, proposal.root)
        )

    # --- proposing one ----------------------------------------------------------------------------------------------

    async def compact(self, stale: Sequence[str]) -> dict[str, Any]:
        """Propose a horizon, and wait a moment for those who are linked. Nodes in `stale` are not waited for: they are
        brought the documents when they come back, and what they wrote alone still counts. Raises NotAllowed where the
        owner key is not, NotFound, Overloaded when it is not possible now."""
        without = [await self._members.find(one) for one in stale]
        if await self._journal.read(current) is None:
            owner = self._members.name_of(self._members.chain.owner_node)
            raise NotAllowed(
                "Only the owner's node can compact the home.", fix=f"Run `jarvis home compact` on {owner}."
            )
        if self._node_id in without:
            raise NotAllowed("The owner's own node holds what it proposes.", fix="Name other nodes with --stale.")
        await self._propose(without)
        try:
            async with asyncio.timeout(DECLARED_WITHIN_S):
                await self._declared.wait()
        except TimeoutError:
            log.info("the horizon waits for members")
        return await self.state()

    async def state(self) -> dict[str, Any]:
        """Whether a proposal waits, and for whom."""
        proposal, chain = self._links.proposal, self._members.chain
        missing = sorted(proposal.missing) if proposal is not None else []
        held = await self._journal.read(lambda tx, _: tx.record_count())
        below = sum(seq for seq, _ in chain.reach(chain.horizon.frontier).values()) if chain.horizon else 0
        return {
            "declared": proposal is None,
            "missing": [
                {
                    "node_id": to_text(one),
                    "name": self._members.name_of(one),
                    "reason": proposal.reasons.get(one, "") if proposal is not None else "",
                }
                for one in missing
            ],
            "records_held": held,
            "records_below": below,
        }

    async def _propose(self, stale: Sequence[bytes]) -> None:
        async with self._making:
            self._declared.clear()
            told = self._links.told(stale)
            frontier: list[Frontier] = []

            def work(tx: Transaction, replica: Replica) -> tuple[Manifest | None, set[bytes]]:
                if not frontier:
                    frontier.append(replica.proposing.frontier(tx, told, stale))
                others = set(replica.chain(tx).members) - {self._node_id, *stale}
                return replica.horizons.make(tx, frontier[0]), others

            manifest = None
            try:
                while manifest is None:
                    manifest, others = await self._journal.change_local(self._journal.with_replica(work))
            except Impossible as error:
                raise Overloaded(f"No horizon is possible now: {error}.", fix="Try again in a moment.") from None
            self._acks, self._stale = {}, tuple(stale)
            self._proposed_ms = self._clock.mono_ms()
            await self._ask(Proposal(frontier[0], root_of(manifest.encode()), others))

    async def _ask(self, proposal: Proposal) -> None:
        """Those who are missing; declare it when nobody is."""
        data = pack([write_frontier(proposal.frontier), proposal.root, self._acks, list(self._stale)])
        await self._journal.change_local(lambda tx: tx.put(_PROPOSAL, data))
        self._links.propose(proposal)
        if not proposal.missing:
            await self._declare(proposal)

    async def _acknowledged(self, peer: bytes, signature: bytes) -> None:
        proposal, chain = self._links.proposal, self._members.chain
        member = chain.members.get(peer)
        if proposal is None or member is None or peer not in proposal.missing:
            return
        if not is_acknowledged(member.public_key, signature, chain.home_id, proposal.frontier, proposal.root):
            log.warning("peer signed another horizon than was proposed", peer=to_text(peer))
            return
        proposal.missing.discard(peer)
        self._acks[peer] = signature
        await self._ask(proposal)

    async def _declare(self, proposal: Proposal) -> None:
        key = await self._journal.read(current)
        at_ms = self._clock.wall_ms()

        def grow(chain: Chain) -> Chain:
            if key is None:
                return chain
            return chain.declare_horizon(key, proposal.frontier, proposal.root, self._acks, self._stale, at_ms=at_ms)

        try:
            await self._journal.grow_membership(grow, self._audit.entry("home.compacted", "", actor="owner"))
        except InvalidBytes as error:  # the members are others than when it was proposed
            log.info("the horizon was not declared", reason=str(error))
        self._links.propose(None)
        await self._journal.change_local(lambda tx: tx.delete(_PROPOSAL))
        self._declared.set()

    async def _propose_now_and_then(self) -> None:
        await self._take_up()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                if await self._is_due():
                    await self._propose(())
            except JarvisError as error:
                log.info("no horizon was proposed", reason=str(error))

    async def _is_due(self) -> bool:
        every = await self._every()
        if not every or await self._journal.read(current) is None:
            return False
        if len(self._members.chain.entries) > MAX_ENTRIES // 2:  # room for the people of the home first
            return False
        proposal = self._links.proposal
        if proposal is not None:
            return bool(proposal.reasons) and self._clock.mono_ms() - self._proposed_ms > REPLACE_S * 1000
        return await self._journal.read(lambda tx, _: tx.record_count()) >= every

    async def _take_up(self) -> None:
        """A proposal of an earlier life."""
        data = await self._journal.read(lambda tx, _: tx.get(_PROPOSAL))
        if data is None or await self._journal.read(current) is None or self._links.proposal is not None:
            return
        frontier, root, acks, stale = unpack(data, _LIMITS)
        self._acks, self._stale = dict(acks), tuple(stale)
        missing = set(self._members.chain.members) - {self._node_id, *acks, *stale}
        self._links.propose(Proposal(read_frontier(frontier), root, missing))
