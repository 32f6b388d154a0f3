"""Language models worth having at home, with what they need, and which of them suits a device. The sizes are those of
Ollama's library; `memory_bytes` is the file with a window of 4096 tokens and room to work. Nothing here asks
anybody."""

from __future__ import annotations

import os
from dataclasses import dataclass

GIB = 1024**3
SHARE = 0.5
"""Of a device's memory that a language model may take: hearing, speaking and whatever else runs there need the rest."""


@dataclass(frozen=True, slots=True)
class Preset:
    model: str
    """Its name in Ollama's library."""
    file_bytes: int
    memory_bytes: int


PRESETS = (
    Preset("llama3.2:1b", int(1.3 * GIB), 2 * GIB),
    Preset("llama3.2:3b", 2 * GIB, int(3.5 * GIB)),
    Preset("qwen3:4b", int(2.6 * GIB), int(4.5 * GIB)),
    Preset("qwen3:8b", int(5.2 * GIB), 8 * GIB),
    Preset("gpt-oss:20b", 14 * GIB, 16 * GIB),
)
"""The smallest first."""


def device_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def suggested(url_is_elsewhere: bool) -> str:
    """What to fetch where nobody has chosen: by this device's memory, and cautiously for another one."""
    return PRESETS[1].model if url_is_elsewhere else suited(device_memory_bytes()).model


def suited(memory_bytes: int) -> Preset:
    """The largest for a device with so much memory; the smallest when none fits."""
    fit = [one for one in PRESETS if one.memory_bytes <= memory_bytes * SHARE]
    return fit[-1] if fit else PRESETS[0]
