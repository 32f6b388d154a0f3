"""Notes and lists that every room edits: a view over the replicated `notes/<id>` texts. It keeps nothing of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidInput
from jarvis.core.hlc import ms_of
from jarvis.core.ids import by_prefix
from jarvis.crdt.registry import NOTE_PREFIX
from jarvis.crdt.text import SharedText, TextState
from jarvis.node.kept.differences import Change, carried
from jarvis.node.records.journal import Journal
from jarvis.node.texts import iso_time
from jarvis.replica.replica import Replica
from jarvis.store.protocol import Transaction

MAX_NOTE_CHARS = 100_000
"""Of one note: a small book's chapter. Each edit by hand compares the whole note, in a fraction of a second."""
MAX_WRITTEN_CHARS = 10_000
"""At once: 40 KB at most, well inside a record."""
MAX_CHANGES = 500
"""At once; with what each takes besides its characters, well inside a record."""
TITLE_CHARS = 60
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
Rows = list[dict[str, Any]]


class Notes:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def list(self) -> Rows:
        """The last changed first."""
        rows = await self._journal.read(lambda tx, replica: [_stamped(tx, replica, one) for one in _ids(tx)])
        return [row for _, row in sorted(rows, key=lambda one: (-one[0], one[1]["note_id"]))]

    async def show(self, wanted: str) -> dict[str, Any]:
        """Raises NotFound."""
        return await self._journal.read(
            lambda tx, replica: _stamped(tx, replica, by_prefix(wanted, _ids(tx), "note"))[1]
        )

    async def text(self, note_id: str) -> str:
        """Of the note with this whole id; "" where there is none."""
        return await self._journal.state(NOTE_PREFIX + note_id, lambda state: state.text)

    async def add(self, note_id: str, text: str) -> dict[str, Any]:
        """A line at the end of a note, which begins with it where there was none. Takes the whole id, so that a new
        note is never mistaken for one that begins alike. Raises InvalidInput."""
        if not _ID.fullmatch(note_id):
            raise InvalidInput(
                f"{note_id!r} cannot name a note.", fix="Use 1 to 64 of a-z, 0-9, - and _, such as `shopping`."
            )

        def add(before: str) -> Sequence[Change]:
            line_break = "\n" if before and not before.endswith("\n") else ""
            return [Change(len(before), 0, line_break + text)]

        return await self._write(note_id, add)

    async def edit(self, wanted: str, base: str, edits: Sequence[tuple[int, int, str]]) -> dict[str, Any]:
        """Make changes that somebody made to the note as it was then: `base`. What others changed meanwhile stays.
        Each edit: (position in `base`, how many to delete, what to insert), ascending, not overlapping.
        Raises NotFound, InvalidInput."""
        made = [Change(*edit) for edit in edits]
        note_id = (await self.show(wanted))["note_id"]
        behind = 0
        for edit in made:
            if not behind <= edit.position <= len(base) or not 0 <= edit.delete <= len(base) - edit.position:
                raise InvalidInput("The changes overlap, or lie outside the note they were made to.")
            behind = edit.position + edit.delete
        return await self._write(note_id, lambda now: carried(made, base, now))

    async def _write(self, note_id: str, make: Callable[[str], Sequence[Change]]) -> dict[str, Any]:
        document = NOTE_PREFIX + note_id

        def operations(state: TextState, author: bytes) -> list[Value]:
            copy = SharedText(author, document, state)
            made = make(copy.text)
            size = len(copy.text) + sum(len(one.insert) - one.delete for one in made)
            if size > MAX_NOTE_CHARS and any(one.insert for one in made):
                raise InvalidInput(f"A note holds at most {MAX_NOTE_CHARS} characters.", fix="Begin another one.")
            if sum(len(one.insert) for one in made) > MAX_WRITTEN_CHARS or len(made) > MAX_CHANGES:
                raise InvalidInput(
                    f"That is too much at once: {MAX_WRITTEN_CHARS} characters in {MAX_CHANGES} places at most.",
                    fix="Write it in several parts.",
                )
            return [copy.replace(*one).operation for one in made if one.delete or one.insert]

        await self._journal.write_as(document, operations)
        return await self._journal.read(lambda tx, replica: _stamped(tx, replica, note_id)[1])


def _ids(tx: Transaction) -> list[str]:
    return [name.removeprefix(NOTE_PREFIX) for name in tx.documents(NOTE_PREFIX)]


def _stamped(tx: Transaction, replica: Replica, note_id: str) -> tuple[int, dict[str, Any]]:
    """When it was last changed, and its row."""
    state: TextState = replica.state(tx, NOTE_PREFIX + note_id)
    first = next((line.strip() for line in state.text.splitlines() if line.strip()), note_id)
    title = first if len(first) <= TITLE_CHARS else first[: TITLE_CHARS - 1] + "…"
    at = iso_time(ms_of(state.changed_hlc))
    return state.changed_hlc, {"note_id": note_id, "title": title, "text": state.text, "updated_at": at}
