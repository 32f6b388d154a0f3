"""Which kind a document is, by its name. A name that is not here belongs to a newer Jarvis: its records are kept and
forwarded, and applied after an upgrade."""

from __future__ import annotations

from typing import Any

from jarvis.crdt.gset import GSetKind
from jarvis.crdt.kind import Kind
from jarvis.crdt.lifecycle import LifecycleKind
from jarvis.crdt.mvmap import MVMapKind
from jarvis.crdt.session import SessionKind

CONFIG, MEMORY, SESSIONS = "config", "memory", "sessions"
SESSION_PREFIX, AUDIT_PREFIX = "session/", "audit/"

_EXACT: dict[str, Kind[Any]] = {CONFIG: MVMapKind(), MEMORY: MVMapKind(), SESSIONS: LifecycleKind()}
_PREFIX: dict[str, Kind[Any]] = {SESSION_PREFIX: SessionKind(), AUDIT_PREFIX: GSetKind()}

ALL_KINDS: tuple[Kind[Any], ...] = (*_EXACT.values(), *_PREFIX.values())


def kind_of(document: str) -> Kind[Any] | None:
    """The kind of a document, None when this program does not know the name."""
    exact = _EXACT.get(document)
    if exact:
        return exact
    for prefix, kind in _PREFIX.items():
        if document.startswith(prefix) and len(document) > len(prefix):
            return kind
    return None
