"""What is kept, and what everybody reads: the journal over the store, the members, the configuration, the audit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from jarvis.core.events import EventBus
from jarvis.core.settings import Settings
from jarvis.core.time import Clock, SystemClock
from jarvis.identity.branches import Branches
from jarvis.identity.keys import SigningKey
from jarvis.node.config import Config
from jarvis.node.membership import founding
from jarvis.node.membership.members import Members
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.replica.bounds import Bounds
from jarvis.replica.replica import Replica
from jarvis.store.protocol import Head, Store


@dataclass(frozen=True)
class Records:
    node_id: bytes
    clock: Clock
    events: EventBus
    journal: Journal
    members: Members
    audit: Audit
    config: Config
    heads: Mapping[bytes, Head]
    bounds: Bounds
    branches: Branches
    """The last three as they were when the store was opened: where the protocol begins."""


async def records(settings: Settings, key: SigningKey, store: Store) -> Records:
    clock = SystemClock()
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
    return Records(key.node_id, clock, EventBus(), journal, members, audit, config, heads, bounds, branches)
