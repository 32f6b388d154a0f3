"""The one way into and out of the replica for the rest of the node: every write goes through here, is durable when it
returns, and is then told to whoever listens. Nothing else may hold the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jarvis.core.codec import Value
from jarvis.core.errors import Overloaded, StoreFailed
from jarvis.identity.branches import Branches
from jarvis.identity.entries import RawEntry
from jarvis.identity.fork import ForkProof
from jarvis.identity.membership import Chain
from jarvis.identity.record import SignedRecord, decode_record
from jarvis.node.links.telemetry import Commits
from jarvis.node.records.budget import Budget
from jarvis.node.records.verifying import WORTH_IT, Verifier
from jarvis.node.records.writing import Request, WaitingWrites, Write, Written, add_all, carry_out, own_copy
from jarvis.replica.accepted import Accepted
from jarvis.replica.bounds import Bounds
from jarvis.replica.replica import Replica
from jarvis.replica.rewriting import Rewritten
from jarvis.store.protocol import Head, Store, Transaction

T = TypeVar("T")
MAX_LISTENERS = 16
"""Parts of the node, not people: the peering and the views that follow documents."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What became durable."""

    heads: Mapping[bytes, Head]
    own: tuple[SignedRecord, ...]
    documents: frozenset[str]
    source: bytes | None = None
    """The peer whose records these were."""
    branches: Branches | None = None
    """The membership chain and those that lost against it, when one of them is new."""
    bounds: Bounds | None = None
    """How far each author counts, when a removal or a fork changed that."""
    lowered: Mapping[bytes, Head] = field(default_factory=dict)
    """Authors of whom less counts than before, with where their frontier is now."""
    forks: tuple[ForkProof, ...] = ()
    """New proofs."""


Listener = Callable[[Commit], None]


