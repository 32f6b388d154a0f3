"""Plugins from real files, switched on and off while others run: a faulty one is named, and costs only itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jarvis.assistant import builtin as intents
from jarvis.core.errors import BadConfiguration, InvalidInput, NotFound, PluginFailed
from jarvis.knowledge.files import builtin as files
from jarvis.plugins import registry
from jarvis.plugins.hooks import hookimpl
from jarvis.plugins.kinds import EngineOffer, FileLimits, Metadata, Tool, ToolContext
from jarvis.plugins.registry import MAX_FAULTS, Plugins

CONTEXT = ToolContext("", "kitchen", False, None)
TOOLS = """
from jarvis.plugins.hooks import hookimpl
from jarvis.plugins.kinds import Metadata, Tool

PLUGIN = Metadata({name!r}, "1.0", "Counts.")

async def count(arguments, context):
    return str(len(arguments["text"]))

@hookimpl
def jarvis_tools({takes}):
    return [Tool({tool!r}, "Counts letters", {{"type": "object"}}, count)]
"""


def tools(name: str = "letters", tool: str = "count", takes: str = "") -> str:
    return TOOLS.format(name=name, tool=tool, takes=takes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "letters.py").write_text(tools())
    return tmp_path


def story(told: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await told()

    asyncio.run(main())


def names(plugins: Plugins) -> list[str]:
    return [tool.name for tool in plugins.tools()]


async def row(plugins: Plugins, name: str, wanted: tuple[str, ...] = ()) -> dict[str, Any]:
    return next(one for one in await plugins.rows(wanted) if one["name"] == name)


def test_it_is_switched_on_and_off_while_others_look(folder: Path) -> None:
    plugins = Plugins(folder)
    seen: list[list[str]] = []
    plugins.follow(lambda: seen.append(names(plugins)))

    async def told() -> None:
        assert (await row(plugins, "letters"))["state"] == "off" and names(plugins) == []
        await plugins.switch_on("letters", {})
        await plugins.switch_on("letters", {})
        assert await plugins.tools()[0].run({"text": "four"}, CONTEXT) == "4"
        shown = await row(plugins, "letters", ("letters",))
        assert (shown["state"], shown["version"], shown["summary"]) == ("on", "1.0", "Counts.")
        assert (shown["gives"], shown["enabled"], shown["source"]) == ({"tool": ["count"]}, True, "folder")
        plugins.switch_off("letters")
        assert (await row(plugins, "letters"))["state"] == "off"

    story(told)
    assert seen == [["count"], []]


def test_a_corrected_file_counts_when_it_is_switched_on_again(folder: Path) -> None:
    plugins = Plugins(folder)

    async def told() -> None:
        await plugins.switch_on("letters", {})
        plugins.switch_off("letters")
        (folder / "letters.py").write_text(tools(tool="count_letters"))
        await plugins.switch_on("letters", {})

    story(told)
    assert names(plugins) == ["count_letters"]


def test_a_hook_gets_its_settings_when_it_asks(folder: Path) -> None:
    source = tools(takes="setup").replace('"Counts letters"', 'setup.settings["what"]')
    (folder / "letters.py").write_text(source)
    plugins = Plugins(folder)
    story(lambda: plugins.switch_on("letters", {"what": "Counts vowels"}))
    assert plugins.tools()[0].description == "Counts vowels"


def test_a_hook_gets_its_secret_when_it_asks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tools(takes="setup").replace('"Counts letters"', 'setup.secret("token") or "none"')
    (folder / "letters.py").write_text(source)
    (folder / "held").write_text("a-secret\n")
    (folder / "held").chmod(0o600)
    for file, held in (("", "none"), (str(folder / "held"), "a-secret")):
        monkeypatch.setenv("JARVIS_PLUGIN_LETTERS_TOKEN_FILE", file)
        plugins = Plugins(folder)
        story(partial(plugins.switch_on, "letters", {}))
        assert plugins.tools()[0].description == held


FAULTY = {
    "it ends the program": ("import sys\nsys.exit(3)\n", "SystemExit"),
    "it raises": ("raise ValueError('a kettle')\n", "ValueError: a kettle"),
    "it lacks a library": ("import no_such_library\n", "No module named"),
    "it is another": ("PLUGIN = Metadata('cards', '1', '')\n", "calls itself 'cards'"),
    "it is no plugin any more": ("PLUGIN = 5\n", "no Metadata"),
    "it has a hook that is none": ("@hookimpl\ndef jarvis_toast(): return []\n", "jarvis_toast"),
    "it has a hook without its mark": ("def jarvis_events(): return []\n", "jarvis_events is not marked"),
    "its hook takes too much": ("@hookimpl\ndef jarvis_events(node): return []\n", "node"),
    "its hook raises": ("@hookimpl\ndef jarvis_events(): raise KeyError('tea')\n", "KeyError: 'tea'"),
    "its hook gives no list": ("@hookimpl\ndef jarvis_events(): return 5\n", "jarvis_events gives no list"),
    "its hook gives rubbish": ("@hookimpl\ndef jarvis_events(): return [5]\n", "is no Listener"),
    "its hook wraps others": ("@hookimpl(wrapper=True)\ndef jarvis_events(): return (yield)\n", "wraps"),
    "it gives two of a name": (
        "made = jarvis_tools()\n@hookimpl\ndef jarvis_tools(): return made + made\n",
        "two of the same name: tool count, tool count",
    ),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_faulty_one_is_named_and_the_others_go_on(folder: Path, fault: str) -> None:
    source, problem = FAULTY[fault]
    (folder / "words.py").write_text(tools(name="words", tool="words"))
    (folder / "letters.py").write_text(tools() + source)
    plugins = Plugins(folder)

    async def told() -> None:
        await plugins.switch_on("words", {})
        with pytest.raises(PluginFailed, match="plugin 'letters' cannot be used") as failed:
            await plugins.switch_on("letters", {})
        assert problem in str(failed.value)
        shown = await row(plugins, "letters", ("letters",))
        assert shown["state"] == "faulty" and problem in shown["problem"]
        assert names(plugins) == ["words"] and plugins.on() == ["words"]
        (folder / "letters.py").write_text(tools())
        await plugins.switch_on("letters", {})
        assert (await row(plugins, "letters", ("letters",)))["state"] == "on" and plugins.problems() == {}

    story(told)


def test_one_that_never_ends_loading_is_left_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "LOAD_S", 0.2)
    (folder / "letters.py").write_text(tools() + "import threading\nthreading.Event().wait(20)\n")
    plugins = Plugins(folder)

    async def told() -> None:
        with pytest.raises(PluginFailed, match=r"took more than 0\.2 s"):
            await plugins.switch_on("letters", {})

    story(told)


def test_nobody_takes_anothers_name(folder: Path) -> None:
    (folder / "words.py").write_text(tools(name="words", tool="count"))
    plugins = Plugins(folder)

    async def told() -> None:
        await plugins.switch_on("letters", {})
        with pytest.raises(PluginFailed, match="'letters' gives the tool count already"):
            await plugins.switch_on("words", {})

    story(told)
    assert plugins.on() == ["letters"]


def test_what_may_not_run_or_is_not_there_is_said(folder: Path) -> None:
    plugins = Plugins(folder)

    async def told() -> None:
        with pytest.raises(NotFound, match="no plugin 'dice'"):
            await plugins.switch_on("dice", {})
        (folder / "letters.py").chmod(0o666)
        with pytest.raises(BadConfiguration, match="Others may change"):
            await plugins.switch_on("letters", {})
        gone = await row(plugins, "dice", ("dice",))
        assert (gone["state"], gone["enabled"], gone["version"]) == ("missing", True, "")

    story(told)


def test_one_that_breaks_in_use_is_counted_and_then_off(folder: Path) -> None:
    plugins = Plugins(folder)

    async def told() -> None:
        await plugins.switch_on("letters", {})
        tool = plugins.tools()[0]
        for count in range(1, MAX_FAULTS):
            with pytest.raises(PluginFailed):
                await tool.run({}, CONTEXT)
            shown = await row(plugins, "letters", ("letters",))
            assert (shown["state"], shown["faults"]) == ("on", count) and "KeyError" in shown["problem"]
        with pytest.raises(PluginFailed):
            await tool.run({}, CONTEXT)
        shown = await row(plugins, "letters", ("letters",))
        assert shown["state"] == "faulty" and "broke 3 times" in shown["problem"] and names(plugins) == []

    story(told)


def built_in() -> ModuleType:
    module = ModuleType("ours")

    async def refuse(arguments: dict[str, Any], context: ToolContext) -> str:
        if arguments:
            raise InvalidInput("Not so.")
        raise ValueError

    @hookimpl
    def jarvis_tools() -> list[Tool]:
        return [Tool("ours", "Refuses.", {"type": "object"}, refuse)]

    module.PLUGIN = Metadata("ours", "1", "")  # type: ignore[attr-defined]
    module.jarvis_tools = jarvis_tools  # type: ignore[attr-defined]
    return module


def test_the_built_in_ones_come_by_the_same_hooks_and_stay(folder: Path) -> None:
    plugins = Plugins(folder, [built_in()])

    async def told() -> None:
        await plugins.switch_on("letters", {})
        assert names(plugins) == ["count", "ours"], "what a person added is asked first"
        for _ in range(MAX_FAULTS + 1):
            with pytest.raises(PluginFailed):
                await plugins.tools()[1].run({}, CONTEXT)
        with pytest.raises(InvalidInput, match="Not so"):
            await plugins.tools()[1].run({"a": 1}, CONTEXT)
        assert (await row(plugins, "ours"))["state"] == "on" and plugins.on() == ["letters"]

    story(told)


def test_an_engine_may_lie_in_the_plugins_own_file(folder: Path) -> None:
    offer = EngineOffer("beep", "tts", ":Beep")
    more = f"from jarvis.plugins.kinds import EngineOffer\n@hookimpl\ndef jarvis_engines(): return [{offer!r}]\n"
    (folder / "letters.py").write_text(tools() + more)
    plugins = Plugins(folder)
    story(lambda: plugins.switch_on("letters", {}))
    assert plugins.engines()[0].target == f"{folder / 'letters.py'}:Beep"


def test_readers_that_are_built_in_are_not_called_from_here(folder: Path) -> None:
    plugins = Plugins(folder, [files])
    assert plugins.file_processors() == []
    rows = asyncio.run(plugins.rows([]))
    assert "pdf" in rows[0]["gives"]["file processor"] and rows[0]["source"] == "builtin"


READER = """
from jarvis.plugins.hooks import hookimpl
from jarvis.plugins.kinds import Metadata
PLUGIN = Metadata("reader", "1", "Reads nothing.")
class Reader:
    name, suffixes = "reader", frozenset({".x"})
    def read(self, path, limits):
        raise ValueError
