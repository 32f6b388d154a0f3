"""A folder of source code in a few paragraphs: what it says it is, what it is written in, and what each of its
modules is for in their own words. Nothing of it is run, and none of it is guessed."""

from __future__ import annotations

import ast
import json
import tomllib
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jarvis.core.errors import InvalidInput
from jarvis.knowledge.files.opening import text_of
from jarvis.knowledge.files.outline import Outline
from jarvis.knowledge.files.walking import kind_of
from jarvis.plugins.kinds import FileLimits, FileText

MARKS = ("pyproject.toml", "package.json", "Cargo.toml", "setup.py", "go.mod", "pom.xml", "CMakeLists.txt", "Makefile")
"""A folder with one of these is a project."""
MAX_SAID_CHARS = 300
"""Of a module's first sentence; more is no summary."""
MAX_NAMED = 60
"""Modules told of a folder; the rest are counted."""
_LANGUAGES = {
    ".py": "Python", ".rs": "Rust", ".go": "Go", ".js": "JavaScript", ".jsx": "JavaScript", ".ts": "TypeScript",
    ".tsx": "TypeScript", ".java": "Java", ".kt": "Kotlin", ".c": "C", ".h": "C", ".cc": "C++", ".cpp": "C++",
    ".hpp": "C++", ".cs": "C#", ".rb": "Ruby", ".php": "PHP", ".swift": "Swift", ".scala": "Scala", ".lua": "Lua",
    ".sh": "shell", ".sql": "SQL", ".css": "CSS", ".html": "HTML", ".md": "Markdown", ".rst": "reStructuredText",
}  # fmt: skip
_README = ("README.md", "README.rst", "README.txt", "README")


def is_project(folder: Path) -> bool:
    return any(kind_of(folder / name) == "file" for name in MARKS)


def summary(folder: Path, files: Sequence[Path], limits: FileLimits) -> FileText:
    """Of the readable `files` of a project. Raises InvalidInput past a limit."""
    outline = Outline(folder, limits)
    name, about = _manifest(folder, limits)
    name = name or folder.name
    said = [f"{name} is a project of {len(files)} files{_written_in(files)}.", about, _readme(folder, limits)]
    outline.add("\n\n".join(filter(None, said)), place="overview")
    inside: dict[Path, list[Path]] = defaultdict(list)
    for path in files:
        if path.suffix in _LANGUAGES:
            inside[path.parent].append(path)
    for part, modules in inside.items():
        where = part.relative_to(folder).as_posix()
        rows = [f"- {one.name}{_colon(_purpose(one, limits))}" for one in modules[:MAX_NAMED]]
        more = len(modules) - MAX_NAMED
        rows += [f"and {more} more"] if more > 0 else []
        outline.add("\n".join([f"{name}, {'top folder' if where == '.' else where}:", *rows]), place=where)
    return outline.text(f"{name} (project)")


def _written_in(files: Sequence[Path]) -> str:
    counted = Counter(_LANGUAGES[path.suffix] for path in files if path.suffix in _LANGUAGES)
    told = ", ".join(f"{language} ({count})" for language, count in counted.most_common(5))
    return f", most of them in {told}" if told else ""


def _manifest(folder: Path, limits: FileLimits) -> tuple[str, str]:
    """The name and the line that a project gives itself; "" for what it does not say."""
    for file, load, table in (
        ("pyproject.toml", tomllib.loads, "project"),
        ("Cargo.toml", tomllib.loads, "package"),
        ("package.json", json.loads, ""),
    ):
        try:
            told: Any = load(text_of(folder / file, limits))
        except (InvalidInput, ValueError, RecursionError):  # absent, or broken: then it says nothing
            continue
        told = told.get(table) if table and isinstance(told, dict) else told
        if isinstance(told, dict):
            name, about = told.get("name"), told.get("description")
            return _line(name if isinstance(name, str) else ""), _line(about if isinstance(about, str) else "")
    return "", ""


def _readme(folder: Path, limits: FileLimits) -> str:
    """Its first paragraph that is no heading, picture or badge."""
    for name in _README:
        try:
            blocks = text_of(folder / name, limits).split("\n\n")
        except InvalidInput:
            continue
        for block in blocks[:20]:
            if block.strip()[:1].isalnum():
                return _line(block, 2 * MAX_SAID_CHARS)
    return ""


def _purpose(module: Path, limits: FileLimits) -> str:
    """The first sentence of what a Python module says of itself."""
    if module.suffix != ".py":
        return ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of another's code; they would be printed
            said = ast.get_docstring(ast.parse(text_of(module, limits))) or ""
    except (InvalidInput, SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return _line(said.split("\n\n")[0].split(". ")[0])


def _line(text: str, most: int = MAX_SAID_CHARS) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _colon(text: str) -> str:
    return f": {text}" if text else ""
