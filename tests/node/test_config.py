"""Whose value a key is: the home's, a node's, or this device's own."""

from __future__ import annotations

import asyncio
import os

import pytest

from jarvis.core.errors import InvalidInput
from jarvis.core.ids import to_text
from jarvis.core.time import SystemClock
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.audit import Audit
from jarvis.node.config import Config
from jarvis.node.journal import Journal
from jarvis.node.members import Members
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore


def test_a_value_of_this_device_alone_is_never_set_for_another() -> None:
    async def main() -> None:
        key, other, owner = (SigningKey(os.urandom(SEED_BYTES)) for _ in range(3))
        chain = Chain.found(owner, owner.public, make_certificate(key), nonce=bytes(16), at_ms=0)
        chain = chain.admit(owner, make_certificate(other), at_ms=1)
        store, clock = MemoryStore(), SystemClock()
        replica = Replica(key, entropy=os.urandom, wall_ms=clock.wall_ms)
        store.transact(lambda tx: replica.found(tx, chain))
        journal = Journal(store, replica)
        members = Members(journal, chain, key.node_id, clock)
        config = Config(
            journal,
            Audit(journal, clock),
            key.node_id,
            file={},
            find=members.find,
            refresh_names=members.refresh,
            name_of=members.name_of,
        )
        me, them = to_text(key.node_id), to_text(other.node_id)
        with pytest.raises(InvalidInput):
            await config.set("assistant.name", "Friday", node=them, local=True)
        with pytest.raises(InvalidInput):
            await config.unset("assistant.name", node=them, local=True)
        assert (await config.get("assistant.name"))["source"] == "default"
        await config.set("assistant.name", "Friday", node=me, local=True)
        assert (await config.get("assistant.name", me))["source"] == "local"
        assert (await config.get("assistant.name", them))["value"] == "Jarvis"

    asyncio.run(main())
