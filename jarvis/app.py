"""The composition root: the one place that knows concrete classes. It builds a node from its settings, with the API in
front, and runs both until it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from jarvis.api.server import ApiServer
from jarvis.assistant.assistant import APOLOGIES, Assistant
from jarvis.assistant.language import LanguageModel
from jarvis.assistant.ollama_model import OllamaModel
from jarvis.assistant.types import TimerInfo
from jarvis.core.codec import pack
from jarvis.core.events import EventBus
from jarvis.core.garbage import look_less_often
from jarvis.core.settings import Settings
from jarvis.core.time import SystemClock
from jarvis.engines.engine import Engine
from jarvis.engines.ranked import Ranked
from jarvis.engines.worker import Worker
from jarvis.identity.keys import SigningKey
from jarvis.identity.sealed import Opener
from jarvis.knowledge.embedding import embedding_worker
from jarvis.net.connector import Connector
from jarvis.net.discovery import Discovery
from jarvis.net.transport import TlsTransport
from jarvis.node import backup, founding
from jarvis.node.admissions import Admissions
from jarvis.node.announcing import Announcing
from jarvis.node.apologies import Apologies
from jarvis.node.audit import Audit
from jarvis.node.backup import Backups
from jarvis.node.choosing import Choosing
from jarvis.node.claim_account import explained
from jarvis.node.claims import RoomClaims, Surroundings
from jarvis.node.comparison import Comparison
from jarvis.node.config import Config
from jarvis.node.copies import CopyWatch
from jarvis.node.dialogue import Dialogue
from jarvis.node.directory import DataDirectory
from jarvis.node.engines import Engines
from jarvis.node.handover import Handover
from jarvis.node.home import Home
from jarvis.node.horizon import Compaction
from jarvis.node.invitations import Invitations
from jarvis.node.journal import Journal
from jarvis.node.known_time import KnownTime
from jarvis.node.language import BorrowedModel, EmbeddedModel, embedded_worker
from jarvis.node.leaving import Leaving
from jarvis.node.lending import Lending, PeersEngine
from jarvis.node.listening import Listening
from jarvis.node.members import Members, load_addresses
from jarvis.node.memory import Memory
from jarvis.node.mute import Mute
from jarvis.node.node import Node, Parts
from jarvis.node.notes import Notes
from jarvis.node.partials import LIMITS as PARTIAL_LIMITS
from jarvis.node.partials import TOPIC as PARTIAL_TOPIC
from jarvis.node.partials import Partials
from jarvis.node.peering import Peering
from jarvis.node.privacy import Privacy
from jarvis.node.private import PrivateSessions
from jarvis.node.removal import Removal
from jarvis.node.retention import Retention
from jarvis.node.rewriting import RewritingTask
from jarvis.node.sessions import Sessions
from jarvis.node.skills import HomeSkills
from jarvis.node.sound import Sound
from jarvis.node.speech import Speech
from jarvis.node.status import Status
from jarvis.node.timers import Around, Timers
from jarvis.node.topics import Topics
from jarvis.replica.replica import Replica
from jarvis.store.protocol import Store
from jarvis.sync.machine import Sync

JOIN_DEADLINE_S = 60.0


def init_home(data_dir: Path, name: str | None, room: str | None, home_name: str | None) -> dict[str, Any]:
    return asyncio.run(founding.found_home(data_dir, name, room, home_name))


async def join_home(
    data_dir: Path,
    code: str,
    peer: str | None,
    deadline_s: float = JOIN_DEADLINE_S,
    *,
    name: str | None = None,
    room: str | None = None,
) -> dict[str, Any]:
    return await founding.join_home(data_dir, code, peer, name=name, room=room, deadline_s=deadline_s)


async def back_up(data_dir: Path, passphrase: str | None) -> AsyncGenerator[dict[str, Any], None]:
    """What `Backups.make` gives, of a node that does not run. Raises BadConfiguration when there is none or it runs."""
    directory, clock = DataDirectory(data_dir), SystemClock()
    directory.must_hold_a_node()
    with directory.lock():
        key = directory.load_identity()
        store = await directory.open_store()
        try:
            journal = Journal(store, Replica(key, entropy=os.urandom, wall_ms=clock.wall_ms))
            members = Members(journal, await journal.read(lambda tx, replica: replica.chain(tx)), key.node_id, clock)
            async with contextlib.aclosing(
                Backups(journal, members, key.node_id, clock, None).make(passphrase)
            ) as rows:
                async for row in rows:
                    yield row
        finally:
            await store.close()


def forget_home(data_dir: Path) -> dict[str, Any]:
    """Empty the directory of a node that does not run and knows that its home has let it go.

    Raises BadConfiguration when there is no node, NotAllowed when it is a member still."""
    return asyncio.run(founding.forget_home(data_dir))


def restore_home(
    data_dir: Path,
    path: Path,
    opener: Opener,
    *,
    name: str | None,
    room: str | None,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    return asyncio.run(backup.restore(data_dir, path, opener, name=name, room=room, progress=progress))


async def run_node(settings: Settings, *, on_ready: Callable[[dict[str, Any]], None]) -> None:
    """Run the node in `settings.data_dir` until cancelled, or until it has left its home: then the directory is empty
    when this returns. `on_ready` is given what `run` prints when it is ready.

    Raises BadConfiguration when there is no node, another runs here, a port is taken or the keys do not fit."""
    directory = DataDirectory(settings.data_dir)
    directory.must_hold_a_node()
    with directory.lock():
        key = directory.load_identity()
        store = await directory.open_store()
        try:
            node = await _build(settings, directory, key, store)
        except BaseException:
            await store.close()
            raise
        api = ApiServer(node, token=secrets.token_urlsafe(32), port=settings.api_port)

        async def serve() -> None:
            node.api_url = await api.start()
            info = node.info()
            look_less_often()
            on_ready({"event": "ready", **{name: info[name] for name in ("node_id", "api_url", "peer_port")}})

        await node.run(serve, api.close)
        if node.left:
            directory.forget()


async def _build(settings: Settings, directory: DataDirectory, key: SigningKey, store: Store) -> Node:
    clock, events = SystemClock(), EventBus()
    replica = Replica(key, entropy=os.urandom, wall_ms=clock.wall_ms)
    journal = Journal(store, replica)
    chain = await store.write(lambda tx: replica.open(tx, guest=tx.get(founding.GUEST) is not None))
    heads, bounds, branches = await journal.read(
        lambda tx, replica: (dict(replica.heads(tx)), replica.bounds(tx), replica.branches(tx))
    )

    members = Members(journal, chain, key.node_id, clock)
    members.branches_are(branches)
    await members.refresh()
    audit = Audit(journal, clock)
    config = Config(
        journal,
        audit,
        key.node_id,
        file=settings.config,
        find=members.find,
        refresh_names=members.refresh,
        name_of=members.name_of,
    )
    sessions = Sessions(
        journal,
        audit,
        clock,
        PrivateSessions(journal, clock, key.node_id),
        shared=lambda: privacy.shared(),
        busy=lambda room: partials.busy(room),
        reachable=lambda node_id: node_id == key.node_id or node_id in peering.connected(),
    )
    privacy = Privacy(config.value, config.follow, sessions.private_in)

    def node() -> Node:
        return built[0]

    built: list[Node] = []
    peering = Peering(
        journal,
        Sync(key.node_id, chain.entries, heads, bounds=bounds, branches=branches),
        clock,
        deliver=lambda peer, message: topics.deliver(peer, message),
        linked=lambda peer, connected: node().linked(peer, connected),
        members_changed=lambda branches: node().members_changed(branches),
        met=lambda link, addresses: connector.greeted(link, addresses),
    )
    topics = Topics(peering.tell, peering.broadcast)
    partials = Partials(
        lambda value: peering.whisper(PARTIAL_TOPIC, pack(value)), privacy.shared, peering.connected, events, clock
    )
    topics.serve(PARTIAL_TOPIC, partials.delivered, PARTIAL_LIMITS)
    remembered = await load_addresses(journal)
    connector = Connector(
        TlsTransport(
            me=key.node_id,
            members=members.certificates,
            certificate=directory.certificate,
            key=directory.node_key,
            bind=settings.bind,
            port=settings.peer_port,
        ),
        me=key.node_id,
        members=members.certificates,
        on_link=peering.on_link,
        peers=settings.peer,
        load=lambda: remembered,
        save=lambda addresses: node().remember_addresses(addresses),
        on_copy=lambda peer, of_us: copies.of_us(peer) if of_us else copies.of_peer(peer),
    )
    copies = CopyWatch(key.node_id, clock, members.name_of, topics)

    async def compact_every() -> int:
        value = await config.value("sync.compact_records")
        return int(value) if value.isdigit() else 0  # a file or the environment may say anything

    compaction = Compaction(journal, members, peering.horizons, audit, key.node_id, clock, every=compact_every)

    def discovery(port: int) -> Discovery:
        return Discovery(
            me=key.node_id,
            home=chain.home_id,
            port=port,
            bind=settings.bind,
            found=connector.learn,
            network_changed=lambda: node().network_changed(),
            mdns=settings.mdns,
        )

    engines = Engines(events, clock, lambda: config.value("engine.idle_minutes"), config.follow)
    ears = engines.add("ears", "ears", Worker("ears", "jarvis.voice.ears_engine:EarsEngine", {}))
    stt = engines.add("stt", "stt", Worker("stt", "jarvis.voice.stt:WhisperEngine", {}))
    tts = engines.add("tts", "tts", Worker("tts", "jarvis.voice.tts:PiperEngine", {}))
    engines.add("embedding", "embedding", embedding_worker())
    llm = engines.add("llm", "llm", embedded_worker())
    lending = Lending(
        peering.requests,
        journal,
        audit,
        clock,
        engines={engine.kind: engine for engine in (stt, tts, llm)},
        near=peering.nearest,
        room_of=members.room_of,
        may_leave=lambda: not privacy.closed(),
    )

    def lent(kind: str, own: Engine) -> Ranked:
        return engines.ranked(kind, own, PeersEngine(lending, kind))

    embedded = EmbeddedModel(llm)
    models: list[LanguageModel] = [embedded, BorrowedModel(lending, embedded.well)]
    ollama = OllamaModel(settings.ollama_url, settings.ollama_model) if settings.ollama_url else None
    if ollama is not None:
        models.insert(0, ollama)
    assistant = Assistant(models)

    def rouse() -> None:
        for engine in (stt, tts) if ollama is not None and ollama.answered else (stt, tts, llm):
            engine.want()

    time = KnownTime(clock, lambda: {peer: peering.clock_offset_ms(peer) for peer in peering.connected()})
    around = Around(
        room_of=members.room_of,
        others=lambda: len(members.chain.members.keys() - {key.node_id}) > 0,
        behind=lambda: any((peering.progress(peer) or (0, 0))[0] for peer in peering.connected()),
        aloud=lambda: speech.speaker is not None,
        attend=lambda ms: speech.attend(ms, assistant.hushes),
    )

    async def ring(timer: TimerInfo) -> None:
        named = dialogue.private_home.called(timer)
        with privacy.keep() if named.name != timer.name else contextlib.nullcontext():
            await node().ring(named)

    timers = Timers(journal, clock, time, key.node_id, topics, ring, around)
    dialogue = Dialogue(
        journal,
        sessions,
        audit,
        assistant,
        HomeSkills(time, timers, Memory(journal), config, lambda text, room: announcing.announce(text, room)),
        events,
        clock,
        room=lambda: config.value("node.room"),
        assistant_name=lambda: config.value("assistant.name"),
        closes=timers.silence,
        choosing=Choosing(sessions, shared=privacy.shared, rooms=members.rooms),
        told=partials,
    )
    retention = Retention(
        journal,
        sessions,
        audit,
        clock,
        value=config.value,
        offsets=lambda: map(peering.clock_offset_ms, peering.connected()),
        place=lambda: sum(one < key.node_id for one in members.chain.members),
    )
    speech = Speech(
        dialogue,
        assistant,
        events,
        clock,
        ears=ears,
        stt=lent("stt", stt),
        tts=lent("tts", tts),
        partials=partials,
        privacy=privacy,
        arbiter=lambda: claims,
        rouse=rouse,
    )
    mute = Mute(journal, events, clock)
    claims = RoomClaims(
        key.node_id,
        topics,
        journal,
        audit,
        clock,
        Surroundings(
            peers=peering.connected,
            others=lambda: frozenset(members.chain.members) - {key.node_id},
            able=lambda: not mute.on and all(one.component()["state"] != "failed" for one in (stt, tts)),
            private=privacy.closed,
        ),
    )
    explained(audit, members.room_of)
    sound = None if settings.audio == "none" else Sound(settings.audio, config.value, config.follow)
    announcing = Announcing(
        key.node_id, members, topics, speech, connected=peering.connected, value=config.value, time=time
    )
    removal = Removal(journal, members, peering, audit, clock)
    leaving = Leaving(journal, members, peering, removal, key.node_id, str(directory.path))
    invitations = Invitations(
        members,
        Admissions(journal, audit, peering.requests, clock, key.node_id),
        peering,
        key,
        directory,
        clock,
        bind=settings.bind,
        announcer=lambda: node().discovery,
    )
    built.append(
        Node(
            Parts(
                node_id=key.node_id,
                data_dir=str(directory.path),
                clock=clock,
                events=events,
                journal=journal,
                members=members,
                peering=peering,
                comparison=Comparison(journal, members, peering, key.node_id),
                connector=connector,
                discovery=discovery,
                invitations=invitations,
                removal=removal,
                sessions=sessions,
                config=config,
                audit=audit,
                timers=timers,
                time=time,
                notes=Notes(journal),
                backups=Backups(journal, members, key.node_id, clock, audit),
                home=Home(
                    journal,
                    members,
                    audit,
                    key.node_id,
                    handover=Handover(journal, members, peering, audit, clock, key.node_id),
                    leaving=leaving,
                    compaction=compaction,
                ),
                compaction=compaction,
                left=leaving.left,
                rewriting=RewritingTask(journal, peering, audit, key.node_id),
                retention=retention,
                dialogue=dialogue,
                privacy=privacy,
                partials=partials,
                speech=speech,
                announcing=announcing,
                status=Status(
                    key.node_id, journal, members, copies, assistant, connected=lambda: len(peering.connected())
                ),
                bind=settings.bind,
                mute=mute,
                claims=claims,
                listening=Listening(sound, mute, events, clock, listen=speech.listen, ready=speech.speak_through),
                engines=engines,
                lending=lending,
                apologies=Apologies(events, speech.prepare, APOLOGIES),
                close=store.close,
            )
        )
    )
    return node()
