"""The library's part of the store: chunks of documents, an index of their words (FTS5), and their vectors. It never
leaves this node. It must never interpret what it keeps: what a document is, and what a vector means, is decided above.

What is taken out is gone from the words' index too, and from the file's pages once this is committed. Ids of chunks
rise and are never given twice, so that an index kept elsewhere can never mean another chunk by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlcipher3 import dbapi2 as sqlcipher

MAX_WORDS = 64
"""Of one search; a question has ten."""
RARE_ROWS = 1_000
"""Chunks with any of a question's rarer words, all of which are ranked. Words that stand in more count in their score
and bring none of their own. Among 100,000 chunks, of 259 questions' right pages 151 are among the first five then, and
161 where all words bring chunks, which takes many times as long; with what meaning finds it makes no difference."""
COMMON_SHARE = 4
"""A word that stands in more than every fourth chunk tells little, and is left out as long as another one is there."""
MAX_COUNTED = 40_000
"""Chunks with any of the words that count: FTS5 goes through all of them to tell how much each word tells."""
MAX_RANKED = 1_000
"""Where no word is rarer: some milliseconds."""

TABLES = (
    "CREATE TABLE library_documents (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, about BLOB NOT NULL)",
    """CREATE TABLE library_chunks (id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL
    REFERENCES library_documents (id), position INTEGER NOT NULL, place TEXT NOT NULL, text TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX library_chunks_of ON library_chunks (document, position)",
    """CREATE TABLE library_vectors (chunk INTEGER PRIMARY KEY REFERENCES library_chunks (id), vector BLOB NOT NULL)""",
    # What an index still lacks: its vector, and its words unless `worded`.
    """CREATE TABLE library_waiting (chunk INTEGER PRIMARY KEY REFERENCES library_chunks (id),
    worded INTEGER NOT NULL)""",
    """CREATE VIRTUAL TABLE library_words USING fts5 (place, text, content = 'library_chunks', content_rowid = 'id',
    tokenize = 'porter unicode61 remove_diacritics 2')""",
    # What is taken out is cut out of the index at once, not marked and merged away some day.
    "INSERT INTO library_words (library_words, rank) VALUES ('secure-delete', 1)",
)
"""Part of a migration: must never change."""

_WORDS_OUT = "INSERT INTO library_words (library_words, rowid, place, text) VALUES ('delete', ?, ?, ?)"
_WORDS_IN = "INSERT INTO library_words (rowid, place, text) VALUES (?, ?, ?)"
_CHUNK_OUT = (
    "DELETE FROM library_waiting WHERE chunk = ?",
    "DELETE FROM library_vectors WHERE chunk = ?",
    "DELETE FROM library_chunks WHERE id = ?",
)
_LAST = "SELECT coalesce(max(id), 0) FROM library_chunks"
_ROWS = "SELECT count(*), max(id) FROM (SELECT rowid AS id FROM library_words WHERE library_words MATCH ? LIMIT ?)"
_SEARCH = """
SELECT rowid, score FROM (SELECT rowid, bm25(library_words, 0.5, 1.0) AS score FROM library_words
WHERE library_words MATCH ? LIMIT ?) ORDER BY score, rowid LIMIT ?
"""
# Every chunk of the first has words that chose it: what these brought twice is taken off once.
_SEARCH_CHOSEN = """
WITH every AS (SELECT rowid AS id, bm25(library_words, 0.5, 1.0) AS score FROM library_words
WHERE library_words MATCH ? LIMIT ?),
chosen AS (SELECT rowid AS id, bm25(library_words, 0.5, 1.0) AS score FROM library_words
WHERE library_words MATCH ? LIMIT ?)
SELECT every.id, every.score - chosen.score AS score FROM every CROSS JOIN chosen ON chosen.id = every.id
ORDER BY score, every.id LIMIT ?
"""
_CHUNK = """
SELECT c.id, d.name, c.position, c.place, c.text FROM library_chunks c JOIN library_documents d ON d.id = c.document
WHERE c.id = ?
"""
_COUNTS = """
SELECT d.name, count(c.id), count(w.chunk) FROM library_documents d LEFT JOIN library_chunks c ON c.document = d.id
LEFT JOIN library_waiting w ON w.chunk = c.id GROUP BY d.id ORDER BY d.name
"""


