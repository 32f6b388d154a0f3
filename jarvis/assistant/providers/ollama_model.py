"""A language model served by Ollama, through its `ollama` package. Tells apart the ways it can be unusable (not there,
no model, not the model that was set) so that a person hears what to do. `providers.careful` leaves it alone for a while
after an outage."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from jarvis.assistant.language.model import Availability, Usage
from jarvis.assistant.providers.calls import Headers, is_loopback, refuse_plain
from jarvis.assistant.providers.pictures import for_ollama
from jarvis.assistant.providers.presets import suggested
from jarvis.assistant.providers.rounds import Call, Called, CallingModel, MayCall, as_function
from jarvis.core.errors import (
    BadConfiguration,
    DeadlineExceeded,
    EngineFailed,
    InvalidInput,
    JarvisError,
    Missing,
    NotAllowed,
    Temporary,
    Unreachable,
    not_installed,
)

DEFAULT_URL = "http://127.0.0.1:11434"
LINE = "jarvis.assistant.providers.ollama_line"
SILENCE_S = 60.0
"""The connection's own bound; whoever asks waits for less."""


class OllamaModel(CallingModel):
    """`model` names the one to ask for; empty takes the first chat model the server has."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        model: str = "",
        *,
        context_tokens: int = 4096,
        max_tokens: int = 256,
        look_s: float = 1.0,
        name: str = "ollama",
        trusted: bool = True,
        headers: Headers = dict,
    ) -> None:
        """`look_s` bounds asking whether it is there; `headers` hold the key, if it wants one."""
        super().__init__(name, context_tokens=context_tokens, max_tokens=max_tokens, trusted=trusted)
        self._url, self._wanted, self._look_s, self._headers = url, model, look_s, headers

    @property
    def elsewhere(self) -> bool:
        """What is asked leaves this device."""
        return not is_loopback(self._url)

    async def available(self) -> Availability:
        try:
            self._known.model = await self._choose()
        except (Missing, BadConfiguration, NotAllowed) as error:  # whoever mends that is not to wait
            return Availability(False, f"{error} {error.fix}")
        except JarvisError as error:
            return Availability(False, str(error), outage=isinstance(error, Temporary))
        return Availability(True, model=self._known.model)

    async def _step(
        self, messages: Sequence[Mapping[Any, Any]], max_tokens: int, calls: Called, may_call: MayCall
    ) -> AsyncIterator[str | Usage]:
        """Its protocol knows no "none": where no more may be called, tools are not named."""
        if not self._known.model:
            self._known.model = await self._choose()
        async with self._client() as client, _translated():
            stream = await client.chat(
                self._known.model,
                messages=[for_ollama(message) for message in messages],
                tools=[as_function(tool) for tool in self._offered] if may_call == "auto" else None,
                stream=True,
                think=False,  # thoughts are not for the ear
                options={"num_predict": max_tokens, "num_ctx": self.context_tokens},
            )
            async with contextlib.aclosing(stream):
                async for part in stream:
                    if part.message.content:
                        yield part.message.content
                    for called in part.message.tool_calls or ():  # each comes whole
                        arguments = json.dumps(dict(called.function.arguments))
                        calls.add(len(calls.all()), name=called.function.name, arguments=arguments)
                    if part.done:
                        if part.prompt_eval_count and part.eval_count:
                            yield Usage(part.prompt_eval_count, part.eval_count)
                        return
        raise EngineFailed("Ollama stopped in the middle of its answer.")

    def _told(self, said: str, calls: Sequence[Call], results: Sequence[str]) -> list[Mapping[str, Any]]:
        made = [{"function": {"name": one.name, "arguments": json.loads(one.arguments)}} for one in calls]
        came = [
            {"role": "tool", "tool_name": one.name, "content": result}
            for one, result in zip(calls, results, strict=True)
        ]
        return [{"role": "assistant", "content": said, "tool_calls": made}, *came]

    async def _choose(self) -> str:
        """The model to ask for. Raises Missing with what to pull, Unreachable, EngineFailed."""
        async with self._client() as client, _translated():
            async with asyncio.timeout(self._look_s):
                listed = await client.list()
        names: list[str] = [model.model for model in listed.models if model.model and not _embeds(model)]
        if not names:
            wanted = self._wanted or suggested(self.elsewhere)
            raise Missing("Ollama is running but has no model.", fix=f"Run `ollama pull {wanted}`.")
        if not self._wanted:
            return names[0]
        for name in names:
            if name in (self._wanted, f"{self._wanted}:latest"):
                return name
        raise Missing(
            f"Ollama is running but does not have the model {self._wanted}.", fix=f"Run `ollama pull {self._wanted}`."
        )

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        """One client for each use: none is left open when the loop ends. The environment's proxies are for the
        internet, and what was said goes nowhere else than to this address, so no redirects either."""
        try:  # in a thread the first time: it takes 200 ms, and the loop may be playing audio
            line: Any = sys.modules.get(LINE) or await asyncio.to_thread(importlib.import_module, LINE)
        except ImportError:
            raise not_installed("ollama", "llm") from None
        headers = self._headers()
        if headers:
            refuse_plain("Ollama", self._url)
        try:
            client = line.client(self._url, SILENCE_S, headers)
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
        if error.status_code in (401, 403):
            raise NotAllowed("Ollama refuses the key.", fix="Give it another one; see docs/assistant.md.") from None
        raise EngineFailed("Ollama refused the request.") from None
    except httpx.HTTPError:
        raise EngineFailed("Ollama broke off its answer.") from None
    except (ValueError, TypeError, AttributeError, KeyError):
        raise EngineFailed("Ollama answered something that is not its protocol.") from None
