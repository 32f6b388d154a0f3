"""A sound card that is not there: what `voice/devices/audio.py` uses of sounddevice, with threads that ask for sound
and give it at the pace of a clock. Its devices can be unplugged and plugged in, lose sound, hang and lag; a microphone
hears what a test says."""

from __future__ import annotations

import threading
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[Any]

Hears = Callable[[int, int], "Samples"]
"""(count, rate) -> int16 samples that the room makes."""


def silence(count: int, rate_hz: int) -> Samples:
    import numpy as np

    return np.zeros(count, np.int16)


@dataclass
class Card:
    name: str
    inputs: int = 1
    outputs: int = 1
    rate_hz: int = 48_000
    rates: tuple[int, ...] = (16_000, 44_100, 48_000)
    pace: float = 1.0
    """How long its second takes."""
    hears: Hears = silence
    deaf: bool = False
    """Its streams run and are never called."""
    plugged: bool = True
    played: list[Samples] = field(default_factory=list)
    """What the loudspeaker played, in blocks."""
    on_play: Callable[[int], None] = lambda count: None
    """Told after each block how many samples were played in all, on the card's thread."""
    lost: int = 0
    """So many callbacks from now on say that sound was lost."""


class SoundCards(types.ModuleType):
    """Put it in `sys.modules["sounddevice"]`."""

    class PortAudioError(Exception):
        pass

    def __init__(self, *cards: Card) -> None:
        super().__init__("sounddevice")
        self.cards = {card.name: card for card in cards}
        self.listed = list(self.cards.values())
        self.streams: set[FakeStream] = set()
        self.started_anew = 0
        self.RawInputStream = lambda **settings: FakeStream(self, "input", **settings)
        self.RawOutputStream = lambda **settings: FakeStream(self, "output", **settings)

    def unplug(self, name: str) -> None:
        self.cards[name].plugged = False
        for stream in list(self.streams):
            if stream.card.name == name:
                stream.end()

    def plug(self, name: str) -> None:
        self.cards[name].plugged = True

    def query_devices(self, name: str | None = None, kind: str | None = None) -> Any:
        rows = [
            {
                "name": card.name,
                "index": index,
                "default_samplerate": float(card.rate_hz),
                "max_input_channels": card.inputs,
                "max_output_channels": card.outputs,
            }
            for index, card in enumerate(self.listed)
        ]
        if kind is None:
            return rows
        for row in rows:
            if row[f"max_{kind}_channels"]:
                return row
        raise ValueError("no such device")

    def check_input_settings(self, *, device: int, channels: int, samplerate: int, dtype: str) -> None:
        card = self.listed[device]
        if samplerate not in card.rates or channels != card.inputs:
            raise self.PortAudioError("Invalid sample rate")

    def check_output_settings(self, *, device: int, channels: int, samplerate: int, dtype: str) -> None:
        card = self.listed[device]
        if samplerate not in card.rates or channels != card.outputs:
            raise self.PortAudioError("Invalid sample rate")

    def _terminate(self) -> None:
        assert not self.streams, "PortAudio was ended under an open stream"

    def _initialize(self) -> None:
        self.started_anew += 1
        self.listed = [card for card in self.cards.values() if card.plugged]


class FakeStream:
    def __init__(
        self,
        cards: SoundCards,
        kind: str,
        *,
        samplerate: int,
        blocksize: int,
        device: int,
        channels: int,
        dtype: str,
        latency: float,
        callback: Callable[..., None],
        finished_callback: Callable[[], None],
    ) -> None:
        self.cards, self.kind, self.card = cards, kind, cards.listed[device]
        self.rate_hz, self.block, self.channels, self.latency = samplerate, blocksize, channels, latency
        self.callback, self.finished = callback, finished_callback
        self.over = threading.Event()
        if not self.card.plugged:
            raise cards.PortAudioError("Error opening stream: no such device.")

    def start(self) -> None:
        self.cards.streams.add(self)
        self.thread = threading.Thread(target=self._run, daemon=True, name=f"card {self.kind}")
        self.thread.start()

    def stop(self) -> None:
        self.over.set()
        self.thread.join()

    abort = stop

    def end(self) -> None:
        """The device goes away by itself."""
        self.over.set()

    def close(self, ignore_errors: bool = True) -> None:
        self.stop()
        self.cards.streams.discard(self)

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self.over.is_set():
            if not self.card.deaf:
                (self._record if self.kind == "input" else self._play)()
            due_s += self.block / self.rate_hz * self.card.pace
            self.over.wait(max(due_s - time.monotonic(), 0.0))
        self.finished()

    def _status(self) -> bool:
        self.card.lost -= (lost := self.card.lost > 0)
        return lost

    def _record(self) -> None:
        import numpy as np

        samples = self.card.hears(self.block, self.rate_hz)
        self.callback(np.repeat(samples, self.channels).tobytes(), self.block, None, self._status())

    def _play(self) -> None:
        import numpy as np

        out = bytearray(2 * self.block * self.channels)
        self.callback(memoryview(out), self.block, None, self._status())
        samples = np.frombuffer(bytes(out), np.int16)[:: self.channels]
        self.card.played.append(samples)
        self.card.on_play(len(self.card.played) * self.block)
