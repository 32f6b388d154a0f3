"""The hooks: functions that a plugin may define, each giving a list of one kind of thing. Every hook is called once,
when the plugin is switched on; a function may leave out `setup`. Names here are public and stay."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pluggy

from jarvis.core.errors import BadConfiguration
from jarvis.plugins.kinds import EngineOffer, FileProcessor, IntentPack, Listener, ModelProvider, Setup, Tool

PROJECT = "jarvis"
ENTRY_POINTS = "jarvis.plugins"
"""The group in which a package names its plugins."""
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a plugin's function as the hook of its name."""


class Hooks:
    @hookspec
    def jarvis_intents(self, setup: Setup) -> list[IntentPack]:
        """Sentences, and what is done when they are said."""
        raise NotImplementedError

    @hookspec
    def jarvis_tools(self, setup: Setup) -> list[Tool]:
        """What language models may call."""
        raise NotImplementedError

    @hookspec
    def jarvis_engines(self, setup: Setup) -> list[EngineOffer]:
        """Models in worker processes, asked before the built-in ones of their kind."""
        raise NotImplementedError

    @hookspec
    def jarvis_file_processors(self, setup: Setup) -> list[FileProcessor]:
        """Readers of files, asked before the built-in ones of the same suffix."""
        raise NotImplementedError

    @hookspec
    def jarvis_model_providers(self, setup: Setup) -> list[ModelProvider]:
        """Where language models are asked."""
        raise NotImplementedError

    @hookspec
    def jarvis_events(self, setup: Setup) -> list[Listener]:
        """Who is told what happens."""
        raise NotImplementedError


HOOKS = tuple(name for name in vars(Hooks) if name.startswith("jarvis_"))


def _own(module: ModuleType, name: str) -> bool:
    """Whether it is a function of that module, and not one that was imported."""
    return getattr(getattr(module, name, None), "__module__", None) == module.__name__


def gather(module: ModuleType, setup: Setup) -> dict[str, Any]:
    """Call every hook of `module`, and only of it: what each gave, unchecked. Whatever the hooks raise goes through.

    Raises BadConfiguration for a function that is no hook, or takes what no hook gives."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    try:
        manager.register(module)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        said = str(error).splitlines()[-1].strip().partition(" in plugin <module")[0]
        raise BadConfiguration(f"{said}.", fix=f"The hooks are {', '.join(HOOKS)}; see docs/plugins.md.") from None
    unmarked = [name for name in HOOKS if _own(module, name) and manager.parse_hookimpl_opts(module, name) is None]
    if unmarked:
        raise BadConfiguration(f"{unmarked[0]} is not marked as a hook.", fix="Write @hookimpl above it.")
    callers = manager.get_hookcallers(module) or []
    implementations = [(caller.name, one) for caller in callers for one in caller.get_hookimpls()]
    if any(one.wrapper or one.hookwrapper for _, one in implementations):
        raise BadConfiguration("A hook that wraps others' is not taken.", fix="Give it no wrapper option.")
    return {name: one.function(*(setup for _ in one.argnames)) for name, one in implementations}
