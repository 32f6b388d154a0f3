"""Word's documents (docx): headings by their style, paragraphs, tables row by row. Text that a reviewer struck out is
not read, nor what only a field or a drawing holds.

The format: ECMA-376, Office Open XML, part 1, WordprocessingML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from jarvis.knowledge.files.opening import refused
from jarvis.knowledge.files.outline import MAX_TITLE_CHARS, Outline
from jarvis.knowledge.files.packed import Attributes, unpacked
from jarvis.plugins.kinds import FileLimits, FileText

_BODY, _CORE, _STYLES = "word/document.xml", "docProps/core.xml", "word/styles.xml"
_SPACES = (
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main ",
    "http://purl.oclc.org/ooxml/wordprocessingml/main ",
)
_HEADING = re.compile(r"(?:heading|title) ?([1-9]?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Docx:
    name: str = "docx"
    suffixes: frozenset[str] = frozenset({".docx"})

    def read(self, path: Path, limits: FileLimits) -> FileText:
        outline = Outline(path, limits)
        core, styles = _Core(), _Styles()
        with unpacked(path, limits) as archive:
            if _BODY not in archive:
                raise refused(path, "is no Word document")
            if _CORE in archive:
                archive.parse(_CORE, start=core.start, end=core.end, words=core.words)
            if _STYLES in archive:
                archive.parse(_STYLES, start=styles.start, end=styles.end, words=lambda _: None)
            body = _Body(outline, styles.levels)
            archive.parse(_BODY, start=body.start, end=body.end, words=body.words)
        return outline.text(core.title)


def _local(tag: str) -> str:
    """A tag of WordprocessingML without its namespace; "" for any other."""
    space, _, name = tag.rpartition(" ")
    return name if f"{space} " in _SPACES else ""


def _value(attributes: Attributes, name: str = "val") -> str:
    return next((value for key, value in attributes.items() if _local(key) == name), "")


@dataclass(slots=True)
class _Core:
    """The title that the document gives itself."""

    title: str = ""
    _within: bool = False

    def start(self, tag: str, _: Attributes) -> None:
        self._within = tag.endswith(" title")

    def end(self, _: str) -> None:
        self._within = False

    def words(self, text: str) -> None:
        if self._within and len(self.title) < MAX_TITLE_CHARS:
            self.title += text


@dataclass(slots=True)
class _Styles:
    """Which styles are headings: their names are English in every language's Word, their ids are not."""

    levels: dict[str, int] = field(default_factory=dict)
    _id: str = ""

    def start(self, tag: str, attributes: Attributes) -> None:
        if _local(tag) == "style":
            self._id = _value(attributes, "styleId")
        elif _local(tag) == "name" and self._id and (found := _HEADING.fullmatch(_value(attributes))):
            self.levels[self._id] = int(found[1] or 1)

    def end(self, tag: str) -> None:
        if _local(tag) == "style":
            self._id = ""


class _Body:
    def __init__(self, outline: Outline, levels: dict[str, int]) -> None:
        self._outline, self._levels = outline, levels
        self._paragraph: list[str] = []
        self._row: list[str] = []
        self._cell: list[str] = []
        self._tables = 0
        self._style = ""
        self._listed = False
        self._read = False

    def start(self, tag: str, attributes: Attributes) -> None:
        name = _local(tag)
        if name == "tbl":
            self._tables += 1
        elif name == "p":
            self._paragraph, self._style, self._listed = [], "", False
        elif name == "pStyle":
            self._style = _value(attributes)
        elif name == "numPr":
            self._listed = True
        elif name == "t":
            self._read = True
        elif name in ("br", "tab", "cr"):
            self._paragraph.append(" ")

    def words(self, text: str) -> None:
        if self._read:
            self._paragraph.append(text)

    def end(self, tag: str) -> None:
        name = _local(tag)
        if name == "t":
            self._read = False
        elif name == "p":
            self._end_paragraph(" ".join("".join(self._paragraph).split()))
        elif name == "tc":
            self._row.append(" ".join(self._cell))
            self._cell = []
        elif name == "tr" and self._tables == 1:
            self._outline.add(" | ".join(self._row), "table")
            self._row = []
        elif name == "tbl":
            self._tables -= 1

    def _end_paragraph(self, text: str) -> None:
        self._paragraph = []
        level = self._levels.get(self._style) or int((_HEADING.fullmatch(self._style) or "00")[1] or 1)
        if self._tables:
            self._cell.append(text)
        elif level:
            self._outline.heading(level, text)
        else:
            self._outline.add(f"- {text}" if self._listed and text else text)
