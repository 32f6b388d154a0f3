"""What people do with copies, in any room: wish that a room keeps one, take the wish back, and see how far it is. A
wish is replicated, so that it is carried out whenever the room and somebody who has the document meet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from jarvis.core.errors import InvalidInput, JarvisError, NotFound
from jarvis.core.ids import to_text
from jarvis.crdt.registry import KNOWLEDGE
from jarvis.node.library.copies import Copies
from jarvis.node.library.entries import Entry, find, pin_key, read_entries
from jarvis.node.library.pieces import Progress, read_progress, write_progress
from jarvis.node.library.shelf import Shelf
from jarvis.node.membership.members import Members
from jarvis.node.membership.requests import Requests
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal

TOPIC = "knowledge.copies"
TELL_S = 0.15
"""For others to say how far their copies are; whoever does not is shown without."""
HERE = "here"

log = structlog.get_logger()
Row = dict[str, Any]


class Pinning:
    def __init__(
        self,
        journal: Journal,
        members: Members,
        audit: Audit,
        shelf: Shelf,
        copies: Copies,
        requests: Requests,
        node_id: bytes,
        *,
        connected: Callable[[], frozenset[bytes]],
    ) -> None:
        self._journal, self._members, self._audit, self._shelf = journal, members, audit, shelf
        self._copies, self._requests, self._node_id, self._connected = copies, requests, node_id, connected
        requests.serve(TOPIC, self._told)

    async def pin(self, wanted: str, room: str) -> Row:
        """`room` is to keep a copy; "here" is this node's. Raises NotFound, and InvalidInput for what cannot be."""
        entry = await self._find(wanted)
        if entry.blob is None:
            raise InvalidInput(
                f"{entry.title} cannot be copied: it is too long, or was added by an older Jarvis.",
                fix="Remove it, and add it again on the machine it is on.",
            )
        nodes = await self._nodes(room)
        keepers = [one for one in nodes if one != entry.holder]
        if not keepers:
            raise InvalidInput(f"The {self._members.room_of(entry.holder)} holds it itself.")
        new = [pin_key(entry.origin, one) for one in keepers if one not in entry.pins]
        if new:
            said = self._audit.entry("knowledge.pinned", entry.document, actor="user")
            await self._journal.write((KNOWLEDGE, lambda state: [state.put(key, True) for key in new]), said)
        return await self._row(entry.document)

    async def unpin(self, wanted: str, room: str) -> Row:
        """`room` is to keep no copy any more: it is erased there. Raises NotFound."""
        entry = await self._find(wanted)
        nodes = await self._nodes(room)
        gone = [pin_key(entry.origin, one) for one in nodes if one in entry.pins]
        if not gone:
            raise NotFound(
                f"The {self._members.room_of(nodes[0])} is to keep no copy of it.",
                fix="`jarvis knowledge list` shows who is.",
            )
        said = self._audit.entry("knowledge.unpinned", entry.document, actor="user")
        forget = (KNOWLEDGE, lambda state: [state.delete(key) for key in gone])
        await self._journal.write(forget, said, makes_room=True)
        if self._node_id in nodes:
            await self._shelf.follow()  # it is gone when this returns, not soon after
        return await self._row(entry.document)

    async def _find(self, wanted: str) -> Entry:
        await self._members.refresh()
        return find(wanted, await self._journal.state(KNOWLEDGE, read_entries))

    async def _nodes(self, room: str) -> Sequence[bytes]:
        return [self._node_id] if room.strip().lower() in ("", HERE) else self._members.in_room(room)

    async def _row(self, document: str) -> Row:
        entry = await self._find(document)
        rows = await self.rows([document])
        return {"document_id": document, "title": entry.title, "copies": rows[document]}

    async def rows(self, documents: Sequence[str]) -> dict[str, list[Row]]:
        """Of each document, who is to keep a copy, and how far it is in percent: None when nobody can say now."""
        entries = await self._journal.state(KNOWLEDGE, read_entries)
        wanted = {name: entries[name] for name in documents if name in entries}
        asked = {peer for one in wanted.values() for peer in one.pins - one.copies} & self._connected()
        told = dict(zip(asked, await asyncio.gather(*map(self._ask, asked)), strict=True))
        told[self._node_id] = self._copies.progress
        return {
            name: [self._told_of(wanted[name], node, told.get(node, {})) for node in self._keepers(wanted[name])]
            if name in wanted
            else []
            for name in documents
        }

    def _keepers(self, entry: Entry) -> list[bytes]:
        """Members only: what has left the home counts no more."""
        kept = (entry.pins - {entry.holder}) & self._members.chain.members.keys()
        return sorted(kept, key=self._members.name_of)

    def _told_of(self, entry: Entry, node: bytes, told: Mapping[str, Progress]) -> Row:
        percent, progress = None, told.get(entry.document)
        if node in entry.copies:
            percent, progress = 100, None
        elif progress is not None and entry.blob is not None:
            percent = min(99, 100 * progress.pieces // entry.blob.pieces)  # whole it is once it is looked through
        return {
            "node_id": to_text(node),
            "name": self._members.name_of(node),
            "online": node == self._node_id or node in self._connected(),
            "percent": percent,
            "problem": progress.problem if progress else "",
        }

    async def _ask(self, peer: bytes) -> dict[str, Progress]:
        try:
            return read_progress(await self._requests.ask(peer, TOPIC, b"", within_s=TELL_S))
        except JarvisError as error:
            log.debug("a peer did not tell of its copies", peer=to_text(peer), error=type(error).__name__)
            return {}

    async def _told(self, peer: bytes, body: bytes) -> bytes:
        return write_progress(self._copies.progress)
