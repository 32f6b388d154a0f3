"""Conversations: where they are kept, who may hear of them, and what other rooms see of one while it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from jarvis.building.links import Links
from jarvis.building.records import Records
from jarvis.core.codec import pack
from jarvis.node.talk.partials import LIMITS, TOPIC, Partials
from jarvis.node.talk.privacy import Privacy
from jarvis.node.talk.private import PrivateSessions
from jarvis.node.talk.sessions import Sessions


@dataclass(frozen=True)
class Conversations:
    sessions: Sessions
    privacy: Privacy
    partials: Partials


def conversations(kept: Records, linked: Links) -> Conversations:
    journal, clock, config, peering = kept.journal, kept.clock, kept.config, linked.peering
    sessions = Sessions(
        journal,
        kept.audit,
        clock,
        PrivateSessions(journal, clock, kept.node_id),
        shared=lambda: privacy.shared(),
        busy=lambda room: partials.busy(room),
        reachable=lambda node_id: node_id == kept.node_id or node_id in peering.connected(),
    )
    privacy = Privacy(config.value, config.follow, sessions.private_in)
    partials = Partials(
        lambda value: peering.whisper(TOPIC, pack(value)), privacy.shared, peering.connected, kept.events, clock
    )
    linked.topics.serve(TOPIC, partials.delivered, LIMITS)
    return Conversations(sessions, privacy, partials)
