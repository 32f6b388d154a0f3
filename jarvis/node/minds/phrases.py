"""Which sentences this node understands: Jarvis' own, those of its plugins, and files of templates in a folder of the
data directory. A change holds from the next sentence on; a file with a fault is named in `status`, what it said before
stays, and the rest goes on. It reads files and never writes one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.skills.registry import SKILLS
from jarvis.assistant.templates.collection import collect
from jarvis.assistant.together import SEVERAL
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
        self._good: dict[str, str] = {}
        """What each file said when it had no fault last."""
        files = SavedFiles(self._files, self._take_up)
        self.run, self.refresh = files.run, files.refresh
        follow(files.look_again)

    def _files(self) -> Iterable[Path]:
        return sorted(self._folder.glob("*.toml"))[:MAX_FILES]

    async def _take_up(self, files: Sequence[Path]) -> None:
        packs = list(self._offered())
        skills = {intent: skill for pack in reversed(packs) for intent, skill in pack.skills.items()}
        texts = [(pack.name, pack.templates) for pack in packs]
        able = {*skills, *SKILLS}
        own, unread = await asyncio.to_thread(_read, files)
        found = await asyncio.to_thread(collect, [*own.items(), *texts], able)
        problems = {**found.problems, **unread}
        before = {name: self._good[name] for name in problems if name in self._good}
        if before:
            own = {file.name: before.get(file.name, own.get(file.name, "")) for file in files}
            found = await asyncio.to_thread(collect, [*own.items(), *texts], able)
            stays = before.keys() - found.problems.keys()  # a plugin that it needs may have gone, too
            problems |= {name: f"{problems[name]} What it said before stays." for name in stays}
        self._good = {name: text for name, text in own.items() if name not in found.problems}
        self._assistant.learn(found.understanding, skills)
        self._problems, self._known = problems, len(files) + len(packs)
        log.info("sentences taken up", files=len(files), packs=len(packs), left_out=len(self._problems))

    def understand(self, text: str, assistant_name: str, rooms: Sequence[str]) -> dict[str, Any]:
        """{intent, slots, missing, confidence, whole} of a sentence, without doing it; intent is None for free text,
        and `several` where its parts are commands."""
        match = self._assistant.understand(text, assistant_name, rooms)
        alone = match is not None and match.confidence == 1
        parts = [] if alone else [one.match for one in self._assistant.parts(text, assistant_name, rooms)]
        if parts:
            slots = {"parts": [{"intent": one.intent, "slots": one.slots} for one in parts]}
            match = replace(parts[-1], intent=SEVERAL, slots=slots) if len(parts) > 1 else parts[0]
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


def _read(files: Sequence[Path]) -> tuple[dict[str, str], dict[str, str]]:
    """What each says, and why one cannot be read, by their names."""
    own: dict[str, str] = {}
    unread: dict[str, str] = {}
    for file in files:
        try:
            own[file.name] = read_text(file, MAX_BYTES)
        except (OSError, ValueError) as error:
            unread[file.name] = f"{file.name} cannot be read: {why(error)}."
    return own, unread
