"""Which kind a document is, by its name alone, so that every node knows it, also one that lacks the plugin whose
document it is. A name that is not here belongs to a newer Jarvis: its records are kept and forwarded, and applied
after an upgrade."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Any

from jarvis.core.codec import pack
from jarvis.core.errors import InvalidInput
from jarvis.core.ids import from_text, to_text
from jarvis.crdt.counter import CounterKind, UpCounterKind
from jarvis.crdt.gset import GSetKind
from jarvis.crdt.kind import Kind
from jarvis.crdt.lifecycle import LifecycleKind
from jarvis.crdt.mvmap import MVMapKind
from jarvis.crdt.session import SessionKind
from jarvis.crdt.text import TextKind

CONFIG, MEMORY, SESSIONS, AUDITS = "config", "memory", "sessions", "audits"
KNOWLEDGE, TIMERS, METRICS = "knowledge", "timers", "metrics"
SESSION_PREFIX, AUDIT_PREFIX, NOTE_PREFIX, OWN_PREFIX = "session/", "audit/", "notes/", "own/"

_MAP = MVMapKind()
_EXACT: dict[str, Kind[Any]] = {
    CONFIG: _MAP,
    MEMORY: _MAP,
    SESSIONS: LifecycleKind(),
    AUDITS: LifecycleKind(),
    KNOWLEDGE: _MAP,
    TIMERS: _MAP,
    METRICS: CounterKind(),
}
_PREFIX: dict[str, Kind[Any]] = {SESSION_PREFIX: SessionKind(), AUDIT_PREFIX: GSetKind(), NOTE_PREFIX: TextKind()}
PLUGIN_KINDS: dict[str, Kind[Any]] = {
    "up_counter": UpCounterKind(),
    "counter": CounterKind(),
    "set": GSetKind(),
    "register": _MAP,
    "or_set": _MAP,
    "or_map": _MAP,
    "text": TextKind(),
}
"""What a plugin may declare, by the names of `jarvis.crdt.accessors`. The name is part of every such document's name:
none may change its meaning, and none may go."""

ALL_KINDS: tuple[Kind[Any], ...] = (*_EXACT.values(), *_PREFIX.values(), *PLUGIN_KINDS.values())

_PART = r"[a-z0-9][a-z0-9_-]{0,31}"
_MONTH = re.compile(AUDIT_PREFIX + r"(\d{4}-\d{2})", re.ASCII)
_OWN = re.compile(rf"own/({'|'.join(PLUGIN_KINDS)})/{_PART}/{_PART}", re.ASCII)


def kind_of(document: str) -> Kind[Any] | None:
    """The kind of a document, None when this program does not know the name."""
    exact = _EXACT.get(document)
    if exact:
        return exact
    own = _OWN.fullmatch(document)
    if own:
        return PLUGIN_KINDS[own[1]]
    for prefix, kind in _PREFIX.items():
        if document.startswith(prefix) and len(document) > len(prefix):
            return kind
    return None


@lru_cache(maxsize=4_096)  # asked of every record; a home writes to a few documents at a time
def lifecycle_of(document: str) -> tuple[str, bytes] | None:
    """Where a document is deleted: (document of the lifecycle kind, its id there); None when it never is."""
    if document.startswith(SESSION_PREFIX):
        try:
            one = from_text(document.removeprefix(SESSION_PREFIX))
        except InvalidInput:
            return None
        return (SESSIONS, one) if governed(SESSIONS, one) == document else None
    month = _MONTH.fullmatch(document)
    return (AUDITS, month[1].encode()) if month else None


def governed(lifecycle: str, one: bytes) -> str | None:
    """The document that is deleted with this id, None when there is no such document."""
    if lifecycle == SESSIONS:
        return SESSION_PREFIX + to_text(one)
    document = AUDIT_PREFIX + one.decode("ascii", "replace")
    return document if lifecycle == AUDITS and _MONTH.fullmatch(document) else None


def fingerprint() -> bytes:
    """Changes whenever this program knows more names than it did: records that an older one could only keep are then
    judged anew."""
    known = {name: kind.code for name, kind in (_EXACT | _PREFIX | PLUGIN_KINDS).items()}
    return hashlib.sha256(pack(known)).digest()[:16]


def declare(kind: str, plugin: str, name: str) -> str:
    """The document that a plugin may write and every node understands: `own/<kind>/<plugin>/<name>`. Raises
    InvalidInput for an unknown kind, and for parts that are not 1 to 32 of a-z, 0-9, - and _."""
    if kind not in PLUGIN_KINDS:
        raise InvalidInput(f"There is no kind of document called {kind!r}.", fix=f"One of {', '.join(PLUGIN_KINDS)}.")
    document = f"{OWN_PREFIX}{kind}/{plugin}/{name}"
    if not _OWN.fullmatch(document):
        raise InvalidInput(
            f"{plugin}/{name} cannot name a document.", fix="Use 1 to 32 of a-z, 0-9, - and _ for each part."
        )
    return document
