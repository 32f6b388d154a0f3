"""Exactly one link to every member that can be reached: dials, accepts, settles duplicates, begins again. It decides
when and where; a transport does the dialling. It must never hold two links to one peer at once, nor let one peer's
trouble reach another's link."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from jarvis.core.errors import InvalidInput, JarvisError
from jarvis.core.ids import to_text
from jarvis.net.addresses import AddressBook
from jarvis.net.copies import COPY, Copies
from jarvis.net.link import Elsewhere, Link, OwnAddress, Transport
from jarvis.net.settle import INSTANCE_BYTES, Mark, Ticket, new_one_stays
from jarvis.net.tls import Members

FIRST_RETRY_S = 0.5
LAST_RETRY_S = 30.0
HEAD_START_S = 0.2
"""The link dialled by the lower id stays when both dial, so the higher one waits this long: most pairs then do one
handshake, not two."""
GRANT_S = 1.0
"""While its own dial is younger than this, the lower one lets the higher wait for its answer. Links of two dials that
met would both be in use until one is given up, and what was said over it is said to nobody."""
MAX_TRIED = 16
"""Addresses of a peer that are tried in one round, those that are heard of meanwhile among them."""
STAGGER_S = 0.3
"""Between the addresses of one peer; as RFC 8305 (Happy Eyeballs) does, which recommends 0.25 s."""
STEADY_S = 10.0
"""A link that lived this long was a good one: the next attempt starts without delay again."""
END_DEADLINE_S = 2.0
"""How long `on_link` may take to notice that its link is closed before it is cancelled."""
DUPLICATE = "duplicate"
REMOVED = "not a member any more"
STOPPING = "the node is stopping"
NETWORK_CHANGED = "the network changed"

OnLink = Callable[[Link], Awaitable[None]]
Remembered = Mapping[bytes, Iterable[str]]

log = structlog.get_logger()


@dataclass(eq=False)
class _Peer:
    """What is known of one member besides this node."""

    node_id: bytes
    link: Link | None = None
    run: asyncio.Task[None] | None = None
    """The task that runs `on_link` for `link`."""
    keeper: asyncio.Task[None] | None = None
    failures: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Something changed: try now."""
    free: asyncio.Event = field(default_factory=asyncio.Event)
    """There is no link."""
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    """There is a link."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """No dial of ours is under way that may yet become its first link."""
    dialled_s: float = 0.0
    """When our latest dial to it began, by the loop's clock."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """An address was heard of that is not tried yet."""
    held: bool = False
    """A request of its waits for our answer."""
    granted: Ticket | None = None
    """Its own mark on the link that it asked for last and was granted."""

    def __post_init__(self) -> None:
        self.free.set()
        self.settled.set()

    def set_link(self, link: Link | None, run: asyncio.Task[None] | None) -> None:
        self.link, self.run = link, run
        if link is None:
            self.taken.clear()
            self.free.set()
        else:
            self.free.clear()
            self.taken.set()
            self.settled.set()

    def try_now(self) -> None:
        """It may be reachable again, or elsewhere."""
        self.failures = 0
        self.wake.set()
        self.news.set()


