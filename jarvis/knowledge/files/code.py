"""Source code and settings files by their structure: Python by its syntax, the rest by what begins at the margin.
Nothing that is read is ever run."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jarvis.knowledge.files.opening import text_of
from jarvis.knowledge.files.outline import Outline
from jarvis.knowledge.files.prose import lines
from jarvis.plugins.kinds import FileLimits, FileText

MAX_CLASS_LINES = 40
"""A longer class is told method by method; a shorter one is understood only as a whole."""
_NAME = re.compile(
    r"(?:[\w*&<>:\[\]]+\s+)*?(?:class|interface|struct|enum|trait|impl|mod|module|namespace|object|record|protocol|"
    r"fn|func|fun|function|def|sub|type|macro_rules!)\s+(?:\([^)]*\)\s*)?(\w+)|"
    r"(?:[\w*&<>:\[\]]+\s+)+?\*?(\w+)\s*\([^;]*$|"
    r"(?:export\s+)?(?:const|let|var)\s+(\w+)\s*=|"
    r"\[+([\w.\" -]+)\]+|(\w[\w-]*):\s*$"
)
"""What begins something with a name: a declaration, a C function, a constant that may be one, a table of TOML, a key of
YAML. A miss costs a name, not text."""
_CLOSING = frozenset(")]}")
MAX_NAMED_CHARS = 400
"""Of a first line that is searched for a name: generated code has lines of a megabyte."""


@dataclass(frozen=True, slots=True)
class Python:
    name: str = "python"
    suffixes: frozenset[str] = frozenset({".py", ".pyi"})

    def read(self, path: Path, limits: FileLimits) -> FileText:
        text = text_of(path, limits)
        outline = Outline(path, limits)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of another's code; they would be printed
                tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # another Python, or a file made to break it
            _blocks(text.split("\n"), outline)
            return outline.text(path.name)
        rows = text.split("\n")
        for name, first, last in _pieces(tree.body, "", 1, len(rows)):
            block = "\n".join(rows[first - 1 : last])
            first += len(block) - len(block.lstrip("\n"))
            place = lines(first, block.strip("\n").count("\n") + 1)
            outline.add(block, "code", f"{name}, {place}" if name else place)
        return outline.text(path.name)


def _pieces(body: list[ast.stmt], owner: str, first: int, last: int) -> Iterator[tuple[str, int, int]]:
    """Name and lines of each function and short class; what stands between them goes by the owner's name. Together they
    are the lines from `first` to `last`."""
    for statement in body:
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        begins = min([statement.lineno, *(one.lineno for one in statement.decorator_list)])
        ends = statement.end_lineno or begins
        if begins < first:
            continue  # after another on the same line
        if begins > first:
            yield owner, first, begins - 1
        name = f"{owner}.{statement.name}" if owner else statement.name
        if isinstance(statement, ast.ClassDef) and ends - begins >= MAX_CLASS_LINES:
            yield from _pieces(statement.body, name, begins, ends)
        else:
            yield name, begins, ends
        first = ends + 1
    if first <= last:
        yield owner, first, last


@dataclass(frozen=True, slots=True)
class SourceCode:
    name: str = "code"
    suffixes: frozenset[str] = frozenset(
        ".c .cc .cpp .cs .css .cfg .go .h .hpp .ini .java .js .json .jsx .kt .lua .php .pl .proto .rb .rs "  # noqa: SIM905
        ".scala .sh .sql .swift .toml .ts .tsx .vue .xml .yaml .yml .zig".split()
    )

    def read(self, path: Path, limits: FileLimits) -> FileText:
        outline = Outline(path, limits)
        _blocks(text_of(path, limits).split("\n"), outline)
        return outline.text(path.name)


def _blocks(rows: list[str], outline: Outline) -> None:
    """A block ends before a line at the margin that follows an empty one or a line that is set in; comments right above
    a block belong to it."""
    start = 0
    for at in range(1, len(rows) + 1):
        if at < len(rows) and not _begins(rows, at):
            continue
        block = rows[start:at]
        if any(row.strip() for row in block):
            skipped = next(number for number, row in enumerate(block) if row.strip())
            while not block[-1].strip():
                block.pop()
            place = lines(start + skipped + 1, len(block) - skipped)
            name = _name_of(block[skipped:])
            outline.add("\n".join(block[skipped:]), "code", f"{name}, {place}" if name else place)
        start = at


def _begins(rows: list[str], at: int) -> bool:
    row, above = rows[at], rows[at - 1]
    return bool(row) and not row[0].isspace() and row[0] not in _CLOSING and (not above.strip() or above[0].isspace())


def _name_of(block: list[str]) -> str:
    for row in block[:8]:  # behind comments and attributes, if there are any
        if found := _NAME.match(row[:MAX_NAMED_CHARS]):
            return str(next(filter(None, found.groups()), "")).strip()
    return ""
