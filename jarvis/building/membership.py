"""Who belongs to the home: invitations, removals, leaving, the owner's key, and the horizon that all members sign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jarvis.building.links import Links
from jarvis.building.records import Records
from jarvis.core.settings import Settings
from jarvis.identity.keys import SigningKey
from jarvis.node.directory import DataDirectory
from jarvis.node.membership.admissions import Admissions
from jarvis.node.membership.handover import Handover
from jarvis.node.membership.home import Home
from jarvis.node.membership.invitations import Invitations
from jarvis.node.membership.leaving import Leaving
from jarvis.node.membership.removal import Removal
from jarvis.node.node import Node
from jarvis.node.records.horizon import Compaction


@dataclass(frozen=True)
class Membership:
    invitations: Invitations
    removal: Removal
    leaving: Leaving
    compaction: Compaction
    home: Home


def membership(
    settings: Settings,
    directory: DataDirectory,
    key: SigningKey,
    kept: Records,
    linked: Links,
    node: Callable[[], Node],
) -> Membership:
    journal, members, audit, clock, peering = kept.journal, kept.members, kept.audit, kept.clock, linked.peering

    async def compact_every() -> int:
        value = await kept.config.value("sync.compact_records")
        return int(value) if value.isdigit() else 0  # a file or the environment may say anything

    compaction = Compaction(journal, members, peering.horizons, audit, kept.node_id, clock, every=compact_every)
    removal = Removal(journal, members, peering, audit, clock)
    leaving = Leaving(journal, members, peering, removal, kept.node_id, str(directory.path))
    invitations = Invitations(
        members,
        Admissions(journal, audit, peering.requests, clock, kept.node_id),
        peering,
        key,
        directory,
        clock,
        bind=settings.bind,
        announcer=lambda: node().discovery,
    )
    home = Home(
        journal,
        members,
        audit,
        kept.node_id,
        handover=Handover(journal, members, peering, audit, clock, kept.node_id),
        leaving=leaving,
        compaction=compaction,
    )
    return Membership(invitations, removal, leaving, compaction, home)
