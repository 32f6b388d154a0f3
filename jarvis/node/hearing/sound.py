"""What this node hears and speaks with: what `--audio` asks for, and, for a device, the names and the volume that the
home's configuration gives. It opens nothing before it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jarvis.voice.devices.sink import DeviceSink
    from jarvis.voice.devices.source import DeviceSource
    from jarvis.voice.streams import Sink, Source

INPUT, OUTPUT, VOLUME = "audio.input", "audio.output", "audio.volume"


class Sound:
    """`audio` is `device`, `device:NAME` for both directions, or `wav:FILE`; `value` gives a config key's value and
    `follow` calls back when some value may have changed."""

    def __init__(
        self,
        audio: str,
        value: Callable[[str], Awaitable[str]],
        follow: Callable[[Callable[[], None]], None],
    ) -> None:
        self._kind, _, self._name = audio.partition(":")
        self._value = value
        self._changed = asyncio.Event()
        self._device: DeviceSink | None = None
        self._microphone: DeviceSource | None = None
        self._input = self._name
        self._other_input = asyncio.Event()
        follow(self._changed.set)

    async def open(self) -> Sink:
        """The loudspeaker, for as long as the node runs. Raises Missing without the voice extra."""
        if self._kind == "wav":
            from jarvis.voice.streams import NullSink

            self.sink: Sink = NullSink()
        else:
            from jarvis.voice.devices.sink import DeviceSink

            self.sink = self._device = DeviceSink()
            await self._apply(self._device)
        return self.sink

    async def source(self) -> Source:
        """The microphone, to be read once. Raises InvalidInput for a file that cannot be."""
        if self._kind == "wav":
            from jarvis.voice import wav
            from jarvis.voice.streams import WavSource

            samples = await asyncio.to_thread(wav.read, Path(self._name))  # up to ten minutes of sound
            return WavSource(samples, realtime=True)
        from jarvis.voice.devices.source import DeviceSource

        self._input = self._name or await self._value(INPUT)
        self._other_input.clear()
        self._microphone = DeviceSource(self._input, self._device)
        return self._microphone

    @property
    def lost(self) -> int:
        """How often sound was lost since the microphone was opened: a machine too busy, or a bad cable."""
        heard = self._microphone.xruns + self._microphone.dropped if self._microphone is not None else 0
        return heard + (self._device.xruns if self._device is not None else 0)

    async def moved(self) -> None:
        """Returns when another microphone is to be read than the last that was given."""
        await self._other_input.wait()

    async def follow(self) -> None:
        """Apply what is configured as it changes, until cancelled. A loudspeaker's new name counts when it next begins
        to speak."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._device is not None:
                await self._apply(self._device)

    async def close(self) -> None:
        if self._device is not None:
            await self._device.aclose()

    async def _apply(self, device: DeviceSink) -> None:
        if (self._name or await self._value(INPUT)) != self._input:
            self._other_input.set()
        device.name = self._name or await self._value(OUTPUT)
        volume = await self._value(VOLUME)
        device.volume(int(volume) if volume.isdigit() else 100)  # a file or the environment may say anything
