"""What language models are told first, in a household's own words: a file in a folder of the data directory, read while
the node runs. One with a fault is named in `status`, and the words before it stay."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import structlog

from jarvis.assistant.language.asking import Models
from jarvis.assistant.language.instructions import MAX_BYTES, Instructions, built_in
from jarvis.core.errors import InvalidInput
from jarvis.core.files import read_text, why
from jarvis.node.saved_files import SavedFiles

log = structlog.get_logger()

FOLDER = "prompts"
SYSTEM = "system.txt"
MAX_FILES = 10
"""Looked at, to tell of one that has another name than it should."""


class Prompts:
    def __init__(self, folder: Path, models: Models) -> None:
        self._folder, self._models = folder, models
        self._problem, self._own = "", False
        self._instructions = built_in()
        files = SavedFiles(self._files, self._take_up)
        self.run, self.refresh = files.run, files.refresh

    def component(self) -> dict[str, str]:
        """For `status`."""
        if self._problem:
            return {"state": "degraded", "detail": self._problem}
        return {"state": "ok", "detail": SYSTEM if self._own else "built in"}

    def _files(self) -> Iterable[Path]:
        return sorted(self._folder.glob("*.txt"))[:MAX_FILES]

    async def _take_up(self, files: Sequence[Path]) -> None:
        self._problem = ""
        for file in files:
            if file.name != SYSTEM:
                self._problem = f"{FOLDER}/{file.name} is not used: the one that is has the name {SYSTEM}."
        if self._folder / SYSTEM in files:
            try:
                text = await asyncio.to_thread(read_text, self._folder / SYSTEM, MAX_BYTES)
                self._instructions, self._own = Instructions(text), True
            except (OSError, ValueError) as error:
                self._refuse(why(error))
            except InvalidInput as error:
                self._refuse(str(error))
        else:
            self._instructions, self._own = built_in(), False
        self._models.instruct(self._instructions)
        log.info("prompts taken up", own=self._own, problem=bool(self._problem))

    def _refuse(self, reason: str) -> None:
        self._problem = (
            f"{FOLDER}/{SYSTEM} is not used: {reason}. The {'one before' if self._own else 'built-in one'} is."
        )
