"""What people asked the home to remember: a replicated map, so that every room knows it and it can be forgotten."""

from __future__ import annotations

import os
from collections.abc import Collection

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidInput
from jarvis.core.ids import to_text
from jarvis.crdt.mvmap import Key, MVMap
from jarvis.crdt.registry import MEMORY
from jarvis.node.records.journal import Journal

MAX_REMEMBERED_CHARS = 1_000
MAX_TOLD = 50
"""Newest ones that are told when asked; nobody listens to more."""


class Memory:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def remember(self, text: str) -> None:
        if len(text) > MAX_REMEMBERED_CHARS:
            raise InvalidInput("That is too long to remember.")
        key = to_text(os.urandom(10))
        await self._journal.write((MEMORY, lambda state: [state.put(key, text)]))

    async def remembered(self) -> list[str]:
        """Oldest first."""
        return await self._journal.state(MEMORY, _texts)

    async def forget(self, texts: Collection[str]) -> int:
        """Those in exactly these words, in every room: how many there were."""
        gone: list[Key] = []

        def delete(state: MVMap) -> list[Value]:
            gone[:] = [key for key in state.keys() if any(one.value in texts for one in state.writes(key))]  # noqa: SIM118
            return [state.delete(key) for key in gone]

        await self._journal.write((MEMORY, delete), makes_room=True)
        return len(gone)


def _texts(state: MVMap) -> list[str]:
    shown = sorted(filter(None, map(state.get, state.keys())))
    return [write.value for write in shown if isinstance(write.value, str)][-MAX_TOLD:]
