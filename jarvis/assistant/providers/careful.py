"""What keeps a bad language model from costing an answer: every wait has an end, an answer has a length, only so many
are asked for at once, and one that is down or throttled is left alone for a while, so that the next in rank answers at
once. It knows no provider and never changes a word."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from copy import copy
from functools import partial
from typing import Any, cast

from jarvis.assistant.language.model import Availability, LanguageModel, Message, TooLong, Usage, closing
from jarvis.assistant.language.prompt import without_oldest
from jarvis.assistant.language.tools import Tools
from jarvis.assistant.providers.calls import Throttled
from jarvis.core.errors import (
    DeadlineExceeded,
    EngineFailed,
    InvalidInput,
    JarvisError,
    Missing,
    NotAllowed,
    Overloaded,
    Unreachable,
)
from jarvis.engines.breaker import Breaker, BreakerSettings

LOOK_S = 1.5
"""For asking whether it is there: somebody waits."""
FIRST_PIECE_S = 20.0
"""For the first words: a server at home may have to load the model."""
IDLE_S = 10.0
"""For each later piece."""
QUEUE_S = 2.0
"""For others' answers to be over; the next model has begun to answer by then."""
MAX_ANSWER_CHARS = 16_000
"""A server that never stops is cut off here; 200 tokens are about 1,000 characters."""
REST_S = 30.0
"""After an outage. Everybody who asked in between would have waited for nothing."""
REFUSED_REST_S = 60.0
"""After a refused key: a person has to do something."""
BREAKER = BreakerSettings(failures=3, first_s=10.0, longest_s=300.0)
"""Single failures happen; three in a row are a server that does not work."""


class Careful:
    """A language model around another; see `language.LanguageModel`. `at_once` answers may be under way."""

    def __init__(
        self,
        model: LanguageModel,
        *,
        at_once: int = 2,
        look_s: float = LOOK_S,
        first_piece_s: float = FIRST_PIECE_S,
        idle_s: float = IDLE_S,
        queue_s: float = QUEUE_S,
        mono_s: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name, self.trusted = model.name, model.trusted
        self.context_tokens, self.max_tokens = model.context_tokens, model.max_tokens
        self.elsewhere = bool(getattr(model, "elsewhere", False))
        self.uses_tools = bool(getattr(model, "uses_tools", False))
        self._model = model
        self._look_s, self._first_piece_s, self._idle_s, self._queue_s = look_s, first_piece_s, idle_s, queue_s
        self._mono_s = mono_s
        self._slots = asyncio.Semaphore(at_once)
        self._breaker = Breaker(BREAKER, lambda: mono_s() * 1000, chance)
        self._there = False

    def using(self, tools: Tools) -> Careful:
        """The same, with tools for one answer: its patience and its turns are shared."""
        view = copy(self)
        view._model = cast(Any, self._model).using(tools)
        return view

    @property
    def answered(self) -> bool:
        """It was there when it was looked for last, and has not failed since."""
        return self._there and self._breaker.state == "closed"

    async def available(self) -> Availability:
        if not self._breaker.begin():
            return Availability(False, f"{self._breaker.reason} It is left alone for a while.")
        how = self._breaker.abandoned  # being there is not yet answering, and whoever looks may leave
        try:
            found = await self._look()
            if found.outage:
                how = partial(self._breaker.failed, found.reason, REST_S)
        finally:
            how()
        self._there = found.ok
        return found

    async def _look(self) -> Availability:
        try:
            async with asyncio.timeout(self._look_s):
                return await self._model.available()
        except TimeoutError:
            return Availability(False, f"{self.name} did not answer in time.", outage=True)
        except Exception as error:  # a plugin's model may raise anything
            return Availability(False, f"{self.name} broke ({type(error).__name__}).", outage=True)

    async def complete(
        self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float
    ) -> AsyncIterator[str | Usage]:
        ends = self._mono_s() + deadline_s
        try:
            async with asyncio.timeout(min(self._queue_s, deadline_s)):
                await self._slots.acquire()
        except TimeoutError:
            raise Overloaded(f"{self.name} is busy with other answers.") from None
        try:
            if not self._breaker.begin():
                raise Overloaded(f"{self._breaker.reason} It is left alone for a while.")
            async with closing(self._judged(messages, max_tokens, ends)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self._slots.release()

    async def _judged(self, messages: Sequence[Message], max_tokens: int, ends: float) -> AsyncIterator[str | Usage]:
        """Tells the breaker how it went, whatever happens."""
        how = self._breaker.abandoned  # whoever asked has left
        try:
            async with closing(self._fitted(messages, max_tokens, ends)) as pieces:
                async for piece in pieces:
                    yield piece
            how = self._breaker.succeeded
        except (InvalidInput, Missing):  # the question or the settings are wrong, not the server
            raise
        except JarvisError as error:
            how = partial(self._breaker.failed, str(error), _rest_s(error))
            raise
        finally:
            how()

    async def _fitted(self, messages: Sequence[Message], max_tokens: int, ends: float) -> AsyncIterator[str | Usage]:
        """The estimate of tokens is rough: what is too long after all loses its oldest half and is tried again. What
        the shorter prompt cost is not told then, since whoever asked would take it for the cost of the whole."""
        kept: Sequence[Message] | None = messages
        while kept is not None:
            try:
                async with closing(self._bounded(kept, max_tokens, ends)) as pieces:
                    async for piece in pieces:
                        if kept is messages or isinstance(piece, str):
                            yield piece
                return
            except TooLong:
                kept = without_oldest(kept)
        raise InvalidInput("That is too long for the language model.")

    async def _bounded(self, messages: Sequence[Message], max_tokens: int, ends: float) -> AsyncIterator[str | Usage]:
        wait_s, length = self._first_piece_s, 0
        left_s = ends - self._mono_s()
        async with closing(self._model.complete(messages, max_tokens=max_tokens, deadline_s=left_s)) as pieces:
            while True:
                try:
                    async with asyncio.timeout(max(0.0, min(wait_s, ends - self._mono_s()))):
                        piece = await anext(pieces, None)
                except TimeoutError:
                    raise DeadlineExceeded(f"{self.name} did not answer in time.") from None
                except JarvisError:
                    raise
                except Exception as error:  # a plugin's model may raise anything
                    raise EngineFailed(f"{self.name} broke ({type(error).__name__}).") from None
                if piece is None:
                    return
                if isinstance(piece, str):
                    length += len(piece)
                    if length > MAX_ANSWER_CHARS:
                        raise EngineFailed(f"{self.name} did not stop answering.")
                    if piece:
                        wait_s = self._idle_s
                yield piece


def _rest_s(error: JarvisError) -> float:
    """How long a model is left alone at once; 0 lets the breaker count."""
    if isinstance(error, Throttled):
        return error.after_s or REST_S
    if isinstance(error, NotAllowed):
        return REFUSED_REST_S
    return REST_S if isinstance(error, Unreachable | DeadlineExceeded) else 0.0
