"""Keeps the node's microphone open, unless it is muted: one that vanishes is waited for, and the node answers by text
meanwhile. What it is doing shows in the status, and every change of it is an event."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import structlog

from jarvis.core.errors import JarvisError
from jarvis.core.events import EventBus
from jarvis.core.time import Clock
from jarvis.node.events import MicrophoneChanged
from jarvis.node.hearing.mute import Mute
from jarvis.node.hearing.sound import Sound
from jarvis.node.status import State

if TYPE_CHECKING:
    from jarvis.voice.streams import Sink, Source
    from jarvis.voice.wav import Samples

RETRY_S = 5.0
GRACE_S = 1.0
"""A muted microphone closes with its next block, 40 ms later; one whose reader is busy is closed after this."""

log = structlog.get_logger()


class Listening:
    """`listen` hears and answers until the source ends; `ready` is told the loudspeaker, which speaks also while
    nothing is heard. `sound` is None on a node without."""

    def __init__(
        self,
        sound: Sound | None,
        mute: Mute,
        events: EventBus,
        clock: Clock,
        *,
        listen: Callable[[Source, Sink], Awaitable[None]],
        ready: Callable[[Sink], None],
        retry_s: float = RETRY_S,
    ) -> None:
        self._sound, self._mute, self._events, self._clock = sound, mute, events, clock
        self._listen, self._ready, self._retry_s = listen, ready, retry_s
        self._state, self._detail = "starting", ""

    async def run(self) -> None:
        sound = self._sound
        if sound is None:
            return
        try:
            self._ready(await sound.open())
        except JarvisError as error:
            self._failed(error)
            return
        async with asyncio.TaskGroup() as group:
            following = group.create_task(sound.follow(), name="volume")
            try:
                await self._keep_open(sound)
            finally:
                following.cancel()
                await sound.close()

    async def _keep_open(self, sound: Sound) -> None:
        while True:
            if self._mute.on:
                self._is("muted")
                await self._mute.until(False)
            try:
                if await self._ended(sound) and not self._mute.on:
                    self._is("ended")
                    return
            except JarvisError as error:
                self._failed(error)
                if not error.retry:
                    return
                with contextlib.suppress(TimeoutError):  # whoever unmutes wants to be heard now
                    async with asyncio.timeout(self._retry_s):
                        await self._mute.until(not self._mute.on)

    async def _ended(self, sound: Sound) -> bool:
        """Listen until the source ends by itself, or until it is muted, which cuts off nothing that is being said, or
        until another microphone is chosen."""
        source = _Unmuted(await sound.source(), self._mute, lambda: self._is("open"))
        listening = asyncio.ensure_future(self._listen(source, sound.sink))
        muted = asyncio.ensure_future(self._mute.until(True))
        moved = asyncio.ensure_future(sound.moved())
        try:
            await asyncio.wait({listening, muted, moved}, return_when=asyncio.FIRST_COMPLETED)
            if not listening.done():
                if muted.done():
                    self._is("muted")
                    await asyncio.wait({listening}, timeout=GRACE_S)
                if source.open:
                    listening.cancel()
                await asyncio.wait({listening})
            if not listening.cancelled():
                listening.result()
            return not moved.done()
        finally:
            for task in (listening, muted, moved):
                task.cancel()
            await asyncio.gather(listening, muted, moved, return_exceptions=True)

    def _failed(self, error: JarvisError) -> None:
        if self._detail != str(error):
            log.warning("audio failed", reason=str(error), fix=error.fix)
        self._is("failed", str(error))

    def _is(self, state: str, detail: str = "") -> None:
        if (state, detail) != (self._state, self._detail):
            self._state, self._detail = state, detail
            self._events.publish(MicrophoneChanged(at_ms=self._clock.mono_ms(), state=state, reason=detail))

    def state(self) -> State:
        if self._sound is None:
            return {"state": "off", "detail": "this node has no microphone"}
        if self._mute.on:
            return {"state": "off", "detail": "muted: the microphone is closed"}
        detail = "listening" if self._state == "open" else self._state
        if lost := self._sound.lost:
            detail += f"; sound was lost {lost} times"
        return {"state": "failed" if self._state == "failed" else "ok", "detail": self._detail or detail}


class _Unmuted:
    """A microphone that ends when it is muted, and says when it is open."""

    def __init__(self, source: Source, mute: Mute, begun: Callable[[], None]) -> None:
        self._source, self._mute, self._begun = source, mute, begun
        self.realtime = source.realtime
        self.open = False

    def muted(self) -> bool:
        """What was heard of it last must not be answered."""
        return self._mute.on

    async def blocks(self) -> AsyncIterator[Samples]:
        if self._mute.on:
            return
        self.open = True
        self._mute.opens()
        blocks: Any = self._source.blocks()
        try:
            async for block in blocks:
                if self._mute.on:
                    return
                self._begun()
                yield block
        finally:
            await blocks.aclose()
            self.open = False
            await self._mute.closed()
