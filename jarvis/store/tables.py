"""The store's SQL: a `Transaction` over the tables of `migrations`. Authors and document names are kept once and
named by small numbers, which saves about 130 bytes a record. It must never begin or end a database transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlcipher3 import dbapi2 as sqlcipher

from jarvis.core.errors import StoreFailed
from jarvis.store.library import SqlLibrary
from jarvis.store.protocol import Checkpoint, Head, StoredRecord

INTERNED = 8_192
"""Numbers of authors and of documents kept in memory each: a home's years; past it the cache starts anew."""
FETCH_RECORDS = 128
"""Records in memory at once while a document is read: 8 MiB when every one is as large as it may be."""
BASE_PIECE_BYTES = 64 * 1024
"""A base is kept in pieces, so that reading a part of it costs that part."""

_MAX_INTEGER = 2**63 - 1
_PREFIX_END = "\U0010ffff"
"""Sorts after every character that a name may hold."""

_SELECT = """
SELECT a.author, r.seq, r.hash, r.header, r.signature, r.payload, d.name, r.status, r.position
FROM records r JOIN authors a ON a.id = r.author JOIN documents d ON d.id = r.document
"""
_ONE = _SELECT + "WHERE r.author = ? AND r.seq = ?"
_RANGE = _SELECT + "WHERE r.author = ? AND r.seq BETWEEN ? AND ? ORDER BY r.seq"
# `status = 0` stands literally, so that the partial index applies.
_OF_DOCUMENT = (
    _SELECT + "WHERE r.document = ? AND r.status = 0 AND r.position > ? AND r.position <= ? ORDER BY r.position"
)
_UNAPPLIED = _SELECT + "WHERE r.status <> 0 AND r.position > ? AND r.position <= ? ORDER BY r.position"
_IN_ORDER = _SELECT + "WHERE r.position > ? AND r.position <= ? ORDER BY r.position"
_ERASE_RECORDS = "UPDATE records SET payload = NULL, status = 4 WHERE document = ? AND "
_ERASE = (
    # Each half finds the document's records by a partial index of its own.
    _ERASE_RECORDS + "status = 0",
    _ERASE_RECORDS + "status <> 0 AND status <> 4",
    "DELETE FROM checkpoints WHERE document = ?",
    "DELETE FROM bases WHERE document = ?",
)
_PUT = """
INSERT INTO records (position, author, seq, document, status, hash, header, signature, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_LAST_POSITION = """
SELECT max(coalesce((SELECT max(position) FROM records), 0), coalesce((SELECT position FROM deleted), 0))
"""
_DOCUMENTS = """
SELECT name FROM documents WHERE name >= ? AND name < ?
AND (EXISTS (SELECT 1 FROM records WHERE document = documents.id AND status = 0)
  OR EXISTS (SELECT 1 FROM bases WHERE document = documents.id)) ORDER BY name
