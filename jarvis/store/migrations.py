"""The store's schema as named steps that only go forward. Each is done once, whole or not at all, and recorded by
name; a step that any release has shipped must never change."""

from __future__ import annotations

from collections.abc import Callable

from sqlite_utils import Database

from jarvis.core.errors import BadConfiguration
from jarvis.store.library import TABLES


def _first(db: Database) -> None:
    """Records in order of arrival (so every insert appends), found by (author, seq) and by document."""
    db.create_table(
        "authors", {"id": int, "author": bytes, "head_seq": int, "head_hash": bytes}, pk="id", not_null={"author"}
    )
    db.table("authors").create_index(["author"], unique=True)
    db.create_table("documents", {"id": int, "name": str}, pk="id", not_null={"name"})
    db.table("documents").create_index(["name"], unique=True)
    columns = {"position": int, "author": int, "seq": int, "document": int, "status": int}
    db.create_table(
        "records",
        {**columns, "hash": bytes, "header": bytes, "signature": bytes, "payload": bytes},
        pk="position",
        not_null={*columns, "hash", "header", "signature"},
        foreign_keys=[("author", "authors", "id"), ("document", "documents", "id")],
    )
    db.table("records").create_index(["author", "seq"], unique=True)
    # Partial, since only applied records are read by document; sqlite-utils has no word for that. The position is
    # part of every index entry already.
    db.execute("CREATE INDEX records_applied ON records (document) WHERE status = 0")
    db.create_table(
        "checkpoints",
        {"document": int, "position": int, "state": bytes},
        pk="document",
        not_null={"position", "state"},
        foreign_keys=[("document", "documents", "id")],
    )
    db.create_table("membership", {"position": int, "entry": bytes, "signature": bytes}, pk="position")
    db.create_table("values", {"key": str, "value": bytes}, pk="key", not_null={"value"})


def _erased(db: Database) -> None:
    """Records that are not applied are few, and found by document when it is deleted. Checkpoints are made anew, since
    the state of what was deleted now says by which record."""
    db.execute("CREATE INDEX records_not_applied ON records (document) WHERE status <> 0")
    db.execute("DELETE FROM checkpoints")


def _bases(db: Database) -> None:
    """What documents were before the records that are held, in pieces; and the last position given when records were
    deleted, so that none is given twice."""
    db.create_table(
        "bases",
        {"document": int, "piece": int, "data": bytes},
        pk=("document", "piece"),
        not_null={"data"},
        foreign_keys=[("document", "documents", "id")],
    )
    db.create_table("deleted", {"id": int, "position": int}, pk="id", not_null={"position"})


def _library(db: Database) -> None:
    """What the node's library holds; sqlite-utils has no words for its virtual table."""
    for sql in TABLES:
        db.execute(sql)


MIGRATIONS: dict[str, Callable[[Database], None]] = {
    "0001_first": _first,
    "0002_erased": _erased,
    "0003_bases": _bases,
    "0004_library": _library,
}
"""In order. Append only."""


def migrate(db: Database, migrations: dict[str, Callable[[Database], None]] = MIGRATIONS) -> list[str]:
    """Do the steps that are not yet recorded; returns their names. Raises BadConfiguration for a store with steps that
    this program does not know: it was used by a newer one, and writing to it could harm it."""
    done: list[str] = []
    if "migrations" in db.table_names():
        recorded = {name for (name,) in db.execute("SELECT name FROM migrations")}
        if recorded - migrations.keys():
            raise BadConfiguration(
                "This store was used by a newer Jarvis than this one.",
                fix="Update Jarvis, or use another --data-dir.",
            )
    else:
        recorded = set()
    for name, step in migrations.items():
        if name not in recorded:
            with db.atomic():
                if "migrations" not in db.table_names():
                    db.create_table("migrations", {"name": str}, pk="name")
                step(db)
                db.execute("INSERT INTO migrations (name) VALUES (?)", (name,))
            done.append(name)
    return done
