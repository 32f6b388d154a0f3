"""A language model served by Ollama, through its `ollama` package. Tells apart the ways it can be unusable (not there,
no model, not the model that was set) so that a person hears what to do, and never lets a dead or slow server hold up
an answer: after a failure it is left alone for a while."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from jarvis.assistant.language import Availability, Message
from jarvis.core.errors import (
    DeadlineExceeded,
    EngineFailed,
    InvalidInput,
    JarvisError,
    Missing,
    Unreachable,
    not_installed,
)

DEFAULT_URL = "http://127.0.0.1:11434"
MAX_ANSWER_CHARS = 16_000
"""A server that never stops is cut off here; 200 tokens are about 1,000 characters."""


class OllamaModel:
    """`model` names the one to ask for; empty takes the first chat model the server has."""

    name = "ollama"
    trusted = True

    def __init__(
        self,
        url: str = DEFAULT_URL,
        model: str = "",
        *,
        context_tokens: int = 4096,
        max_tokens: int = 256,
        look_s: float = 1.0,
        first_piece_s: float = 20.0,
        idle_s: float = 10.0,
        rest_s: float = 30.0,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`look_s` bounds asking whether it is there, `first_piece_s` the first words (the server may have to load
        the model), `idle_s` each later wait. After an outage it is not asked again for `rest_s`."""
        self.context_tokens, self.max_tokens = context_tokens, max_tokens
        self._url, self._wanted = url, model
        self._look_s, self._first_piece_s, self._idle_s, self._rest_s = look_s, first_piece_s, idle_s, rest_s
        self._mono_s = mono_s
        self._resting_until = float("-inf")
        self._why_resting = ""
        self._model = ""

    @property
    def answered(self) -> bool:
        """It had a model when it was asked last."""
        return bool(self._model) and self._mono_s() >= self._resting_until

    async def available(self) -> Availability:
        if self._mono_s() < self._resting_until:
            return Availability(False, self._why_resting)
        try:
            self._model = await self._choose()
        except Missing as error:  # it answers at once: no need to leave it alone, and a pull is seen at once
            return Availability(False, f"{error} {error.fix}")
        except JarvisError as error:
            self._rest(str(error))
            return Availability(False, str(error))
        return Availability(True, model=self._model)

    async def complete(self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float) -> AsyncIterator[str]:
        if not self._model:
            self._model = await self._choose()
        wait_s, length, done = self._first_piece_s, 0, False
        ends = self._mono_s() + deadline_s
        try:
            async with self._client() as client, _translated():
                stream = await client.chat(
                    self._model,
                    messages=[dict(message) for message in messages],
                    stream=True,
                    think=False,  # thoughts are not for the ear
                    options={"num_predict": max_tokens, "num_ctx": self.context_tokens},
                )
                async with contextlib.aclosing(stream):
                    while not done:
                        async with asyncio.timeout(min(wait_s, ends - self._mono_s())):
                            part = await anext(stream, None)
                        if part is None:
                            raise EngineFailed("Ollama stopped in the middle of its answer.")
                        piece, done = part.message.content or "", bool(part.done)
                        length += len(piece)
                        if length > MAX_ANSWER_CHARS:
                            raise EngineFailed("Ollama did not stop answering.")
                        if piece:
                            wait_s = self._idle_s
                            yield piece
        except (Unreachable, DeadlineExceeded) as error:
            self._rest(str(error))
            raise

    async def _choose(self) -> str:
        """The model to ask for. Raises Missing with what to pull, Unreachable, EngineFailed."""
        async with self._client() as client, _translated():
            async with asyncio.timeout(self._look_s):
                listed = await client.list()
        names: list[str] = [model.model for model in listed.models if model.model and not _embeds(model)]
        if not names:
            raise Missing("Ollama is running but has no model.", fix=f"Run `ollama pull {self._wanted or 'llama3.2'}`.")
        if not self._wanted:
            return names[0]
        for name in names:
            if name in (self._wanted, f"{self._wanted}:latest"):
                return name
        raise Missing(
            f"Ollama is running but does not have the model {self._wanted}.", fix=f"Run `ollama pull {self._wanted}`."
        )

    def _rest(self, why: str) -> None:
        self._resting_until, self._why_resting = self._mono_s() + self._rest_s, why

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        """One client for each use: none is left open when the loop ends. The environment's proxies are for the
        internet, and what was said goes nowhere else than to this address, so no redirects either."""
        try:  # in a thread the first time: it takes 200 ms, and the loop may be playing audio
            ollama: Any = sys.modules.get("ollama") or await asyncio.to_thread(importlib.import_module, "ollama")
        except ImportError:
            raise not_installed("ollama", "llm") from None
        try:
            client = ollama.AsyncClient(
                self._url,
                timeout=self._first_piece_s,
                trust_env=False,
                follow_redirects=False,
                verify=not self._url.startswith("http:"),  # without TLS, reading the certificates is 13 ms for nothing
            )
        except ValueError:
            raise InvalidInput(f"{self._url!r} is not an address of an Ollama server.") from None
        try:
            yield client
        finally:
            await client.close()


def _embeds(model: Any) -> bool:
    """An embedding model cannot chat. Ollama names no purpose in its list; family and name tell."""
    family = (model.details.family or "") if model.details else ""
    return "bert" in family or "embed" in model.model


@contextlib.asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """The package's errors as ours. It lets those of its HTTP and JSON libraries through."""
    import httpx
    import ollama

    try:
        yield
    except (TimeoutError, httpx.TimeoutException):
        raise DeadlineExceeded("Ollama did not answer in time.") from None
    except (ConnectionError, httpx.ConnectError):
        raise Unreachable("Ollama is not running.", fix="Start it with `ollama serve`.") from None
    except ollama.ResponseError as error:
        if error.status_code == 404:
            raise Missing("Ollama no longer has the model.", fix="Pull it with `ollama pull`.") from None
        raise EngineFailed("Ollama refused the request.") from None
    except httpx.HTTPError:
        raise EngineFailed("Ollama broke off its answer.") from None
    except (ValueError, TypeError, AttributeError, KeyError):
        raise EngineFailed("Ollama answered something that is not its protocol.") from None