@dataclass(frozen=True, slots=True)
class StoredChunk:
    id: int
    document: str
    position: int
    """From 0, within its document."""
    place: str
    text: str


class Library(Protocol):
    """Valid only while the work runs, like the transaction that it belongs to."""

    def begin(self, document: str, about: bytes) -> None:
        """A new document without a chunk. One of that name is held already: its `about` is replaced."""

    def append(self, document: str, chunks: Sequence[tuple[str, str]]) -> list[int]:
        """(place, text) of each, behind the chunks that the document has; their ids. It must have begun."""

    def erase(self, document: str, most: int) -> list[int]:
        """Take out up to so many of its chunks, and the document itself with the last of them: their ids, none when it
        is gone."""

    def documents(self) -> dict[str, bytes]:
        """Name -> about."""

    def about(self, document: str) -> bytes | None:
        """None when there is no such document."""

    def content(self, document: str, first: int, most: int) -> list[tuple[str, str]]:
        """(place, text) of its chunks from position `first` on, in their order."""

    def counts(self) -> dict[str, tuple[int, int]]:
        """Name -> chunks, and how many of them wait for a vector."""

    def search(self, words: Sequence[str], most: int) -> list[tuple[int, float]]:
        """Chunks with any of the words, best first, by BM25: (id, score), more is better. Words are matched by their
        stems, without accents and case. Among many chunks, one that holds only the commoner words may be left out."""

    def chunks(self, ids: Iterable[int]) -> list[StoredChunk]:
        """Those that are held, in the order asked for."""

    def waiting(self, most: int) -> list[tuple[int, str, str]]:
        """Chunks without a vector, the oldest first: (id, place, text)."""

    def put_vectors(self, vectors: Sequence[tuple[int, bytes]]) -> list[int]:
        """Ids of those that were kept: chunks that are held and waited for one."""

    def vectored(self, after: int, most: int) -> list[int]:
        """Ids of chunks with a vector, above `after`, rising."""

    def vectors(self, ids: Iterable[int]) -> list[tuple[int, bytes]]:
        """Of those chunks that have one, in the order asked for."""

    def throw_away(self) -> None:
        """Every word and vector of the indexes. The chunks stay, and wait for both."""

    def index_words(self, most: int) -> int:
        """Of so many of the chunks that wait for it, the oldest first; how many there were."""


