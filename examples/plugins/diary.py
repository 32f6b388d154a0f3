"""A listener: counts turns and rings in a file, a line each, without a word of what was said. Where, says the
configuration: `jarvis config set plugin.diary.file /home/me/diary.txt --local`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jarvis.core.errors import BadConfiguration
from jarvis.plugins.hooks import hookimpl
from jarvis.plugins.kinds import Listener, Metadata, Setup

PLUGIN = Metadata(name="diary", version="1.0", summary="Writes down when something was asked or rang.")


class Diary:
    def __init__(self, file: Path) -> None:
        self._file = file

    async def told(self, name: str, fields: Mapping[str, Any]) -> None:
        # A file may be on a slow disk; the event loop is everybody's.
        await asyncio.to_thread(self._write, f"{fields['at']} {name}\n")

    def _write(self, line: str) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(line)


@hookimpl
def jarvis_events(setup: Setup) -> list[Listener]:
    if "file" not in setup.settings:
        raise BadConfiguration("It does not know where to write.", fix="Set plugin.diary.file.")
    diary = Diary(Path(setup.settings["file"]))
    return [Listener("diary", frozenset({"turn.committed", "timer.rang"}), diary.told)]