@hookimpl
def jarvis_file_processors():
    return [Reader()]
"""


def test_one_that_breaks_in_a_thread_is_switched_off_on_the_loop(folder: Path) -> None:
    (folder / "reader.py").write_text(READER)
    plugins = Plugins(folder)
    changed: asyncio.Queue[int] = asyncio.Queue()
    plugins.follow(lambda: changed.put_nowait(threading.get_ident()))

    async def told() -> None:
        await plugins.switch_on("reader", {})
        await changed.get()
        (reader,) = plugins.file_processors()
        for _ in range(MAX_FAULTS):
            with pytest.raises(PluginFailed):
                await asyncio.to_thread(reader.read, folder, FileLimits())
        assert await changed.get() == threading.get_ident()
        assert plugins.on() == [] and "broke 3 times" in plugins.problems()["reader"]

    story(told)


PACK = """
from jarvis.plugins.hooks import hookimpl
from jarvis.plugins.kinds import IntentPack, Metadata
PLUGIN = Metadata("pack", "1", "Does things.")
async def skill(match, request, home):
    return "Done."
@hookimpl
def jarvis_intents():
    return [IntentPack("pack", "en", "", {{{intent!r}: skill}})]
"""


@pytest.mark.parametrize(("intent", "free"), [("timer_set", False), ("weather", True), ("coin_flip", True)])
def test_no_plugin_takes_the_place_of_a_skill_of_ours(folder: Path, intent: str, free: bool) -> None:
    (folder / "pack.py").write_text(PACK.format(intent=intent))
    plugins = Plugins(folder, [intents])

    async def told() -> None:
        if free:
            await plugins.switch_on("pack", {})
        else:
            with pytest.raises(PluginFailed, match="'intents' gives the intent timer_set already"):
                await plugins.switch_on("pack", {})

    story(told)
    assert [list(pack.skills) for pack in plugins.intents()] == ([[intent]] if free else [])
