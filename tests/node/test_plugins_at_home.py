"""A running node and the plugins of its folder: switched on and off by the command, heard, asked, and never its end."""

from __future__ import annotations

import asyncio
import io
import shutil
import threading
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jarvis.testing.processes import NodeProcess, jarvis, until
from tests.assistant.served_doubles import served
from tests.assistant.test_tools import CallingDouble

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"
WAIT_S = 15.0
DEADLY = """
from jarvis.plugins.kinds import Metadata
import os
PLUGIN = Metadata(name="deadly", version="1", summary="Ends the whole process.")
os._exit(9)
"""


@pytest.fixture(scope="module")
def served_model() -> Iterator[str]:
    """Where a model answers that calls a tool, if it is offered any, before it speaks."""
    double = CallingDouble(steps=[[("moon_phase", '{"date": "2024-04-08T12:00"}')]])
    loop, up = asyncio.new_event_loop(), threading.Event()
    over = asyncio.Event()

    async def serve() -> None:
        async with served(double):
            up.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert up.wait(WAIT_S)
    yield double.url
    loop.call_soon_threadsafe(over.set)
    thread.join(WAIT_S)
    loop.close()


@pytest.fixture(scope="module")
def kitchen(
    tmp_path_factory: pytest.TempPathFactory, quiet: dict[str, str], served_model: str
) -> Iterator[NodeProcess]:
    place = tmp_path_factory.mktemp("with-plugins") / "kitchen"
    jarvis("init", "--name", "kitchen", data_dir=place, env=quiet).json()
    folder = place / "plugins"
    folder.mkdir()
    for name in ("beeps", "coin", "diary", "moon", "parrot", "subtitles"):
        shutil.copy(EXAMPLES / f"{name}.py", folder)
    (folder / "broken.py").write_text("import no_such_library\n" + (EXAMPLES / "moon.py").read_text())
    (folder / "deadly.py").write_text(DEADLY)
    (place / "jarvis.toml").write_text(
        f'[[llm]]\nprovider = "parrot"\ntrusted = false\n[[llm]]\nprovider = "openai"\nurl = "{served_model}/v1"\n'
    )
    with NodeProcess(place, "--no-mdns", "--bind", "127.0.0.1", env=quiet) as node:
        yield node
        print(node.stderr[-8_000:])  # shown when the test failed


def switch(node: NodeProcess, name: str, enabled: bool) -> None:
    node.call("PUT", f"/api/v2/plugins/{name}", body={"enabled": enabled})


def used(node: NodeProcess) -> list[tuple[str, str]]:
    rows = node.get("/api/v2/audit", action="tool.used")
    return [(row["target"], row["outcome"]) for row in rows]


def state(node: NodeProcess, name: str) -> str:
    row: dict[str, Any] = node.get(f"/api/v2/plugins/{name}")
    return str(row["state"])


def test_plugins_come_and_go_while_the_node_runs(kitchen: NodeProcess, quiet: dict[str, str]) -> None:
    def command(*arguments: str) -> Any:
        return jarvis("plugin", *arguments, data_dir=kitchen.data_dir, env=quiet)

    rows = {row["name"]: row for row in command("list").json()}
    assert {name: rows[name]["state"] for name in ("beeps", "diary", "moon")} == dict.fromkeys(
        ("beeps", "diary", "moon"), "off"
    )
    assert rows["broken"]["problem"], "its name is not its file's"

    # a listener is told of turns, and of no word
    diary = kitchen.data_dir / "diary.txt"
    refused = command("enable", "diary")
    assert refused.code == 1 and "does not know where to write" in refused.err
    kitchen.set_config("plugin.diary.file", str(diary), local=True)
    assert command("enable", "diary").json()["gives"] == {"listener": ["diary"]}
    kitchen.ask("what is your name")
    until(lambda: diary.exists() and diary.read_text(), WAIT_S, "a line in the diary")
    assert diary.read_text().endswith("turn.committed\n") and "name" not in diary.read_text()

    # a language model of a provider that was not there when the node started
    assert kitchen.ask("tell me something nice")["provider"] == "openai"
    switch(kitchen, "parrot", True)
    answer = kitchen.ask("tell me something nice")
    assert (answer["provider"], answer["reply"]) == ("parrot", "You said: tell me something nice")

    # a sentence is understood, from the next one on
    switch(kitchen, "coin", True)
    until(lambda: kitchen.ask("flip a coin for me")["intent"] == "coin_flip", WAIT_S, "the sentence")
    assert kitchen.ask("Heads or tails?")["reply"] in ("It's heads.", "It's tails.")
    switch(kitchen, "coin", False)
    until(lambda: kitchen.ask("flip a coin for me")["intent"] != "coin_flip", WAIT_S, "the sentence's end")

    # a kind of file is read, and cited by its place
    film = kitchen.data_dir / "film.srt"
    film.write_text("1\n00:01:00,000 --> 00:01:02,000\nThe treasure lies under the lighthouse.\n")
    assert "which nothing here reads" in jarvis("knowledge", "add", str(film), data_dir=kitchen.data_dir, env=quiet).out
    switch(kitchen, "subtitles", True)
    assert jarvis("knowledge", "add", str(film), data_dir=kitchen.data_dir, env=quiet).json()[0]["state"] == "added"
    found = kitchen.get("/api/v2/knowledge/search", q="where does the treasure lie")["results"]
    assert found[0]["place"] == "00:01:00 to 00:01:02"

    # a tool is called by a model that may be asked for facts, and the audit tells of it
    switch(kitchen, "parrot", False)
    assert used(kitchen) == []
    switch(kitchen, "moon", True)
    assert kitchen.ask("tell me something nice")["reply"] == "Because of scattering. Blue scatters most."
    assert used(kitchen) == [("moon_phase", "ok")]
    switch(kitchen, "moon", False)

    # a voice is asked first, in a process of its own, and no more when it is off
    switch(kitchen, "beeps", True)
    until(lambda: "beeps" in [row["name"] for row in kitchen.get("/api/v2/engines")], WAIT_S, "the engine")
    said = jarvis(
        "say", "three short words", "--out", str(kitchen.data_dir / "said.wav"), data_dir=kitchen.data_dir, env=quiet
    )
    said.json()
    with wave.open(io.BytesIO((kitchen.data_dir / "said.wav").read_bytes())) as sound:
        assert sound.getnframes() / sound.getframerate() >= 3 * 0.08
    switch(kitchen, "beeps", False)
    until(lambda: "beeps" not in [row["name"] for row in kitchen.get("/api/v2/engines")], WAIT_S, "its end")


def test_one_that_ends_the_process_does_not_keep_the_node_down(kitchen: NodeProcess) -> None:
    switch(kitchen, "moon", True)
    kitchen.set_config("plugins.enabled", "moon,deadly")  # as nothing but a person would
    kitchen.stop()
    with pytest.raises(AssertionError):  # it takes the start with it, once
        kitchen.start()
    kitchen.start()
    assert (state(kitchen, "moon"), state(kitchen, "deadly"), state(kitchen, "beeps")) == ("on", "faulty", "off")
    assert "ended while it was loaded" in kitchen.get("/api/v2/plugins/deadly")["problem"]
    assert kitchen.get("/api/v2/health")["components"]["plugins"]["state"] == "degraded"
