"""The plugins of one node: which there are, which are on, and what those give. A plugin that cannot be loaded, gives
what does not fit, or breaks again and again is off, with a sentence that says why; the others and the node go on."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import structlog

from jarvis.core.errors import BadConfiguration, JarvisError, NotFound, PluginFailed
from jarvis.core.secrets import find_secret
from jarvis.plugins import found as finding
from jarvis.plugins.found import Found
from jarvis.plugins.gifts import KIND_OF, checked, names_of
from jarvis.plugins.guard import Guard, apart
from jarvis.plugins.hooks import HOOKS, gather
from jarvis.plugins.kinds import EngineOffer, FileProcessor, IntentPack, Listener, ModelProvider, Setup, Tool

LOAD_S = 20.0
"""To import a plugin and call its hooks: they give lists, and begin nothing."""
LOOK_S = 10.0
MAX_FAULTS = 3
"""So often a plugin may break in use before it is switched off."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Running:
    found: Found
    gifts: dict[str, list[Any]]
    faults: int = 0
    latest: str = ""
    """What broke last, in a sentence."""


class Plugins:
    """`builtins` are modules that give as plugins do and are always on; `folder` holds a person's own."""

    def __init__(self, folder: Path, builtins: Sequence[ModuleType] = ()) -> None:
        self._folder = folder
        self._builtins = tuple(builtins)
        self._running: dict[str, _Running] = {}
        self._problems: dict[str, str] = {}
        """Why a plugin that was to be on is not."""
        self._followers: list[Callable[[], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        """Of the loop."""
        for one in map(finding.builtin, self._builtins):
            self._running[one.metadata.name] = self._given(one, gather(one.load(), Setup({})))

    # --- what they give -----------------------------------------------------------------------------------------

    def intents(self) -> list[IntentPack]:
        """Without the built-in ones, which the assistant knows by itself."""
        return self._all("jarvis_intents", builtin=False)

    def tools(self) -> list[Tool]:
        return self._all("jarvis_tools")

    def engines(self) -> list[EngineOffer]:
        return self._all("jarvis_engines")

    def file_processors(self) -> list[FileProcessor]:
        """Without the built-in ones, which read in a process of their own."""
        return self._all("jarvis_file_processors", builtin=False)

    def model_providers(self) -> list[ModelProvider]:
        return self._all("jarvis_model_providers")

    def listeners(self) -> list[Listener]:
        return self._all("jarvis_events")

    def follow(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever what they give may be something else."""
        self._followers.append(changed)

    def _all(self, hook: str, *, builtin: bool = True) -> list[Any]:
        """Of what was switched on last first, and of the built-ins last."""
        running = [one for one in reversed(self._running.values()) if builtin or one.found.source != "builtin"]
        return [gift for one in running for gift in one.gifts.get(hook, ())]

    # --- on and off ---------------------------------------------------------------------------------------------

    async def switch_on(self, name: str, settings: Mapping[str, str]) -> None:
        """Run a plugin and take what it gives; nothing happens when it is on. Raises NotFound, BadConfiguration for
        one that may not be run, PluginFailed for one that breaks or gives what does not fit."""
        if name in self._running:
            return
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        one = await self._find(name)
        if one.problem:
            self._problems[name] = one.problem
            raise BadConfiguration(f"The plugin {name!r} cannot be used. {one.problem}", fix=one.fix)
        try:
            running = await apart(lambda: self._given(one, _load(one, Setup(settings, partial(_secret, name)))), LOAD_S)
            self._must_be_alone(running)
        except Exception as error:
            finding.forget(name)
            why = str(error) if isinstance(error, JarvisError) else f"{type(error).__name__}: {error}"
            self._problems[name] = why
            log.warning("a plugin cannot be used", plugin=name, why=type(error).__name__)
            fix = error.fix if isinstance(error, JarvisError) else "Correct it."
            raise PluginFailed(f"The plugin {name!r} cannot be used. {why}", fix=fix) from None
        self._problems.pop(name, None)
        self._running[name] = running
        log.info("a plugin is on", plugin=name)
        self._tell()

    def switch_off(self, name: str, why: str = "") -> None:
        """Nothing it gave is used any more; what still runs of it is not waited for."""
        running = self._running.pop(name, None)
        if why:
            self._problems[name] = why
        else:
            self._problems.pop(name, None)
        if running is not None:
            finding.forget(name)
            log.info("a plugin is off", plugin=name)
            self._tell()

    def blame(self, name: str, why: str) -> None:
        """It is to be on and was not even tried."""
        self._problems[name] = why

    def on(self) -> list[str]:
        """The names of those that are on, without the built-in ones."""
        return [name for name in self._running if not self.builtin(name)]

    def problems(self) -> dict[str, str]:
        """Of those that were to be on and are not."""
        return dict(self._problems)

    def builtin(self, name: str) -> bool:
        return any(module.PLUGIN.name == name for module in self._builtins)

    async def _find(self, name: str) -> Found:
        there = await self._look()
        if name not in there:
            raise NotFound(
                f"There is no plugin {name!r}.",
                fix=f"Install its package, or put {name}.py into {self._folder}. `jarvis plugin list` shows all.",
            )
        return there[name]

    async def _look(self) -> dict[str, Found]:
        return await apart(lambda: finding.all_of(self._builtins, self._folder), LOOK_S)

    def _given(self, one: Found, given: Mapping[str, Any]) -> _Running:
        guard = Guard(one.metadata.name, lambda sentence: self._broke(one.metadata.name, sentence))
        gifts = {hook: checked(hook, things, guard) for hook, things in given.items()}
        if one.source == "folder" and "jarvis_engines" in gifts:
            gifts["jarvis_engines"] = [_in_its_file(offer, one.place) for offer in gifts["jarvis_engines"]]
        return _Running(one, gifts)

    def _must_be_alone(self, running: _Running) -> None:
        for hook, gifts in running.gifts.items():
            names = list(names_of(hook, gifts))
            if len(set(names)) < len(names):
                raise BadConfiguration(f"It gives two of the same name: {', '.join(sorted(names))}.")
            for other, theirs in self._running.items():
                both = set(names) & set(names_of(hook, theirs.gifts.get(hook, [])))
                if both:
                    off = "" if self.builtin(other) else f", or switch the other off: `jarvis plugin disable {other}`"
                    raise BadConfiguration(
                        f"The plugin {other!r} gives the {min(both)} already.", fix=f"Give it another name{off}."
                    )

    def _broke(self, name: str, sentence: str) -> None:
        """Files are read in threads, and whoever follows is on the event loop."""
        if self._loop is None or threading.get_ident() == self._thread:
            self._count(name, sentence)
        else:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it all that counts
                self._loop.call_soon_threadsafe(self._count, name, sentence)

    def _count(self, name: str, sentence: str) -> None:
        running = self._running.get(name)
        if running is None:
            return
        running.faults, running.latest = running.faults + 1, sentence
        if running.faults >= MAX_FAULTS and running.found.source != "builtin":
            self.switch_off(name, f"{sentence} It broke {running.faults} times, so it is off.")

    def _tell(self) -> None:
        for changed in self._followers:
            changed()

    # --- for people ---------------------------------------------------------------------------------------------

    async def rows(self, wanted: Sequence[str]) -> list[dict[str, Any]]:
        """Each plugin there is, and each of `wanted`, the names that are to be on."""
        there = await self._look()
        names = sorted(there.keys() | set(wanted), key=lambda name: (name not in there, not self.builtin(name), name))
        return [self._row(name, there.get(name), name in wanted) for name in names]

    def _row(self, name: str, one: Found | None, wanted: bool) -> dict[str, Any]:
        running = self._running.get(name)
        problem = self._problems.get(name, "") or (one.problem if one else "")
        if running is not None:
            one, state, problem = running.found, "on", running.latest
        elif one is None:
            state, problem = "missing", "It is to be on, and is not there."
        else:
            state = "faulty" if problem else "off"
        gifts = running.gifts if running is not None else {}
        about = one.metadata if one is not None else None
        return {
            "name": name,
            "version": about.version if about else "",
            "summary": about.summary if about else "",
            "source": one.source if one else "",
            "place": one.place if one else "",
            "enabled": wanted or running is not None,
            "state": state,
            "problem": problem,
            "faults": running.faults if running is not None else 0,
            "gives": {KIND_OF[hook]: sorted(gift.name for gift in gifts[hook]) for hook in HOOKS if gifts.get(hook)},
        }


def _secret(plugin: str, name: str) -> str:
    """See kinds.Setup."""
    variable = f"JARVIS_PLUGIN_{plugin}_{name}".upper().replace("-", "_")
    return find_secret(f"The {name} of {plugin}", variable, f"plugin-{plugin}-{name}")


def _load(one: Found, setup: Setup) -> dict[str, Any]:
    importlib.invalidate_caches()
    module = one.load()
    metadata = getattr(module, "PLUGIN", None)
    problem = finding.check(metadata)
    if not problem and metadata is not None and metadata.name != one.metadata.name:
        problem = f"It calls itself {metadata.name!r}."
    if problem:
        raise BadConfiguration(problem, fix="Write PLUGIN = Metadata(name=..., version=..., summary=...).")
    return gather(module, setup)


def _in_its_file(offer: EngineOffer, place: str) -> EngineOffer:
    return replace(offer, target=place + offer.target) if offer.target.startswith(":") else offer