"""


class SqlTransaction:
    """Lives as long as its connection; `forget` must be called whenever something was rolled back."""

    def __init__(self, connection: sqlcipher.Connection) -> None:
        self._db = connection
        self._authors: dict[bytes, int] = {}
        self._documents: dict[str, int] = {}
        self._position: int | None = None
        """The last one given; None when it must be read."""
        self.erased = False
        """Whether the log may hold bytes that were erased since it was last emptied."""
        self.library = SqlLibrary(connection, lambda: setattr(self, "erased", True))

    def forget(self) -> None:
        """Drop the remembered numbers: those given since the last commit are no longer there."""
        self._authors.clear()
        self._documents.clear()
        self._position = None

    def put_record(self, record: StoredRecord) -> int:
        author, document = self._author(record.author), self._document(record.document)
        values = (record.hash, record.header, record.signature, record.payload)
        position = self._last_position() + 1
        try:
            self._db.execute(_PUT, (position, author, record.seq, document, record.status, *values))
        except sqlcipher.IntegrityError:
            raise StoreFailed(f"The record {record.seq} of this author is already held.") from None
        self._position = position
        return position

    def _last_position(self) -> int:
        if self._position is None:
            self._position = int(self._db.execute(_LAST_POSITION).fetchone()[0])
        return self._position

    def delete_records(self, records: Iterable[StoredRecord]) -> int:
        # First: once the newest is gone, its position could not be told from one that was never given.
        self._db.execute("INSERT OR REPLACE INTO deleted (id, position) VALUES (0, ?)", (self._last_position(),))
        positions = [(one.position,) for one in records]  # all that is kept of them, however many there are
        self._db.executemany("DELETE FROM records WHERE position = ?", positions)
        return len(positions)

    def record(self, author: bytes, seq: int) -> StoredRecord | None:
        if seq > _MAX_INTEGER:
            return None
        row = self._db.execute(_ONE, (self._known_author(author), seq)).fetchone()
        return StoredRecord(*row) if row else None

    def records(self, author: bytes, first: int, last: int, max_bytes: int) -> list[StoredRecord]:
        found: list[StoredRecord] = []
        if first > _MAX_INTEGER:
            return found
        size_bytes = 0
        cursor = self._db.execute(_RANGE, (self._known_author(author), first, min(last, _MAX_INTEGER)))
        for row in cursor:
            record = StoredRecord(*row)
            size_bytes += record.size_bytes
            if found and size_bytes > max_bytes:
                break
            found.append(record)
        cursor.close()
        return found

    def set_status(self, author: bytes, seq: int, status: int) -> None:
        sql = "UPDATE records SET status = ? WHERE author = ? AND seq = ?"
        self._db.execute(sql, (status, self._known_author(author), seq))

    def erase(self, document: str) -> bool:
        number = self._known_document(document)
        if number is None:
            return False
        erased = sum(int(self._db.execute(sql, (number,)).rowcount) for sql in _ERASE) > 0
        self.erased = self.erased or erased
        return erased

    def records_in_order(self, after: int) -> Iterator[StoredRecord]:
        newest = self._db.execute("SELECT max(position) FROM records").fetchone()[0] or 0
        return self._slices(_IN_ORDER, (), after, newest)

    def unapplied(self) -> Iterator[StoredRecord]:
        return self._slices(_UNAPPLIED, (), 0, self._last_position())

    def document_records(self, document: str, after: int) -> Iterator[StoredRecord]:
        newest = self._db.execute("SELECT max(position) FROM records").fetchone()[0] or 0
        return self._slices(_OF_DOCUMENT, (self._known_document(document),), after, newest)

    def _slices(self, query: str, arguments: tuple[int | None, ...], after: int, newest: int) -> Iterator[StoredRecord]:
        """In slices, so that no cursor stays open while the work writes."""
        while True:
            rows = self._db.execute(query + " LIMIT ?", (*arguments, after, newest, FETCH_RECORDS)).fetchall()
            for row in rows:
                yield StoredRecord(*row)
            if len(rows) < FETCH_RECORDS:
                return
            after = rows[-1][-1]

    def documents(self, prefix: str = "") -> list[str]:
        return [name for (name,) in self._db.execute(_DOCUMENTS, (prefix, prefix + _PREFIX_END))]

    def heads(self) -> dict[bytes, Head]:
        rows = self._db.execute("SELECT author, head_seq, head_hash FROM authors WHERE head_seq IS NOT NULL")
        return {author: Head(seq, hash_) for author, seq, hash_ in rows}

    def put_head(self, author: bytes, head: Head) -> None:
        sql = "UPDATE authors SET head_seq = ?, head_hash = ? WHERE id = ?"
        self._db.execute(sql, (head.seq, head.hash, self._author(author)))

    def drop_head(self, author: bytes) -> None:
        sql = "UPDATE authors SET head_seq = NULL, head_hash = NULL WHERE id = ?"
        self._db.execute(sql, (self._known_author(author),))

    def checkpoint(self, document: str) -> Checkpoint | None:
        sql = "SELECT position, state FROM checkpoints WHERE document = ?"
        row = self._db.execute(sql, (self._known_document(document),)).fetchone()
        return Checkpoint(*row) if row else None

    def put_checkpoint(self, document: str, checkpoint: Checkpoint) -> None:
        sql = "INSERT OR REPLACE INTO checkpoints (document, position, state) VALUES (?, ?, ?)"
        self._db.execute(sql, (self._document(document), checkpoint.position, checkpoint.state))

    def drop_checkpoint(self, document: str) -> None:
        self._db.execute("DELETE FROM checkpoints WHERE document = ?", (self._known_document(document),))

    def base(self, document: str) -> bytes | None:
        sql = "SELECT data FROM bases WHERE document = ? ORDER BY piece"
        pieces = [data for (data,) in self._db.execute(sql, (self._known_document(document),))]
        return b"".join(pieces) if pieces else None

    def base_part(self, document: str, offset: int, max_bytes: int) -> bytes:
        first, skip = divmod(offset, BASE_PIECE_BYTES)
        sql = "SELECT data FROM bases WHERE document = ? AND piece BETWEEN ? AND ? ORDER BY piece"
        last = (offset + max_bytes) // BASE_PIECE_BYTES
        pieces = [data for (data,) in self._db.execute(sql, (self._known_document(document), first, last))]
        return b"".join(pieces)[skip : skip + max_bytes]

    def put_base(self, document: str, state: bytes) -> None:
        self.drop_base(document)
        number = self._document(document)
        pieces = [state[at : at + BASE_PIECE_BYTES] for at in range(0, len(state), BASE_PIECE_BYTES)]
        sql = "INSERT INTO bases (document, piece, data) VALUES (?, ?, ?)"
        self._db.executemany(sql, [(number, piece, data) for piece, data in enumerate(pieces)])

    def drop_base(self, document: str) -> None:
        self._db.execute("DELETE FROM bases WHERE document = ?", (self._known_document(document),))

    def membership(self) -> list[tuple[bytes, bytes]]:
        return list(self._db.execute("SELECT entry, signature FROM membership ORDER BY position"))

    def put_membership(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        self._db.execute("DELETE FROM membership")
        sql = "INSERT INTO membership (position, entry, signature) VALUES (?, ?, ?)"
        self._db.executemany(sql, [(at, entry, signature) for at, (entry, signature) in enumerate(entries)])

    def get(self, key: str) -> bytes | None:
        row = self._db.execute('SELECT value FROM "values" WHERE key = ?', (key,)).fetchone()
        return row[0] if row else None

    def put(self, key: str, value: bytes) -> None:
        # Replacing would take the key out of its index and put it back: one page more in every commit.
        sql = 'INSERT INTO "values" (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value'
        self._db.execute(sql, (key, value))

    def delete(self, key: str) -> None:
        self._db.execute('DELETE FROM "values" WHERE key = ?', (key,))

    def keys(self, prefix: str) -> list[str]:
        sql = 'SELECT key FROM "values" WHERE key >= ? AND key < ? ORDER BY key'
        return [key for (key,) in self._db.execute(sql, (prefix, prefix + _PREFIX_END))]

    def used_bytes(self) -> int:
        pages, free, size_bytes = (self._pragma(name) for name in ("page_count", "freelist_count", "page_size"))
        return (pages - free) * size_bytes

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def record_count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM records").fetchone()[0])

    def _known_author(self, author: bytes) -> int | None:
        """The author's number; None, which no row matches, when it has none."""
        number = self._authors.get(author)
        if number is None:
            row = self._db.execute("SELECT id FROM authors WHERE author = ?", (author,)).fetchone()
            number = row[0] if row else None
        return number

    def _author(self, author: bytes) -> int:
        """The author's number, given now when it has none."""
        number = self._known_author(author)
        if number is None:
            number = int(self._db.execute("INSERT INTO authors (author) VALUES (?)", (author,)).lastrowid)
        if len(self._authors) >= INTERNED:
            self._authors.clear()
        self._authors[author] = number
        return number

    def _known_document(self, name: str) -> int | None:
        number = self._documents.get(name)
        if number is None:
            row = self._db.execute("SELECT id FROM documents WHERE name = ?", (name,)).fetchone()
            number = row[0] if row else None
        return number

    def _document(self, name: str) -> int:
        number = self._known_document(name)
        if number is None:
            number = int(self._db.execute("INSERT INTO documents (name) VALUES (?)", (name,)).lastrowid)
        if len(self._documents) >= INTERNED:
            self._documents.clear()
        self._documents[name] = number
        return number
