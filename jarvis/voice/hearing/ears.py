"""The node's side of the ears worker: one `Ear` for each source of sound. It loads no model and keeps no sound.

It knows nothing of what is done with what it hears: `listener` waits for a wake word with it, `capture` for an end.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from jarvis.core.codec import Value
from jarvis.core.errors import EngineFailed, Overloaded
from jarvis.voice.hearing.wake import Stage

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

MAX_EARS = 16
"""What the worker remembers at once."""
HEAR_DEADLINE_S = 5.0
"""A block takes milliseconds; a worker that loads again takes a second, beside others that load."""
TURN_DEADLINE_S = 5.0


class Engine(Protocol):
    """What hearing and speaking need of a worker."""

    async def call(self, method: str, *args: Value, deadline_s: float) -> Value: ...


@dataclass(frozen=True, slots=True)
class WakeSign:
    """The wake word was claimed, then confirmed or refused; see jarvis.voice.hearing.wake."""

    stage: Stage
    score: float
    ago_ms: float
    """When it was first claimed, before the end of the block."""
    snr_db: float
    """Of the phrase over the room's own noise."""


@dataclass(frozen=True, slots=True)
class Sensed:
    """What one block holds."""

    clean: Samples
    """Without our own voice, as far as that can be done; up to 10 ms late while it is."""
    wakes: tuple[WakeSign, ...]
    speech: tuple[float, ...]
    """Probabilities of the 32 ms frames that this block completed, if they were asked for."""


class Ears:
    """One for the worker of jarvis.voice.hearing.ears_engine.TARGET, or for anything with its `call`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open = 0

    def open(self) -> Ear:
        """Ears for one more source. Raises Overloaded when there are too many."""
        if self._open >= MAX_EARS:
            raise Overloaded(f"Already {MAX_EARS} sources of sound are being heard.")
        self._open += 1
        return Ear(self._engine, self._closed)

    async def finished(self, audio: Samples) -> float:
        """Probability that the speaker has finished, by the melody. Raises what the worker raises."""
        answer = await self._engine.call("finished", audio.tobytes(), deadline_s=TURN_DEADLINE_S)
        if not isinstance(answer, float):
            raise EngineFailed("The ears' answer makes no sense.")
        return answer

    def _closed(self) -> None:
        self._open -= 1


class Ear:
    """Hears one stream, block after block; one call at a time."""

    def __init__(self, engine: Engine, closed: Callable[[], None]) -> None:
        self._engine, self._name = engine, secrets.token_hex(8)
        self._closed: Callable[[], None] | None = closed

    async def hear(self, block: Samples, *, far: Samples | None = None, speech: bool = False) -> Sensed:
        """The next block. `far` is what our loudspeaker played meanwhile, as many samples; `speech` asks whether
        somebody speaks, which costs twenty times the rest. Raises what the worker raises."""
        import numpy as np

        played = None if far is None else far.tobytes()
        answer = await self._engine.call(
            "hear", self._name, block.tobytes(), played, speech, deadline_s=HEAR_DEADLINE_S
        )
        try:
            clean = answer["clean"]
            return Sensed(
                np.frombuffer(clean, np.int16) if clean or far is not None else block,
                tuple(WakeSign(*sign) for sign in answer["wakes"]),
                tuple(map(float, answer["speech"])),
            )
        except (KeyError, TypeError, ValueError):
            raise EngineFailed("The ears' answer makes no sense.") from None

    async def speech_in(self, samples: Samples) -> list[float]:
        """Probabilities for sound heard already, as if nothing had been before; `hear` goes on from there."""
        answer = await self._engine.call("speech", self._name, samples.tobytes(), deadline_s=HEAR_DEADLINE_S)
        try:
            return [float(one) for one in answer]
        except (TypeError, ValueError):
            raise EngineFailed("The ears' answer makes no sense.") from None

    def close(self) -> None:
        """Make room for another; the worker forgets it by itself."""
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()
