"""How a data directory becomes a node: by founding a home, or by joining one with a code. Either everything is there
afterwards, durable, or the directory is as empty as before and it can be tried again."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from jarvis.core.codec import pack
from jarvis.core.errors import BadConfiguration, InvalidBytes
from jarvis.core.ids import to_text
from jarvis.core.time import SystemClock
from jarvis.crdt.registry import CONFIG
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import (
    RECOVERY_ENTROPY_BYTES,
    SEED_BYTES,
    SigningKey,
    recovery_key,
    recovery_phrase,
)
from jarvis.identity.membership import Chain
from jarvis.net.join import join
from jarvis.net.pairing import Proven, Welcome
from jarvis.node.audit import Audit
from jarvis.node.directory import DataDirectory
from jarvis.node.journal import Journal, Write
from jarvis.node.members import ADDRESSES, OWNER_KEY, check_name
from jarvis.replica.replica import Replica
from jarvis.store.protocol import Transaction

DEFAULT_NAME, DEFAULT_ROOM, DEFAULT_HOME = "jarvis", "home", "Home"


async def found_home(data_dir: Path, name: str | None, room: str | None, home_name: str | None) -> dict[str, Any]:
    """A new home with this node as its first and its owner. Raises BadConfiguration when the directory holds a node.

    The recovery phrase is in the result and nowhere else."""
    name = check_name(name or room or DEFAULT_NAME, "name")
    room = check_name(room or name, "room")
    home_name = check_name(home_name or DEFAULT_HOME, "home's name")
    directory = DataDirectory(data_dir)
    with directory.founding():
        phrase = recovery_phrase(os.urandom(RECOVERY_ENTROPY_BYTES))
        owner = SigningKey(os.urandom(SEED_BYTES))
        key = SigningKey(os.urandom(SEED_BYTES))
        chain = Chain.found(
            owner,
            recovery_key(phrase).public,
            make_certificate(key),
            nonce=os.urandom(16),
            at_ms=int(time.time() * 1000),
        )
        names = _names(key.node_id, name, room)
        home: Write = (CONFIG, lambda state: [state.put("home.name", home_name)])
        await _save(directory, key, chain, [home, names], "home.founded", {OWNER_KEY: owner.seed})
    return {
        "node_id": to_text(key.node_id),
        "name": name,
        "room": room,
        "home_id": to_text(chain.home_id),
        "home_name": home_name,
        "recovery_phrase": phrase,
    }


async def join_home(
    data_dir: Path, code: str, peer: str | None, *, name: str | None, room: str | None, deadline_s: float
) -> dict[str, Any]:
    """Join the home whose node shows `code`. Raises what net.join raises, and BadConfiguration when the directory
    holds a node."""
    # Before anybody is asked: once the home has admitted this node, that stands.
    name = check_name(name, "name") if name else None
    room = check_name(room, "room") if room else None
    directory = DataDirectory(data_dir)
    with directory.founding():
        key = SigningKey(os.urandom(SEED_BYTES))
        result: dict[str, Any] = {}

        async def save(welcome: Welcome, proven: Proven) -> None:
            try:
                chain = Chain.verify(welcome.chain)
            except InvalidBytes as error:
                raise BadConfiguration(f"The home's membership does not hold: {error}") from None
            if chain.home_id != proven.home_id or proven.chain_head not in chain.hashes:
                raise BadConfiguration(
                    "The membership is not that of the home which the code was for.", fix="Invite it again."
                )
            if key.node_id not in chain.members:
                raise BadConfiguration("The home did not admit this node.", fix="Invite it again.")
            own_name = check_name(name or welcome.name or room or welcome.room or DEFAULT_NAME, "name")
            own_room = check_name(room or welcome.room or own_name, "room")
            local = {ADDRESSES: pack({welcome.inviter: welcome.addresses})}
            await _save(directory, key, chain, [_names(key.node_id, own_name, own_room)], "node.joined", local)
            result.update(
                node_id=to_text(key.node_id),
                name=own_name,
                room=own_room,
                home_id=to_text(chain.home_id),
                home_name=welcome.home_name,
            )

        wishes = {"name": name or "", "room": room or ""}
        await join(code, key, make_certificate(key), address=peer, wishes=wishes, save=save, deadline_s=deadline_s)
    return result


def _names(node_id: bytes, name: str, room: str) -> Write:
    prefix = f"node/{to_text(node_id)}/"
    return CONFIG, lambda state: [state.put(prefix + "node.name", name), state.put(prefix + "node.room", room)]


async def _save(
    directory: DataDirectory,
    key: SigningKey,
    chain: Chain,
    writes: list[Write],
    action: str,
    local: dict[str, bytes],
) -> None:
    """The node's key comes last: a directory counts as a node once everything else is durable in it."""
    clock = SystemClock()
    store = await directory.open_store()
    try:
        replica = Replica(key, entropy=os.urandom, wall_ms=clock.wall_ms)
        journal = Journal(store, replica)

        def begin(tx: Transaction) -> None:
            replica.found(tx, chain)
            for name, value in local.items():
                tx.put(name, value)

        await journal.change_local(begin)
        audit = Audit(journal, clock)
        await journal.write(*writes, audit.entry(action, to_text(chain.home_id), actor="user"))
    finally:
        await store.close()
    directory.create_identity(key)
