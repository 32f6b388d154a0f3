"""What a language model says of a picture: each protocol's own form, shown to nobody who may not see it, bounded, and
an honest nothing where none can."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from jarvis.assistant.language.captions import EVERYWHERE, HERE, MAX_CHARS, NOWHERE, WISH, Captions
from jarvis.assistant.language.model import Usage
from jarvis.assistant.language.spending import Spending
from jarvis.assistant.providers.anthropic_model import AnthropicModel
from jarvis.assistant.providers.careful import Careful
from jarvis.assistant.providers.ollama_model import OllamaModel
from jarvis.assistant.providers.openai_model import OpenAIModel
from tests.assistant.ollama_double import ollama
from tests.assistant.served_doubles import AnthropicDouble, OpenAIDouble, served

PICTURE = b"\xff\xd8 a picture"
BASE64 = base64.b64encode(PICTURE).decode()
WORDS = "Because of scattering. Blue scatters most."


def captions(models: Sequence[Any], allowed: str = HERE, **more: Any) -> Captions:
    async def value() -> str:
        return allowed

    return Captions(
        lambda: [Careful(one, look_s=2, first_piece_s=2, idle_s=2) for one in models], Spending(), value, **more
    )


def running(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 20))  # type: ignore[arg-type]


def test_openais_protocol() -> None:
    async def main() -> None:
        async with served(OpenAIDouble()) as double:
            asked = captions([OpenAIModel(double.url + "/v1", name="eyes")])
            assert await asked.hindrance() == "" and await asked.describe(PICTURE) == (WORDS, "eyes")
            (message,) = double.asked[0]["messages"]
            assert message["content"] == [
                {"type": "text", "text": WISH},
                {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{BASE64}"}},
            ]
            assert "tools" not in double.asked[0]
            assert asked._spending.of["eyes"].prompt_tokens == 57

    running(main)


def test_anthropics_protocol() -> None:
    async def main() -> None:
        async with served(AnthropicDouble()) as double:
            model = AnthropicModel("m", url=double.url, headers=lambda: {"x-api-key": "k"})
            assert await captions([model]).describe(PICTURE) == (WORDS, "anthropic")
            source = {"type": "base64", "media_type": "image/jpeg", "data": BASE64}
            assert double.asked[0]["messages"] == [
                {"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": WISH}]}
            ]

    running(main)


def test_ollamas_protocol() -> None:
    async def main() -> None:
        async with ollama("llava:7b") as double:
            assert await captions([OllamaModel(double.url)]).describe(PICTURE) == (WORDS, "ollama")
            assert double.asked[0]["messages"] == [{"role": "user", "content": WISH, "images": [BASE64]}]

    running(main)


class Seeing:
    """A model that writes `text`; `elsewhere` as with any other."""

    trusted, context_tokens, max_tokens = True, 8192, 256

    def __init__(self, text: str = "A red boat.", *, elsewhere: bool = False, name: str = "eyes") -> None:
        self.name, self.text, self.elsewhere, self.shown = name, text, elsewhere, 0

    async def available(self) -> Any:
        from jarvis.assistant.language.model import Availability

        return Availability(bool(self.text), "It is not there.")

    async def complete(self, messages: Any, *, max_tokens: int, deadline_s: float) -> Any:
        self.shown += 1
        yield self.text
        yield Usage(5, 2)


@pytest.mark.parametrize(
    ("allowed", "elsewhere", "why"),
    [
        (HERE, False, ""),
        (HERE, True, "elsewhere"),
        (EVERYWHERE, True, ""),
        (NOWHERE, False, "knowledge.captions is no"),
    ],
)
def test_who_is_shown_a_picture(allowed: str, elsewhere: bool, why: str) -> None:
    model = Seeing(elsewhere=elsewhere)

    async def main() -> None:
        asked = captions([model], allowed)
        hindered = await asked.hindrance()
        assert why in hindered and bool(why) == bool(hindered)
        if allowed != NOWHERE:
            assert (await asked.describe(PICTURE) is None) == bool(why) and model.shown == (not why)
        assert "no language model that can see" in await captions([]).hindrance()
        assert "It is not there." in await captions([Seeing("")]).hindrance()

    running(main)


@pytest.mark.parametrize("mode", ["failed_500", "cut", "garbage", "throttled_429", "no_model_404"])
def test_a_server_that_fails_is_replaced_by_the_next(mode: str) -> None:
    async def main() -> None:
        async with served(OpenAIDouble(mode=mode)) as double:
            broken = OpenAIModel(double.url + "/v1", "some-model")
            asked = captions([broken, Seeing()])
            assert await asked.describe(PICTURE) == ("A red boat.", "eyes")
            assert asked._spending.of["openai"].failed == 1
            assert await captions([broken]).describe(PICTURE) is None

    running(main)


def test_it_has_an_end() -> None:
    async def main() -> None:
        async with served(OpenAIDouble(mode="slow")) as double:
            assert await captions([OpenAIModel(double.url + "/v1", "m")], deadline_s=0.2).describe(PICTURE) is None
            double.mode = "endless"
            words, _ = await captions([OpenAIModel(double.url + "/v1", "m")]).describe(PICTURE) or ("", "")
            assert 0 < len(words) <= MAX_CHARS + 2
        told = await captions([Seeing("A\x1b[31m\nboat. \u202e")]).describe(PICTURE)
        assert told == ("A [31m boat.", "eyes")

    running(main)
