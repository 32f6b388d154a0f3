"""The running node, as the API sees it: it joins the rooms below and holds one task group, in which everything that
runs has its place. It decides nothing itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from jarvis import __version__
from jarvis.assistant.types import TimerInfo
from jarvis.core.errors import JarvisError
from jarvis.core.events import EventBus
from jarvis.core.ids import to_text
from jarvis.core.time import Clock
from jarvis.identity.branches import Branches
from jarvis.net.addresses import join_address
from jarvis.net.connector import Connector
from jarvis.net.discovery import Discovery
from jarvis.net.interfaces import local_addresses
from jarvis.node.backups.making import Backups
from jarvis.node.config import Config
from jarvis.node.events import DocumentsChanged, NodeJoined, PeerLinked, TimerRang
from jarvis.node.hearing.announcing import Announcing
from jarvis.node.hearing.apologies import Apologies
from jarvis.node.hearing.claims import RoomClaims
from jarvis.node.hearing.home_names import HomeNames
from jarvis.node.hearing.lending import Lending
from jarvis.node.hearing.listening import Listening
from jarvis.node.hearing.mute import Mute
from jarvis.node.hearing.speech import Speech
from jarvis.node.hearing.voice_client import Hello, VoiceClient
from jarvis.node.kept.notes import Notes
from jarvis.node.library.face import Library
from jarvis.node.links.comparison import Comparison
from jarvis.node.links.peering import Peering
from jarvis.node.listeners import Listeners
from jarvis.node.live_settings import LiveSettings
from jarvis.node.membership.home import Home
from jarvis.node.membership.invitations import Invitations
from jarvis.node.membership.members import Members, save_addresses
from jarvis.node.membership.removal import Removal
from jarvis.node.minds.engines import Engines
from jarvis.node.minds.house import HouseDevices
from jarvis.node.minds.offered import OfferedEngines
from jarvis.node.minds.phrases import Phrases
from jarvis.node.minds.prompts import Prompts
from jarvis.node.plugins import NodePlugins
from jarvis.node.records.audit import Audit
from jarvis.node.records.horizon import Compaction
from jarvis.node.records.journal import Commit, Journal
from jarvis.node.records.recovery import recover
from jarvis.node.records.retention import Retention
from jarvis.node.records.rewriting import RewritingTask
from jarvis.node.status import State, Status
from jarvis.node.talk.dialogue import Dialogue
from jarvis.node.talk.partials import Partials
from jarvis.node.talk.privacy import Privacy
from jarvis.node.talk.sessions import Sessions
from jarvis.node.timing.face import TimerFace
from jarvis.node.timing.known_time import KnownTime
from jarvis.node.timing.timers import Timers, words_of

SHUTDOWN_S = 4.0
"""Of the five seconds that a stop may take."""
MAX_ADDRESSES = 8
"""Told to peers and joiners: as many as a peer remembers."""

log = structlog.get_logger()


@dataclass
class Parts:
    """What a node is made of; built by jarvis.building."""

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
    time: KnownTime
    notes: Notes
    library: Library
    backups: Backups
    home: Home
    compaction: Compaction
    rewriting: RewritingTask
    left: asyncio.Event
    """Set once this node has left its home: then it ends."""
    retention: Retention
    dialogue: Dialogue
    privacy: Privacy
    partials: Partials
    speech: Speech
    announcing: Announcing
    status: Status
    bind: str
    """Address the peer port listens on."""
    mute: Mute
    claims: RoomClaims
    listening: Listening
    house: HouseDevices
    names: HomeNames
    engines: Engines
    """Closed with the node: whatever is being answered ends with them."""
    offered: OfferedEngines
    lending: Lending
    apologies: Apologies
    plugins: NodePlugins
    phrases: Phrases
    listeners: Listeners
    prompts: Prompts
    settings: LiveSettings
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
        self.timers = TimerFace(parts.timers, parts.time)
        self.notes = parts.notes
        self.knowledge = parts.library
        self.backups = parts.backups
        self.home = parts.home
        self.mute = parts.mute
        self.engines = parts.engines
        self.plugins = parts.plugins
        self.settings = parts.settings
        self.peering = parts.comparison
        self.api_url = ""
        self.peer_port = 0
        self.discovery: Discovery | None = None
        self._began_ms = parts.clock.mono_ms()
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
            await parts.mute.load()
            await parts.sessions.private.load()
            await parts.library.load()
            await parts.dialogue.close_left(self.node_id)
            self.peer_port = await parts.connector.open()
            self._tell_addresses()
            self.discovery = parts.discovery(self.peer_port)
            async with asyncio.TaskGroup() as group:
                group.create_task(parts.connector.run(), name="links")
                group.create_task(self.discovery.run(), name="discovery")
                group.create_task(parts.peering.run(), name="protocol")
                group.create_task(parts.invitations.run(), name="invitations")
                group.create_task(parts.timers.run(), name="timers")
                group.create_task(parts.compaction.run(), name="compaction")
                group.create_task(recover(parts.journal, parts.peering.ask_again), name="recovery")
                group.create_task(parts.retention.run(), name="retention")
                group.create_task(parts.journal.follow_budget(parts.config.value, parts.peering.pause), name="budget")
                group.create_task(parts.members.follow(), name="names")
                group.create_task(self._remember_addresses(), name="addresses")
                group.create_task(self._until_left(), name="leaving")
                group.create_task(parts.removal.run(), name="removals")
                group.create_task(parts.rewriting.run(), name="rewriting")
                group.create_task(parts.announcing.run(), name="announcements")
                group.create_task(parts.privacy.run(), name="privacy")
                group.create_task(parts.partials.run(), name="partials")
                group.create_task(parts.engines.run(), name="engines")
                group.create_task(parts.offered.run(), name="plugins' engines")
                group.create_task(parts.lending.run(), name="lending")
                group.create_task(parts.house.run(), name="Home Assistant")
                group.create_task(parts.names.run(), name="what things are called")
                group.create_task(parts.apologies.run(), name="apologies")
                group.create_task(parts.listeners.run(), name="plugins' listeners")
                group.create_task(parts.phrases.run(), name="sentences")
                group.create_task(parts.prompts.run(), name="prompts")
                group.create_task(parts.settings.run(), name="settings")
                group.create_task(parts.library.run(), name="library")
                group.create_task(parts.claims.run(), name="claims")
                group.create_task(parts.listening.run(), name="audio")
                await serve()
        except* _Left:
            log.info("the node has left its home")
        finally:
            await asyncio.shield(self._close(stop_serving))

    async def _close(self, stop_serving: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(SHUTDOWN_S):
                await asyncio.gather(stop_serving(), self._parts.connector.close(), self._parts.engines.close())
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
        self._parts.claims.links_changed()
        self._parts.timers.linked(peer)
        self.events.publish(PeerLinked(at_ms=self._parts.clock.mono_ms(), node_id=to_text(peer), connected=connected))

    def members_changed(self, branches: Branches) -> None:
        known, chain = set(self._parts.members.chain.members), branches.chain
        self._parts.members.branches_are(branches)
        self._parts.connector.members_changed()
        if self.discovery is not None:
            self.discovery.repeat()
        for node_id in set(chain.members) - known:
            self.events.publish(NodeJoined(at_ms=self._parts.clock.mono_ms(), node_id=to_text(node_id)))

    async def ring(self, timer: TimerInfo) -> None:
        """One ring of a timer that is due."""
        self.events.publish(TimerRang(at_ms=self._parts.clock.mono_ms(), timer_id=timer.timer_id))
        await self._parts.speech.ring(words_of(timer, here=self._parts.members.room_of(self.node_id)))

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
        usage = turn.reply.usage
        return {
            "session_id": turn.session_id,
            "turn_id": turn.turn_id,
            "text": text,
            "reply": reply,
            "source": turn.reply.source,
            "provider": turn.reply.provider,
            "intent": turn.reply.intent,
            "tokens": {"prompt": usage.prompt, "completion": usage.completion} if usage else None,
            "citations": list(turn.reply.citations),
            "timings_ms": turn.timings_ms,
        }

    async def understand(self, text: str) -> dict[str, Any]:
        name = await self.config.value("assistant.name")
        return self._parts.phrases.understand(text, name, self._parts.members.rooms())

    async def converse(
        self, *, rate_hz: int, session: str, wake: bool, room: str, realtime: bool, private: bool
    ) -> VoiceClient:
        return await self._parts.speech.client(Hello(rate_hz, session, wake, room, realtime, private))

    async def hear(self, audio: bytes, *, wake: bool, realtime: bool) -> tuple[dict[str, Any], bytes]:
        return await self._parts.speech.hear(audio, wake=wake, realtime=realtime)

    async def say(self, text: str, *, room: str | None, everywhere: bool, urgent: bool) -> tuple[dict[str, Any], bytes]:
        return await self._parts.announcing.say(text, room=room, everywhere=everywhere, urgent=urgent)

    async def status(self) -> dict[str, Any]:
        others = {
            "settings": self._parts.settings.component(),
            "discovery": self._discovery_state(),
            "audio": self._parts.listening.state(),
            "plugins": self._parts.plugins.component(),
            "sentences": self._parts.phrases.component(),
            "prompts": self._parts.prompts.component(),
            "home_assistant": self._parts.house.component(),
            **self._parts.engines.components(),
        }
        return {
            **await self._parts.status.look(others),
            "uptime_s": round((self._parts.clock.mono_ms() - self._began_ms) / 1000, 1),
            "node": self.info(),
        }

    def _discovery_state(self) -> State:
        if self.discovery is None or not self.discovery.announcing:
            return {"state": "off", "detail": "mDNS is off, or there is no network"}
        return {"state": "ok", "detail": "announcing with mDNS"}
