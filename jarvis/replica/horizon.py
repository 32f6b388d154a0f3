"""Taking a horizon. A node that holds exactly what lies below it deletes those records, document by document, each in
one transaction, and keeps what they came to as bases. A node that does not - new in the home, stale, on a restored
disk - is brought the manifest and the documents by peers, checks them against the entry, and takes them in one
transaction. Nothing here may delete a record before its document is known to be what all members acknowledged.

Every call of `step` does one small thing and says what is next, so that the store is never long in one hand, and a
crash between two steps leaves a mixture that is right: a base joined with records that it includes is the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jarvis.crdt.registry import kind_of, lifecycle_of
from jarvis.identity.horizon import Frontier, Horizon
from jarvis.identity.record import MAX_SEQ
from jarvis.replica.accepted import NOTHING, Accepted
from jarvis.replica.bases import Adding, digest_of
from jarvis.replica.documents import Documents
from jarvis.replica.erasure import LIFECYCLES, Erasure
from jarvis.replica.holdings import Floor, Holdings
from jarvis.replica.manifest import (
    DOCUMENT_RECORDS,
    MAX_MANIFEST_BYTES,
    STEP_RECORDS,
    Impossible,
    Making,
    Manifest,
    read_manifest,
    root_of,
)
from jarvis.replica.staging import Part, Staging
from jarvis.store.protocol import Head, StoredRecord, Transaction

PARTS_BYTES = 192 * 1024
MAX_PARTS = 1_024
"""In one answer to who is brought the documents, with room for what frames them."""
PART_BYTES = 96
"""What frames a part in a message, its document's name included, about."""
SWEEP_BYTES = 1024 * 1024
"""Of records deleted in one transaction beside documents."""
BASE_RECORDS = 10
"""What looking at a document without records costs, in records, about."""
_PRUNED, _OWED, _GONE, _MANIFESTS = "horizon/pruned", "horizon/owed/", "horizon/gone/", "horizon/manifest/"


@dataclass(frozen=True, slots=True)
class Need:
    """What a peer should send next: of the manifest ("") or of this document and those after it, from `offset` on."""

    entry: bytes
    document: str
    offset: int


@dataclass(frozen=True, slots=True)
class Next:
    more: bool = False
    """Whether another step can be done at once."""
    need: Need | None = None
    """What must come from a peer first."""


