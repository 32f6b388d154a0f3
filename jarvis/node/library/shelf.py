"""The documents that this node was given, and those that the home knows of: adding, listing, removing. What a document
is called, how long it is and who holds it is replicated; its text stays on the node that it was given to, and on those
that are to keep a copy (`copies`).

A document counts once its entry is in the replicated map, and no longer: what is held without one is erased, and so is
a copy that nobody wants here, so that removing it in any room erases it everywhere, also from a node that was away."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from jarvis.core.codec import Value, pack, unpack
from jarvis.core.errors import InvalidInput, JarvisError, Missing
from jarvis.core.ids import to_text
from jarvis.crdt.mvmap import MVMap
from jarvis.crdt.registry import KNOWLEDGE
from jarvis.knowledge.embedding import MAX_CHARACTERS
from jarvis.knowledge.files.reading import ReadFile, Reading
from jarvis.knowledge.files.walking import Refused, files_in, given
from jarvis.node.library.entries import Entry, find, keys_of, read_entries, tidy
from jarvis.node.library.index import WORDS_AT_ONCE, Index
from jarvis.node.library.pieces import blob_of
from jarvis.node.membership.members import Members
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Commit, Journal
from jarvis.node.records.writing import Write
from jarvis.node.texts import iso_time
from jarvis.store.protocol import Transaction

DOCUMENT_ID_BYTES = 10
RETRY_S = 30.0
CAPTION_TRIES = 3
"""So often a picture without a caption is shown to models that can see, beside when it is added."""

log = structlog.get_logger()
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class About:
    """What this node keeps about a document it holds."""

    title: str
    source: str
    """The file's path on this node; empty for a copy."""
    digest: bytes
    """SHA-256 of the file; of a copy its content's name."""
    pieces: int | None = None
    """Of a copy: how many pieces of it have come. None for what was given here."""
    whole: bool = True
    """False for a copy that does not count yet."""
    refused: str = ""
    """Why what its file holds now is not read; empty while it is told as it is."""
    tries: int = 0
    """How often somebody may yet be asked for its caption; 0 for what has one or needs none."""

    def to_bytes(self) -> bytes:
        return pack([self.title, self.source, self.digest, self.pieces, self.whole, self.refused, self.tries])

    @classmethod
    def from_bytes(cls, data: bytes) -> About:
        return cls(*unpack(data))


