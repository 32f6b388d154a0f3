"""The store on disk: one encrypted SQLite file (SQLCipher), one thread, one commit for whatever waits. It is the only
place that knows the library. Nothing plain may reach the disk, and no caller may be told of a write before its fsync.

The key is raw (32 random bytes, no derivation). The file's first 16 bytes, SQLCipher's salt, are derived from the key,
which is how a wrong key is told from a damaged file. Source: https://www.zetetic.net/sqlcipher/sqlcipher-api/
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import sqlcipher3
import structlog
from sqlcipher3 import dbapi2 as sqlcipher

from jarvis.core.errors import BadConfiguration, JarvisError, Missing, StoreFailed
from jarvis.store.files import cannot_use, make_private_directory, sync_directory
from jarvis.store.keyfile import KEY_BYTES
from jarvis.store.protocol import Transaction
from jarvis.store.tables import SqlTransaction
from jarvis.store.witness import Witness
from jarvis.store.writer import GroupWriter, Job

# sqlite-utils catches the exceptions of whichever module it finds under this name; without it, those of plain SQLite.
sys.modules.setdefault("pysqlite3", sqlcipher3)
sys.modules.setdefault("pysqlite3.dbapi2", sqlcipher)

# For types that nobody here has it would load numpy: an eighth of a node's start, and 10 MB.
_numpy = sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]

from sqlite_utils import Database  # noqa: E402

if _numpy is None:
    del sys.modules["numpy"]

from jarvis.store.migrations import migrate  # noqa: E402

T = TypeVar("T")

_SALT_BYTES = 16
_PAGE_BYTES = 4_096

log = structlog.get_logger()

_SETTINGS = (
    # It would print to stderr what our own error says better.
    "cipher_log_level = NONE",
    # Its locked, wiped memory costs seven eighths of the speed, and keys live in this process elsewhere anyway.
    "cipher_memory_security = OFF",
    # Nobody else may open the file while we do, and no shared-memory file is needed, whose pages a full disk would
    # turn into SIGBUS.
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    # Sorting and undoing would otherwise write plain pages to /tmp.
    "temp_store = MEMORY",
    # What is deleted or cut out of a page is overwritten: erased words must not stay behind in the file.
    "secure_delete = ON",
    # A burst's log shrinks again at the next checkpoint.
    f"journal_size_limit = {8 * 1024 * 1024}",
)


class SqlCipherStore:
    """A `Store`. Made by `open`, bound to the event loop it was opened in."""

    def __init__(self, writer: GroupWriter, engine: _Engine) -> None:
        self._writer = writer
        self._engine = engine

    @classmethod
    async def open(cls, path: Path, key: bytes) -> SqlCipherStore:
        """Open or create the database at `path` with its 32-byte `key`.

        Raises BadConfiguration when the key is not this file's or a newer program wrote it, StoreFailed when the file
        is damaged, is no store, is in use, or the disk refuses."""
        if len(key) != KEY_BYTES:
            raise BadConfiguration(f"A store key has {KEY_BYTES} bytes, not {len(key)}.")
        engine = _Engine(path, key)
        writer = GroupWriter(engine)
        await writer.start()
        return cls(writer, engine)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        result: T = await self._writer.submit(work, writes=True)
        return result

    async def read(self, work: Callable[[Transaction], T]) -> T:
        result: T = await self._writer.submit(work, writes=False)
        return result

    def on_undo(self, callback: Callable[[], None]) -> None:
        self._engine.undone.append(callback)

    async def close(self) -> None:
        await self._writer.close()


class _Engine:
    """The connection and what happens on it; everything here runs in the writer's thread."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = key
        self.undone: list[Callable[[], None]] = []
        self._db: sqlcipher.Connection | None = None
        self._transaction: SqlTransaction | None = None
        self._witness: Witness | None = None
        self._opened = False
        self._doubtful = False
        """The disk failed in a commit: the log may hold what the kernel believes to be written and is not."""
        self._said = ""
        """Why commits fail, logged once; empty while they work."""

    def open(self) -> None:
        try:
            # A clean end leaves no log; a sudden one may have come between erasing and sweeping.
            left, self._opened = not self._opened and self._path.with_name(self._path.name + "-wal").exists(), True
            self._db = _connect(self._path, self._key)
            self._witness = Witness(self._path.with_name(self._path.name + "-witness"))
        except sqlcipher.Error as error:
            raise self._explain(error) from None
        except OSError as error:
            self.close()
            raise cannot_use(self._path, error) from None
        self._transaction = SqlTransaction(self._db)
        if left:
            self._sweep()

    def close(self) -> None:
        db, self._db, self._transaction = self._db, None, None
        if db is not None:
            try:
                db.close()  # moves the log into the database; if that fails, the next start does it
            except sqlcipher.Error as error:
                log.warning("store.close_failed", error=str(error))
        witness, self._witness = self._witness, None
        if witness is not None:
            witness.close()

    def run(self, jobs: Sequence[Job], done: Callable[[Sequence[Job]], None]) -> None:
        """Reads first: they see only what is durable, and need not wait for this commit."""
        jobs = [job for job in jobs if not job.future.cancelled()]
        for job in jobs:
            if not job.writes:
                if self._ready([job]):
                    self._read(job)
                done([job])
        writes = [job for job in jobs if job.writes]
        if writes:
            if self._ready(writes):
                self._write(writes)
            done(writes)

    def _ready(self, jobs: Sequence[Job]) -> bool:
        """Whether there is a connection, opened anew after a failure; if not, that is the jobs' error."""
        try:
            if self._db is None:
                self.open()
        except JarvisError as error:
            for job in jobs:
                job.error = type(error)(str(error), fix=error.fix)
            return False
        return True

    def _read(self, job: Job) -> None:
        db, transaction = self._connection()
        try:
            db.execute("PRAGMA query_only = ON")
            db.execute("BEGIN")
            job.result = job.work(transaction)
        except BaseException as error:
            job.error = self._explain(error)
            if _code(error) == sqlcipher.SQLITE_READONLY:
                job.error = StoreFailed("A read of the store tried to write.")
        try:
            db.execute("ROLLBACK")
            db.execute("PRAGMA query_only = OFF")
        except sqlcipher.Error as error:
            job.error = job.error or self._explain(error)
            self._start_anew()

    def _write(self, jobs: Sequence[Job]) -> None:
        """All works in one transaction, each undone alone when it raises; all fail when the commit does."""
        db, transaction = self._connection()
        assert self._witness is not None
        try:
            if self._doubtful:  # a log behind which nothing may be promised
                self._empty_log()
                self._doubtful = False
            db.execute("BEGIN IMMEDIATE")
            for job in jobs:
                self._work(db, transaction, job, alone=len(jobs) == 1)
            if db.in_transaction:
                db.execute("COMMIT")
            if transaction.erased:
                transaction.erased = not self._sweep()
            self._witness.ask()
        except (sqlcipher.Error, OSError) as error:
            failure = self._failure(error)
            for job in jobs:
                job.result, job.error = None, job.error or type(failure)(str(failure), fix=failure.fix)
            self._start_anew()
            self._tell_undone()
            if self._said != str(error):
                self._said = str(error)
                log.error("store.commit_failed", works=len(jobs), error=self._said)
        else:
            if self._said:
                self._said = ""
                log.info("store.recovered")

    def _sweep(self) -> bool:
        """Move the log into the file and empty it, since it holds pages as they were before something was erased.
        Whether that worked; what was committed stands all the same."""
        try:
            self._empty_log()
        except sqlcipher.Error as error:
            log.warning("store.sweep_failed", error=str(error))
            return False
        return True

    def _empty_log(self) -> None:
        db, _ = self._connection()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _work(self, db: sqlcipher.Connection, transaction: SqlTransaction, job: Job, *, alone: bool) -> None:
        """One work within the transaction; undone, it takes a transaction along that is its own. Raises sqlcipher.Error
        when the whole transaction cannot stand."""
        if not alone:
            db.execute("SAVEPOINT work")
        try:
            job.result = job.work(transaction)
        except BaseException as error:
            if _code(error) in _SENTENCES:
                raise  # the disk, not this work, has failed
            db.execute("ROLLBACK" if alone else "ROLLBACK TO work")
            transaction.forget()
            job.error = self._explain(error)
            self._tell_undone()
        if not alone:
            db.execute("RELEASE work")

    def _connection(self) -> tuple[sqlcipher.Connection, SqlTransaction]:
        assert self._db is not None and self._transaction is not None
        return self._db, self._transaction

    def _start_anew(self) -> None:
        """After a failed commit only what the file says counts: drop the connection, the next batch opens it."""
        db, _ = self._connection()
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
        except sqlcipher.Error as error:
            log.warning("store.rollback_failed", error=str(error))
        self.close()

    def _failure(self, error: sqlcipher.Error | OSError) -> JarvisError:
        """Of a commit; after one of the disk the log is in doubt."""
        if isinstance(error, OSError) or _code(error) == sqlcipher.SQLITE_IOERR:
            self._doubtful = True
        if isinstance(error, OSError):
            return _failed(self._path, _SENTENCES[sqlcipher.SQLITE_IOERR])
        return _explain(self._path, self._key, error)

    def _tell_undone(self) -> None:
        for callback in self.undone:
            callback()

    def _explain(self, error: BaseException) -> BaseException:
        """An error of the database as one of ours; anything else as it is."""
        return _explain(self._path, self._key, error) if isinstance(error, sqlcipher.Error) else error


