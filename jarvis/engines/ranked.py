"""Several engines of one kind as one: the first that can answers. What is wrong with the question ends the search, what
is wrong with an engine does not. When nobody can, the error is the first one's, since that is what needs mending."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import ContextVar
from typing import Protocol

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidInput, JarvisError

HELP: ContextVar[list[str] | None] = ContextVar("jarvis_engine_help", default=None)
"""Where a turn gathers who helped it, one sentence each. A turn that wants to know sets a list of its own before it
begins; the tasks it starts see the same one."""
MAX_HELP = 8
"""Sentences a turn keeps: a reply of many sentences may be helped with each."""
Helped = Callable[[str, str], None]
"""Told who answered instead of the first, and why the first did not."""


class Rank(Protocol):
    """What is used of `engines.Engine`."""

    @property
    def name(self) -> str: ...
    async def start(self) -> None: ...
    async def call(self, method: str, *args: Value, deadline_s: float) -> Value: ...
    def stream(self, method: str, *args: Value, deadline_s: float, idle_s: float) -> AsyncIterator[Value]: ...


class Ranked:
    """`ranks` in the order of preference, at least one; `first` gives those that are asked before them just now."""

    def __init__(
        self,
        ranks: Sequence[Rank],
        *,
        helped: Helped = lambda by, reason: None,
        first: Callable[[], Sequence[Rank]] = tuple,
    ) -> None:
        if not ranks:
            raise ValueError("no engine at all")
        self._always, self._first, self._helped = tuple(ranks), first, helped
        self.name = ranks[0].name

    @property
    def _ranks(self) -> tuple[Rank, ...]:
        return *self._first(), *self._always

    async def start(self) -> None:
        """Load the first that can be loaded."""
        first: JarvisError | None = None
        for rank in self._ranks:
            try:
                await rank.start()
                return
            except JarvisError as error:
                first = first or error
        assert first is not None
        raise first

    async def call(self, method: str, *args: Value, deadline_s: float) -> Value:
        """Each rank has `deadline_s` for itself. Raises InvalidInput at once, else what the first one raised."""
        first: JarvisError | None = None
        for rank in self._ranks:
            try:
                value = await rank.call(method, *args, deadline_s=deadline_s)
            except InvalidInput:
                raise
            except JarvisError as error:
                first = first or error
                continue
            self._tell(rank, first)
            return value
        assert first is not None
        raise first

    async def stream(self, method: str, *args: Value, deadline_s: float, idle_s: float) -> AsyncIterator[Value]:
        """Once a rank has given anything, the others are not asked: half an answer of each would be none."""
        first: JarvisError | None = None
        for rank in self._ranks:
            items, begun = rank.stream(method, *args, deadline_s=deadline_s, idle_s=idle_s), False
            try:
                async for item in items:
                    if not begun:
                        self._tell(rank, first)
                    begun = True
                    yield item
                return
            except InvalidInput:
                raise
            except JarvisError as error:
                if begun:
                    raise
                first = first or error
            finally:
                close = getattr(items, "aclose", None)
                if close is not None:
                    await close()
        assert first is not None
        raise first

    def _tell(self, rank: Rank, first: JarvisError | None) -> None:
        if first is None:
            return
        helped = HELP.get()
        if helped is not None and len(helped) < MAX_HELP:
            helped.append(f"The {rank.name} helped: {first}")
        self._helped(rank.name, str(first))
