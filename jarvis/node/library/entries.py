"""What the home knows of its documents, as the replicated map `knowledge` says it: which there are, who holds them, who
is to keep a copy, and who has one. Pure. A member may write anything there: what is no entry is none, and only a node
itself says what it has a copy of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidInput, NotFound
from jarvis.core.ids import NODE_ID_BYTES, by_prefix, from_text, to_text
from jarvis.crdt.mvmap import Key, MVMap
from jarvis.node.library.pieces import Blob

MAX_TITLE_CHARS = 200
MAX_LISTED = 10_000
"""Entries of the home that are read; with more than that somebody misuses it."""
PIN, COPY = "pin/", "copy/"
"""Beside the documents, by their ids, the map holds `pin/<origin>/<node>`, a wish that anybody may say, and
`copy/<document>/<node>`, which that node says once its copy is whole."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the home knows about a document."""

    document: str
    title: str
    holder: bytes
    chunks: int
    size_bytes: int
    at_ms: int
    origin: str = ""
    """The first document that was read from that file: a wish for copies is for the file, whatever becomes of it."""
    blob: Blob | None = None
    """Its content's name; None when it cannot be copied."""
    outdated_ms: int = 0
    """Since when what its file holds could not be read; 0 while it is told as it is."""
    pins: frozenset[bytes] = frozenset()
    """Nodes that are to keep a copy."""
    copies: frozenset[bytes] = frozenset()
    """Nodes that say they have one, whole. Which of them are members is for the reader to look at."""

    @property
    def sources(self) -> frozenset[bytes]:
        """All that can answer for it."""
        return self.copies | {self.holder}

    def to_value(self, digest: bytes) -> Value:
        return {
            "title": self.title,
            "holder": self.holder,
            "chunks": self.chunks,
            "bytes": self.size_bytes,
            "at": self.at_ms,
            "sha256": digest,
            "origin": self.origin,
            "blob": self.blob.to_value() if self.blob else None,
            "outdated": self.outdated_ms,
        }


def pin_key(origin: str, node: bytes) -> str:
    return f"{PIN}{origin}/{to_text(node)}"


def copy_key(document: str, node: bytes) -> str:
    return f"{COPY}{document}/{to_text(node)}"


def read_entries(state: MVMap) -> dict[str, Entry]:
    """By document."""
    found: dict[str, Entry] = {}
    pins: dict[str, set[bytes]] = {}
    copies: dict[str, set[bytes]] = {}
    for key in state.keys():  # noqa: SIM118
        if (entry := _entry(state, key)) is not None:
            if len(found) < MAX_LISTED:
                found[entry.document] = entry
        elif pinned := _named(key, PIN):
            pins.setdefault(pinned[0], set()).add(pinned[1])
        elif (copied := _named(key, COPY)) and _is_own(state, key, copied[1]):
            copies.setdefault(copied[0], set()).add(copied[1])
    for name, entry in found.items():
        wished, had = pins.get(entry.origin), copies.get(name)
        if wished or had:  # few have any
            found[name] = replace(entry, pins=frozenset(wished or ()), copies=frozenset(had or ()) - {entry.holder})
    return found


def find(wanted: str, entries: Mapping[str, Entry]) -> Entry:
    """By its id or the beginning of it. Raises NotFound."""
    try:
        return entries[by_prefix(wanted, entries, "document")]
    except NotFound as error:
        raise NotFound(str(error), fix="List them with `jarvis knowledge list`.") from None


def copies_said(state: MVMap, node: bytes) -> set[str]:
    """The documents of which this node says it has a copy, also when they are there no more."""
    named = (_named(key, COPY) for key in state.keys())  # noqa: SIM118
    return {document for document, one in filter(None, named) if one == node}


def keys_of(state: MVMap, document: str, *, goes_on: str = "") -> Iterator[Key]:
    """All that is said of a document; of the wishes for copies only when no other was read from the same file, nor one
    with the origin `goes_on`, which is being written."""
    entry = _entry(state, document)
    texts = [key for key in state.keys() if isinstance(key, str)]  # noqa: SIM118
    wishes = [key for key in texts if entry is not None and key.startswith(f"{PIN}{entry.origin}/")]
    yield document
    yield from (key for key in texts if key.startswith(f"{COPY}{document}/"))
    if entry is not None and wishes and entry.origin != goes_on:
        others = (_entry(state, key) for key in texts if key != document)
        if not any(other is not None and other.origin == entry.origin for other in others):
            yield from wishes


def tidy(title: str) -> str:
    if title.isprintable() and "  " not in title and len(title) <= MAX_TITLE_CHARS:
        return title.strip()
    return " ".join("".join(one if one.isprintable() else " " for one in title).split())[:MAX_TITLE_CHARS]


def _is_own(state: MVMap, key: Key, node: bytes) -> bool:
    """Whether the node itself wrote it."""
    return any(write.at.author.startswith(node) for write in state.writes(key))


def _named(key: Key, kind: str) -> tuple[str, bytes] | None:
    """(document or origin, node)"""
    if not isinstance(key, str) or not key.startswith(kind):
        return None
    name, _, node = key.removeprefix(kind).rpartition("/")
    try:
        node_id = from_text(node)
    except InvalidInput:
        return None
    return (name, node_id) if name and len(node_id) == NODE_ID_BYTES else None


def _entry(state: MVMap, key: Key) -> Entry | None:
    write = state.get(key)
    value = write.value if write is not None else None
    if not isinstance(key, str) or key.startswith((PIN, COPY)) or not isinstance(value, dict):
        return None
    title, holder, origin = value.get("title"), value.get("holder"), value.get("origin")
    if not isinstance(title, str) or not isinstance(holder, bytes) or len(holder) != NODE_ID_BYTES:
        return None
    chunks, size, at, outdated = (_number(value.get(one)) for one in ("chunks", "bytes", "at", "outdated"))
    origin = origin if isinstance(origin, str) and origin else key
    return Entry(key, tidy(title), holder, chunks, size, at, origin, Blob.from_value(value.get("blob")), outdated)


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