class Shelf:
    """`reading` makes what reads files, for as long as some are added."""

    def __init__(
        self,
        journal: Journal,
        members: Members,
        audit: Audit,
        index: Index,
        node_id: bytes,
        *,
        reading: Callable[[], Reading],
        wall_ms: Callable[[], int],
        connected: Callable[[], frozenset[bytes]],
    ) -> None:
        self._journal, self._members, self._audit, self._index = journal, members, audit, index
        self._node_id, self._reading, self._wall_ms, self._connected = node_id, reading, wall_ms, connected
        self._adding: set[str] = set()
        """Held, and not in the map yet."""
        self._moves = 0
        """Rises whenever that changes."""
        self._gate = asyncio.Lock()
        """One file at a time is added."""
        self._changed = asyncio.Event()
        self._changed.set()
        self.held: dict[str, About] = {}
        """Documents of this node that count, whole copies among them."""
        self.coming: dict[str, About] = {}
        """Copies that are not whole."""
        self.entries: dict[str, Entry] = {}
        """Of the whole home."""
        self._settled = asyncio.Event()
        self._followers: list[Callable[[], None]] = []
        journal.listen(self._committed)

    def listen(self, follower: Callable[[], None]) -> None:
        """Call it whenever what is known may have changed; it must not wait."""
        self._followers.append(follower)

    def look(self) -> None:
        """Something is held, or held no more."""
        self._changed.set()

    async def run(self) -> None:
        """Follow what the home adds and removes, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.follow()
            except JarvisError as error:
                log.warning("the library was not brought up to date", reason=str(error))
                await asyncio.sleep(RETRY_S)
                self._changed.set()

    def _committed(self, commit: Commit) -> None:
        if KNOWLEDGE in commit.documents:
            self._changed.set()

    async def follow(self) -> None:
        """Know what the home's map says now, and erase what it no longer names."""
        begun = -1
        while begun != self._moves:  # what was begun or finished meanwhile may stand in one of the two only
            begun = self._moves
            entries, held = await self._journal.read(
                lambda tx, replica: (read_entries(replica.state(tx, KNOWLEDGE)), tx.library.documents())
            )
        mine = {name: About.from_bytes(about) for name, about in held.items() if name not in self._adding}
        count = {name: about for name, about in mine.items() if self._is_wanted(about, entries.get(name))}
        self.held = {name: about for name, about in count.items() if about.whole}
        self.coming = {name: about for name, about in count.items() if not about.whole}
        self.entries = entries
        self._settled.set()
        for document in mine.keys() - count.keys():
            await self.erase(document)
        self._index.wake()
        for follower in self._followers:
            follower()

    def _is_wanted(self, about: About, entry: Entry | None) -> bool:
        """Whether what is held is to be held; a copy of another content than the document's never is."""
        if entry is None or about.pieces is None:
            return entry is not None
        return self._node_id in entry.pins and entry.blob is not None and entry.blob.root == about.digest

    async def erase(self, document: str) -> None:
        """From this node."""
        self.held.pop(document, None)
        self.coming.pop(document, None)
        await self._journal.change_local(lambda tx: _uncount(tx, document))
        while gone := await self._journal.change_local(lambda tx: tx.library.erase(document, WORDS_AT_ONCE)):
            await self._index.removed(gone)

    # --- what people do -------------------------------------------------------------------------------------------

    async def list(self) -> list[Row]:
        """The last added first. Of this node's own documents also where they came from, and how many chunks wait for
        the index."""
        await self._members.refresh()
        entries = await self._journal.state(KNOWLEDGE, read_entries)
        counts = await self._journal.read(lambda tx, _: tx.library.counts())
        rows = [self._listed(entry, counts) for entry in entries.values()]
        return sorted(rows, key=lambda row: (row["at"], row["document_id"]), reverse=True)

    def _listed(self, entry: Entry, counts: dict[str, tuple[int, int]]) -> Row:
        about = self.held.get(entry.document)
        return {
            "document_id": entry.document,
            "title": entry.title,
            "holder": self._members.name_of(entry.holder),
            "node_id": to_text(entry.holder),
            "online": entry.holder == self._node_id or entry.holder in self._connected(),
            "chunks": entry.chunks,
            "bytes": entry.size_bytes,
            "at": iso_time(entry.at_ms),
            "source": about.source if about else None,
            "waiting": counts.get(entry.document, (0, 0))[1] if about else None,
            "outdated": iso_time(entry.outdated_ms) if entry.outdated_ms else None,
            "refused": about.refused or None if about else None,
        }

    async def add(self, path: str) -> AsyncGenerator[Row, None]:
        """A row for each file: `state` is added, unchanged or refused, with the `reason`. Raises InvalidInput for a
        path that is none, or a folder of too many files."""
        root = await asyncio.to_thread(given, path)
        suffixes = self.suffixes()
        files: Sequence[Path | Refused] = [root]
        if root.is_dir():
            files = await asyncio.to_thread(lambda: [*files_in(root, suffixes)])
        async with contextlib.aclosing(self.add_files(files)) as rows:
            async for row in rows:
                yield row
        if root.is_dir() and (about := await self.add_project(root, files)) is not None:
            yield about

    async def add_files(self, files: Sequence[Path | Refused]) -> AsyncGenerator[Row, None]:
        """As `add`, of files that were found."""
        async with self._reading() as reading:
            for file in files:
                yield await self._tried(reading, file)

    async def add_project(self, folder: Path, files: Sequence[Path | Refused]) -> Row | None:
        """A folder of source code, whose `files` were found, has a document of its own that says what is in it. None
        when it is no such folder."""
        async with self._reading() as reading, self._gate:
            try:
                about = await reading.project(folder, [file for file in files if isinstance(file, Path)])
                if about is None:
                    return None
                text = "\n".join(one.text for one in about.chunks).encode()
                digest = hashlib.sha256(text).digest()
                return await self._known(folder, digest) or await self._replace(folder, len(text), digest, about)
            except InvalidInput as error:
                return await self._refused(folder, str(error))

    async def settled(self) -> None:
        """Until it is known which documents there are."""
        await self._settled.wait()

    def sources(self) -> dict[str, str]:
        """The path of each document that was read from a file here, and its id."""
        return {about.source: document for document, about in self.held.items() if about.source}

    def suffixes(self) -> frozenset[str]:
        """Of the files that can be read now."""
        return self._reading().suffixes

    async def _tried(self, reading: Reading, file: Path | Refused) -> Row:
        if isinstance(file, Refused):
            return _row(file.path, "refused", reason=file.why)
        async with self._gate:
            try:
                return await self._add(reading, file)
            except (InvalidInput, Missing) as error:
                return await self._refused(file, str(error))

    async def _add(self, reading: Reading, file: Path) -> Row:
        size, digest = await asyncio.to_thread(reading.measure, file)
        known = await self._known(file, digest)
        about = self.held[known["document_id"]] if known is not None else None
        if known is not None and about is not None and (not about.tries or await reading.hindrance()):
            return known
        read = await reading.read(file)
        if known is not None and about is not None and read.undescribed:
            await self._note(known["document_id"], replace(about, tries=about.tries - 1))
            return known | {"reason": read.note}
        return await self._replace(file, size, digest, read)

    def undescribed(self) -> Sequence[str]:
        """Pictures for whose captions somebody may be asked."""
        return [document for document, about in self.held.items() if about.tries]

    async def describe(self, reading: Reading, document: str) -> bool:
        """Ask for the caption of one of those. False when nobody gave it; what is no longer the same file is left to
        whoever adds it again."""
        async with self._gate:
            about = self.held.get(document)
            if about is None or not about.tries:
                return True
            try:
                source = Path(about.source)
                _, digest = await asyncio.to_thread(reading.measure, source)
                return digest != about.digest or (await self._add(reading, source))["state"] == "added"
            except (InvalidInput, Missing):
                return True

    async def _from(self, source: Path) -> Sequence[str]:
        """The documents that were read from there."""
        if not self._settled.is_set():
            await self.follow()
        return [name for name, about in self.held.items() if about.source == str(source)]

    async def _known(self, source: Path, digest: bytes) -> Row | None:
        """What was read there before and is the same. Others that an earlier program's end has left beside it are
        removed."""
        names = await self._from(source)
        same = next((name for name in names if self.held[name].digest == digest), None)
        if same is None:
            return None
        for name in names:
            if name != same:
                await self._remove(name)
        await self._mark(same, "")
        return _row(source, "unchanged", same, self.held[same].title, self.entries[same].chunks)

    async def _replace(self, source: Path, size: int, digest: bytes, read: ReadFile) -> Row:
        """Keep what was read instead of what was read there before."""
        before = await self._from(source)
        title = tidy(read.title) or source.name
        chunks = [(one.place, one.text[:MAX_CHARACTERS]) for one in read.chunks]
        if not chunks:
            raise InvalidInput(f"There is no text in {source}.")
        document = to_text(os.urandom(DOCUMENT_ID_BYTES))
        self._adding.add(document)
        self._moves += 1
        try:
            origin = self.entries[before[0]].origin if before else document
            about = About(title, str(source), digest, tries=CAPTION_TRIES if read.undescribed else 0)
            await self._keep(document, origin, about, chunks, size, before)
        except asyncio.CancelledError:
            self._settled.clear()  # it may count all the same: who adds next looks first
            raise
        finally:
            self._adding.discard(document)
            self._moves += 1
            self._changed.set()  # what was not finished is erased
        for name in before:
            await self.erase(name)
        self._index.wake()
        return _row(source, "added", document, title, len(chunks), reason=read.note)

    async def _refused(self, source: Path, why: str) -> Row:
        for name in await self._from(source):
            await self._mark(name, why)
        return _row(source, "refused", reason=why)

    async def _mark(self, document: str, why: str) -> None:
        """What its file holds now is refused; or, without a reason, it is what was read of it again. What was
        read goes on being told, with its day: a file that is broken for a moment must not take away what was known."""
        about, entry = replace(self.held[document], refused=why), self.entries.get(document)
        if entry is None or (self.held[document].refused == why and bool(entry.outdated_ms) == bool(why)):
            return
        await self._note(document, about)
        if bool(entry.outdated_ms) != bool(why):
            value = replace(entry, outdated_ms=self._wall_ms() if why else 0).to_value(about.digest)

            def tell(state: MVMap) -> list[Value]:
                return [state.put(document, value)] if state.get(document) is not None else []

            await self._journal.write((KNOWLEDGE, tell))

    async def _note(self, document: str, about: About) -> None:
        """Keep it of a document that was not removed meanwhile."""

        def work(tx: Transaction) -> None:
            if tx.library.about(document) is not None:
                tx.library.begin(document, about.to_bytes())

        await self._journal.change_local(work)
        if document in self.held:
            self.held[document] = about

    async def _keep(
        self,
        document: str,
        origin: str,
        about: About,
        chunks: Sequence[tuple[str, str]],
        size: int,
        before: Sequence[str],
    ) -> None:
        """The text first, in works that are short; with the entry it counts, and those `before` count no more."""
        await self._journal.change_local(lambda tx: tx.library.begin(document, about.to_bytes()))
        for start in range(0, len(chunks), WORDS_AT_ONCE):
            some = chunks[start : start + WORDS_AT_ONCE]
            size_bytes = 4 * sum(len(text) for _, text in some)

            def work(tx: Any, some: Sequence[tuple[str, str]] = some, size_bytes: int = size_bytes) -> None:
                self._journal.budget.check(tx, size_bytes)
                tx.library.append(document, some)

            await self._journal.change_local(work)
        blob = await asyncio.to_thread(blob_of, chunks)
        entry = Entry(document, about.title, self._node_id, len(chunks), size, self._wall_ms(), origin, blob)
        value = entry.to_value(about.digest)
        said = [self._audit.entry("knowledge.added", document, actor="user"), *map(self._said_removed, before)]

        def write(state: MVMap) -> list[Value]:
            gone = [key for name in before for key in keys_of(state, name, goes_on=origin)]
            return [state.put(document, value), *map(state.delete, gone)]

        await self._journal.write((KNOWLEDGE, write), *said)
        self.held[document] = about
        self.entries.setdefault(document, entry)  # unless it was read meanwhile, with who is to keep a copy

    async def remove(self, wanted: str) -> Row:
        """From every node: those that are away erase it when they are back. Raises NotFound."""
        entry = find(wanted, await self._journal.state(KNOWLEDGE, read_entries))
        await self._remove(entry.document)
        return {"document_id": entry.document, "title": entry.title, "removed": True}

    async def _remove(self, document: str) -> None:
        forget = (KNOWLEDGE, lambda state: [state.delete(key) for key in keys_of(state, document)])
        await self._journal.write(forget, self._said_removed(document), makes_room=True)
        if document in self.held or document in self.coming:
            await self.erase(document)  # it is gone when this returns, not soon after

    def _said_removed(self, document: str) -> Write:
        return self._audit.entry("knowledge.removed", document, actor="user")

    async def reindex(self) -> Row:
        """Throw the indexes of this node away; they are made anew meanwhile."""
        await self._index.throw_away()
        counts = await self._journal.read(lambda tx, _: tx.library.counts())
        return {"documents": len(counts), "chunks": sum(chunks for chunks, _ in counts.values())}


def _uncount(tx: Transaction, document: str) -> None:
    """Half of a copy must not count, should it be wanted again before all of it is gone."""
    kept = tx.library.about(document)
    about = About.from_bytes(kept) if kept is not None else None
    if about is not None and about.pieces:
        tx.library.begin(document, replace(about, pieces=0, whole=False).to_bytes())


def _row(
    path: Path, state: str, document: str | None = None, title: str | None = None, chunks: int = 0, *, reason: str = ""
) -> Row:
    names = {"path": str(path), "state": state, "document_id": document, "title": title}
    return {**names, "chunks": chunks, "reason": reason}