class Journal:
    def __init__(self, store: Store, replica: Replica) -> None:
        self._store = store
        self._replica = replica
        self._listeners: list[Listener] = []
        self._under_way: set[asyncio.Task[Any]] = set()
        self._waiting = WaitingWrites()
        self._verifier = Verifier()
        self._chain: Chain | None = None
        """The newest that was told, for verifying ahead."""
        self.commits = Commits()
        self.budget = Budget()
        self.author = b""
        """Of the newest record of our own in this life; empty before it."""
        self.problem = ""
        """Why the last commit failed; empty while commits work."""
        self.troubled = asyncio.Event()
        """Set while there is a problem."""
        store.on_undo(replica.forget)

    def listen(self, listener: Listener) -> None:
        """Call `listener` on the event loop after each commit; it must not wait."""
        assert len(self._listeners) < MAX_LISTENERS
        self._listeners.append(listener)

    async def write(self, *writes: Write, makes_room: bool = False) -> list[Written]:
        """Sign and keep these, all in one transaction: where each stands that had something to write. What others
        write meanwhile goes with the same commit, and may share its records. Durable when this returns. Raises
        StoreFull; what `makes_room` is still written then."""
        request = Request(writes, asyncio.get_running_loop().create_future(), makes_room=makes_room)
        if self._waiting.put(request):
            self._begin(self._write_waiting())
        return await request.future

    async def write_as(self, document: str, make: Callable[[Any, bytes], list[Value]]) -> None:
        """Like `write`, for what is made in its author's name: `make` is also told who will sign."""

        def work(tx: Transaction) -> tuple[list[SignedRecord], Accepted]:
            self.budget.check(tx)
            author, accepted = self._replica.writing_author(tx), Accepted()
            return self._append(tx, [(document, lambda state: make(state, author))], accepted), accepted

        await self._commit(work, self._wrote)

    async def accept(self, records: Sequence[SignedRecord], source: bytes) -> Accepted:
        """A peer's records. Raises StoreFull."""
        size_bytes = sum(record.size_bytes for record in records)
        if len(records) >= WORTH_IT:
            if self._chain is None:
                chain = await self._store.read(self._replica.chain)
                self._chain = self._chain or chain  # a newer one may have been told meanwhile
            await self._verifier.look_at(records, self._chain)
        authors = {record.header.author for record in records}

        def work(tx: Transaction) -> tuple[Accepted, dict[bytes, Head]]:
            self.budget.check(tx, size_bytes)
            accepted = self._replica.accept(tx, records)
            heads = {author: head for author, head in self._replica.heads(tx).items() if author in authors}
            return accepted, {**heads, **accepted.heads}

        def tell(done: tuple[Accepted, dict[bytes, Head]]) -> None:
            self._tell(done[1], done[0], source=source)

        return (await self._commit(work, tell))[0]

    async def accept_fork(self, proof: ForkProof, source: bytes) -> bool:
        """A peer's proof that an author signed two histories; whether it is new. Raises InvalidBytes when it does not
        hold."""

        def tell(accepted: Accepted) -> None:
            self._tell(accepted.heads, accepted, source=source)

        return bool((await self._commit(lambda tx: self._replica.accept_fork(tx, proof), tell)).forks)

    async def accept_membership(self, entries: Sequence[RawEntry]) -> tuple[bool, Chain]:
        """Whether the chain changed, and the one that stands. Raises InvalidBytes."""

        def work(tx: Transaction) -> tuple[bool, Accepted, Chain]:
            changed, accepted = self._replica.accept_membership(tx, entries)
            return changed, accepted, self._replica.chain(tx)

        def tell(done: tuple[bool, Accepted, Chain]) -> None:
            self._tell(done[1].heads, done[1])

        changed, _, chain = await self._commit(work, tell)
        return changed, chain

    async def grow_membership(self, grow: Callable[[Chain], Chain], *writes: Write) -> Chain:
        """Replace the chain by what `grow` makes of it, and write what tells of it, all in one transaction; nothing of
        either when it stays as it was. The chain that stands then. Raises what `grow` raises."""

        def work(tx: Transaction) -> tuple[bool, list[SignedRecord], Accepted, Chain]:
            changed, accepted = self._replica.accept_membership(tx, grow(self._replica.chain(tx)).entries)
            return changed, self._append(tx, writes if changed else (), accepted), accepted, self._replica.chain(tx)

        def tell(done: tuple[bool, list[SignedRecord], Accepted, Chain]) -> None:
            _, own, accepted, _ = done
            self._tell(accepted.heads, accepted, own=own)

        return (await self._commit(work, tell))[3]

    async def rewrite(self) -> Rewritten:
        """Write again some of what this node's own forks have set aside."""

        def tell(done: Rewritten) -> None:
            self._tell(done.accepted.heads, done.accepted, own=done.records)

        return await self._commit(self._replica.rewrite, tell)

    async def echo(self, heads: Iterable[tuple[bytes, Head]]) -> None:
        known = dict(heads)
        await self._store.read(lambda tx: self._replica.echo(tx, known))

    async def state(self, document: str, view: Callable[[Any], T]) -> T:
        """`view` of a document's state, taken in the writer thread; it must copy what it keeps."""
        return await self._store.read(lambda tx: view(self._replica.state(tx, document)))

    async def read(self, view: Callable[[Transaction, Replica], T]) -> T:
        return await self._store.read(lambda tx: view(tx, self._replica))

    async def change_local(self, work: Callable[[Transaction], T], then: Callable[[T], None] = lambda _: None) -> T:
        """Change this node's own values, which never leave it. `then` follows the commit at once, even when the caller
        is cancelled meanwhile."""
        return await self._commit(work, then)

    async def step(self, work: Callable[[Transaction, Replica], tuple[T, Accepted]]) -> T:
        """Let the replica do something else than take records; what that changed is told as if records had."""

        def tell(done: tuple[T, Accepted]) -> None:
            self._tell(done[1].heads, done[1])

        return (await self._commit(self.with_replica(work), tell))[0]

    def with_replica(self, work: Callable[[Transaction, Replica], T]) -> Callable[[Transaction], T]:
        return lambda tx: work(tx, self._replica)

    async def records(self, author: bytes, first: int, through: int, max_bytes: int) -> list[SignedRecord]:
        """Held records in order, as they travel; only those that count."""
        stored = await self._store.read(lambda tx: self._replica.records(tx, author, first, through, max_bytes))
        return [decode_record(one.header, one.signature, one.payload) for one in stored]

    def _append(self, tx: Transaction, writes: Sequence[Write], accepted: Accepted) -> list[SignedRecord]:
        """Records of our own for what there is to write; what became of them goes to `accepted`."""
        composition = self._replica.compose(tx)
        add_all(composition, writes)
        records, done = composition.finish()
        accepted.heads.update(done.heads)
        accepted.records += done.records
        accepted.restated |= done.restated
        return list(records.values())

    async def _write_waiting(self) -> None:
        """All that waits by the time the store begins with it."""
        requests: list[Request] = []

        def work(tx: Transaction) -> tuple[list[SignedRecord], Accepted]:
            requests.extend(self._waiting.take())
            return carry_out(tx, self._replica, requests, self.budget)

        try:
            self._wrote(await self._attempt(work))
        except asyncio.CancelledError:
            for request in requests or self._waiting.take():
                request.future.cancel()
            raise
        except BaseException as error:
            requests = requests or self._waiting.take()  # the store did not even begin
            if len(requests) > 1 and not isinstance(error, (StoreFailed, Overloaded)):
                await self._write_apart(requests)
            else:
                for request in requests:
                    request.error = error if len(requests) == 1 else own_copy(error)
        for request in requests:
            request.settle()

    async def _write_apart(self, requests: Sequence[Request]) -> None:
        """One of them failed in the middle, so all of them were undone."""

        async def alone(request: Request) -> None:
            request.error = None
            try:
                self._wrote(await self._attempt(lambda tx: carry_out(tx, self._replica, [request], self.budget)))
            except BaseException as error:
                request.error = error

        await asyncio.gather(*(alone(request) for request in requests))

    def _wrote(self, done: tuple[list[SignedRecord], Accepted]) -> None:
        records, accepted = done
        self._tell(accepted.heads, accepted, own=records)

    async def _commit(self, work: Callable[[Transaction], T], tell: Callable[[T], None]) -> T:
        """Commit and tell, even when the caller is cancelled meanwhile: what is durable must reach the listeners, or
        peers would never hear of it. The store's own queue bounds how many are under way."""

        async def commit() -> T:
            result = await self._attempt(work)
            tell(result)
            return result

        return await asyncio.shield(self._begin(commit()))

    async def _attempt(self, work: Callable[[Transaction], T]) -> T:
        asked_ms = self.commits.mono_ms()
        try:
            result = await self._store.write(work)
        except StoreFailed as error:
            self.problem = str(error)
            self.troubled.set()
            raise
        self.problem = ""
        self.troubled.clear()
        self.commits.took(self.commits.mono_ms() - asked_ms)
        return result

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def follow_budget(self, value: Callable[[str], Awaitable[str]], pause: Callable[[bool], None]) -> None:
        """Until cancelled; see `Budget.run`."""
        await self.budget.run(self._store.read, value, pause)

    async def drain(self) -> None:
        """Wait until everything under way is durable or has failed."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    def _tell(
        self,
        heads: Mapping[bytes, Head],
        accepted: Accepted,
        *,
        own: Sequence[SignedRecord] = (),
        source: bytes | None = None,
    ) -> None:
        own = (*own, *accepted.own)
        if accepted.branches is not None:
            self._chain = accepted.branches.chain
        if own:
            self.author = own[-1].header.author
        self.commits.brought(len(own), len(accepted.records) - len(own))
        if heads or accepted.records or accepted.branches or accepted.bounds:
            commit = Commit(
                dict(heads),
                tuple(own),
                frozenset(accepted.documents),
                source,
                accepted.branches,
                accepted.bounds,
                accepted.lowered,
                tuple(accepted.forks),
            )
            for listener in self._listeners:
                listener(commit)
