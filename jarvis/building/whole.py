"""The whole node, of its parts."""

from __future__ import annotations

from jarvis.assistant.replies import APOLOGIES
from jarvis.building.conversations import conversations
from jarvis.building.library import library
from jarvis.building.links import links
from jarvis.building.membership import membership
from jarvis.building.minds import minds
from jarvis.building.models import SETTINGS as SERVED_BY
from jarvis.building.plugins import plugins
from jarvis.building.records import records
from jarvis.building.talk import talk
from jarvis.core.settings import Settings
from jarvis.identity.keys import SigningKey
from jarvis.node.backups.making import Backups
from jarvis.node.directory import DataDirectory
from jarvis.node.hearing.apologies import Apologies
from jarvis.node.kept.notes import Notes
from jarvis.node.links.comparison import Comparison
from jarvis.node.listeners import Listeners
from jarvis.node.live_settings import LiveSettings
from jarvis.node.minds.phrases import FOLDER, Phrases
from jarvis.node.minds.prompts import FOLDER as PROMPTS
from jarvis.node.minds.prompts import Prompts
from jarvis.node.node import Node, Parts
from jarvis.node.records.retention import Retention
from jarvis.node.records.rewriting import RewritingTask
from jarvis.node.status import Status
from jarvis.store.protocol import Store


async def build(settings: Settings, directory: DataDirectory, key: SigningKey, store: Store) -> Node:
    """Raises BadConfiguration for settings that cannot be. The store is the caller's until this returns."""
    built: list[Node] = []

    def node() -> Node:
        return built[0]

    kept = await records(settings, key, store)
    added = await plugins(directory, kept)
    linked = await links(settings, directory, kept, node)
    belonging = membership(settings, directory, key, kept, linked, node)
    held = conversations(kept, linked)
    thinking = minds(settings, kept, linked, held.privacy, added)
    live = LiveSettings(settings)
    live.follow(("config",), lambda new: kept.config.from_file(new.config))
    live.follow(SERVED_BY, thinking.serve)
    known = library(directory, kept, linked, thinking, held.privacy, added)
    talking = talk(settings, directory, kept, linked, held, thinking, node)

    journal, members, audit, clock, peering = kept.journal, kept.members, kept.audit, kept.clock, linked.peering
    built.append(
        Node(
            Parts(
                node_id=kept.node_id,
                data_dir=str(directory.path),
                clock=clock,
                events=kept.events,
                journal=journal,
                members=members,
                peering=peering,
                comparison=Comparison(journal, members, peering, kept.node_id, thinking.assistant.models.spending.of),
                connector=linked.connector,
                discovery=linked.discovery,
                invitations=belonging.invitations,
                removal=belonging.removal,
                sessions=held.sessions,
                config=kept.config,
                audit=audit,
                timers=talking.timers,
                time=talking.time,
                notes=Notes(journal),
                library=known,
                backups=Backups(journal, members, kept.node_id, clock, audit),
                home=belonging.home,
                compaction=belonging.compaction,
                left=belonging.leaving.left,
                rewriting=RewritingTask(journal, peering, audit, kept.node_id),
                retention=Retention(
                    journal,
                    held.sessions,
                    audit,
                    clock,
                    value=kept.config.value,
                    offsets=lambda: map(peering.clock_offset_ms, peering.connected()),
                    place=lambda: sum(one < kept.node_id for one in members.chain.members),
                ),
                dialogue=talking.dialogue,
                privacy=held.privacy,
                partials=held.partials,
                speech=talking.speech,
                announcing=talking.announcing,
                status=Status(
                    kept.node_id,
                    journal,
                    members,
                    linked.copies,
                    thinking.assistant.models,
                    connected=lambda: len(peering.connected()),
                ),
                bind=settings.bind,
                mute=talking.mute,
                claims=talking.claims,
                listening=talking.listening,
                house=talking.house,
                names=talking.names,
                engines=thinking.engines,
                offered=thinking.offered,
                lending=thinking.lending,
                plugins=added.face,
                phrases=Phrases(
                    directory.path / FOLDER, thinking.assistant, added.plugins.intents, added.plugins.follow
                ),
                listeners=Listeners(
                    kept.events, clock, added.plugins.listeners, added.plugins.follow, held.privacy.closed
                ),
                apologies=Apologies(kept.events, talking.speech.prepare, APOLOGIES),
                prompts=Prompts(directory.path / PROMPTS, thinking.assistant.models),
                settings=live,
                close=store.close,
            )
        )
    )
    return node()
