"""Carries out what the protocol machine decides: frames to and from links, records to and from the journal. A slow or
lying peer costs its own link, never another's: each link has its own tasks and its own bounded queues."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from jarvis.core.errors import InvalidBytes, JarvisError, StoreFailed, StoreFull, Unreachable
from jarvis.core.events import EventBus
from jarvis.core.ids import NODE_ID_BYTES, to_text
from jarvis.core.time import Clock
from jarvis.identity.branches import Branches
from jarvis.identity.record import SignedRecord
from jarvis.net.link import Link, tidy_reason
from jarvis.node.links.link_run import LinkRun
from jarvis.node.links.patience import BORNE_MS, FORK, REPEATED, Patience, units_of
from jarvis.node.links.telemetry import Lags, Traffic
from jarvis.node.links.tracing import RECEIVED, SENT, traced
from jarvis.node.membership.requests import Requests
from jarvis.node.records.horizon_links import HorizonLinks
from jarvis.node.records.journal import Commit, Journal
from jarvis.node.timing.clocks import SetSince
from jarvis.replica.accepted import Refusal
from jarvis.replica.frontier import frontier_digest
from jarvis.store.protocol import Head
from jarvis.sync.effects import (
    OF_HORIZONS,
    Accept,
    AcceptFork,
    AcceptMembership,
    Deliver,
    Drop,
    Echoed,
    Effect,
    Fetch,
    Send,
    needs_the_store,
)
from jarvis.sync.machine import Sync
from jarvis.sync.messages import Answer, Digest, Ephemeral, Hello, Message, Request, decode
from jarvis.sync.pushing import FETCH_BYTES

TICK_S = 0.25
MAX_BATCH_RECORDS = 2_048
MAX_SAID = 256
"""Refusals remembered so that each is logged once."""
VERIFY_WITHIN_S = 2.0

log = structlog.get_logger()


class Peering:
    """`deliver` takes ephemeral messages, `linked` hears of links that came (True) and went, `members_changed` of a
    new chain, `met` of a link whose peer said hello, and of the addresses it says it has."""

    def __init__(
        self,
        journal: Journal,
        sync: Sync,
        clock: Clock,
        *,
        deliver: Callable[[bytes, Ephemeral], None],
        linked: Callable[[bytes, bool], None],
        members_changed: Callable[[Branches], None],
        met: Callable[[Link, tuple[str, ...]], None],
    ) -> None:
        self._journal = journal
        self._sync = sync
        self._clock = clock
        self._deliver = deliver
        self._linked = linked
        self._members_changed = members_changed
        self._met = met
        self._runs: dict[bytes, LinkRun] = {}
        self._said: dict[tuple[bytes, bytes, str], None] = {}
        self._digests: dict[bytes, asyncio.Future[Digest]] = {}
        self.requests = Requests(self._post)
        self._own: list[Commit] = []
        """Of this turn of the loop; the store's queue bounds how many can become durable at once."""
        self._patience = Patience()
        self._lags = Lags()
        self._set_since = SetSince(clock)
        self._traffic: dict[bytes, Traffic] = {}
        """Of members only, who alone get a link."""
        self.horizons = HorizonLinks(sync, clock, send=self._send, post=self._post)
        self.traced = EventBus()
        """Every message, as `sync trace` tells it; costs nothing while nobody listens."""
        journal.listen(self._committed)

    # --- a link's life ------------------------------------------------------------------------------------------

    async def on_link(self, link: Link) -> None:
        """Run one link until it closes."""
        traffic = self._traffic.setdefault(link.peer, Traffic())

        def told(direction: str, message: Message, size_bytes: int) -> None:
            (traffic.sent if direction == SENT else traffic.received)(size_bytes)
            if self.traced.listened:
                self.traced.publish(traced(self._clock.mono_ms(), link.peer, direction, message, size_bytes))

        run = self._runs[link.peer] = LinkRun(link, told)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._read(run)),
                    group.create_task(self._write(run)),
                    group.create_task(self._work(run)),
                ]
                self._send(self._sync.connected(link.peer, self._clock.mono_ms(), self._clock.wall_ms()))
                self._linked(link.peer, True)
                await run.ending.wait()
                for task in tasks:
                    task.cancel()
        finally:
            if self._runs.get(link.peer) is run:
                del self._runs[link.peer]
                self._send(self._sync.disconnected(link.peer, self._clock.mono_ms()))
                self._linked(link.peer, False)
            self.requests.ended(link.peer, run.reason or link.closed_reason)
            with contextlib.suppress(Unreachable):
                await link.close(run.reason or "closed")

    async def _read(self, run: LinkRun) -> None:
        peer = run.link.peer
        first = True
        while (frame := await run.link.receive()) is not None:
            try:
                message = decode(frame, first=first)
            except InvalidBytes as error:
                self._say_once(peer, str(error))
                return run.end("a frame was not valid")
            first = False
            run.told(RECEIVED, message, len(frame))
            await self._bear(run, self._patience.chatted(peer, units_of(message), self._clock.mono_ms()))
            for effect in self._sync.received(peer, message, self._clock.mono_ms(), self._clock.wall_ms()):
                if isinstance(effect, Echoed) and all(author == self._journal.author for author, _ in effect.heads):
                    continue  # we have written as this author in this life: there is nothing to confirm
                if needs_the_store(effect):
                    await run.jobs.put(effect)
                else:
                    self._send([effect])
        return run.end(run.link.closed_reason or "closed by the peer")

    async def _write(self, run: LinkRun) -> None:
        try:
            while True:
                await run.send_next()
        except Unreachable as error:
            run.end(str(error))

    async def _work(self, run: LinkRun) -> None:
        """What needs the store, in order; records that came meanwhile share one transaction."""
        try:
            while True:
                jobs = [await run.jobs.get()]
                while not run.jobs.empty():
                    jobs.append(run.jobs.get_nowait())
                batch: list[SignedRecord] = []
                for job in jobs:
                    if isinstance(job, Accept):
                        batch += job.records
                        if len(batch) < MAX_BATCH_RECORDS:
                            continue
                    await self._accept(run, batch)
                    if not isinstance(job, Accept):
                        await self._do(run, job)
                await self._accept(run, batch)
        except StoreFailed:  # it is no fault of the peer's
            run.end("the store failed")
        except JarvisError as error:
            self._say_once(run.link.peer, str(error))
            run.end(str(error) if isinstance(error, InvalidBytes) else "the store failed")

    async def _accept(self, run: LinkRun, batch: list[SignedRecord]) -> None:
        if batch:
            records, batch[:] = list(batch), []
            try:
                accepted = await self._journal.accept(records, run.link.peer)
            except (StoreFailed, StoreFull):
                return  # the store says so in the log; the protocol asks for them again, less and less often
            finally:
                self._send(self._sync.took_in(run.link.peer, records))
            wrong = (*accepted.refused, *accepted.invalid)
            for refusal in wrong:
                self._refused(run.link.peer, refusal)
            for author, seq in accepted.suspects:
                self._send(self._sync.suspected(run.link.peer, author, seq))
            now_ms, peer = self._clock.mono_ms(), run.link.peer
            idle = 0 if accepted.records or wrong else REPEATED
            lies = sum(_is_lie_of(peer, one) for one in wrong)
            lies += FORK * sum(proof.author.startswith(peer) for proof in accepted.forks)
            pause_ms = self._patience.lied(peer, lies, now_ms)
            await self._bear(run, max(pause_ms, self._patience.chatted(peer, idle, now_ms)))

    async def _bear(self, run: LinkRun, pause_ms: float) -> None:
        """Take nothing more from this link for a while, or never."""
        if pause_ms:
            self._say_once(run.link.peer, "it lies, or says much and brings nothing, and is listened to less")
            run.borne_ms += pause_ms
            if run.borne_ms > BORNE_MS:
                run.end("it lies, or says much and brings nothing")
            await asyncio.sleep(pause_ms / 1000)

    async def _answer(self, run: LinkRun, fetch: Fetch) -> None:
        """This want, and those that wait behind it as far as the peer's credit goes."""
        wanted: Fetch | None = fetch
        while wanted is not None:
            await run.room.wait()
            found: list[SignedRecord] = []
            with contextlib.suppress(StoreFailed):  # not answered, it is asked of another
                found = await self._journal.records(wanted.author, wanted.first, wanted.through, FETCH_BYTES)
            effects = self._sync.fetched(wanted.peer, found)
            self._send(effects)
            idle = 0 if run.answers_anew(wanted.author, found) else REPEATED
            await self._bear(run, self._patience.chatted(wanted.peer, idle, self._clock.mono_ms()))
            wanted = next((effect for effect in effects if isinstance(effect, Fetch)), None)

    async def _do(self, run: LinkRun, job: Effect) -> None:
        match job:
            case Fetch():
                await self._answer(run, job)
            case AcceptMembership(peer, entries):
                changed, _ = await self._journal.accept_membership(entries)
                if not changed:  # a new one was told to everyone when it was durable
                    self._send(self._sync.membership_stands(peer))
            case AcceptFork(peer, proof):
                new = await self._journal.accept_fork(proof, peer)
                lies = FORK if new and proof.author.startswith(peer) else 0
                await self._bear(run, self._patience.lied(peer, lies, self._clock.mono_ms()))
            case Echoed(_, heads):
                await self._journal.echo(heads)
            case _ if isinstance(job, OF_HORIZONS):
                await run.room.wait()
                await self.horizons.carry_out(job)
            case Deliver(peer, Request() as request):
                run.post(await self.requests.handle(peer, request))
            case Deliver():
                run.post(await self._digest(ask=False))

    # --- carrying out -------------------------------------------------------------------------------------------

    def _send(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            run = self._runs.get(effect.peer)
            match effect:
                case Send(_, message) if run:
                    run.post(message)
                case Drop(peer, reason) if run:
                    self._say_once(peer, reason)
                    run.end(reason)
                case Deliver(peer, message):
                    self._delivered(peer, message)

    def _post(self, peer: bytes, message: Message) -> bool:
        """Whether there is a link that takes it."""
        run, state = self._runs.get(peer), self._sync.peers.get(peer)
        if run is None or state is None or not state.said_hello:
            return False
        run.post(message)
        return True

    def _delivered(self, peer: bytes, message: Ephemeral | Digest | Hello | Request | Answer) -> None:
        match message:
            case Answer():
                self.requests.answered(peer, message)
            case Ephemeral():
                self._deliver(peer, message)
            case Hello():
                self._set_since.note(peer)
                self._met(self._runs[peer].link, message.addresses)
            case Digest():
                waiting = self._digests.pop(peer, None)
                if waiting and not waiting.done():
                    waiting.set_result(message)

    def _committed(self, commit: Commit) -> None:
        """Own records that became durable with one fsync are told one by one, and leave together: one frame a peer
        instead of one a record."""
        if commit.source is None and commit.branches is None and commit.bounds is None:
            if not self._own:
                asyncio.get_running_loop().call_soon(self._push)
            self._own.append(commit)
            return
        self._push()  # in the order in which it happened
        self._tell(commit)

    def _push(self) -> None:
        commits, self._own = self._own, []
        if commits:
            heads = {author: head for commit in commits for author, head in commit.heads.items()}
            own = tuple(record for commit in commits for record in commit.own)
            self._tell(Commit(heads, own, frozenset()))

    def _tell(self, commit: Commit) -> None:
        if commit.branches is not None:
            self._members_changed(commit.branches)
            chain, now_ms = commit.branches.chain, self._clock.mono_ms()
            self._send(self._sync.membership_changed(chain.entries, now_ms, branches=commit.branches))
        if commit.bounds is not None:
            now_ms, lowered, forks = self._clock.mono_ms(), commit.lowered, commit.forks
            self._send(self._sync.restated(commit.bounds, lowered, forks, now_ms))
        self._lags.moved(commit.heads, self._clock.mono_ms())
        self._send(self._sync.committed(commit.heads, commit.own, self._clock.mono_ms(), source=commit.source))

    async def run(self) -> None:
        """The protocol's sense of time, until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self._send(self._sync.tick(self._clock.mono_ms()))

    def reached_at(self, addresses: tuple[str, ...]) -> None:
        """What to tell peers in our hello."""
        self._sync.addresses = addresses

    def tell(self, peer: bytes, topic: str, body: bytes) -> None:
        """To one peer, if it is linked."""
        self._post(peer, Ephemeral(topic, body))

    def pause(self, paused: bool) -> None:
        """Ask peers for nothing while there is no room for it."""
        self._sync.pause(paused)

    def ask_again(self) -> None:
        """What the store could not take in is asked for with the next tick."""
        self._sync.ask_again()

    def broadcast(self, topic: str, body: bytes) -> None:
        self._send(self._sync.broadcast(topic, body))

    def whisper(self, topic: str, body: bytes) -> None:
        """To every peer whose link is not busy: what matters least is left out first."""
        for peer, run in list(self._runs.items()):
            if run.idle:
                self._post(peer, Ephemeral(topic, body))

    # --- what people see ----------------------------------------------------------------------------------------

    def connected(self) -> frozenset[bytes]:
        """Peers with a link that said hello."""
        return frozenset(peer for peer, state in self._sync.peers.items() if state.said_hello)

    def nearest(self) -> list[bytes]:
        """Peers with a link, the quickest first."""
        return sorted(self.connected(), key=lambda peer: (self.rtt_ms(peer) is None, self.rtt_ms(peer) or 0.0))

    def claimed(self, node_id: bytes) -> dict[bytes, Head]:
        """Of each author of a node the highest head that any other connected peer says to hold."""
        result: dict[bytes, Head] = {}
        for peer, state in self._sync.peers.items():
            for author, head in state.heads.items() if peer != node_id else ():
                if author[:NODE_ID_BYTES] == node_id and (author not in result or head.seq > result[author].seq):
                    result[author] = head
        return result

    def rtt_ms(self, peer: bytes) -> float | None:
        state = self._sync.peers.get(peer)
        return None if state is None or state.rtt_ms is None else round(state.rtt_ms, 2)

    def progress(self, peer: bytes) -> tuple[int, int] | None:
        """(records it holds and we lack, records we hold and it did not say it has); None without a link."""
        return (self._sync.behind(peer), self._sync.ahead(peer)) if peer in self._sync.peers else None

    def clock_offset_ms(self, peer: bytes) -> int | None:
        """How far the wall clock that the peer said hello with is ahead of ours, also when ours has been set since."""
        state = self._sync.peers.get(peer)
        if state is None or not state.said_hello:
            return None
        return round(state.clock_offset_ms - self._set_since.ms(peer))

    def flow(self, peer: bytes) -> dict[str, int | float | None]:
        """What went over links with a peer, and what waits on the one there is; None for the latter without a link."""
        traffic = self._traffic.get(peer, Traffic())
        run, state = self._runs.get(peer), self._sync.peers.get(peer)
        unacked = state.unacked if state is not None else None
        lag_ms = None if state is None else round(self._lags.of(peer, state.held, self._clock.mono_ms()), 1)
        return {
            "lag_ms": lag_ms,
            "bytes_sent": traffic.bytes_sent,
            "bytes_received": traffic.bytes_received,
            "messages_sent": traffic.messages_sent,
            "messages_received": traffic.messages_received,
            "outbox_frames": run.outbox.qsize() if run else None,
            "outbox_bytes": run.outbox_bytes if run else None,
            "store_jobs": run.jobs.qsize() if run else None,
            "unacked_records": None if unacked is None else len(unacked),
            "unacked_bytes": None if unacked is None else sum(size for _, _, size in unacked),
        }

    async def compare(self) -> dict[bytes, tuple[Digest, Digest]]:
        """Our digest and each connected peer's, as near to each other in time as can be. A peer that does not answer
        in time is left out."""
        asked = {peer: self._ask_digest(peer) for peer in self.connected()}
        mine = await self._digest(ask=True)
        for peer in asked:
            if peer in self._runs:
                self._runs[peer].post(mine)
        if asked:
            await asyncio.wait(asked.values(), timeout=VERIFY_WITHIN_S)
        for peer, answer in asked.items():
            if not answer.done() and self._digests.get(peer) is answer:
                del self._digests[peer]
        return {peer: (mine, answer.result()) for peer, answer in asked.items() if answer.done()}

    def _ask_digest(self, peer: bytes) -> asyncio.Future[Digest]:
        return self._digests.setdefault(peer, asyncio.get_running_loop().create_future())

    async def _digest(self, *, ask: bool) -> Digest:
        return await self._journal.read(
            lambda tx, replica: Digest(ask, frontier_digest(replica.heads(tx)), replica.digest(tx))
        )

    def _refused(self, peer: bytes, refusal: Refusal) -> None:
        author = refusal.author[:NODE_ID_BYTES]
        who = {"author": to_text(author), "seq": refusal.seq, "blame": refusal.blame}
        about = author if refusal.blame == "author" else b""  # a sender may invent authors, never sign as one
        self._say_once(peer, refusal.reason, about=about, **who)

    def _say_once(self, peer: bytes, reason: str, *, about: bytes = b"", **more: Any) -> None:
        reason = tidy_reason(reason)  # it may hold what the peer wrote
        if (peer, about, reason) not in self._said:
            if len(self._said) >= MAX_SAID:
                self._said.pop(next(iter(self._said)))
            self._said[peer, about, reason] = None
            log.warning("peer refused", peer=to_text(peer), reason=reason, **more)


def _is_lie_of(peer: bytes, refusal: Refusal) -> bool:
    """Whether it speaks against this peer itself, and not against whoever's records it forwards."""
    return refusal.blame == "sender" or refusal.author.startswith(peer)
