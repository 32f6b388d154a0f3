"""Where in a file a text stands, said so that a person finds it: a path of headings or names, lines, pages or minutes.
A place is text everywhere else; here it is taken apart, joined and narrowed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

MAX_HEADING_CHARS = 100
"""Of one heading in a path. A longer one is a paragraph that somebody set in large type."""
MAX_HEADINGS = 6
"""HTML has no more levels."""
_RANGE = re.compile(r"(?:(.+), )?(line|page|minute)s? ([0-9]{1,9})(?:-([0-9]{1,9}))?", re.DOTALL)
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Place:
    path: str = ""
    """Headings from the outermost on, "Chapter > Section", or a name in source code, "Class.method"."""
    unit: str = ""
    """line, page or minute; "" when nothing is counted."""
    first: int = 0
    last: int = 0

    @classmethod
    def parse(cls, text: str) -> Place:
        found = _RANGE.fullmatch(text)
        if found is None:
            return cls(text)
        path, unit, first, last = found.groups()
        return cls(path or "", unit, int(first), int(last or first))

    def __str__(self) -> str:
        if not self.unit:
            return self.path
        many = self.last > self.first
        counted = f"{self.unit}{'s' * many} {self.first}{f'-{self.last}' * many}"
        return f"{self.path}, {counted}" if self.path else counted

    def holds(self, other: Place) -> bool:
        """Whether `other` lies under this heading, or is this one."""
        return other.path == self.path or (bool(self.path) and other.path.startswith(f"{self.path} > "))

    def to(self, other: Place) -> Place:
        """From here to the end of `other`, which has the same path."""
        return replace(self, last=max(self.last, other.last)) if self.unit == other.unit else self

    def within(self, lines_before: int, lines: int) -> Place:
        """The part of a place counted in lines that begins after `lines_before` of them."""
        if self.unit != "line":
            return self
        first = min(self.first + lines_before, self.last)
        return replace(self, first=first, last=min(first + max(lines, 1) - 1, self.last))


def heading(text: str) -> str:
    """A heading as it stands in a path."""
    plain = _SPACES.sub(" ", text).replace(" > ", " ").strip()
    return plain if len(plain) <= MAX_HEADING_CHARS else plain[: MAX_HEADING_CHARS - 1] + "…"
