"""Text files as people write them: plain text, tables of commas, Markdown, reStructuredText. Read line by line, each
looked at once; what is wrong in a file's markup is taken as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jarvis.knowledge.files.opening import text_of
from jarvis.knowledge.files.outline import Outline
from jarvis.plugins.kinds import FileLimits, FileText

_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[^`]*")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
_FRONT = re.compile(r"---\n(.*?\n)---\n", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:[ \t]*[\"']?(.*?)[\"']?[ \t]*$", re.MULTILINE)
_RST_LINE = re.compile(r"([=\-`:'\"~^_*+#<>.])\1{2,}[ \t]*")
_RST_ROLE = re.compile(r":[a-z][a-z:+._-]{0,40}:`~?([^`<]{1,200}?)(?:\s*<[^`>]{0,200}>)?`")
_RST_ASIDE = re.compile(r"\.\. (?!(?:note|warning|tip|important|code|versionadded|versionchanged|deprecated)\b).*")


@dataclass(frozen=True, slots=True)
class PlainText:
    name: str = "text"
    suffixes: frozenset[str] = frozenset({".txt", ".text", ".log", ".csv", ".tsv"})

    def read(self, path: Path, limits: FileLimits) -> FileText:
        outline = Outline(path, limits)
        kind = "table" if path.suffix.lower() in (".csv", ".tsv") else "text"
        for first, block in paragraphs(text_of(path, limits).split("\n")):
            outline.add("\n".join(block), kind, lines(first, len(block)))  # type: ignore[arg-type]
        return outline.text(path.stem)


@dataclass(frozen=True, slots=True)
class Markdown:
    name: str = "markdown"
    suffixes: frozenset[str] = frozenset({".md", ".markdown"})

    def read(self, path: Path, limits: FileLimits) -> FileText:
        text, title = text_of(path, limits), ""
        if front := _FRONT.match(text):
            found = _FRONT_TITLE.search(front[1])
            title, text = found[1] if found else "", _blank(front[0]) + text[front.end() :]
        # A comment is not for readers: nobody who looks the place up would find it.
        rows = _uncommented(text).split("\n")
        outline = Outline(path, limits)
        at = 0
        while at < len(rows):
            if fence := _FENCE.fullmatch(rows[at]):
                end = _fence_end(rows, at + 1, fence[1])
                outline.add("\n".join(rows[at + 1 : end]), "code", _place(outline, at + 2, end - at - 1))
                at = end + 1
            elif found := _ATX.fullmatch(rows[at]):
                outline.heading(len(found[1]), found[2].rstrip(" \t#"))
                at += 1
            elif not rows[at].strip():
                at += 1
            else:
                at = self._block(rows, at, outline)
        return outline.text(title)

    def _block(self, rows: list[str], at: int, outline: Outline) -> int:
        """The paragraph, list or table that begins at `at`; where the next thing begins."""
        end = at
        while (
            end < len(rows) and rows[end].strip() and not _ATX.fullmatch(rows[end]) and not _FENCE.fullmatch(rows[end])
        ):
            if end > at and (under := _UNDERLINE.fullmatch(rows[end])):
                outline.heading(1 if under[1][0] == "=" else 2, " ".join(rows[at:end]))
                return end + 1
            end += 1
        table = all(row.lstrip().startswith("|") for row in rows[at:end])
        outline.add("\n".join(rows[at:end]), "table" if table else "text", _place(outline, at + 1, end - at))
        return end


@dataclass(frozen=True, slots=True)
class ReStructuredText:
    name: str = "restructuredtext"
    suffixes: frozenset[str] = frozenset({".rst"})

    def read(self, path: Path, limits: FileLimits) -> FileText:
        rows = _RST_ROLE.sub(r"\1", text_of(path, limits)).split("\n")
        outline, styles = Outline(path, limits), []  # the styles of heading lines, in the order they appear
        at = 0
        while at < len(rows):
            over = at + 2 < len(rows) and _RST_LINE.fullmatch(rows[at]) and rows[at + 2].strip() == rows[at].strip()
            name = at + 1 if over else at
            if (over or self._underlined(rows, at)) and rows[name].strip():
                style = ("over" if over else "under") + rows[name + 1][0]
                if style not in styles:
                    styles.append(style)
                outline.heading(styles.index(style) + 1, rows[name])
                at = name + 2
            elif not rows[at].strip() or _RST_LINE.fullmatch(rows[at]):
                at += 1
            else:
                end = at + 1
                while end < len(rows) and rows[end].strip() and not self._underlined(rows, end):
                    end += 1
                if not _RST_ASIDE.fullmatch(rows[at]):
                    outline.add("\n".join(rows[at:end]), place=_place(outline, at + 1, end - at))
                at = end
        return outline.text()

    def _underlined(self, rows: list[str], at: int) -> bool:
        """Whether a heading's words stand there, with the line below that makes them one."""
        below = rows[at + 1].rstrip() if at + 1 < len(rows) else ""
        return bool(_RST_LINE.fullmatch(below)) and not rows[at][:1].isspace() and len(below) >= len(rows[at].rstrip())


def paragraphs(rows: list[str]) -> Iterator[tuple[int, list[str]]]:
    """What stands between empty lines, with the number of its first line, from 1."""
    block: list[str] = []
    for number, row in enumerate([*rows, ""], 1):
        if row.strip():
            block.append(row)
        elif block:
            yield number - len(block), block
            block = []


def lines(first: int, count: int) -> str:
    return f"lines {first}-{first + count - 1}" if count > 1 else f"line {first}"


def _place(outline: Outline, first: int, count: int) -> str:
    """Under its headings; before the first of them the lines must do."""
    return outline.place or lines(first, count)


def _uncommented(text: str) -> str:
    """Without what stands in comments; one that never ends is text."""
    kept, at = [], 0
    while (begins := text.find("<!--", at)) >= 0 and (ends := text.find("-->", begins)) >= 0:
        kept += [text[at:begins], _blank(text[begins:ends])]
        at = ends + len("-->")
    return "".join([*kept, text[at:]])


def _blank(text: str) -> str:
    """As many lines, without a word."""
    return "\n" * text.count("\n")


def _fence_end(rows: list[str], at: int, fence: str) -> int:
    while at < len(rows):
        closing = rows[at].strip()
        if len(closing) >= len(fence) and set(closing) == {fence[0]}:
            break
        at += 1
    return at
