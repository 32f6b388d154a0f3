"""Which sentences this node understands: Jarvis' own, those of its plugins, and files of templates in a folder of the
data directory. A change holds from the next sentence on; a file with a fault is named in `status` and left out, and the
rest goes on. It reads files and never writes one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import structlog

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.skills.registry import SKILLS
from jarvis.assistant.templates.collection import Collected, collect
from jarvis.core.files import read_text, why
from jarvis.node.saved_files import SavedFiles
from jarvis.plugins.kinds import IntentPack

log = structlog.get_logger()

FOLDER = "sentences"
MAX_FILES = 50
MAX_BYTES = 512 * 1024
"""Of one file; ours are a tenth of that."""


class Phrases:
    """`offered` are the packs of plugins, which `follow` says may have changed."""

    def __init__(
        self,
        folder: Path,
        assistant: Assistant,
        offered: Callable[[], Sequence[IntentPack]],
        follow: Callable[[Callable[[], None]], None],
    ) -> None:
        self._folder, self._assistant, self._offered = folder, assistant, offered
        self._problems: dict[str, str] = {}
        self._known = 0
        files = SavedFiles(self._files, self._take_up)
        self.run, self.refresh = files.run, files.refresh
        follow(files.look_again)

    def _files(self) -> Iterable[Path]:
        return sorted(self._folder.glob("*.toml"))[:MAX_FILES]

    async def _take_up(self, files: Sequence[Path]) -> None:
        packs = list(self._offered())
        skills = {intent: skill for pack in reversed(packs) for intent, skill in pack.skills.items()}
        texts = [(pack.name, pack.templates) for pack in packs]
        found, unread = await asyncio.to_thread(_collected, files, texts, {*skills, *SKILLS})
        self._assistant.learn(found.understanding, skills)
        self._problems, self._known = {**found.problems, **unread}, len(files) + len(packs)
        log.info("sentences taken up", files=len(files), packs=len(packs), left_out=len(self._problems))

    def understand(self, text: str, assistant_name: str, rooms: Sequence[str]) -> dict[str, Any]:
        """{intent, slots, missing, confidence, whole} of a sentence, without doing it; intent is None for free text."""
        match = self._assistant.understand(text, assistant_name, rooms)
        if match is None:
            return {"intent": None, "slots": {}, "missing": [], "confidence": 0.0, "whole": False}
        return {
            "intent": match.intent,
            "slots": match.slots,
            "missing": list(match.missing),
            "confidence": match.confidence,
            "whole": match.whole,
        }

    def component(self) -> dict[str, str]:
        """For `status`."""
        if self._problems:
            return {"state": "degraded", "detail": next(iter(self._problems.values()))}
        more = f"; {self._known} added" if self._known else ""
        return {"state": "ok", "detail": f"{len(self._assistant.intents())} intents{more}"}


def _collected(
    files: Sequence[Path], texts: Sequence[tuple[str, str]], able: set[str]
) -> tuple[Collected, dict[str, str]]:
    """A person's own files come before plugins'."""
    own: list[tuple[str, str]] = []
    unread: dict[str, str] = {}
    for file in files:
        try:
            own.append((file.name, read_text(file, MAX_BYTES)))
        except (OSError, ValueError) as error:
            unread[file.name] = f"{file.name} cannot be read: {why(error)}."
    return collect([*own, *texts], able), unread
