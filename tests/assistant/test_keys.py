"""Where keys come from, and what is none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.providers.careful import Careful
from jarvis.assistant.providers.keys import find_key
from jarvis.assistant.providers.openai_model import OpenAIModel
from jarvis.assistant.replies import FAILED, NO_MODEL
from jarvis.core.errors import BadConfiguration
from tests.assistant.homes import MemoryHome, request, whole
from tests.assistant.served_doubles import KEY, OpenAIDouble, Send, served


def test_the_first_that_is_set_counts(tmp_path: Path) -> None:
    def file(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
        return tmp_path / name

    file("llm-my-server-key", "from-systemd\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert find_key("my-server", None, environ) == "from-systemd"
    assert find_key("another", None, environ) == "" and find_key("my-server", None, {}) == ""
    settings = file("settings", "from-settings\n")
    assert find_key("my-server", settings, environ) == "from-settings"
    environ["JARVIS_LLM_MY_SERVER_KEY"] = "from-the-environment"
    assert find_key("my-server", settings, environ) == "from-the-environment"
    environ["JARVIS_LLM_MY_SERVER_KEY_FILE"] = str(file("secret", "from-a-file"))
    assert find_key("my-server", settings, environ) == "from-a-file"


@pytest.mark.parametrize("text", ["", "\n", "two words", "one\ntwo", "x" * 5_000, "schlüssel"])
def test_what_is_no_key_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(BadConfiguration) as caught:
        find_key("some", file, {})
    assert not text.strip() or text.strip() not in f"{caught.value} {caught.value.fix}"


def test_a_key_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="cannot be read"):
        find_key("some", tmp_path / "nothing", {})


def test_a_key_that_cannot_be_read_any_more_is_seen_though_the_server_is_known(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o600)

    async def main() -> None:
        async with served(OpenAIDouble()) as double:
            headers = lambda: {"Authorization": f"Bearer {find_key('some', file, {})}"}  # noqa: E731
            model = OpenAIModel(double.url + "/v1", headers=headers)
            assert (await model.available()).ok
            file.chmod(0o644)
            found = await model.available()
            assert not found.ok and "chmod 600" in found.reason

    asyncio.run(main())


class Quoting(OpenAIDouble):
    """Says the key as its answer, and as the name of its model."""

    async def word(self, send: Send, word: str) -> None:
        await super().word(send, f"You sent {self.headers[-1]['Authorization']}. ")


@pytest.mark.parametrize("model", ["m", ""])
def test_an_answer_that_quotes_the_key_is_not_heard(model: str) -> None:
    async def main() -> None:
        async with served(Quoting(models=["named-" + KEY])) as double:
            asked = OpenAIModel(double.url + "/v1", model, headers=lambda: {"Authorization": f"Bearer {KEY}"})
            assistant = Assistant([Careful(asked, look_s=15)])
            reply = await assistant.answer(request("Tell me a joke about the sky."), MemoryHome())
            assert await whole(reply) in (FAILED, NO_MODEL)
            assert KEY not in str(await assistant.models.statuses())

    asyncio.run(main())
