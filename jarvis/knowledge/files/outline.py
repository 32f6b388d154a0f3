"""Collects a file's text under its headings, for every processor alike, and holds the limits while it grows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from jarvis.core.errors import InvalidInput
from jarvis.knowledge.files.opening import refused
from jarvis.knowledge.places import MAX_HEADINGS, heading
from jarvis.plugins.kinds import FileLimits, FileText, Part

MAX_TITLE_CHARS = 200
_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]+")
"""Control characters but tabs and line ends, which could steer the terminal of whoever is shown the text; and halves of
characters, which nobody can write down."""


class Outline:
    def __init__(self, path: Path, limits: FileLimits) -> None:
        self._path, self._limits = path, limits
        self._parts: list[Part] = []
        self._chars = 0
        self._headings: list[tuple[int, str]] = []
        self._title = ""

    def heading(self, level: int, text: str) -> None:
        """What follows stands under it, until one of the same `level` or a lower one. The first is the title, if the
        file names no other."""
        name = heading(text)
        if not name:
            return
        self._title = self._title or name
        self.close(level)
        self._headings = [*self._headings[: MAX_HEADINGS - 1], (level, name)]
        self._add(text.strip(), self.place, "heading")

    def close(self, level: int) -> None:
        """What follows stands no longer under a heading of `level`."""
        self._headings = [one for one in self._headings if one[0] < level]

    @property
    def place(self) -> str:
        return " > ".join(name for _, name in self._headings)

    def add(self, text: str, kind: Literal["text", "code", "table"] = "text", place: str | None = None) -> None:
        """Under the headings so far, or at `place`. Raises InvalidInput past a limit."""
        text = text.strip("\n").rstrip() if kind == "code" else text.strip()
        if any(map(str.isalnum, text)):  # a ruled line says nothing
            self._add(text, self.place if place is None else place, kind)

    def _add(self, text: str, place: str, kind: Literal["heading", "text", "code", "table"]) -> None:
        text = _UNREADABLE.sub(" ", text)
        self._chars += len(text)
        if self._chars > self._limits.max_chars:
            raise self._too_much(f"{self._limits.max_chars} characters")
        if len(self._parts) >= self._limits.max_parts:
            raise self._too_much(f"{self._limits.max_parts} paragraphs")
        self._parts.append(Part(text, place, kind))

    def _too_much(self, what: str) -> InvalidInput:
        return refused(self._path, f"holds more than {what}", "Cut it into pieces.")

    def text(self, title: str = "") -> FileText:
        """Raises InvalidInput when there is none."""
        if not any(part.kind != "heading" for part in self._parts) and not self._title:
            raise refused(self._path, "holds no text")
        title = " ".join(_UNREADABLE.sub(" ", title or self._title or self._path.stem).split())
        return FileText(title[:MAX_TITLE_CHARS], self._parts)