class SqlLibrary:
    """A `Library` over TABLES. `erased` is called when the file's log may hold what was taken out."""

    def __init__(self, connection: sqlcipher.Connection, erased: Callable[[], None] = lambda: None) -> None:
        self._db = connection
        self._erased = erased

    def begin(self, document: str, about: bytes) -> None:
        sql = """INSERT INTO library_documents (name, about) VALUES (?, ?)
        ON CONFLICT (name) DO UPDATE SET about = excluded.about"""
        self._db.execute(sql, (document, about))

    def append(self, document: str, chunks: Sequence[tuple[str, str]]) -> list[int]:
        number = self._number(document)
        sql = "SELECT coalesce(max(position), -1) + 1 FROM library_chunks WHERE document = ?"
        first = int(self._db.execute(sql, (number,)).fetchone()[0])
        ids: list[int] = []
        sql = "INSERT INTO library_chunks (document, position, place, text) VALUES (?, ?, ?, ?)"
        for position, (place, text) in enumerate(chunks, first):
            ids.append(int(self._db.execute(sql, (number, position, place, text)).lastrowid))
            self._db.execute(_WORDS_IN, (ids[-1], place, text))
        self._db.executemany("INSERT INTO library_waiting (chunk, worded) VALUES (?, 1)", [(one,) for one in ids])
        return ids

    def erase(self, document: str, most: int) -> list[int]:
        number = self._number(document)
        sql = """SELECT c.id, c.place, c.text, w.worded FROM library_chunks c
        LEFT JOIN library_waiting w ON w.chunk = c.id WHERE c.document = ? ORDER BY c.position DESC LIMIT ?"""
        rows = self._db.execute(sql, (number, most)).fetchall()
        for one, place, text, worded in rows:
            if worded != 0:  # taking out what was never put in would spoil the index
                self._db.execute(_WORDS_OUT, (one, place, text))
            for sql in _CHUNK_OUT:
                self._db.execute(sql, (one,))
        if len(rows) < most:
            self._db.execute("DELETE FROM library_documents WHERE id = ?", (number,))
        self._erased()
        return [row[0] for row in rows]

    def documents(self) -> dict[str, bytes]:
        return dict(self._db.execute("SELECT name, about FROM library_documents ORDER BY name").fetchall())

    def about(self, document: str) -> bytes | None:
        row = self._db.execute("SELECT about FROM library_documents WHERE name = ?", (document,)).fetchone()
        return row[0] if row else None

    def content(self, document: str, first: int, most: int) -> list[tuple[str, str]]:
        sql = """SELECT place, text FROM library_chunks WHERE document = ? AND position >= ?
        ORDER BY position LIMIT ?"""
        return list(self._db.execute(sql, (self._number(document), first, most)).fetchall())

    def counts(self) -> dict[str, tuple[int, int]]:
        return {name: (chunks, waiting) for name, chunks, waiting in self._db.execute(_COUNTS).fetchall()}

    def search(self, words: Sequence[str], most: int) -> list[tuple[int, float]]:
        found: list[tuple[int, float]] = []
        for chosen, every in self._wanted(words[:MAX_WORDS], most):
            if every:
                both = f"({chosen}) AND ({every})"
                rows = self._db.execute(_SEARCH_CHOSEN, (both, MAX_RANKED, chosen, MAX_RANKED, most)).fetchall()
            else:
                rows = self._db.execute(_SEARCH, (chosen, MAX_RANKED, most)).fetchall()
            found = [(int(one), -float(score)) for one, score in rows]
            if len(found) >= most:
                break
        return found

    def _wanted(self, words: Sequence[str], most: int) -> Iterator[tuple[str, str]]:
        """What chooses chunks, the narrowest first, and what ranks them; nothing where that is the same."""
        # A phrase of one word: in quotes nothing in it is an operator.
        phrases = dict.fromkeys('"' + word.replace('"', " ").replace("\0", " ") + '"' for word in words)
        last = self._db.execute(_LAST).fetchone()[0]
        there = sorted(one for one in ((self._rows(phrase, last), phrase) for phrase in phrases) if one[0])
        rare: list[str] = []
        common: list[str] = []
        counted = 0
        for rows, phrase in there:
            counted += rows
            if counted <= RARE_ROWS:
                rare.append(phrase)
            elif counted <= MAX_COUNTED and rows <= max(RARE_ROWS, last // COMMON_SHARE):
                common.append(phrase)
        if len(common) > 1 and not rare:
            yield self._together(common, last, most), " OR ".join(common)
        if not rare:
            rare, common = common[:1] or [one for _, one in there[:1]], common[1:]
        if rare:
            yield " OR ".join(rare), " OR ".join([*rare, *common] if common else [])

    def _together(self, phrases: Sequence[str], last: int, least: int) -> str:
        """As many of the phrases in one chunk, the first two at least, as it takes for few chunks, yet `least`."""
        chosen = " AND ".join(phrases[:2])
        for phrase in phrases[2:]:
            narrower = f"{chosen} AND {phrase}"
            if self._rows(chosen, last) <= RARE_ROWS or self._rows(narrower, last) < least:
                break
            chosen = narrower
        return chosen

    def _rows(self, phrase: str, last: int) -> int:
        """How many chunks it stands in; guessed from the ids of the first, where it is more than RARE_ROWS."""
        rows, reached = self._db.execute(_ROWS, (phrase, RARE_ROWS + 1)).fetchone()
        return int(rows if rows <= RARE_ROWS else rows * last / reached)

    def chunks(self, ids: Iterable[int]) -> list[StoredChunk]:
        rows = (self._db.execute(_CHUNK, (one,)).fetchone() for one in ids)
        return [StoredChunk(*row) for row in rows if row]

    def waiting(self, most: int) -> list[tuple[int, str, str]]:
        sql = """SELECT c.id, c.place, c.text FROM library_waiting w JOIN library_chunks c ON c.id = w.chunk
        ORDER BY w.chunk LIMIT ?"""
        return list(self._db.execute(sql, (most,)).fetchall())

    def put_vectors(self, vectors: Sequence[tuple[int, bytes]]) -> list[int]:
        kept: list[int] = []
        for one, vector in vectors:
            # One that waits for its words too goes on waiting: its turn comes again.
            sql = "DELETE FROM library_waiting WHERE chunk = ? AND worded = 1"
            if self._db.execute(sql, (one,)).rowcount == 1:
                self._db.execute("INSERT INTO library_vectors (chunk, vector) VALUES (?, ?)", (one, vector))
                kept.append(one)
        return kept

    def vectored(self, after: int, most: int) -> list[int]:
        sql = "SELECT chunk FROM library_vectors WHERE chunk > ? ORDER BY chunk LIMIT ?"
        return [one for (one,) in self._db.execute(sql, (after, most))]

    def vectors(self, ids: Iterable[int]) -> list[tuple[int, bytes]]:
        sql = "SELECT chunk, vector FROM library_vectors WHERE chunk = ?"
        rows = (self._db.execute(sql, (one,)).fetchone() for one in ids)
        return [(row[0], row[1]) for row in rows if row]

    def throw_away(self) -> None:
        self._db.execute("INSERT INTO library_words (library_words) VALUES ('delete-all')")
        self._db.execute("DELETE FROM library_vectors")
        self._db.execute("DELETE FROM library_waiting")
        self._db.execute("INSERT INTO library_waiting (chunk, worded) SELECT id, 0 FROM library_chunks")
        self._erased()

    def index_words(self, most: int) -> int:
        sql = """SELECT c.id, c.place, c.text FROM library_waiting w JOIN library_chunks c ON c.id = w.chunk
        WHERE w.worded = 0 ORDER BY w.chunk LIMIT ?"""
        rows = self._db.execute(sql, (most,)).fetchall()
        self._db.executemany(_WORDS_IN, rows)
        self._db.executemany("UPDATE library_waiting SET worded = 1 WHERE chunk = ?", [(row[0],) for row in rows])
        return len(rows)

    def _number(self, document: str) -> int | None:
        row = self._db.execute("SELECT id FROM library_documents WHERE name = ?", (document,)).fetchone()
        return int(row[0]) if row else None


class MemoryLibrary(SqlLibrary):
    """The same in memory, for the store's twin, which begins and ends its transactions: no second FTS5 is written."""

    def __init__(self) -> None:
        self._own = sqlcipher.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._own.execute("PRAGMA foreign_keys = ON")
        for sql in TABLES:
            self._own.execute(sql)
        super().__init__(self._own)

    def start(self) -> None:
        self._own.execute("BEGIN")

    def end(self, *, keep: bool) -> None:
        self._own.execute("COMMIT" if keep else "ROLLBACK")

    @property
    def changes(self) -> int:
        """Rises with every row that is changed."""
        return int(self._own.total_changes)

    def copy(self) -> MemoryLibrary:
        twin = MemoryLibrary()
        self._own.backup(twin._own)
        return twin
