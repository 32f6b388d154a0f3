"""What the assistant asks of a language model, and the sentences it says when none can answer. Knows no concrete
model; a model must never be trusted with more than its `trusted` says (see `guard`)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from jarvis.core.errors import InvalidInput

Message = Mapping[Literal["role", "content"], str]
"""`role` is system, user or assistant."""


@dataclass(frozen=True, slots=True)
class Availability:
    ok: bool
    reason: str = ""
    """Why not, in one sentence for a person, with what to do."""
    model: str = ""
    """The model that would answer, such as `llama3.2:1b`."""
    outage: bool = False
    """It failed rather than lacks something: asking again at once would be in vain."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one answer cost, in tokens as the model counts them."""

    prompt: int
    completion: int

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.prompt + other.prompt, self.completion + other.completion)


class TooLong(InvalidInput):
    """The conversation does not fit the model's window."""


class LanguageModel(Protocol):
    name: str
    """The provider as people see it, such as `ollama`."""
    trusted: bool
    """May be asked for sums and facts. A small embedded model may not."""
    context_tokens: int
    """Window for prompt and answer together."""
    max_tokens: int
    """Length of an answer."""

    async def available(self) -> Availability:
        """Whether it can be asked now; answers within about a second and never raises."""
        ...

    def complete(
        self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float
    ) -> AsyncIterator[str | Usage]:
        """The answer in pieces as they are written, and what it cost so far when the model says so. Closing it
        cancels the work.

        Raises JarvisError (Unreachable, DeadlineExceeded, EngineFailed, Missing) at any point.
        """
        ...


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """For `status` and `doctor`."""

    name: str
    trusted: bool
    available: Availability


Item = TypeVar("Item")


@contextlib.asynccontextmanager
async def closing(pieces: AsyncIterator[Item]) -> AsyncIterator[AsyncIterator[Item]]:
    """Closes `pieces` at the end, if it can be closed: that is what cancels a model's work."""
    try:
        yield pieces
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()
