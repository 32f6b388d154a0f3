"""A model provider: a language model that repeats what it is asked. It shows the whole of what a provider has to be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from jarvis.assistant.language.model import Availability, Message
from jarvis.plugins.hooks import hookimpl
from jarvis.plugins.kinds import Metadata, ModelProvider

PLUGIN = Metadata(name="parrot", version="1.0", summary="A language model that repeats what it is asked.")


class Parrot:
    name = "parrot"
    trusted = False
    """It knows nothing, so it is not asked for facts."""
    context_tokens = 2_048
    max_tokens = 128

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._says = settings.get("says", "You said:")

    async def available(self) -> Availability:
        return Availability(True, model="parrot-1")

    async def complete(self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float) -> AsyncIterator[str]:
        yield f"{self._says} "
        for word in messages[-1]["content"].split()[:max_tokens]:
            yield f"{word} "


@hookimpl
def jarvis_model_providers() -> list[ModelProvider]:
    return [ModelProvider("parrot", Parrot)]
