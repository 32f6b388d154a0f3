"""Which sentences this node understands: Jarvis' own, those of its plugins, and files of templates in a folder of the
data directory. A change holds from the next sentence on; a file with a fault is named in `status` and left out, and the
rest goes on. It reads files and never writes one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.skills.basic import SKILLS
from jarvis.assistant.templates.collection import Collected, collect
from jarvis.plugins.kinds import IntentPack

log = structlog.get_logger()

FOLDER = "sentences"
LOOK_S = 2.0
"""How long after a file was saved its sentences may still be unknown."""
MAX_FILES = 50
MAX_BYTES = 512 * 1024
"""Of one file; ours are a tenth of that."""

Files = tuple[tuple[str, int, int], ...]
"""(name, when it was changed, bytes) of each."""


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
        self._changed = asyncio.Event()
        self._seen: Files = ()
        self._problems: dict[str, str] = {}
        self._known = 0
        follow(self._changed.set)

    async def run(self) -> None:
        """Until cancelled."""
        self._changed.set()
        while True:
            await self.refresh()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def refresh(self) -> None:
        """Take up what has changed."""
        seen = await asyncio.to_thread(_look, self._folder)
        if seen == self._seen and not self._changed.is_set():
            return
        self._changed.clear()
        packs = list(self._offered())
        skills = {intent: skill for pack in reversed(packs) for intent, skill in pack.skills.items()}
        texts = [(pack.name, pack.templates) for pack in packs]
        found, unread = await asyncio.to_thread(_collected, self._folder, seen, texts, {*skills, *SKILLS})
        self._assistant.learn(found.understanding, skills)
        self._seen, self._problems, self._known = seen, {**found.problems, **unread}, len(seen) + len(packs)
        log.info("sentences taken up", files=len(seen), packs=len(packs), left_out=len(self._problems))

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


def _look(folder: Path) -> Files:
    found = []
    for path in sorted(folder.glob("*.toml"))[:MAX_FILES]:
        try:
            state = path.stat()
        except OSError:
            continue  # it went away just now
        found.append((path.name, state.st_mtime_ns, state.st_size))
    return tuple(found)


def _collected(
    folder: Path, files: Files, texts: Sequence[tuple[str, str]], able: set[str]
) -> tuple[Collected, dict[str, Any]]:
    """A person's own files come before plugins'."""
    own: list[tuple[str, str]] = []
    unread: dict[str, Any] = {}
    for name, _, size in files:
        try:
            if size > MAX_BYTES:
                raise ValueError(f"it has more than {MAX_BYTES} bytes")
            own.append((name, (folder / name).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            unread[name] = f"{name} cannot be read: {error}."
    return collect([*own, *texts], able), unread
