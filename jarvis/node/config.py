"""The home's configuration as people use it: dotted keys, a scope for the home and one for each node, pins that never
leave this node. Behind it lies the replicated `config` document; a value here is always text."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jarvis.core.codec import pack, unpack
from jarvis.core.errors import BadConfiguration, InvalidInput, NotFound
from jarvis.core.hlc import ms_of
from jarvis.core.ids import to_text
from jarvis.crdt.mvmap import MVMap
from jarvis.crdt.mvmap import Write as RegisterWrite
from jarvis.crdt.registry import CONFIG
from jarvis.home_assistant.wire import is_address
from jarvis.node.hearing.quiet_hours import KEY as QUIET_HOURS
from jarvis.node.hearing.quiet_hours import QuietHours
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Commit, Journal
from jarvis.node.records.writing import Write
from jarvis.node.texts import check_name, iso_time
from jarvis.plugins.found import NAME
from jarvis.replica.frontier import node_of

MAX_VALUE_BYTES = 4_096
_KEY = re.compile(r"[a-z0-9_-]{1,32}(\.[a-z0-9_-]{1,32}){0,3}")
ENABLED = "plugins.enabled"
HOME_ASSISTANT = "home_assistant.url"
PINS = "pin/"
"""Where this node keeps its own values."""
Rows = list[dict[str, Any]]
StoredWrites = list[tuple[str, RegisterWrite]]
Conflicting = list[tuple[str, list[RegisterWrite]]]


@dataclass(frozen=True, slots=True)
class Declared:
    default: str
    help: str
    choices: tuple[str, ...] = ()
    own: bool = False
    """Belongs to one node: `set` without --node writes this node's value."""
    least: int | None = None
    """It is a whole number, and at least so much."""
    most: int | None = None
    """And at most so much."""
    fits: Callable[[str], bool] | None = None
    """Whether a value other than the default is one; `help` says what is."""
    here: bool = False
    """Each device's own and nobody else's: never replicated, and what others wrote for it does not count."""
    names: str = ""
    """What it names, for one that everybody must see alike: no device may insist on a value of its own."""


DECLARED: Mapping[str, Declared] = {
    "assistant.name": Declared("Jarvis", "What the assistant calls itself."),
    "assistant.guesses": Declared(
        "no",
        "Whether the small language model may answer questions of fact, too; it often makes its answers up.",
        choices=("no", "yes"),
    ),
    "home.name": Declared("Home", "What this home is called.", names="home's name"),
    "sessions.keep_days": Declared(
        "0", "After how many days a conversation that nobody continues is deleted; 0 for never.", least=0
    ),
    "audit.keep_months": Declared("0", "How many months of the audit are kept beside this one; 0 for all.", least=0),
    "sync.compact_records": Declared(
        "20000", "After how many records the home is compacted by itself; 0 for never.", least=0
    ),
    "store.max_bytes": Declared(
        "0", "How much a node's store may hold; 0 for as much as there is on the disk.", own=True, least=0
    ),
    "session.share": Declared(
        "home",
        "Whether what is said to a node is shared with the home, or stays in its room.",
        choices=("home", "room"),
        own=True,
    ),
    "engine.idle_minutes": Declared(
        "30", "After how many quiet minutes a model's memory is given back; 0 for never.", own=True, least=0
    ),
    "knowledge.index": Declared(
        "memory",
        "Where the vectors of a node's documents are searched: in memory, or on disk by Chroma.",
        choices=("memory", "disk"),
        own=True,
    ),
    "audio.input": Declared("", "A node's microphone, by any part of its name; empty for the system's.", own=True),
    "audio.output": Declared("", "A node's loudspeaker, by any part of its name; empty for the system's.", own=True),
    "audio.volume": Declared("100", "How loud a node speaks, 0 to 100.", own=True, least=0, most=100),
    QUIET_HOURS: Declared(
        "",
        "When a node speaks no announcements, such as 22:00-07:00; empty for never.",
        own=True,
        fits=lambda value: QuietHours.parse(value) is not None,
    ),
    ENABLED: Declared(
        "",
        "The plugins that run on this device, with commas between; see `jarvis plugin`.",
        here=True,
        fits=lambda value: all(map(NAME.fullmatch, value.split(","))),
    ),
    HOME_ASSISTANT: Declared(
        "",
        "Where this device finds Home Assistant, such as http://homeassistant.local:8123; empty for nowhere.",
        here=True,
        fits=is_address,
    ),
    "node.name": Declared("", "What a node is called.", own=True, names="name"),
    "node.room": Declared("", "The room a node stands in.", own=True, names="room"),
}


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
        self._file = file
        for key, declared in DECLARED.items():
            if declared.names and (key in file or _env(key) in os.environ):
                where = "jarvis.toml" if key in file else f"the environment ({_env(key)})"
                raise BadConfiguration(f"{key} cannot stand in {where}: the home would not see it.", fix=_set_it(key))
        self._find = find
        self._refresh_names = refresh_names
        self._name_of = name_of
        self._followers: list[Callable[[], None]] = []
        journal.listen(self._committed)

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
        _check_key(key)
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
        _check_key(key)
        declared = DECLARED.get(key)
        if len(value.encode()) > MAX_VALUE_BYTES:
            raise InvalidInput(f"A value may have {MAX_VALUE_BYTES} bytes.", fix="Give a shorter one.")
        if declared and declared.choices and value not in declared.choices:
            raise InvalidInput(f"{key} is one of {', '.join(declared.choices)}.")
        if declared and declared.least is not None and not _is_whole(value, declared.least, declared.most):
            until = "on" if declared.most is None else f"to {declared.most}"
            raise InvalidInput(f"{key} is a whole number from {declared.least} {until}.")
        if declared and declared.fits and value != declared.default and not declared.fits(value):
            raise InvalidInput(f"{value!r} is no value of {key}.", fix=declared.help)
        if declared and declared.names:
            value = check_name(value, declared.names)
            if local or (node is not None and not declared.own):
                raise InvalidInput(f"Everybody in the home sees the same {key}.", fix=_set_it(key))
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
        _check_key(key)
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
        local = local or _is_here(key)
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
                if _is_here(key):
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


def _is_whole(value: str, least: int, most: int | None) -> bool:
    if not (len(value) <= 15 and value.isascii() and value.isdigit()):
        return False
    return least <= int(value) and (most is None or int(value) <= most)


def _is_here(key: str) -> bool:
    return key in DECLARED and DECLARED[key].here


def _env(key: str) -> str:
    return "JARVIS_" + key.upper().replace(".", "_")


def _set_it(key: str) -> str:
    return f"Run `jarvis config set {key} VALUE`."


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


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            f"{key!r} is not a config key.", fix="Keys are dotted lower-case words, such as assistant.name."
        )
