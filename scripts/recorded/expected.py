"""What was said in each recording of a folder, and what is to be made of it: `expected.toml`, written before anybody
looks at what comes out.

    [[recording]]
    files = ["alarm_1.wav"]           # within the folder
    said = "wake me at seven"         # left out where nobody wrote it down
    intent = "alarm_set"              # left out where it is none: other speech, noise
    slots = { at = { hour = 7, minute = 0 } }
"""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jarvis.assistant.wording.words import split, without_politeness
from jarvis.voice.speaking.numbers import cardinal

SAYABLE = 1_000_000
"""Numbers below are compared as words."""


@dataclass(frozen=True, slots=True)
class Recording:
    path: Path
    said: str | None
    intent: str | None
    slots: dict[str, Any] = field(default_factory=dict)

    @property
    def half(self) -> int:
        """1 to develop with, 2 to be held out: by its name alone, so that it stays what it is as others come."""
        return 1 + zlib.crc32(self.path.name.encode()) % 2

    def fits(self, intent: str | None, slots: dict[str, Any]) -> bool:
        return intent == self.intent and plain(slots) == plain(self.slots)


def recordings(folder: Path, expected: Path) -> list[Recording]:
    """Those of `expected`, in its order. Raises OSError where the file or a recording is not there."""
    found = []
    for group in tomllib.loads(expected.read_text(encoding="utf-8"))["recording"]:
        for name in group["files"]:
            path = folder / name
            path.stat()
            found.append(Recording(path, group.get("said"), group.get("intent"), group.get("slots", {})))
    return found


def plain(value: Any) -> Any:
    """Without what holds nothing, and without regard to case, article, or kind of sequence."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if one not in (None, "", (), [])}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value.casefold().removeprefix("the ") if isinstance(value, str) else value


def words(text: str) -> list[str]:
    """As they are compared: small, contractions opened, figures spoken, no wake phrase or politeness."""
    spoken = (
        cardinal(int(word.text)) if word.text.isdecimal() and int(word.text) < SAYABLE else word.text
        for word in without_politeness(split(text))
    )
    return " ".join(spoken).replace("-", " ").split()


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Words to insert, leave out or change to get from one to the other (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for count, word in enumerate(said, 1):
        before, row[0] = row[0], count
        for at, other in enumerate(heard, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (word != other))
    return row[-1]
