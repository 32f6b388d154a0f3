"""The running node, as the API sees it: it joins the rooms below and holds one task group, in which everything that
runs has its place. It decides nothing itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from jarvis import __version__
from jarvis.assistant.assistant import Assistant
from jarvis.assistant.types import TimerInfo
from jarvis.core.codec import Limits, pack, unpack
from jarvis.core.errors import InvalidBytes, InvalidInput, JarvisError, NotFound
from jarvis.core.events import EventBus
from jarvis.core.ids import to_text
from jarvis.core.time import Clock
from jarvis.identity.branches import Branches
from jarvis.net.addresses import join_address
from jarvis.net.connector import Connector
from jarvis.net.discovery import Discovery
from jarvis.net.interfaces import local_addresses
from jarvis.node.audit import Audit
from jarvis.node.backup import Backups
from jarvis.node.comparison import Comparison
from jarvis.node.config import Config
from jarvis.node.copies import TOPIC as COPY
from jarvis.node.copies import CopyWatch
from jarvis.node.dialogue import Dialogue
from jarvis.node.events import DocumentsChanged, NodeJoined, PeerLinked, TimerRang
from jarvis.node.home import Home
from jarvis.node.horizon import Compaction
from jarvis.node.invitations import Invitations
from jarvis.node.journal import Commit, Journal
from jarvis.node.members import Members, save_addresses
from jarvis.node.notes import Notes
from jarvis.node.peering import Peering
from jarvis.node.recovery import recover
from jarvis.node.removal import Removal
from jarvis.node.retention import Retention
from jarvis.node.rewriting import RewritingTask
from jarvis.node.sessions import Sessions
from jarvis.node.speech import Speech
from jarvis.node.timers import Timers
from jarvis.sync.messages import Ephemeral

SHUTDOWN_S = 4.0
"""Of the five seconds that a stop may take."""
SAY = "say"
SAY_LIMITS = Limits(size_bytes=9_000, depth=2, items=4)
MAX_SAY_CHARS = 2_000
MAX_ANNOUNCEMENTS = 4
"""That wait to be spoken here: nobody wants to hear more, and a peer could send them without end."""
RETRY_AUDIO_S = 5.0
MAX_ADDRESSES = 8
"""Told to peers and joiners: as many as a peer remembers."""

log = structlog.get_logger()


@dataclass
class Parts:
    """What a node is made of; built by jarvis.app."""

    node_id: bytes
    data_dir: str
    clock: Clock
    events: EventBus
    journal: Journal
    members: Members
    peering: Peering
    comparison: Comparison
    connector: Connector
    discovery: Callable[[int], Discovery]
    """Made once the peer port is known."""
    invitations: Invitations
    removal: Removal
    sessions: Sessions
    config: Config
    audit: Audit
    timers: Timers
    notes: Notes
    backups: Backups
    home: Home
    compaction: Compaction
    rewriting: RewritingTask
    copies: CopyWatch
    left: asyncio.Event
    """Set once this node has left its home: then it ends."""
    retention: Retention
    dialogue: Dialogue
    speech: Speech
    assistant: Assistant
    bind: str
    """Address the peer port listens on."""
    listen: Callable[[], Awaitable[None]] | None
    """Hears and answers until the source ends; None without sound."""
    engines: Sequence[Callable[[], Awaitable[None]]]
    """Close the workers: whatever is being answered ends with them."""
    close: Callable[[], Awaitable[None]]
    """Closes the store, last of all."""


class _Left(Exception):
    """Ends the node's task group."""


