"""What can be done with a data directory: found a home in it, join one, run its node with the API in front, back it up,
restore it, forget it. How a node is built of its parts stands in `jarvis.building`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvis.core.garbage import keep_what_lives, look_less_often
from jarvis.core.time import SystemClock
from jarvis.identity.sealed import Opener
from jarvis.node.backups import making as backup
from jarvis.node.backups.making import Backups
from jarvis.node.directory import DataDirectory
from jarvis.node.membership import founding
from jarvis.node.membership.members import Members
from jarvis.node.records.journal import Journal
from jarvis.replica.replica import Replica

if TYPE_CHECKING:
    from jarvis.core.settings import Settings

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


async def run_node(
    settings: Settings,
    *,
    on_ready: Callable[[dict[str, Any]], None],
    log_at: Callable[[str], None] = lambda level: None,
) -> None:
    """Run the node in `settings.data_dir` until cancelled, or until it has left its home: then the directory is empty
    when this returns. `on_ready` is given what `run` prints when it is ready, `log_at` another level of the log.

    Raises BadConfiguration when there is no node, another runs here, a port is taken or the keys do not fit."""
    from jarvis.api.server import ApiServer  # the larger part of this program, and no other command here needs it
    from jarvis.building.whole import build

    look_less_often()
    directory = DataDirectory(settings.data_dir)
    directory.must_hold_a_node()
    with directory.lock():
        key = directory.load_identity()
        store = await directory.open_store()
        try:
            node = await build(settings, directory, key, store)
        except BaseException:
            await store.close()
            raise
        node.settings.follow(("log_level",), lambda new: lambda: log_at(new.log_level))
        api = ApiServer(node, token=secrets.token_urlsafe(32), port=settings.api_port)

        async def serve() -> None:
            node.api_url = await api.start()
            info = node.info()
            keep_what_lives()
            on_ready({"event": "ready", **{name: info[name] for name in ("node_id", "api_url", "peer_port")}})

        await node.run(serve, api.close)
        if node.left:
            directory.forget()