class Horizons:
    """`restate` states anew what counts; `forsaken` is told of each author whose frontier is not what this disk made
    of it."""

    def __init__(
        self,
        held: Holdings,
        documents: Documents,
        erasure: Erasure,
        *,
        restate: Callable[[Transaction, Accepted], None],
        forsaken: Callable[[Transaction, bytes], None],
    ) -> None:
        self._held = held
        self._documents = documents
        self._erasure = erasure
        self._restate = restate
        self._forsaken = forsaken
        self._staging = Staging()
        self.forget()

    def forget(self) -> None:
        self._makings: list[tuple[Frontier, Making]] = []
        """Two at most: of a proposal, and of a horizon that came meanwhile."""
        self._impossible = b""
        """The horizon's entry whose manifest this node could not make itself."""
        self._read: dict[bytes, Manifest] = {}
        """The manifest read last, by its root."""
        self._left: list[str] | None = None
        """While deleting: documents that were not looked at, in falling order."""
        self._adding: Adding | None = None
        """While deleting: the document under way."""
        self._come = ""
        """While fetching: documents before this name have come."""

    # --- what is known of a frontier ------------------------------------------------------------------------------

    def covers(self, tx: Transaction, frontier: Frontier) -> bool:
        """Whether every record up to there is held here, and no other in its place."""
        return all(self._holds(tx, author, *place) for author, place in self._held.ground(tx).reach(frontier).items())

    def _holds(self, tx: Transaction, author: bytes, seq: int, digest: bytes) -> bool:
        record = tx.record(author, seq)
        return record.hash == digest if record else self._held.floor(tx).frontier.get(author) == (seq, digest)

    def make(self, tx: Transaction, frontier: Frontier) -> Manifest | None:
        """The manifest of a frontier, kept here as whole; None while there is more to look at. Raises Impossible."""
        making = next((one for known, one in self._makings if known == frontier), None)
        if making is None:
            if not self.covers(tx, frontier):
                raise Impossible("it does not hold all of that")
            before = self.manifest(tx, self._held.floor(tx).root)
            making = Making(tx, self._held, self._erasure, frontier, before.documents if before else ())
            self._makings = [*self._makings[-1:], (frontier, making)]
        try:
            manifest = making.step(tx)
        except Impossible:
            self._makings = [one for one in self._makings if one[1] is not making]
            raise
        if manifest is not None:
            self._makings = [one for one in self._makings if one[1] is not making]
            self._keep(tx, manifest.encode())
        return manifest

    def _keep(self, tx: Transaction, data: bytes) -> None:
        """For the horizon that will name its root, if that comes. Older ones go, but for the floor's."""
        root = root_of(data)
        for key in tx.keys(_MANIFESTS):
            if key not in (_MANIFESTS + root.hex(), _MANIFESTS + self._held.floor(tx).root.hex()):
                tx.delete(key)
        tx.put(_MANIFESTS + root.hex(), data)

    def manifest(self, tx: Transaction, root: bytes) -> Manifest | None:
        """The one with this root, if it was made or has come."""
        if root not in self._read:
            data = tx.get(_MANIFESTS + root.hex())
            if data is None:
                return None
            self._read = {root: read_manifest(data)}
        return self._read[root]

    # --- taking the newest ----------------------------------------------------------------------------------------

    def step(self, tx: Transaction, accepted: Accepted) -> Next:
        """Do the next small thing towards the newest horizon; `accepted` hears what it changed."""
        horizon = self._held.ground(tx).horizon
        if horizon is None or tx.get(_PRUNED) == horizon.entry:
            return Next()
        if self._held.floor(tx).entry == horizon.entry:
            return self._prune(tx, horizon, accepted)
        manifest = self.manifest(tx, horizon.root)
        if self.covers(tx, horizon.frontier):
            if manifest is not None:
                self._forgive(tx)
                self._set_floor(tx, horizon, manifest, accepted)
                return Next(more=True)
            if self._impossible != horizon.entry:
                return self._make_own(tx, horizon)
        if manifest is None:
            return Next(need=Need(horizon.entry, "", self._staging.size(tx, horizon.root)))
        need = self._need(tx, horizon, manifest)
        if need is not None:
            return Next(need=need)
        self._install(tx, horizon, manifest, accepted)
        return Next(more=True)

    def _make_own(self, tx: Transaction, horizon: Horizon) -> Next:
        try:
            manifest = self.make(tx, horizon.frontier)
        except Impossible:
            self._impossible = horizon.entry
        else:
            if manifest is not None and root_of(manifest.encode()) != horizon.root:
                self._impossible = horizon.entry
        return Next(more=True)

    def _set_floor(self, tx: Transaction, horizon: Horizon, manifest: Manifest, accepted: Accepted) -> None:
        chain = self._held.ground(tx)
        reach = chain.reach(horizon.frontier)
        self._held.put_floor(tx, Floor(horizon.entry, horizon.root, reach, manifest.stamps, manifest.aside))
        for key in tx.keys(_MANIFESTS):
            if key != _MANIFESTS + horizon.root.hex():
                tx.delete(key)
        for author in chain.collapsed.keys() & self._held.heads(tx).keys():
            self._held.set_head(tx, author, NOTHING)
            accepted.lowered[author] = NOTHING
            accepted.heads.pop(author, None)
            self._forsaken(tx, author)
        for author, place in horizon.frontier.items():  # one that a lost branch had closed is open again
            if self._held.head(tx, author).seq < place[0]:
                accepted.heads[author] = Head(*place)
                self._held.set_head(tx, author, Head(*place))
        accepted.bounds = self._held.bounds(tx)
        self._makings, self._left, self._adding, self._come = [], None, None, ""

    # --- deleting what lies below it ------------------------------------------------------------------------------

    def _prune(self, tx: Transaction, horizon: Horizon, accepted: Accepted) -> Next:
        """Some documents; then what must come from peers; at last records that are no document's."""
        manifest = self.manifest(tx, horizon.root)
        assert manifest is not None  # put with the floor
        seqs = {author: seq for author, (seq, _) in self._held.floor(tx).frontier.items()}
        if self._left is None:
            self._left = sorted({*manifest.documents, *tx.documents()}, reverse=True)
        room = STEP_RECORDS
        while room > 0 and (self._left or self._adding is not None):
            room -= self._prune_more(tx, room, manifest, seqs, accepted)
        if room <= 0 or self._left or self._adding is not None:
            return Next(more=True)
        need = self._settle_owed(tx, horizon, manifest, seqs, accepted)
        if need is not None:
            return Next(need=need)
        if self._sweep(tx, seqs):
            return Next(more=True)
        for key in tx.keys(_GONE):
            tx.delete(key)
        self._staging.clear(tx)
        tx.put(_PRUNED, horizon.entry)
        return Next()

    def _prune_more(
        self, tx: Transaction, room: int, manifest: Manifest, seqs: dict[bytes, int], accepted: Accepted
    ) -> int:
        """Of a document, or at the next; what it cost, in records."""
        assert self._left is not None
        if self._adding is None and (
            kind_of(self._left[-1]) is None or next(_below(tx, self._left[-1], seqs), None) is None
        ):  # after a crash, most were done before it
            self._prune_document(tx, self._left[-1], tx.base(self._left.pop()), manifest, seqs, accepted)
            return BASE_RECORDS
        adding = self._adding = self._adding or Adding(tx, self._left.pop(), seqs)
        looked = adding.step(tx, room)
        if looked < room:
            self._prune_document(tx, adding.document, adding.data(), manifest, seqs, accepted)
            self._adding = None
        return looked + DOCUMENT_RECORDS

    def _prune_document(
        self,
        tx: Transaction,
        document: str,
        data: bytes | None,
        manifest: Manifest,
        seqs: dict[bytes, int],
        accepted: Accepted,
    ) -> None:
        """`data` is what it came to here."""
        summary = manifest.documents.get(document)
        if self._erasure.is_deleted(tx, document):
            tx.drop_base(document)  # also when that was while it was added up
        elif summary is not None and data is not None and digest_of(data) == summary[0]:
            if tx.delete_records(_below(tx, document, seqs)):
                tx.put_base(document, data)
                tx.drop_checkpoint(document)  # it may lack what the records after it said, which are gone now
        elif summary is None and data is not None:  # what this node took to count does not
            self._replace(tx, document, None, seqs, accepted)
        elif summary is not None:
            tx.put(_OWED + document, b"")

    def _replace(
        self, tx: Transaction, document: str, base: bytes | None, seqs: dict[bytes, int], accepted: Accepted
    ) -> None:
        """Another state than records made here stands in their place."""
        tx.delete_records(_below(tx, document, seqs))
        tx.drop_base(document)
        if base is not None:
            tx.put_base(document, base)
        tx.drop_checkpoint(document)
        self._documents.reload([document])
        accepted.restated.add(document)
        accepted.bounds = self._held.bounds(tx)  # so that it is told
        accepted.restated |= self._erasure.restated(tx, {document})

    def _sweep(self, tx: Transaction, seqs: dict[bytes, int]) -> bool:
        """Whether there was something left below."""
        for author, seq in seqs.items():
            left = tx.records(author, 1, seq, SWEEP_BYTES)
            if left:
                tx.delete_records(left)
                return True
        return False

    # --- taking it whole ------------------------------------------------------------------------------------------

    def _need(self, tx: Transaction, horizon: Horizon, manifest: Manifest) -> Need | None:
        """The first document that has not come."""
        for document, (digest, size_bytes) in manifest.documents.items():
            if document >= self._come and tx.get(_GONE + document) is None:
                self._come = document
                come = self._staging.size(tx, digest)
                if come < size_bytes:
                    return Need(horizon.entry, document, come)
        return None

    def _settle_owed(
        self, tx: Transaction, horizon: Horizon, manifest: Manifest, seqs: dict[bytes, int], accepted: Accepted
    ) -> Need | None:
        """Take documents that had to come from peers; the first that has not. One that was deleted since need not."""
        for key in tx.keys(_OWED):
            document = key.removeprefix(_OWED)
            digest, size_bytes = manifest.documents[document]
            if not self._erasure.is_deleted(tx, document):
                come = self._staging.size(tx, digest)
                if come < size_bytes:
                    return Need(horizon.entry, document, come)
                self._replace(tx, document, self._staging.read(tx, digest), seqs, accepted)
            self._staging.drop(tx, digest)
            tx.delete(key)
        return None

    def _forgive(self, tx: Transaction) -> None:
        """What the last horizon still had to be brought: every document is held against the newer one now."""
        for key in tx.keys(_OWED):
            tx.delete(key)

    def _install(self, tx: Transaction, horizon: Horizon, manifest: Manifest, accepted: Accepted) -> None:
        """All documents, the frontier and what of our own records goes on from it, at once: a record may name whatever
        lies below the frontier."""
        self._forgive(tx)
        for author, (seq, digest) in self._held.ground(tx).reach(horizon.frontier).items():
            same = self._holds(tx, author, seq, digest)
            self._delete_chain(tx, author, seq if same else None)
            if not same or self._held.head(tx, author).seq < seq:
                self._go_on_from(tx, author, Head(seq, digest), accepted)
        names = {*tx.documents(), *manifest.documents}
        for document in names:
            tx.drop_checkpoint(document)
            tx.drop_base(document)
        for document, (digest, _) in manifest.documents.items():
            if tx.get(_GONE + document) is not None:
                tx.put(_OWED + document, b"")
            else:
                tx.put_base(document, self._staging.read(tx, digest))
        self._staging.clear(tx)
        self._documents.forget()
        self._set_floor(tx, horizon, manifest, accepted)
        self._left = []
        accepted.restated |= names
        accepted.restated |= self._erasure.restated(tx, set(LIFECYCLES))
        self._restate(tx, accepted)

    def _delete_chain(self, tx: Transaction, author: bytes, through: int | None) -> None:
        """An author's records up to there; None: all, since they are of another history."""
        last = MAX_SEQ if through is None else through
        while records := tx.records(author, 1, last, SWEEP_BYTES):
            tx.delete_records(records)

    def _go_on_from(self, tx: Transaction, author: bytes, head: Head, accepted: Accepted) -> None:
        if head.seq > self._held.head(tx, author).seq:
            accepted.heads[author] = head
        else:
            accepted.heads.pop(author, None)
            accepted.lowered[author] = head
        self._held.set_head(tx, author, head)
        self._forsaken(tx, author)

    # --- looking after it -------------------------------------------------------------------------------------------

    def is_taken(self, tx: Transaction) -> bool:
        """Whether there is nothing left to do for the newest."""
        horizon = self._held.ground(tx).horizon
        return horizon is None or tx.get(_PRUNED) == horizon.entry

    def below(self, tx: Transaction) -> list[str]:
        """The documents of the horizon that this node has taken wholly, and that were not deleted since."""
        floor = self._held.floor(tx)
        manifest = self.manifest(tx, floor.root) if tx.get(_PRUNED) == floor.entry else None
        return [one for one in manifest.documents if not self._erasure.is_deleted(tx, one)] if manifest else []

    def is_sound(self, tx: Transaction, document: str) -> bool:
        """Whether the base of one of these is what the members signed."""
        manifest, base = self.manifest(tx, self._held.floor(tx).root), tx.base(document)
        assert manifest is not None
        return base is not None and digest_of(base) == manifest.documents[document][0]

    # --- what peers bring and ask for -------------------------------------------------------------------------------

    def stage(self, tx: Transaction, entry: bytes, parts: Iterable[Part]) -> bool:
        """Keep what a peer has brought, until it is whole; whether it was of any use."""
        horizon = self._held.ground(tx).horizon
        if horizon is None or horizon.entry != entry or tx.get(_PRUNED) == entry:
            return True  # it comes too late, which is nobody's fault
        useful = False
        for part in parts:
            if not self._stage(tx, horizon, part):
                return False
            useful = True
        return useful

    def _stage(self, tx: Transaction, horizon: Horizon, part: Part) -> bool:
        digest, total = horizon.root, min(part.total, MAX_MANIFEST_BYTES)
        manifest = self.manifest(tx, horizon.root)
        if part.document:
            if manifest is None or part.document not in manifest.documents:
                return False
            digest, total = manifest.documents[part.document]
        elif manifest is not None:
            return True
        if part.data is None:
            if lifecycle_of(part.document) is None or self._held.floor(tx).entry == horizon.entry:
                return False
            tx.put(_GONE + part.document, b"")
            return True
        come = self._staging.size(tx, digest)
        if part.offset < come:
            return True  # asked for twice
        if part.offset > come or not part.data or come + len(part.data) > total:
            return False
        self._staging.put(tx, digest, part.data)
        if come + len(part.data) < total:
            return True
        return self._check(tx, horizon, part.document, digest)

    def _check(self, tx: Transaction, horizon: Horizon, document: str, digest: bytes) -> bool:
        """Whether what is whole now is what it must be; if not, it is dropped, and asked for again."""
        data = self._staging.read(tx, digest)
        if (digest_of(data) if document else root_of(data)) != digest:
            self._staging.drop(tx, digest)
            return False
        if not document:
            self._staging.drop(tx, digest)
            self._keep(tx, data)
        return True

    def answer(self, tx: Transaction, entry: bytes, document: str, offset: int) -> list[Part]:
        """For a peer that needs the manifest or documents of that horizon, as many as a frame holds; empty when this
        node has not taken it, or not that far."""
        floor = self._held.floor(tx)
        if floor.entry != entry:
            return []
        if not document:
            data = tx.get(_MANIFESTS + floor.root.hex()) or b""
            return [Part("", offset, len(data), data[offset : offset + PARTS_BYTES])] if offset < len(data) else []
        manifest = self.manifest(tx, floor.root)
        assert manifest is not None  # put with the floor
        parts: list[Part] = []
        room = PARTS_BYTES
        for name, (_, size_bytes) in manifest.documents.items():
            if name < document:
                continue
            at = offset if name == document else 0
            part = self._part(tx, name, at, size_bytes, room)
            if part is None or len(parts) >= MAX_PARTS:
                break
            parts.append(part)
            room -= PART_BYTES + len(part.data or b"")
            if room <= 0:
                break
        return parts

    def _part(self, tx: Transaction, document: str, offset: int, size_bytes: int, most: int) -> Part | None:
        if self._erasure.is_deleted(tx, document):
            return Part(document, 0, size_bytes, None)
        taken = tx.get(_PRUNED) == self._held.floor(tx).entry or self._is_pruned(document)
        if not taken or tx.get(_OWED + document) is not None:
            return None
        data = tx.base_part(document, offset, most)
        return Part(document, offset, size_bytes, data) if data else None

    def _is_pruned(self, document: str) -> bool:
        left = [*(self._left or ())[-1:], *([self._adding.document] if self._adding else ())]
        return self._left is not None and document < min(left, default=document + "\0")


def _below(tx: Transaction, document: str, seqs: dict[bytes, int]) -> Iterator[StoredRecord]:
    """The document's applied records that lie at or below."""
    return (record for record in tx.document_records(document, 0) if record.seq <= seqs.get(record.author, 0))
