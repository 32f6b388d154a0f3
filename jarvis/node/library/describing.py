"""Pictures that nobody could describe when they were added get their captions later, when a language model that can see
is set, allowed or back. A picture that models say nothing about is shown to them a few times and then left alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from jarvis.core.errors import JarvisError
from jarvis.knowledge.files.reading import Reading
from jarvis.node.library.shelf import Shelf

LOOK_S = 900.0
"""So often it is looked whether a model is back; setting one is noticed at once."""
MAX_FAILED = 3
"""Pictures in a row that get no caption; then it is the model, and it is given a rest. Each may take a minute."""

log = structlog.get_logger()


class Describing:
    """`follow` take whom to call when there may be a model that can see, or when one may be asked."""

    def __init__(
        self, shelf: Shelf, reading: Callable[[], Reading], *follow: Callable[[Callable[[], None]], None]
    ) -> None:
        self._shelf, self._reading = shelf, reading
        self._wake = asyncio.Event()
        for one in follow:
            one(self._wake.set)

    async def run(self) -> None:
        """Until cancelled."""
        await self._shelf.settled()
        while True:
            self._wake.clear()
            try:
                await self._describe_all()
            except JarvisError as error:
                log.warning("pictures were not described", reason=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._wake.wait()

    async def _describe_all(self) -> None:
        if not (waiting := self._shelf.undescribed()):
            return
        failed = 0
        async with self._reading() as reading:
            for document in waiting:
                if failed >= MAX_FAILED or await reading.hindrance():
                    return
                failed = 0 if await self._shelf.describe(reading, document) else failed + 1
