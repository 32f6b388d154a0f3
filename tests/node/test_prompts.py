"""What models are told first, in a household's own words: taken up, refused with the reason, the same for each turn."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.language.instructions import ABILITIES, MAX_BYTES, Instructions, built_in
from jarvis.core.errors import InvalidInput
from jarvis.node.minds.prompts import Prompts
from tests.assistant.homes import MemoryHome, ScriptedModel, request, turn, whole

JOKE = "Tell me a joke about the sky."


def test_places_are_filled_in_and_nothing_else_is() -> None:
    words = Instructions(" You are {name}. {abilities}\nSay {{so}}. \n")
    assert words.head("Friday") == f"You are Friday. {ABILITIES.format(who='You')}\nSay {{so}}."
    assert "Apart from your tools you" in words.head("Friday", tools=True)
    assert Instructions("\ufeffBe brief.").head("Friday") == "Be brief."
    assert Instructions("{name}").head("{abilities}") == "{abilities}", "a name is no text to fill in"
    assert "friendly voice assistant" in built_in().head("Jarvis")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("  \n", "says nothing"),
        ("é" * (MAX_BYTES // 2 + 1), str(MAX_BYTES)),
        ("You are {nme}.", "{nme}"),
        ("You are {name.__class__}.", "{name.__class__}"),
        ("You are {name!r}.", "{name}"),
        ("You are {name:>9999999}.", "{name}"),
        ("You are {}.", "{}"),
        ("You are {name.", "brace"),
        ("You are \x1b[31mred.", "signs"),
    ],
)
def test_a_text_that_cannot_be_used_says_why(text: str, why: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Instructions(text)
    assert why in str(refused.value)


def test_a_file_is_taken_up_refused_and_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "prompts" / "system.txt"

    async def main() -> None:
        model = ScriptedModel()
        assistant = Assistant([model])
        prompts = Prompts(file.parent, assistant.models)

        async def head() -> str:
            await prompts.refresh()
            seen = set()
            for before in ((), (turn("Hello", "Hello."),)):
                await whole(await assistant.answer(request(JOKE, *before), MemoryHome()))
                seen.add(model.asked[-1][0]["content"])
            (one,) = seen
            return str(one)

        ours = await head()
        assert prompts.component() == {"state": "ok", "detail": "built in"}
        file.parent.mkdir()
        file.write_text("You are {name}, a butler.")
        assert await head() == "You are Jarvis, a butler."
        assert prompts.component() == {"state": "ok", "detail": "system.txt"}
        for content, why in ((b"\xff", "UTF-8"), (b"x" * 9_999, str(MAX_BYTES)), (b"You are {who}.", "{who}")):
            file.write_bytes(content)
            assert await head() == "You are Jarvis, a butler." and why in prompts.component()["detail"]
            assert prompts.component()["state"] == "degraded" and "system.txt" in prompts.component()["detail"]
        prompts = Prompts(file.parent, assistant.models)
        assert await head() == ours and "The built-in one is." in prompts.component()["detail"]
        file.rename(file.with_name("sytem.txt"))
        assert await head() == ours and "prompts/sytem.txt is not used" in prompts.component()["detail"]
        file.with_name("sytem.txt").unlink()
        assert await head() == ours and prompts.component()["state"] == "ok"

    asyncio.run(main())
