"""Which plugins there are: the built-in ones, those that installed packages name, and those in the node's own folder.
Looking runs nothing of them: what a plugin says of itself is read from its package's metadata or out of its source."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Literal

from jarvis.core.errors import BadConfiguration, JarvisError
from jarvis.plugins.hooks import ENTRY_POINTS
from jarvis.plugins.kinds import API, Metadata

NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
MAX_SOURCE_BYTES = 1024 * 1024
"""Of the file that is read for what the plugin says of itself; a large one has ten thousand lines."""
MAX_IN_FOLDER = 64
"""More are a folder that is not meant."""
PREFIX = "jarvis_plugin_"
"""Modules of the folder are called so, and never hide anything that is installed."""


@dataclass(frozen=True, slots=True)
class Found:
    metadata: Metadata
    source: Literal["builtin", "package", "folder"]
    place: str
    """The file, or `module` of an installed package."""
    load: Callable[[], ModuleType]
    """Runs its code. Raises whatever that raises."""
    problem: str = ""
    """Why it is not to be run."""
    fix: str = ""


def builtin(module: ModuleType) -> Found:
    return Found(module.PLUGIN, "builtin", module.__name__, lambda: module)


def packaged() -> list[Found]:
    """What installed packages offer."""
    return [_packaged(point) for point in entry_points(group=ENTRY_POINTS)]


def in_folder(folder: Path) -> list[Found]:
    """Each `NAME.py` and `NAME/__init__.py` in `folder`, which need not be there."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    sources = [source for entry in entries if (source := _source(entry)) is not None]
    return [_of_source(source, folder) for source in sources[:MAX_IN_FOLDER]]


def all_of(builtins: Sequence[ModuleType], folder: Path) -> dict[str, Found]:
    """By name. Of two of a name the first counts, built-in before package before folder; the other is named with its
    source, and why it is not run."""
    found: dict[str, Found] = {}
    for one in (*map(builtin, builtins), *packaged(), *in_folder(folder)):
        name = one.metadata.name
        if name in found:
            why = f"The {found[name].source} plugin {name!r} has that name already."
            named = replace(one.metadata, name=f"{name} ({one.source})")
            one = replace(one, metadata=named, problem=why, fix="Give it another name.")
        found.setdefault(one.metadata.name, one)
    return found


def metadata_of(source: str) -> Metadata:
    """`PLUGIN = Metadata(...)` in a module's source, without running it. Raises BadConfiguration when it is not there
    or not of literals."""
    fix = "Write PLUGIN = Metadata(name=..., version=..., summary=...) with plain texts; see docs/plugins.md."
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise BadConfiguration(f"It is not Python{where}.", fix="Correct the file.") from None
    for statement in body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(call := statement.value, ast.Call):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if [getattr(target, "id", "") for target in targets] == ["PLUGIN"]:
                try:
                    values = [ast.literal_eval(value) for value in call.args]
                    named = {word.arg or "": ast.literal_eval(word.value) for word in call.keywords}
                    return Metadata(*values, **named)
                except (ValueError, TypeError, RecursionError, MemoryError):
                    break
    raise BadConfiguration("It does not say what it is.", fix=fix)


def check(metadata: object) -> str:
    """What is wrong with it; "" for nothing."""
    if not isinstance(metadata, Metadata):
        return "Its PLUGIN is no Metadata."
    if not all(isinstance(one, str) for one in (metadata.name, metadata.version, metadata.summary)):
        return "Its PLUGIN holds something that is no text."
    if not NAME.fullmatch(metadata.name):
        return "Its name is not of a-z, 0-9 and -, at most 32 letters."
    if type(metadata.api) is not int or not 1 <= metadata.api <= API:
        return f"It is made for version {metadata.api} of Jarvis's plugins; this Jarvis knows up to {API}."
    return ""


def _packaged(point: EntryPoint) -> Found:
    about = point.dist.metadata.json if point.dist is not None else {}
    metadata = Metadata(point.name, str(about.get("version", "")), str(about.get("summary", "")))

    def load() -> ModuleType:
        module = point.load()
        if not isinstance(module, ModuleType):
            raise BadConfiguration("Its entry point names no module.", fix='Write NAME = "package.module".')
        return module

    return Found(metadata, "package", point.value, load, check(metadata))


def _source(entry: Path) -> Path | None:
    if entry.name.startswith((".", "_")):
        return None
    if entry.suffix == ".py":
        return entry
    return entry / "__init__.py" if _status(entry / "__init__.py") is not None else None


def _of_source(source: Path, folder: Path) -> Found:
    entry = source.parent if source.name == "__init__.py" else source
    name = entry.name.removesuffix(".py").replace("_", "-")
    try:
        for path in (folder, entry, source):
            _must_be_ours(path)
        metadata = metadata_of(_text(source))
        problem, fix = check(metadata), "Correct it."
        if not problem and metadata.name != name:
            problem, fix = f"It calls itself {metadata.name!r}.", "Give the file and the plugin the same name."
    except JarvisError as error:
        metadata, problem, fix = Metadata(name, "", ""), str(error), error.fix
    if problem:
        metadata = Metadata(name, "", "")  # nothing of it is believed
    return Found(metadata, "folder", str(source), lambda: _run(source, name), problem, fix)


def _must_be_ours(path: Path) -> None:
    """Who may write a plugin may do whatever the node may."""
    status = _status(path)
    if status is None or not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise BadConfiguration(f"{path} is no file that can be read.", fix="Put the plugin itself there.")
    if status.st_uid not in (os.geteuid(), 0) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise BadConfiguration(
            f"Others may change {path}, so it is not run.", fix=f"Make it yours alone: chmod go-w {path}"
        )


def _status(path: Path) -> os.stat_result | None:
    """Of what a link leads to; None where nothing can be seen."""
    try:
        return path.stat()
    except OSError:
        return None


def _text(source: Path) -> str:
    try:
        with source.open("rb") as file:
            content = file.read(MAX_SOURCE_BYTES + 1)
        text = content.decode()
    except (OSError, ValueError):
        raise BadConfiguration("It cannot be read as text.", fix="Correct the file.") from None
    if len(content) > MAX_SOURCE_BYTES:
        raise BadConfiguration(f"It has more than {MAX_SOURCE_BYTES} bytes.", fix="Make a package of it.")
    return text


def _run(source: Path, name: str) -> ModuleType:
    """Import it anew, so that a corrected file counts."""
    module_name = module_name_of(name)
    forget(name)
    importlib.invalidate_caches()
    inside = [str(source.parent)] if source.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(module_name, source, submodule_search_locations=inside)
    assert spec is not None and spec.loader is not None  # it ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        forget(name)
        raise
    return module


def forget(name: str) -> None:
    """Take a folder's plugin, with what it has inside, out of the modules; what still runs of it runs on."""
    module_name = module_name_of(name)
    for one in [one for one in sys.modules if one == module_name or one.startswith(f"{module_name}.")]:
        del sys.modules[one]


def module_name_of(name: str) -> str:
    """Of a plugin in the folder."""
    return PREFIX + name.replace("-", "_")