class Connector:
    """`await open()`, then `run()` in a task of the owner's group, then `await close()`."""

    def __init__(
        self,
        transport: Transport,
        *,
        me: bytes,
        members: Members,
        on_link: OnLink,
        peers: Iterable[str] = (),
        load: Callable[[], Remembered] = dict,
        save: Callable[[dict[bytes, list[str]]], None] = lambda _addresses: None,
        on_copy: Callable[[bytes, bool], None] = lambda _peer, _of_us: None,
        rng: random.Random | None = None,
    ) -> None:
        """`me` is this node's id; `peers` are addresses that a person gave; `load` and `save` keep addresses over
        restarts (at most 8 a member, `save` is called when they change and must not block). `on_link` runs for each
        link's life and must return when `receive` gives None. `on_copy` hears that two copies of a peer run, or, when
        its second value is True, that this peer sees two of us."""
        self.me = me
        self._transport, self._members, self._on_link = transport, members, on_link
        self._static = list(dict.fromkeys(peers))
        self._book = AddressBook({node_id: known for node_id, known in load().items() if node_id != me})
        self._save, self._saved = save, self._book.best()
        self._copies, self._on_copy = Copies(), on_copy
        self._rng = rng or random.SystemRandom()
        self._instance = secrets.token_bytes(INSTANCE_BYTES) if rng is None else rng.randbytes(INSTANCE_BYTES)
        self._number = 0
        self._peers: dict[bytes, _Peer] = {}
        self._group: asyncio.TaskGroup | None = None
        self._stop, self._stopped = asyncio.Event(), asyncio.Event()
        self._wake_static = asyncio.Event()

    @property
    def links(self) -> dict[bytes, Link]:
        """The open links, by node id."""
        return {
            peer.node_id: peer.link
            for peer in self._peers.values()
            if peer.link is not None and not peer.link.closed_reason
        }

    async def open(self) -> int:
        """Take the peer port and return it. Raises BadConfiguration when it cannot be had."""
        return await self._transport.listen(self._accepted, self._granted)

    async def run(self) -> None:
        """Keep links until `close` or cancellation."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                tasks = [group.create_task(self._transport.serve())]
                tasks += [group.create_task(self._explore(address)) for address in self._static]
                self.members_changed()
                try:
                    await self._stop.wait()
                finally:
                    self._stop.set()  # also when cancelled: a group that ends takes no new task
                for task in [*tasks, *(peer.keeper for peer in self._peers.values() if peer.keeper)]:
                    task.cancel()
                for peer in self._peers.values():
                    if peer.link is not None:
                        group.create_task(self._end(peer.link, peer.run, STOPPING))
        finally:
            self._group = None
            await self._transport.close()
            self._stopped.set()

    async def close(self) -> None:
        """Say goodbye on every link and release the port; at most about 2 s."""
        running = self._group is not None
        self._stop.set()
        if running:
            await self._stopped.wait()
        else:
            await self._transport.close()

    def members_changed(self) -> None:
        """Follow the membership: new members are dialled, removed ones lose their link at once."""
        self._transport.members_changed()
        if self._group is None or self._stop.is_set():
            return
        wanted = set(self._members()) - {self.me}
        for node_id in sorted(set(self._peers) - wanted):
            peer = self._peers.pop(node_id)
            if peer.keeper is not None:
                peer.keeper.cancel()
            if peer.link is not None:
                self._group.create_task(self._end(peer.link, peer.run, REMOVED))
        self._book.keep_only(wanted)
        for node_id in sorted(wanted - set(self._peers)):
            peer = self._peers[node_id] = _Peer(node_id)
            peer.keeper = self._group.create_task(self._keep(peer))
        self._remember()

    def learn(self, node_id: bytes, addresses: Iterable[str]) -> None:
        """Take a hint where a member may be reached: from discovery, or from another peer. Hints about strangers
        are dropped; a new one is tried at once."""
        peer = self._peers.get(node_id)
        if peer is not None and self._book.hear(node_id, addresses):
            peer.try_now()

    def greeted(self, link: Link, addresses: Iterable[str]) -> None:
        """The peer of this link said hello, and where it can be reached."""
        self.learn(link.peer, addresses)
        if self._copies.greeted(link.peer, link.theirs.instance):
            self._on_copy(link.peer, False)

    def network_changed(self) -> None:
        """The device has a new address or a cable again: try everybody now, and replace links that wait in vain."""
        self._wake_static.set()
        self._wake_static = asyncio.Event()
        for peer in self._peers.values():
            peer.try_now()
            if self._group is None or self._stop.is_set():
                continue
            if peer.link is not None and peer.link.stalled():
                self._group.create_task(self._end(peer.link, peer.run, NETWORK_CHANGED))

    def addresses(self) -> dict[bytes, list[str]]:
        """What is known of the other members' addresses, best first; to be told to peers over links."""
        return self._book.best()

    # Dialling

    async def _keep(self, peer: _Peer) -> None:
        while True:
            await peer.free.wait()
            await _happened(peer.wake, self._delay_s(peer.failures))
            peer.wake.clear()
            if self.me > peer.node_id:
                await _happened(peer.taken, HEAD_START_S)
            if peer.link is None:
                await self._round(peer)
            if peer.link is None:
                peer.failures += 1

    def _delay_s(self, failures: int) -> float:
        if not failures:
            return 0.0
        return min(FIRST_RETRY_S * 2.0 ** min(failures - 1, 10), LAST_RETRY_S) * self._rng.uniform(0.5, 1.0)

    async def _round(self, peer: _Peer) -> None:
        """Try every address once, staggered, until there is a link; those too that are heard of meanwhile, since a
        dead one takes seconds to be known as dead. All share one number: see `net.settle`."""
        ticket = self._draw()
        tried: set[str] = set()
        peer.settled.clear()
        try:
            async with asyncio.TaskGroup() as group:
                pending: set[asyncio.Task[Any]] = set()
                while peer.link is None:
                    peer.news.clear()
                    untried = [one for one in self._book.addresses(peer.node_id) if one not in tried]
                    if untried and len(tried) < MAX_TRIED:
                        tried.add(untried[0])
                        peer.dialled_s = asyncio.get_running_loop().time()
                        pending.add(group.create_task(self._try(peer, untried[0], ticket)))
                    elif not pending:
                        break
                    news = group.create_task(peer.news.wait())
                    wait_s = STAGGER_S if len(untried) > 1 else None
                    _, pending = await asyncio.wait(
                        {*pending, news}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED
                    )
                    pending.discard(news)
                    news.cancel()
        finally:
            peer.settled.set()

    async def _try(self, peer: _Peer, address: str, ticket: Ticket) -> None:
        try:
            try:
                link = await self._transport.dial(address, ticket, peer.node_id)
            except Elsewhere:
                if self._book.owner(address) in (None, peer.node_id):
                    await self._find(address)
                raise
        except JarvisError as error:
            log.debug("net.dial_failed", address=address, error=str(error))
            return
        self._book.prove(link.peer, address)
        self._remember()
        await self._take(link)

    async def _explore(self, address: str) -> None:
        """Ask at an address that a person gave until it is known whose it is; from then on it is in the book. It never
        makes a link: that peer may have one, and to dial it says that this one is dead."""
        failures = 0
        while True:
            if self._book.owner(address) not in self._peers:
                try:
                    await self._find(address)
                except OwnAddress:
                    return
                except InvalidInput as error:
                    log.warning("net.bad_address", error=str(error))
                    return
                except JarvisError as error:
                    log.debug("net.dial_failed", address=address, error=str(error))
            failures += 1
            if await _happened(self._wake_static, self._delay_s(failures)):
                failures = 0

    async def _find(self, address: str) -> None:
        """Learn whose an address is, and let it be dialled as that peer's. Raises as `Transport.whose`."""
        node_id = await self._transport.whose(address)
        self._book.prove(node_id, address)
        self._remember()
        if (peer := self._peers.get(node_id)) is not None:
            peer.try_now()

    # Links

    async def _granted(self, node_id: bytes, theirs: Ticket) -> Ticket | None:
        """See `net.link.Answer`. Of one round of dialling, at several addresses, one is granted."""
        peer = self._peers.get(node_id)
        if peer is None:
            return self._draw()  # `_take` tells it why it gets no link
        if peer.held or peer.granted == theirs:
            return None
        if self.me < node_id and not peer.settled.is_set():
            peer.held = True
            try:
                await _happened(peer.settled, peer.dialled_s + GRANT_S - asyncio.get_running_loop().time())
            finally:
                peer.held = False
        peer.granted = theirs
        return self._draw()

    async def _accepted(self, link: Link) -> None:
        if link.address:
            self._book.hear(link.peer, [link.address])
            self._remember()
        run = await self._take(link)
        if run is not None:
            await asyncio.wait([run])

    async def _take(self, link: Link) -> asyncio.Task[None] | None:
        """Make `link` its peer's link, or close it; the task that runs it."""
        peer = self._peers.get(link.peer)
        if peer is None or self._group is None or self._stop.is_set():
            await link.close(REMOVED if peer is None else STOPPING)
            return None
        old, old_run = peer.link, peer.run
        if old is not None and not old.closed_reason:
            if self._copies.refuses(link.peer, link.theirs.instance, old.theirs.instance):
                await link.close(COPY)
                self._on_copy(link.peer, False)
                return None
            new, held = _mark(link), _mark(old)
            if not new_one_stays(new, held, mine_is_lower=self.me < link.peer):
                await link.close(DUPLICATE)
                return None
        run = self._group.create_task(self._run(peer, link, old, old_run))
        peer.set_link(link, run)
        return run

    async def _run(self, peer: _Peer, link: Link, old: Link | None, old_run: asyncio.Task[None] | None) -> None:
        began = asyncio.get_running_loop().time()
        reason = "done"
        try:
            if old is not None:
                await self._end(old, old_run, DUPLICATE)
            if link.closed_reason:
                return
            log.info("net.linked", peer=to_text(peer.node_id), dialled=link.dialled)
            await self._on_link(link)
        except JarvisError as error:
            reason = "an error"
            log.warning("net.link_failed", peer=to_text(peer.node_id), error=str(error))
        except Exception:
            # A fault of ours, set off by one peer: it must cost that link, not the home.
            reason = "an error"
            log.exception("net.link_failed", peer=to_text(peer.node_id))
        except asyncio.CancelledError:
            reason = STOPPING
            raise
        finally:
            try:
                await link.close(reason)
            finally:
                if link.closed_reason == COPY:
                    self._on_copy(peer.node_id, True)
                if peer.link is link:
                    steady = asyncio.get_running_loop().time() - began >= STEADY_S
                    peer.failures = 0 if steady else peer.failures + 1
                    peer.set_link(None, None)
                log.info("net.unlinked", peer=to_text(peer.node_id), reason=link.closed_reason)

    async def _end(self, link: Link, run: asyncio.Task[None] | None, reason: str) -> None:
        """Close a link and see its `on_link` to its end."""
        await link.close(reason)
        if run is not None and not run.done():
            _, late = await asyncio.wait([run], timeout=END_DEADLINE_S / 2)
            for task in late:
                task.cancel()
                await asyncio.wait([task])

    def _draw(self) -> Ticket:
        self._number += 1
        return Ticket(self._instance, self._number)

    def _remember(self) -> None:
        best = self._book.best()
        if best != self._saved:
            self._saved = best
            self._save(best)


def _mark(link: Link) -> Mark:
    return Mark(link.dialled, link.mine, link.theirs)


async def _happened(event: asyncio.Event, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
