"""A microphone whose sound comes when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from jarvis.voice.streams import WavSource


class Script:
    """A microphone that hears one thing after another, each when its moment has come."""

    realtime = False

    def __init__(self, *steps: tuple[Any, asyncio.Event | None]) -> None:
        self._steps = steps

    async def blocks(self) -> AsyncIterator[Any]:
        for sound, moment in self._steps:
            if moment is not None:
                await moment.wait()
            async for block in WavSource(sound).blocks():
                yield block