class Node:
    """See the parts for what each does."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.node_id = parts.node_id
        self.events = parts.events
        self.sessions = parts.sessions
        self.config = parts.config
        self.audit = parts.audit
        self.timers = parts.timers
        self.notes = parts.notes
        self.backups = parts.backups
        self.home = parts.home
        self.peering = parts.comparison
        self.api_url = ""
        self.peer_port = 0
        self.discovery: Discovery | None = None
        self._began_ms = parts.clock.mono_ms()
        self._audio_problem = ""
        self._background: asyncio.TaskGroup | None = None
        self._announcements: set[asyncio.Task[None]] = set()
        self._talks_nonsense: set[bytes] = set()
        self._addresses: dict[bytes, list[str]] = {}
        self._addresses_changed = asyncio.Event()
        parts.journal.listen(self._committed)

    # --- its life -----------------------------------------------------------------------------------------------

    async def run(self, serve: Callable[[], Awaitable[None]], stop_serving: Callable[[], Awaitable[None]]) -> None:
        """Run until cancelled, or until it has left its home; `serve` is awaited once peers can link and timers ring,
        `stop_serving` while the store is still there for those who are being answered."""
        parts = self._parts
        try:
            await parts.members.refresh()
            await parts.timers.load()
            await parts.dialogue.close_left(self.node_id)
            self.peer_port = await parts.connector.open()
            self._tell_addresses()
            self.discovery = parts.discovery(self.peer_port)
            async with asyncio.TaskGroup() as group:
                self._background = group
                group.create_task(parts.connector.run(), name="links")
                group.create_task(self.discovery.run(), name="discovery")
                group.create_task(parts.peering.run(), name="protocol")
                group.create_task(parts.invitations.run(), name="invitations")
                group.create_task(parts.timers.run(), name="timers")
                group.create_task(parts.compaction.run(), name="compaction")
                group.create_task(recover(parts.journal), name="recovery")
                group.create_task(parts.retention.run(), name="retention")
                group.create_task(parts.journal.follow_budget(parts.config.value, parts.peering.pause), name="budget")
                group.create_task(parts.members.follow(), name="names")
                group.create_task(self._remember_addresses(), name="addresses")
                group.create_task(self._until_left(), name="leaving")
                group.create_task(parts.removal.run(), name="removals")
                group.create_task(parts.rewriting.run(), name="rewriting")
                if parts.listen is not None:
                    group.create_task(self._listen(parts.listen), name="audio")
                await serve()
        except* _Left:
            log.info("the node has left its home")
        finally:
            self._background = None
            await asyncio.shield(self._close(stop_serving))

    async def _close(self, stop_serving: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(SHUTDOWN_S):
                engines = [close() for close in self._parts.engines]
                await asyncio.gather(stop_serving(), self._parts.connector.close(), *engines)
                await self._parts.journal.drain()
                await self._parts.close()
        except TimeoutError:
            log.warning("the node did not close in time", seconds=SHUTDOWN_S)

    @property
    def left(self) -> bool:
        return self._parts.left.is_set()

    async def _until_left(self) -> None:
        await self._parts.left.wait()
        raise _Left

    async def _listen(self, listen: Callable[[], Awaitable[None]]) -> None:
        """A microphone that vanishes is waited for; the node answers by text meanwhile."""
        while True:
            try:
                await listen()
                return
            except JarvisError as error:
                if self._audio_problem != str(error):
                    log.warning("audio failed", reason=str(error), fix=error.fix)
                self._audio_problem = str(error)
                if not error.retry:
                    return
            await asyncio.sleep(RETRY_AUDIO_S)

    async def _remember_addresses(self) -> None:
        while True:
            await self._addresses_changed.wait()
            self._addresses_changed.clear()
            try:
                await save_addresses(self._parts.journal, self._addresses)
            except JarvisError as error:
                log.warning("addresses were not saved", reason=str(error))

    # --- what happens around it ---------------------------------------------------------------------------------

    def network_changed(self) -> None:
        """The device has another address, or a cable again."""
        self._tell_addresses()
        self._parts.connector.network_changed()

    def _tell_addresses(self) -> None:
        """To whoever is invited or linked from now on."""
        hosts = local_addresses(self._parts.bind)[:MAX_ADDRESSES]
        addresses = tuple(join_address(host, self.peer_port) for host in hosts)
        self._parts.invitations.reachable(self.peer_port, addresses)
        self._parts.peering.reached_at(addresses)

    def remember_addresses(self, addresses: dict[bytes, list[str]]) -> None:
        self._addresses = addresses
        self._addresses_changed.set()

    def linked(self, peer: bytes, connected: bool) -> None:
        self._parts.members.seen(peer)
        self.events.publish(PeerLinked(at_ms=self._parts.clock.mono_ms(), node_id=to_text(peer), connected=connected))

    def members_changed(self, branches: Branches) -> None:
        known, chain = set(self._parts.members.chain.members), branches.chain
        self._parts.members.branches_are(branches)
        self._parts.connector.members_changed()
        if self.discovery is not None:
            self.discovery.repeat()
        for node_id in set(chain.members) - known:
            self.events.publish(NodeJoined(at_ms=self._parts.clock.mono_ms(), node_id=to_text(node_id)))

    def delivered(self, peer: bytes, message: Ephemeral) -> None:
        """An ephemeral message: something to say here, or that a copy of this node was seen."""
        if message.topic == COPY:
            self._parts.copies.of_us(peer)
        if message.topic != SAY:
            return
        try:
            value = unpack(message.body, SAY_LIMITS)
        except InvalidBytes:
            value = None
        if not (isinstance(value, list) and len(value) == 2 and all(isinstance(one, str) for one in value)):
            if peer not in self._talks_nonsense:  # members only, so it cannot grow beyond them
                self._talks_nonsense.add(peer)
                log.warning("peer sent a message without sense", peer=to_text(peer), topic=SAY)
            return
        room, text = value
        mine = room in ("", self._parts.members.room_of(self.node_id).lower())
        if mine and len(text) <= MAX_SAY_CHARS:
            self._announce(text)

    def _announce(self, text: str) -> None:
        """Speak it when the others before it were spoken; one too many is left out."""
        if self._background is not None and len(self._announcements) < MAX_ANNOUNCEMENTS:
            task = self._background.create_task(self._parts.speech.announce(text), name="announcement")
            self._announcements.add(task)
            task.add_done_callback(self._announcements.discard)

    async def ring(self, timer: TimerInfo) -> None:
        """One ring of a timer that is due."""
        self.events.publish(TimerRang(at_ms=self._parts.clock.mono_ms(), timer_id=timer.timer_id))
        await self._parts.speech.announce(f"Your {timer.name + ' ' if timer.name else ''}timer is done.")

    def _committed(self, commit: Commit) -> None:
        if commit.documents:
            self.events.publish(
                DocumentsChanged(
                    at_ms=self._parts.clock.mono_ms(),
                    documents=tuple(sorted(commit.documents)),
                    from_peer=to_text(commit.source) if commit.source else "",
                )
            )

    # --- what people ask of it ----------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        members, author = self._parts.members, self._parts.journal.author
        return {
            "node_id": to_text(self.node_id),
            "name": members.name_of(self.node_id),
            "room": members.room_of(self.node_id),
            "home_id": to_text(members.chain.home_id),
            "home_name": members.home_name,
            "roles": members.roles(self.node_id),
            "version": __version__,
            "api_url": self.api_url,
            "peer_port": self.peer_port,
            "data_dir": self._parts.data_dir,
            "incarnation": to_text(author[16:]) if author else None,
        }

    async def nodes(self) -> list[dict[str, Any]]:
        return await self._parts.members.list(self._parts.peering)

    async def invite(self, name: str | None, room: str | None) -> dict[str, Any]:
        return await self._parts.invitations.invite(name, room)

    async def remove_node(self, wanted: str) -> dict[str, Any]:
        return await self._parts.removal.remove(wanted)

    async def quarantine(self) -> list[dict[str, Any]]:
        return await self._parts.removal.quarantine()

    async def ask(self, text: str, *, session: str | None, speak: bool) -> dict[str, Any]:
        turn = await self._parts.dialogue.begin(text, session=session)
        async with contextlib.aclosing(turn.pieces()) as pieces:
            reply = "".join([piece async for piece in pieces]).strip()
        if speak and reply:
            await self._parts.speech.say(reply)
        return {
            "session_id": turn.session_id,
            "turn_id": turn.turn_id,
            "text": text,
            "reply": reply,
            "source": turn.reply.source,
            "provider": turn.reply.provider,
            "intent": turn.reply.intent,
            "citations": [],
            "timings_ms": turn.timings_ms,
        }

    async def hear(self, audio: bytes, *, wake: bool, realtime: bool) -> tuple[dict[str, Any], bytes]:
        return await self._parts.speech.hear(audio, wake=wake, realtime=realtime)

    async def say(self, text: str, *, room: str | None, everywhere: bool) -> tuple[dict[str, Any], bytes]:
        """Speak here, in another room, or everywhere. The others begin when this node has made the first sound: when it
        cannot, nobody speaks. Raises NotFound when no node of that room is connected, InvalidInput for a long text."""
        if len(text) > MAX_SAY_CHARS:
            raise InvalidInput(
                f"At most {MAX_SAY_CHARS} characters are spoken, these are {len(text)}.", fix="Say it in several parts."
            )
        members, peering = self._parts.members, self._parts.peering
        await members.refresh()
        here = members.room_of(self.node_id)
        reachable = {members.room_of(one): one for one in peering.connected()}
        rooms = [here]
        if everywhere:
            rooms += sorted(reachable)
        elif room is not None:
            wanted = {members.room_of(one) for one in members.in_room(room)}
            rooms = sorted(one for one in wanted if one == here or one in reachable)
            if not rooms:
                raise NotFound(f"No node in {room!r} is connected.", fix="`jarvis node list` shows who is.")
        speaking: list[str] = []
        problems: list[str] = []

        def begin() -> None:
            speaking[:] = dict.fromkeys(rooms)
            if everywhere or rooms[0] != here:
                peering.broadcast(SAY, pack(["" if everywhere else rooms[0].lower(), text]))

        wav = b""
        try:
            wav = await self._parts.speech.say(text, aloud=here in rooms, begins=begin)
        except JarvisError as error:
            if speaking in ([], [here]):
                raise
            problems.append(str(error))
        return {"rooms": speaking, "problems": problems}, wav

    async def status(self) -> dict[str, Any]:
        components = {
            "store": await self._store_state(),
            "links": self._links_state(),
            "identity": self._parts.copies.state(),
            "discovery": self._discovery_state(),
            "audio": self._audio_state(),
        }
        for worker in (self._parts.speech.stt, self._parts.speech.tts):
            components[worker.name] = {"state": _engine_state(worker.state), "detail": worker.state}
        for model in await self._parts.assistant.statuses():
            detail = model.available.model if model.available.ok else model.available.reason
            label = "" if model.trusted else " (small: chats, but is not asked for facts)"
            components[f"llm.{model.name}"] = {
                "state": "ok" if model.available.ok else "off",
                "detail": detail + (label if model.available.ok else ""),
            }
        weights = {"ok": 0, "off": 0, "degraded": 15, "failed": 50}
        health = max(0, 100 - sum(weights[part["state"]] for part in components.values()))
        return {
            "health": health,
            "components": components,
            "uptime_s": round((self._parts.clock.mono_ms() - self._began_ms) / 1000, 1),
            "node": self.info(),
        }

    async def _store_state(self) -> dict[str, str]:
        try:
            count = await self._parts.journal.read(lambda tx, _: tx.record_count())
        except JarvisError as error:
            return {"state": "failed", "detail": str(error)}
        journal = self._parts.journal
        if journal.problem:
            return {"state": "failed", "detail": journal.problem}
        full = journal.budget.problem
        return {"state": "degraded" if full else "ok", "detail": full or f"{count} records"}

    def _links_state(self) -> dict[str, str]:
        others = len(self._parts.members.chain.members.keys() - {self.node_id})
        connected = len(self._parts.peering.connected())
        return {"state": "ok" if connected == others else "degraded", "detail": f"{connected} of {others} peers"}

    def _discovery_state(self) -> dict[str, str]:
        if self.discovery is None or not self.discovery.announcing:
            return {"state": "off", "detail": "mDNS is off, or there is no network"}
        return {"state": "ok", "detail": "announcing with mDNS"}

    def _audio_state(self) -> dict[str, str]:
        if self._parts.listen is None:
            return {"state": "off", "detail": "this node has no microphone"}
        return {"state": "failed" if self._audio_problem else "ok", "detail": self._audio_problem or "listening"}


def _engine_state(state: str) -> str:
    return {"ready": "ok", "starting": "ok", "stopped": "off"}.get(state, "failed")
