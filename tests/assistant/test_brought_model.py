"""A language model whose provider comes and goes with a plugin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from jarvis.assistant.language.model import Availability, Message
from jarvis.assistant.providers.brought import BroughtModel
from jarvis.core.errors import EngineFailed, Missing
from jarvis.plugins.kinds import ModelProvider

SETTINGS = {"name": "home", "trusted": "no", "context_tokens": "2048", "max_tokens": "64"}


class Parrot:
    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings = settings

    async def available(self) -> Availability:
        return Availability(True, model=self.settings["name"])

    async def complete(self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float) -> AsyncIterator[Any]:
        for word in messages[-1]["content"].split():
            yield int(word) if word.isdigit() else word


async def said(model: BroughtModel, text: str) -> list[Any]:
    message: Message = {"role": "user", "content": text}
    return [piece async for piece in model.complete([message], max_tokens=8, deadline_s=1)]


def test_it_is_there_as_long_as_its_provider_is() -> None:
    offered: list[ModelProvider] = []
    made: list[Parrot] = []

    def make(settings: Mapping[str, str]) -> Parrot:
        made.append(Parrot(settings))
        return made[-1]

    async def main() -> None:
        model = BroughtModel("parrot", SETTINGS, lambda: offered)
        found = await model.available()
        assert (
            not found.ok and "no provider of language models 'parrot'" in found.reason and "plugin list" in found.reason
        )
        with pytest.raises(Missing):
            await said(model, "tea")
        offered.append(ModelProvider("parrot", make))
        assert (await model.available()).model == "home"
        assert await said(model, "two cups") == ["two", "cups"] and len(made) == 1
        with pytest.raises(EngineFailed, match="no text"):
            await said(model, "2 cups")
        offered[:] = [ModelProvider("parrot", make)]  # switched off, and on again
        assert (await model.available()).ok and len(made) == 2
        offered.clear()
        assert not (await model.available()).ok

    asyncio.run(main())


def test_it_is_what_the_settings_say_and_never_asked_in_private() -> None:
    model = BroughtModel("parrot", SETTINGS, list)
    assert (model.name, model.trusted, model.context_tokens, model.max_tokens) == ("home", False, 2048, 64)
    assert model.elsewhere
