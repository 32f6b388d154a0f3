"""The home's configuration as people use it: dotted keys, a scope for the home and one for each node, pins that never
leave this node. Behind it lies the replicated `config` document; a value here is always text."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from jarvis.core.codec import pack, unpack
from jarvis.core.errors import InvalidInput, NotFound
from jarvis.core.hlc import ms_of
from jarvis.core.ids import to_text
from jarvis.crdt.mvmap import MVMap
from jarvis.crdt.mvmap import Write as RegisterWrite
from jarvis.crdt.registry import CONFIG
from jarvis.node.declared import DECLARED, check_key, check_own, check_value, is_here, set_it
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Commit, Journal
from jarvis.node.records.writing import Write
from jarvis.node.texts import check_name, iso_time
from jarvis.replica.frontier import node_of

PINS = "pin/"
"""Where this node keeps its own values."""
Rows = list[dict[str, Any]]
StoredWrites = list[tuple[str, RegisterWrite]]
Conflicting = list[tuple[str, list[RegisterWrite]]]


class Config:
    """`file` holds what `jarvis.toml` says in its `[config]` table; `find` turns a node's name or prefix into its id;
    `refresh_names` brings `name_of` up to date."""

    def __init__(
        self,
        journal: Journal,
        audit: Audit,
        node_id: bytes,
        *,
        file: Mapping[str, str],
        find: Callable[[str], Awaitable[bytes]],
        refresh_names: Callable[[], Awaitable[None]],
        name_of: Callable[[bytes], str],
    ) -> None:
        self._journal = journal
        self._audit = audit
        self._node_id = node_id
        for key in DECLARED:
            if _env(key) in os.environ:
                check_own({key: os.environ[_env(key)]}, f"the environment ({_env(key)})")
        self._followers: list[Callable[[], None]] = []
        self._file: Mapping[str, str] = {}
        self.from_file(file)()
        self._find = find
        self._refresh_names = refresh_names
        self._name_of = name_of
        journal.listen(self._committed)

    def from_file(self, values: Mapping[str, str]) -> Callable[[], None]:
        """What takes `values` for those of `jarvis.toml` from now on. Raises BadConfiguration for what none can be."""
        check_own(values, "[config] of jarvis.toml")

        def take() -> None:
            self._file = values
            self._tell_followers()

        return take

    def follow(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever some value may be another one, before whoever set it is answered."""
        self._followers.append(changed)

    def _committed(self, commit: Commit) -> None:
        if CONFIG in commit.documents:
            self._tell_followers()

    def _tell_followers(self, _: None = None) -> None:
        for changed in self._followers:
            changed()

    async def get(self, key: str, node: str | None = None) -> dict[str, Any]:
        """Raises NotFound for a key that is neither declared nor set."""
        check_key(key)
        found = (await self._effective(node)).get(key)
        if found is None:
            raise NotFound(
                f"{key!r} is not set and not declared.", fix="`jarvis config list` shows the keys there are."
            )
        return found

    async def list(self, node: str | None = None) -> Rows:
        found = await self._effective(node)
        return [found[key] for key in sorted(found)]

    async def value(self, key: str, node_id: bytes | None = None) -> str:
        """A declared key's value, for the node's own use."""
        return str((await self.get(key, to_text(node_id) if node_id else None))["value"])

    async def set(self, key: str, value: str, *, node: str | None = None, local: bool = False) -> dict[str, Any]:
        check_value(key, value)
        declared = DECLARED.get(key)
        if declared and declared.names:
            value = check_name(value, declared.names)
            if local or (node is not None and not declared.own):
                raise InvalidInput(f"Everybody in the home sees the same {key}.", fix=set_it(key))
        local = await self._check_scope(key, node, local)
        if local:
            await self._journal.change_local(lambda tx: tx.put(PINS + key, pack(value)), self._tell_followers)
        else:
            stored = await self._stored_key(key, node)
            await self._journal.write(
                (CONFIG, lambda state: [state.put(stored, value)]), self._said("set", stored), makes_room=True
            )
        return await self.get(key, node)

    async def unset(self, key: str, *, node: str | None = None, local: bool = False) -> dict[str, Any]:
        """Back to what lies below: the home's value, or the default. Raises NotFound when nothing was set there."""
        check_key(key)
        local = await self._check_scope(key, node, local)
        if local:
            held = await self._journal.read(lambda tx, _: tx.get(PINS + key) is not None)
            await self._journal.change_local(lambda tx: tx.delete(PINS + key), self._tell_followers)
        else:
            stored = await self._stored_key(key, node)
            held = await self._journal.state(CONFIG, lambda state: state.get(stored) is not None)
            if held:
                await self._journal.write(
                    (CONFIG, lambda state: [state.delete(stored)]), self._said("unset", stored), makes_room=True
                )
        if not held:
            raise NotFound(f"{key!r} was not set there.", fix="`jarvis config list` shows where each value comes from.")
        return {"key": key, "unset": True}

    async def conflicts(self) -> Rows:
        """Keys that several nodes set without having seen each other's value; the first one shown is in force."""

        def view(state: MVMap) -> Conflicting:
            return [(str(key), writes) for key, writes in state.conflicts().items()]

        await self._refresh_names()
        result = []
        for stored, writes in await self._journal.state(CONFIG, view):
            key, node_id = split_stored(stored)
            values = [{"value": _text(write.value), **self._who(write)} for write in writes]
            result.append({"key": key, "node": node_id, "values": values})
        return result

    def _said(self, what: str, stored: str) -> Write:
        return self._audit.entry(f"config.{what}", stored, actor="user")

    async def _check_scope(self, key: str, node: str | None, local: bool) -> bool:
        """Whether it is this device's own."""
        local = local or is_here(key)
        if local and node is not None and await self._find(node) != self._node_id:
            raise InvalidInput("Another node's own values can only be set there.", fix="Leave out --local or --node.")
        return local

    async def _stored_key(self, key: str, node: str | None) -> str:
        declared = DECLARED.get(key)
        if node is not None:
            return f"node/{to_text(await self._find(node))}/{key}"
        return f"node/{to_text(self._node_id)}/{key}" if declared and declared.own else key

    async def _effective(self, node: str | None) -> dict[str, dict[str, Any]]:
        """Later sources win: default, home, node, file, environment, local. Another node's file, environment and pins
        are not known here."""
        node_id = self._node_id if node is None else await self._find(node)
        prefix = f"node/{to_text(node_id)}/"

        def view(state: MVMap) -> StoredWrites:
            keys = [key for key in state.keys() if isinstance(key, str)]  # noqa: SIM118
            return [(key, state.writes(key)[0]) for key in keys]

        await self._refresh_names()
        result = {key: _entry(key, declared.default, "default") for key, declared in DECLARED.items()}
        stored = await self._journal.state(CONFIG, view)
        for source in ("home", "node"):
            for stored_key, write in stored:
                key, scope = split_stored(stored_key)
                if is_here(key):
                    continue
                if (source == "home" and scope is None) or (source == "node" and stored_key.startswith(prefix)):
                    result[key] = _entry(key, _text(write.value), source) | self._who(write)
        if node_id == self._node_id:
            for key, value in self._file.items():
                result[key] = _entry(key, value, "file")
            for key in DECLARED:
                from_env = os.environ.get(_env(key))
                if from_env is not None:
                    result[key] = _entry(key, from_env, "env")
            for key, value in (await self._journal.read(lambda tx, _: _pins(tx))).items():
                if key not in DECLARED or not DECLARED[key].names:
                    result[key] = _entry(key, value, "local")
        return result

    def _who(self, write: RegisterWrite) -> dict[str, Any]:
        return {"set_by": self._name_of(node_of(write.at.author)), "at": iso_time(ms_of(write.at.hlc))}


def _env(key: str) -> str:
    return "JARVIS_" + key.upper().replace(".", "_")


def _pins(tx: Any) -> dict[str, str]:
    return {name.removeprefix(PINS): unpack(tx.get(name)) for name in tx.keys(PINS)}


def _entry(key: str, value: str, source: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"key": key, "value": value, "source": source, "set_by": None, "at": None}
    if key not in DECLARED:
        entry["undeclared"] = True
    return entry


def _text(value: Any) -> str:
    """Ours are always text; a member may write anything as itself."""
    return value if isinstance(value, str) else repr(value)


def split_stored(stored: str) -> tuple[str, str | None]:
    """A key of the document as (key, node id or None)."""
    scope, _, rest = stored.partition("/")
    node_id, _, key = rest.partition("/")
    return (key, node_id) if scope == "node" and key else (stored, None)