def _connect(path: Path, key: bytes) -> sqlcipher.Connection:
    """An open, keyed, migrated connection; raises sqlcipher.Error, OSError or BadConfiguration."""
    make_private_directory(path.parent)
    if not path.exists():  # SQLite would create it readable by all; its log takes over the mode
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    elif 0 < path.stat().st_size < _PAGE_BYTES and not path.with_name(path.name + "-wal").exists():
        # SQLite takes the shortest of these for a new database. With a log beside it, a crash may have left it so.
        raise _failed(path, _DAMAGED)
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):  # SQLite would call it an I/O error
        raise _failed(path, _READ_ONLY)
    db = sqlcipher.connect(str(path), isolation_level=None, timeout=0)
    try:
        if not db.execute("PRAGMA cipher_version").fetchone():  # it would take the key and encrypt nothing
            raise Missing("The SQLite library here is not SQLCipher.", fix="Reinstall the package sqlcipher3.")
        db.execute(f"PRAGMA key = \"x'{key.hex()}{_salt(key).hex()}'\"")
        for setting in _SETTINGS:
            db.execute(f"PRAGMA {setting}")
        db.execute("BEGIN IMMEDIATE")  # takes the file's lock, and finds out now whether it can be written
        db.execute("COMMIT")
        # Plugins that anyone may have installed for sqlite-utils have no business in here.
        migrate(Database(db, execute_plugins=False))
        sync_directory(path.parent)
    except BaseException:
        db.close()
        raise
    return db


