"""The home's lists, which are its notes: an item a line, so that people may also edit a list as a text. What another
room puts on a list at the same time stays on it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from jarvis.core.errors import InvalidInput
from jarvis.node.kept.notes import Notes

MAX_ITEM_CHARS = 120
"""A note with a longer line is a text, and no list."""
MAX_ID_CHARS = 64
_BULLET = re.compile(r"(?:[-*•+]\s+|\d{1,3}[.)]\s+)?(?:\[[ ]?\]\s*)?")
_DONE = re.compile(r"(?:[-*•+]\s+)?\[[xX]\]")


class Lists:
    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    async def all(self) -> dict[str, list[str]]:
        """What is on each list, by its name; those with nothing on them are none."""
        found = {}
        for note in await self._notes.list():
            items = [item for _, _, item in _lines(note["text"])]
            if items and max(map(len, items)) <= MAX_ITEM_CHARS:
                found[re.sub(r"[-_]+", " ", note["note_id"])] = items
        return found

    async def items(self, name: str) -> list[str]:
        """What is on one, in the order it was put there."""
        return [item for _, _, item in _lines(await self._notes.text(_id(name)))]

    async def add(self, name: str, items: Sequence[str]) -> None:
        """Raises InvalidInput for a name or an item that cannot be borne."""
        lines = [" ".join(item.split()) for item in items]
        if any(len(line) > MAX_ITEM_CHARS for line in lines):
            raise InvalidInput("That is too long for a list.")
        await self._notes.add(_id(name), "\n".join(lines))

    async def take_off(self, name: str, items: Sequence[str]) -> list[str]:
        """Those that were on it, as they stood there. Each is taken off once for every time it is named."""
        note_id, wanted, gone = _id(name), list(items), []
        text = await self._notes.text(note_id)
        edits: list[tuple[int, int, str]] = []
        for start, end, item in _lines(text):
            if item not in wanted:
                continue
            wanted.remove(item)
            gone.append(item)
            if edits and sum(edits[-1][:2]) == start:
                edits[-1] = (edits[-1][0], end - edits[-1][0], "")
            else:
                edits.append((start, end - start, ""))
        if edits:
            await self._notes.edit(note_id, text, edits)
        return gone


def _id(name: str) -> str:
    """The note's id: a list called "to do" is the note `to-do`."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    note_id = re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")[:MAX_ID_CHARS].strip("-")
    if not note_id:
        raise InvalidInput(f"A list can't be called {name}.")
    return note_id


def _lines(text: str) -> Iterator[tuple[int, int, str]]:
    """Each item: (where its line starts, where the next one does, the item). Titles and what is ticked off are none."""
    start = 0
    for line in text.splitlines(keepends=True):
        end = start + len(line)
        bare = line.strip()
        item = _BULLET.sub("", bare, count=1).strip()
        if item and not bare.startswith("#") and not _DONE.match(bare):
            yield start, end, item
        start = end
