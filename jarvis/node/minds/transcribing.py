"""What is said in a sound file, by this node's own recogniser: documents are lent to no other room's. Piece by piece,
so that a person who speaks meanwhile waits for one piece at most. The file is unpacked in a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

from jarvis.core.codec import Value
from jarvis.core.errors import DeadlineExceeded, EngineFailed, InvalidInput
from jarvis.engines.worker import Worker
from jarvis.voice.sound_files import TARGET

PIECE_S = 28.0
"""About what the recogniser decodes at once, a second or two of work."""
QUIET_S, HOP_S = 5.0, 0.1
"""A piece ends in the quietest tenth of a second of its last five, so that no word is halved."""
DEADLINE_S = 120.0
"""For a piece, behind all that others ask meanwhile, on a small machine."""
UNPACK_S = 60.0
"""Ten minutes of sound are unpacked in one or two."""
DOUBT = 0.6
"""From which on the recogniser thinks that nobody speaks; Whisper's own threshold."""


class Asked(Protocol):
    """What is used of `engines.Engine`."""

    async def call(self, method: str, *args: Value, deadline_s: float) -> Value: ...


def transcriber(stt: Asked) -> Callable[[Path], AsyncIterator[tuple[float, str]]]:
    """What `knowledge.files.reading.Reading` asks about sound: the second at which each piece begins, and its words."""

    async def transcribe(path: Path) -> AsyncIterator[tuple[float, str]]:
        """Raises InvalidInput for what is no sound, or over ten minutes; Missing, EngineFailed, DeadlineExceeded."""
        from jarvis.voice import wav

        samples = await _unpacked(path)
        for start, end in pieces(samples, wav.RATE_HZ):
            found = await stt.call("transcribe", samples[start:end].astype("<i2").tobytes(), deadline_s=DEADLINE_S)
            if found["text"] and found["no_speech"] < DOUBT:
                yield start / wav.RATE_HZ, found["text"]

    return transcribe


async def _unpacked(path: Path) -> Any:
    """16 kHz mono int16. A process for each file: it takes half a second, and hearing it some more."""
    import numpy as np

    worker = Worker("sound", TARGET, {}, repeats=False)
    try:
        return np.frombuffer(await worker.call("read", str(path), deadline_s=UNPACK_S), "<i2")
    except (EngineFailed, DeadlineExceeded):
        fix = "Save it in another format."
        raise InvalidInput(f"{path} broke the process that unpacked it: it is damaged.", fix=fix) from None
    finally:
        await worker.close()


def pieces(samples: Any, rate_hz: int) -> list[tuple[int, int]]:
    """From where to where, in samples; together they are all of it."""
    import numpy as np

    cuts, step, quiet, hop = [0], int(PIECE_S * rate_hz), int(QUIET_S * rate_hz), int(HOP_S * rate_hz)
    while len(samples) - cuts[-1] > step:
        begins = cuts[-1] + step - quiet
        tail = samples[begins : begins + quiet].astype(np.float32)
        loudness = np.square(tail).reshape(-1, hop).sum(axis=1)
        cuts.append(begins + int(loudness.argmin()) * hop + hop // 2)
    return list(zip(cuts, [*cuts[1:], len(samples)], strict=True))
