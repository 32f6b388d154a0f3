"""A language model of a provider that a plugin brings. The plugin may come and go while the node runs: the model is
made when it is first looked for, and of the provider that is there then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from jarvis.assistant.language.model import Availability, LanguageModel, Message, Usage, closing
from jarvis.core.errors import EngineFailed, JarvisError, Missing
from jarvis.plugins.kinds import ModelProvider


class BroughtModel:
    """Of `provider`, as `offered` has it just now. `settings` are as every provider gets them."""

    elsewhere = True
    """Nobody knows where it sends the words."""

    def __init__(
        self, provider: str, settings: Mapping[str, str], offered: Callable[[], Sequence[ModelProvider]]
    ) -> None:
        self.name, self.trusted = settings["name"], settings["trusted"] == "yes"
        self.context_tokens, self.max_tokens = int(settings["context_tokens"]), int(settings["max_tokens"])
        self._wanted, self._settings, self._offered = provider, settings, offered
        self._made: tuple[ModelProvider, LanguageModel] | None = None

    async def available(self) -> Availability:
        try:
            return await self._model().available()
        except JarvisError as error:
            return Availability(False, f"{error} {error.fix}".strip())

    async def complete(
        self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float
    ) -> AsyncIterator[str | Usage]:
        async with closing(self._model().complete(messages, max_tokens=max_tokens, deadline_s=deadline_s)) as pieces:
            async for piece in pieces:
                if not isinstance(piece, str | Usage):
                    raise EngineFailed(f"{self.name} answered with something that is no text.")
                yield piece

    def _model(self) -> LanguageModel:
        provider = next((one for one in self._offered() if one.name == self._wanted), None)
        if provider is None:
            raise Missing(
                f"There is no provider of language models {self._wanted!r}.",
                fix="Enable the plugin that brings it: `jarvis plugin list` shows which there are.",
            )
        if self._made is None or self._made[0] is not provider:
            self._made = provider, provider.make(self._settings)
        return self._made[1]
