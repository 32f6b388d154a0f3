"""A file processor: reads subtitles (.srt), a part for each, whose place is its time in the film."""

from __future__ import annotations

import re
from pathlib import Path

from jarvis.core.errors import InvalidInput
from jarvis.plugins.hooks import hookimpl
from jarvis.plugins.kinds import FileLimits, FileProcessor, FileText, Metadata, Part

PLUGIN = Metadata(name="subtitles", version="1.0", summary="Reads subtitle files (.srt).")

TIME = re.compile(r"(\d{2}:\d{2}:\d{2}),\d{3} --> (\d{2}:\d{2}:\d{2}),\d{3}")


class Subtitles:
    name = "subtitles"
    suffixes = frozenset({".srt"})

    def read(self, path: Path, limits: FileLimits) -> FileText:
        if path.stat().st_size > limits.max_bytes:
            raise InvalidInput(f"{path.name} has more than {limits.max_bytes} bytes.")
        parts = []
        text = path.read_text(encoding="utf-8-sig", errors="replace").replace("\r\n", "\n")
        for block in text.split("\n\n"):
            lines = [line.strip() for line in block.splitlines() if line.strip()]
            times = [TIME.match(line) for line in lines[:2]]
            found = next(filter(None, times), None)
            if found is not None:
                words = " ".join(lines[times.index(found) + 1 :])
                parts.append(Part(words, f"{found[1]} to {found[2]}"))
        if not parts:
            raise InvalidInput(f"{path.name} holds no subtitles.")
        if len(parts) > limits.max_parts:
            raise InvalidInput(f"{path.name} has more than {limits.max_parts} parts.")
        return FileText(path.stem, parts)


@hookimpl
def jarvis_file_processors() -> list[FileProcessor]:
    return [Subtitles()]
