"""Copies of other rooms' documents that this node is to keep, so that the home goes on answering when their holder is
gone: fetched piece by piece from whoever has them.

A copy counts once all of it lies in the store and is what its name says. What has come is kept there, so that nothing
is asked for twice, whatever breaks meanwhile. Fetching must never be in the way of anything else: two pieces at a
time, with pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from jarvis.core.errors import InvalidBytes, JarvisError, StoreFull
from jarvis.core.ids import to_text
from jarvis.crdt.registry import KNOWLEDGE
from jarvis.node.library.entries import Entry, copies_said, copy_key
from jarvis.node.library.fetching import Fetching
from jarvis.node.library.giving import TOPIC, read_all
from jarvis.node.library.pieces import Blob, Progress, Wanted, read_given, write_wanted
from jarvis.node.library.shelf import About, Shelf
from jarvis.node.membership.members import Members
from jarvis.node.membership.requests import Requests
from jarvis.node.records.journal import Journal
from jarvis.store.protocol import Transaction

PIECE_S = 3.0
PAUSE_S = 0.1
"""After two pieces: half a megabyte a second. A copy is never urgent, and whoever gives it has other things to do."""
RETRY_S = 2.0
"""So often it is looked whether somebody who has what is missing is there."""
CHUNK_BYTES = 2_560
"""What a chunk takes beside its text, which stands in the words' index again: its vector and its rows."""
SPOILT = "What its holder says of it is not true: it cannot be copied."

log = structlog.get_logger()


