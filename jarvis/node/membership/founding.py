"""How a data directory becomes a node: by founding a home, or by joining one with a code. Either everything is there
afterwards, durable, or the directory is as empty as before and it can be tried again."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from jarvis.core.codec import pack, unpack
from jarvis.core.errors import BadConfiguration, InvalidBytes, InvalidInput, NotAllowed
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
from jarvis.node.directory import DataDirectory
from jarvis.node.membership.members import ADDRESSES
from jarvis.node.membership.ownership import OWNER_KEY
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.node.records.writing import Write
from jarvis.node.texts import check_name
from jarvis.replica.replica import Replica
from jarvis.store.protocol import Transaction

DEFAULT_NAME, DEFAULT_ROOM, DEFAULT_HOME = "jarvis", "home", "Home"
GUEST = "identity/guest"
"""There while the home that was restored here has not admitted this node's key: the name and the room it shall have."""


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
        names = name_writes(key.node_id, name, room)
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
    """Join the home whose node shows `code`; a directory that holds a node of the same home, restored or as it was,
    keeps all it has. Raises what net.join raises, and BadConfiguration when the directory's home is another one."""
    # Before anybody is asked: once the home has admitted this node, that stands.
    name = check_name(name, "name") if name else None
    room = check_name(room, "room") if room else None
    directory = DataDirectory(data_dir)
    if directory.holds_a_node():
        with directory.lock():
            return await _join_again(directory, code, peer, name, room, deadline_s)
    with directory.founding():
        key = SigningKey(os.urandom(SEED_BYTES))
        result: dict[str, Any] = {}

        async def save(welcome: Welcome, proven: Proven) -> None:
            chain = _welcomed(welcome, proven, key)
            own_name = check_name(name or welcome.name or room or welcome.room or DEFAULT_NAME, "name")
            own_room = check_name(room or welcome.room or own_name, "room")
            local = {ADDRESSES: pack({welcome.inviter: welcome.addresses})}
            await _save(directory, key, chain, [name_writes(key.node_id, own_name, own_room)], "node.joined", local)
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


async def _join_again(
    directory: DataDirectory, code: str, peer: str | None, name: str | None, room: str | None, deadline_s: float
) -> dict[str, Any]:
    """Learn the home's chain and an address from the inviter: how a restored home gets in, and how a member meets an
    owner who was restored elsewhere."""
    clock, key = SystemClock(), directory.load_identity()
    store = await directory.open_store()
    result: dict[str, Any] = {}
    try:
        journal = Journal(store, Replica(key, entropy=os.urandom, wall_ms=clock.wall_ms))
        ours, guest, addresses = await store.read(
            lambda tx: (Chain.verify(tx.membership()), tx.get(GUEST), tx.get(ADDRESSES))
        )
        if not guest and (name or room):
            raise InvalidInput(
                "This node is a member and keeps its name and room.", fix="Change them with `jarvis node rename`."
            )

        async def save(welcome: Welcome, proven: Proven) -> None:
            offered = _welcomed(welcome, proven, key)
            if offered.hashes[: len(ours.hashes)] != ours.hashes and offered.term <= ours.term:
                raise BadConfiguration(
                    "Since they last met, this node's home and the inviting one's have changed their members apart.",
                    fix="Join with an empty --data-dir.",
                )
            writes: list[Write] = []
            if guest:
                own_name = check_name(name or welcome.name or unpack(guest)[0], "name")
                own_room = check_name(room or welcome.room or unpack(guest)[1], "room")
                said = Audit(journal, clock).entry("node.joined", to_text(ours.home_id), actor="user")
                writes = [name_writes(key.node_id, own_name, own_room), said]
                result.update(name=own_name, room=own_room)
            await journal.grow_membership(lambda _: offered, *writes)
            known = unpack(addresses) if addresses else {}

            def remember(tx: Transaction) -> None:
                tx.put(ADDRESSES, pack({**known, welcome.inviter: welcome.addresses}))
                tx.delete(GUEST)

            await journal.change_local(remember)
            result.update(node_id=to_text(key.node_id), home_id=to_text(ours.home_id), home_name=welcome.home_name)

        wishes = {"name": name or "", "room": room or ""}
        await join(
            code,
            key,
            make_certificate(key),
            address=peer,
            wishes=wishes,
            save=save,
            home_id=ours.home_id,
            deadline_s=deadline_s,
        )
    finally:
        await store.close()
    return result


async def forget_home(data_dir: Path) -> dict[str, Any]:
    """Empty the directory of a node that its home has let go, as its own store tells."""
    directory = DataDirectory(data_dir)
    directory.must_hold_a_node()
    with directory.lock():
        key = directory.load_identity()
        store = await directory.open_store()
        try:
            chain = await store.read(lambda tx: Chain.verify(tx.membership()))
        finally:
            await store.close()
        if key.node_id not in chain.removed:
            raise NotAllowed(
                "The home must hear that this node leaves, and it is not running.",
                fix=f"Start it with `jarvis run`; where its home is no more, delete {directory.path}.",
            )
        directory.forget()
    return {"node_id": to_text(key.node_id), "home_id": to_text(chain.home_id), "left": True}


def _welcomed(welcome: Welcome, proven: Proven, key: SigningKey) -> Chain:
    """The chain in a welcome. Raises BadConfiguration when it does not hold, is not the proven home's, or this node is
    not in it."""
    try:
        chain = Chain.verify(welcome.chain)
    except InvalidBytes as error:
        raise BadConfiguration(f"The home's membership does not hold: {error}") from None
    if chain.home_id != proven.home_id or proven.chain_head not in chain.hashes:
        raise BadConfiguration("The membership is not that of the home which the code was for.", fix="Invite it again.")
    if key.node_id not in chain.members:
        raise BadConfiguration("The home did not admit this node.", fix="Invite it again.")
    return chain


def name_writes(node_id: bytes, name: str, room: str) -> Write:
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
