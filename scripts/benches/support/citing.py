"""Whether a quotation stands where its citation says, by reading the source again in another way than the file
processors do: the standard library's HTML parser, or the headings of Markdown by a pattern. Only letters and digits are
compared, since marks, bullets and cells are said in many ways."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

_LINE_HEADING = re.compile(r"(#{1,6}) (.+)")
_FENCE = re.compile(r"\s*(```|~~~)")
_TARGET = re.compile(r"\]\([^)]*\)")
_UNREAD = frozenset(("script", "style", "head"))
MIN_CHARS = 60
"""Of a heading that a place cuts short, so many are compared."""


@dataclass
class Source:
    """A document's letters and digits in order, and where which heading begins."""

    letters: str = ""
    headings: list[tuple[int, int, str]] = field(default_factory=list)
    """(level, where its section begins, its letters)."""

    def add(self, text: str) -> None:
        self.letters += plain(text)

    def head(self, level: int, text: str) -> None:
        self.headings.append((level, len(self.letters), plain(text)))
        self.add(text)

    def says(self, quotation: str, place: str) -> bool:
        """Whether it stands in the section that the last heading of `place` names, or anywhere without a place."""
        quoted = plain(_TARGET.sub("]", quotation.removesuffix("…")))
        name = plain(place.rsplit(" > ", 1)[-1].removesuffix("…"))
        if not name:
            return quoted in self.letters
        for index, (level, start, heading) in enumerate(self.headings):
            if heading != name and not (len(name) >= MIN_CHARS and heading.startswith(name)):
                continue
            end, after = len(self.letters), start + len(heading)
            for other, at, more in self.headings[index + 1 :]:
                if other <= level and at > after:
                    end = at
                    break
                after = at + len(more) if at == after else after  # terms that share one definition follow each other
            if quoted in self.letters[start:end]:
                return True
        return False


def plain(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def read(path: Path) -> Source:
    return _read_html(path) if path.suffix == ".html" else _read_markdown(path)


def _read_markdown(path: Path) -> Source:
    source, code = Source(), False
    for line in path.read_text().splitlines():
        if _FENCE.match(line):
            code = not code
        elif not code and (found := _LINE_HEADING.fullmatch(line)):
            source.head(len(found[1]), found[2])
        else:
            source.add(_TARGET.sub("]", line))
    return source


def _read_html(path: Path) -> Source:
    page = _Page()
    page.feed(path.read_text(errors="replace"))
    return page.source


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.source = Source()
        self._heading: list[str] | None = None
        self._level = self._lists = self._unread = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unread += tag in _UNREAD
        self._lists += tag == "dl"
        level = int(tag[1]) if re.fullmatch("h[1-6]", tag) else 10 + self._lists if tag == "dt" else 0
        if level:
            self._level, self._heading = level, []

    def handle_endtag(self, tag: str) -> None:
        self._unread -= tag in _UNREAD
        self._lists -= tag == "dl"
        if self._heading is not None and (tag == "dt" or re.fullmatch("h[1-6]", tag)):
            self.source.head(self._level, "".join(self._heading))
            self._heading = None

    def handle_data(self, data: str) -> None:
        if self._unread > 0:
            return
        if self._heading is None:
            self.source.add(data)
        else:
            self._heading.append(data)
