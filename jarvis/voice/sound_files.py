"""Sound files of strangers, unpacked in a process of their own: the libraries that do it are native code, and a file
that is made to break them must not break the node."""

from __future__ import annotations

import os
from pathlib import Path

from jarvis.core.errors import InvalidInput
from jarvis.engines.confined import confine, open_without_links
from jarvis.voice import wav

TARGET = "jarvis.voice.sound_files:SoundFiles"
MAX_FILE_BYTES = 64 * 1024 * 1024
"""As of any other document."""
MEMORY_BYTES = 2 * 1024 * 1024 * 1024
"""Address space: numpy reserves some for each core."""


class SoundFiles:
    """In a worker (`jarvis.engines.worker`)."""

    def __init__(self) -> None:
        confine(MEMORY_BYTES)

    def read(self, path: str) -> bytes:
        """16 kHz mono int16, little-endian. Raises InvalidInput: a link, not sound, over ten minutes; Missing."""
        try:
            with os.fdopen(open_without_links(Path(path)), "rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read: {error.strerror}.", fix="Check the path.") from None
        if len(data) > MAX_FILE_BYTES:
            raise InvalidInput(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB.", fix="Cut it into pieces.")
        return wav.read_bytes(data, path).astype("<i2").tobytes()
