"""A whole node with servers of language models: real processes, doubles that follow the protocols, and the embedded
llama.cpp's own OpenAI-compatible port."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jarvis.core.errors import Missing
from jarvis.models import cache
from jarvis.testing.processes import until
from tests.assistant.served_doubles import KEY, AnthropicDouble, OpenAIDouble, ServedDouble, served
from tests.assistant.test_home_tools import OpenAIToolDouble, scripted
from tests.node.conftest import Home

QUESTION = "Tell me a joke about the sky."
WITHIN_S = 20.0
EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"
LLAMA = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, key = sys.argv[1], sys.argv[2]
params.n_ctx, params.n_parallel, params.n_gpu_layers, params.cache_ram_mib, params.verbosity = 1024, 1, 0, 0, -1
params.api_keys = [key]
server = xllamacpp.Server(params)
print("\\n" + "LISTENS " + str(server.listening_address), flush=True)
sys.stdin.read()
"""


@contextmanager
def serving(double: ServedDouble) -> Iterator[ServedDouble]:
    """A double in a thread of its own."""
    ready, over = threading.Event(), threading.Event()

    async def main() -> None:
        async with served(double):
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert ready.wait(WITHIN_S)
        yield double
    finally:
        over.set()
        thread.join(WITHIN_S)


def test_servers_are_asked_in_their_order_and_no_key_is_seen(home: Home) -> None:
    with serving(AnthropicDouble()) as first, serving(OpenAIDouble()) as second:
        data = home.folder / "kitchen"
        (data / "anthropic.key").write_text(KEY + "\n")
        (data / "anthropic.key").chmod(0o600)
        (data / "jarvis.toml").write_text(
            f'[[llm]]\nprovider = "anthropic"\nurl = "{first.url}"\nmodel = "m"\nkey_file = "{data}/anthropic.key"\n'
            f'[[llm]]\nprovider = "openai"\nname = "second"\nurl = "{second.url}/v1"\nfirst_words_s = 1\n'
        )
        kitchen = home.node("kitchen", env={"JARVIS_LLM_SECOND_KEY": KEY + "2"})
        kitchen.start()
        answer = kitchen.ask(QUESTION)
        assert (answer["provider"], answer["reply"]) == ("anthropic", "Because of scattering. Blue scatters most.")
        assert answer["tokens"] == {"prompt": 57, "completion": 9} and first.headers[0]["x-api-key"] == KEY
        first.mode = "throttled_429"
        assert kitchen.ask(QUESTION)["provider"] == "second", "and nobody noticed"
        assert second.headers[0]["Authorization"] == f"Bearer {KEY}2"
        second.mode = "cut"
        assert kitchen.ask(QUESTION)["reply"].endswith("Sorry, my language model stopped in the middle of that.")
        assert len(first.asked) == 2, "it asked to be left alone"
        second.mode = "slow"
        assert kitchen.ask(QUESTION)["reply"] == "Sorry, my language model failed, so I can't answer that."
        components = kitchen.get("/api/v2/health")["components"]
        assert "asked too much" in components["llm.anthropic"]["detail"]
        assert "did not answer in time" in components["llm.second"]["detail"]
        assert components["llm.anthropic"]["detail"].endswith("; 1 answer, 1 failed, 57 tokens read, 9 written")
        seen = json.dumps([components, kitchen.get("/api/v2/config"), kitchen.get("/api/v2/audit")]) + kitchen.stderr
        export = kitchen.get(f"/api/v2/sessions/{answer['session_id']}")
        assert KEY not in seen + json.dumps(export) and QUESTION not in kitchen.stderr


def test_a_plugins_language_model_is_asked_while_the_plugin_is_on(home: Home) -> None:
    folder = home.folder / "kitchen" / "plugins"
    folder.mkdir()
    shutil.copy(EXAMPLES / "parrot.py", folder)
    (home.folder / "kitchen" / "jarvis.toml").write_text('[[llm]]\nprovider = "parrot"\n')
    kitchen = home.node("kitchen")
    kitchen.start()
    assert kitchen.ask(QUESTION)["provider"] == "none"
    kitchen.call("PUT", "/api/v2/plugins/parrot", body={"enabled": True})
    answer = kitchen.ask(QUESTION)
    assert answer["provider"] == "parrot" and QUESTION in answer["reply"]
    kitchen.call("PUT", "/api/v2/plugins/parrot", body={"enabled": False})
    assert kitchen.ask(QUESTION)["provider"] == "none"


def test_a_model_uses_the_tools_of_the_home_and_of_plugins(home: Home) -> None:
    """The second round says what the home gave; each call stands in the audit."""
    calls = [("ask_home", {"question": "what is 17 times 23"}), ("moon_phase", {"date": "2026-11-24"})]
    with serving(scripted(OpenAIToolDouble, calls, "It is 391 and full moon. ")) as double:
        folder = home.folder / "kitchen" / "plugins"
        folder.mkdir()
        shutil.copy(EXAMPLES / "moon.py", folder)
        (home.folder / "kitchen" / "jarvis.toml").write_text(f'[[llm]]\nprovider = "openai"\nurl = "{double.url}/v1"\n')
        kitchen = home.node("kitchen")
        kitchen.start()
        kitchen.call("PUT", "/api/v2/plugins/moon", body={"enabled": True})
        answer = kitchen.ask("I have 17 boxes of 23 eggs, and is it dark that night?")
        assert (answer["reply"], answer["provider"]) == ("It is 391 and full moon.", "openai")
        gave = [one["content"] for one in double.asked[1]["messages"] if one["role"] == "tool"]
        assert "391" in gave[0] and "full moon" in gave[1]
        rows = [row for row in kitchen.get("/api/v2/audit") if row["action"] == "tool.used"]
        assert [(row["target"], row["outcome"]) for row in rows] == [("ask_home", "ok"), ("moon_phase", "ok")]
        assert "eggs" not in json.dumps(rows) and "17" not in json.dumps([row["detail"] for row in rows])


@contextmanager
def llama(key: str) -> Iterator[str]:
    """llama.cpp as a server with OpenAI's protocol: its address."""
    try:
        (file,) = cache.locate("smollm2-135m").glob("*.gguf")
    except Missing as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"{error} {error.fix}")
    process = subprocess.Popen(
        [sys.executable, "-c", LLAMA, str(file), key],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        line = next(one for one in process.stdout if one.startswith("LISTENS "))
        yield line.split(maxsplit=1)[1].strip()
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate(timeout=WITHIN_S)


@pytest.mark.models
def test_llama_cpps_own_openai_port_answers(home: Home) -> None:
    key = secrets.token_urlsafe(16)
    with llama(key) as address:
        data = home.folder / "kitchen"
        (data / "jarvis.toml").write_text(
            f'[[llm]]\nprovider = "openai"\nname = "llama"\nurl = "{address}/v1"\ncontext_tokens = 1024\n'
            "max_tokens = 48\ntrusted = false\nfirst_words_s = 60\n"
        )
        kitchen = home.node("kitchen", env={"JARVIS_LLM_LLAMA_KEY": key})
        kitchen.start()
        answer = kitchen.ask(QUESTION)
        assert answer["provider"] == "llama" and len(answer["reply"]) > 10, answer
        assert answer["tokens"]["prompt"] > 20 and answer["tokens"]["completion"] > 3, "as it counted them itself"
        locked = kitchen.ask("Is the front door locked?")
        assert locked["source"] == "intent", "a server's small model is no more trusted than ours"
        until(lambda: kitchen.get("/api/v2/health")["components"]["llm.llama"]["state"] == "ok", WITHIN_S)