def _salt(key: bytes) -> bytes:
    return hmac.digest(key, b"jarvis store salt v1", hashlib.sha256)[:_SALT_BYTES]


def _explain(path: Path, key: bytes, error: sqlcipher.Error) -> JarvisError:
    code = _code(error)
    if code == sqlcipher.SQLITE_NOTADB and not _made_with(path, key):
        return BadConfiguration(
            "The store key does not open this store.",
            fix="Put back the key file that belongs to it, or restore a backup into an empty --data-dir.",
        )
    return _failed(path, _SENTENCES.get(code, _REFUSED), str(error))


def _failed(path: Path, sentence: tuple[str, str], error: str = "") -> StoreFailed:
    message, fix = sentence
    return StoreFailed(message.format(path=path, error=error), fix=fix.format(parent=path.parent))


def _code(error: BaseException) -> int:
    """SQLite's primary result code, 0 for every other error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _made_with(path: Path, key: bytes) -> bool:
    """Whether the file could be a store of this key. What is no whole number of pages was never a whole store."""
    try:
        with path.open("rb") as file:
            start = file.read(_SALT_BYTES)
        return start == _salt(key) or start == b"SQLite format 3\0" or path.stat().st_size % _PAGE_BYTES != 0
    except OSError:
        return True


_DAMAGED = ("The store {path} is damaged, or is no store of Jarvis.", "Restore a backup into an empty --data-dir.")
_READ_ONLY = (
    "The store {path} cannot be written.",
    "Let Jarvis write to {parent}: check its owner, its mode and how it is mounted.",
)
_FULL = (
    "The disk is full; nothing was written.",
    "Make room on the disk of {parent}, then try again: what was acknowledged before is safe.",
)
_REFUSED = ("The database refused: {error}.", "Run `jarvis doctor`.")
_SENTENCES: dict[int, tuple[str, str]] = {
    sqlcipher.SQLITE_NOTADB: _DAMAGED,
    sqlcipher.SQLITE_CORRUPT: _DAMAGED,
    sqlcipher.SQLITE_FULL: _FULL,
    sqlcipher.SQLITE_READONLY: _READ_ONLY,
    sqlcipher.SQLITE_CANTOPEN: _READ_ONLY,
    sqlcipher.SQLITE_IOERR: ("The disk failed to read or write the store.", "Check the disk of {parent}."),
    sqlcipher.SQLITE_BUSY: ("Another program uses the store {path}.", "Stop it, or use another --data-dir."),
}