class Copies:
    """`near` gives connected members, the nearest first."""

    def __init__(
        self,
        journal: Journal,
        members: Members,
        shelf: Shelf,
        requests: Requests,
        node_id: bytes,
        *,
        near: Callable[[], Sequence[bytes]],
    ) -> None:
        self._journal, self._members, self._shelf, self._requests = journal, members, shelf, requests
        self._node_id, self._near = node_id, near
        self.progress: dict[str, Progress] = {}
        """Of the copies that are to be here and are not whole."""
        self._liars: dict[str, set[bytes]] = {}
        """Who gave false pieces of a document; nobody asks them for it again."""
        self._spoilt: set[str] = set()
        """Documents whose entry was found to lie: nothing of them is fetched again."""
        self._came: dict[str, int] = {}
        """Pieces of a document that came in this life, for the log."""
        self._problem = ""
        """Said last in the log."""
        self._wake = asyncio.Event()
        shelf.listen(self._wake.set)

    async def run(self) -> None:
        """Fetch what is to be here, until cancelled."""
        await self._shelf.settled()
        while True:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S if await self._tried() else None):
                    await self._wake.wait()

    async def _tried(self) -> bool:
        """Whether anything is still missing."""
        try:
            missing, self._problem = await self.fetch_missing(), ""
            return missing
        except JarvisError as error:
            if self._problem != str(error):
                self._problem = str(error)
                log.warning("copies were not brought up to date", reason=self._problem)
            return True

    async def fetch_missing(self) -> bool:
        """As far as it goes now. Whether anything is still missing."""
        await self._say_what_is_here()
        missing = [one for one in self._shelf.entries.values() if self._is_missing(one)]
        names = {one.document for one in missing}
        self.progress = {name: one for name, one in self.progress.items() if name in names}
        self._liars = {name: one for name, one in self._liars.items() if name in names}
        self._came = {name: one for name, one in self._came.items() if name in names}
        self._spoilt &= names
        for entry in missing:
            before = self._shelf.coming.get(entry.document)
            self.progress.setdefault(entry.document, Progress(before.pieces or 0 if before else 0))
        return not all([await self._fetched(one) for one in missing])

    def _is_missing(self, entry: Entry) -> bool:
        return self._node_id in entry.pins and entry.document not in self._shelf.held

    async def _say_what_is_here(self) -> None:
        """To the home, who has to know whom to ask."""
        said = await self._journal.state(KNOWLEDGE, lambda state: copies_said(state, self._node_id))
        entries = self._shelf.entries
        here = {
            name
            for name, about in self._shelf.held.items()
            if about.pieces is not None and name in entries and entries[name].holder != self._node_id
        }
        new, gone = sorted(here - said), sorted(said - here)
        if new or gone:
            await self._journal.write(
                (KNOWLEDGE, lambda state: [state.put(copy_key(one, self._node_id), True) for one in new]),
                (KNOWLEDGE, lambda state: [state.delete(copy_key(one, self._node_id)) for one in gone]),
                makes_room=not new,
            )

    # --- fetching -------------------------------------------------------------------------------------------------

    async def _fetched(self, entry: Entry) -> bool:
        """Whether it is whole."""
        if entry.blob is None or entry.document in self._spoilt:
            return self._say(entry, SPOILT)
        try:
            failed: dict[bytes, str] = {}
            if self._source(entry, failed) is None and self.progress[entry.document].pieces < entry.blob.pieces:
                return self._say(entry, self._why_not(entry, failed))  # nothing is begun that nobody can go on with
            fetching = Fetching(entry.blob, await self._begin(entry, entry.blob))
            while not fetching.whole:
                if not self._is_still_missing(entry):
                    self._shelf.look()  # it may have been begun after it was erased
                    return True
                peer = self._source(entry, failed)
                if peer is None:
                    return self._say(entry, self._why_not(entry, failed))
                why = await self._fetch_some(entry, fetching, peer)
                if why:
                    failed[peer] = why
                elif not await self._keep(entry, fetching):
                    return True  # it was erased meanwhile
                await asyncio.sleep(PAUSE_S)
            return await self._finish(entry, entry.blob)
        except StoreFull as error:
            return self._say(entry, f"It does not fit. {error}")
        except InvalidBytes as error:
            log.warning("a document's content is none", document=entry.document, reason=str(error))
            self._spoilt.add(entry.document)
            return self._say(entry, SPOILT)
        except JarvisError as error:
            return self._say(entry, str(error))

    def _is_still_missing(self, entry: Entry) -> bool:
        now = self._shelf.entries.get(entry.document)
        return now is not None and self._is_missing(now)

    def _say(self, entry: Entry, problem: str) -> bool:
        """Why it is not whole."""
        self.progress[entry.document] = replace(self.progress[entry.document], problem=problem)
        return False

    async def _begin(self, entry: Entry, blob: Blob) -> int:
        """How many pieces are here. Raises StoreFull when the rest does not fit."""
        before = await self._journal.read(lambda tx, _: tx.library.about(entry.document))
        about = About.from_bytes(before) if before is not None else None
        kept = about.pieces or 0 if about is not None and about.digest == blob.root else 0
        left = blob.pieces - kept
        needed = 2 * blob.size_bytes * left // blob.pieces + CHUNK_BYTES * entry.chunks * left // blob.pieces
        if left:
            await self._journal.read(lambda tx, _: self._journal.budget.check(tx, needed))
        if not kept:
            if about is not None:
                await self._shelf.erase(entry.document)
            nothing = About(entry.title, "", blob.root, 0, whole=False).to_bytes()
            await self._journal.change_local(lambda tx: tx.library.begin(entry.document, nothing))
        return kept

    def _source(self, entry: Entry, failed: dict[bytes, str]) -> bytes | None:
        """The nearest that has it."""
        out = failed.keys() | self._liars.get(entry.document, set())
        return next((peer for peer in self._near() if peer in entry.sources and peer not in out), None)

    def _why_not(self, entry: Entry, failed: dict[bytes, str]) -> str:
        for peer in self._liars.get(entry.document, ()):
            return f"What the {self._members.room_of(peer)} sent is not that document."
        for peer, why in failed.items():
            return f"The {self._members.room_of(peer)} did not give it: {why}"
        return f"The {self._members.room_of(entry.holder)} is away."

    async def _fetch_some(self, entry: Entry, fetching: Fetching, peer: bytes) -> str:
        """Take what the peer gives of what is wanted; why nothing came, else empty."""
        wanted = fetching.wanted()
        root = fetching.blob.root
        answers = await asyncio.gather(*(self._ask(peer, Wanted(entry.document, root, index)) for index in wanted))
        for index, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, str):
                continue
            self._came[entry.document] = self._came.get(entry.document, 0) + 1
            if not fetching.came(index, *answer):
                self._liars.setdefault(entry.document, set()).add(peer)
                log.warning("a peer gave a false piece of a document", peer=to_text(peer), document=entry.document)
                return "It sent something else."
        return "" if fetching.ready() else next(one for one in answers if isinstance(one, str))

    async def _ask(self, peer: bytes, wanted: Wanted) -> tuple[bytes, list[bytes]] | str:
        """A piece with its proof, or why there is none."""
        try:
            return read_given(await self._requests.ask(peer, TOPIC, write_wanted(wanted), within_s=PIECE_S))
        except InvalidBytes:
            return b"", []  # which belongs to nothing
        except JarvisError as error:
            return str(error)

    async def _keep(self, entry: Entry, fetching: Fetching) -> bool:
        """False when it is not to be here any more."""
        pieces, kept = fetching.ready(), fetching.kept
        size_bytes = sum(4 * len(text) for piece in pieces for _, text in piece)

        def work(tx: Transaction) -> bool:
            about = _about(tx, entry.document)
            if about is None or about.pieces != kept:
                return False
            self._journal.budget.check(tx, size_bytes)
            for piece in pieces:
                tx.library.append(entry.document, piece)
            tx.library.begin(entry.document, replace(about, pieces=kept + len(pieces)).to_bytes())
            return True

        if not await self._journal.change_local(work):
            return False
        fetching.keep(len(pieces))
        self.progress[entry.document] = Progress(fetching.kept)
        return True

    async def _finish(self, entry: Entry, blob: Blob) -> bool:
        """It counts if all that lies in the store is what the name says; else it is erased."""
        try:
            found = (await read_all(self._journal, entry.document))[1]
        except InvalidBytes:
            found = None
        if found != blob:
            about = await self._journal.read(lambda tx, _: _about(tx, entry.document))
            if about is None or about.pieces != blob.pieces:
                return True  # it was erased meanwhile
            await self._shelf.erase(entry.document)
            raise InvalidBytes("The whole is not what its name says.")

        def work(tx: Transaction) -> None:
            about = _about(tx, entry.document)
            if about is not None and about.pieces == blob.pieces:
                tx.library.begin(entry.document, replace(about, whole=True).to_bytes())

        await self._journal.change_local(work)
        log.info("a copy is whole", document=entry.document, pieces=blob.pieces, came=self._came.get(entry.document, 0))
        self._shelf.look()
        return True


def _about(tx: Transaction, document: str) -> About | None:
    held = tx.library.about(document)
    return About.from_bytes(held) if held is not None else None
