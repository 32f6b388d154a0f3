"""The voice of the person in the demo, where nobody brings a recording: Piper, in a process of its own. It speaks as a
person would: the wake word, a pause, the question, a silence."""

from __future__ import annotations

from jarvis.engines.worker import Worker

WAKE_PHRASE, QUESTION = "Hey Jarvis.", "What time is it?"
BEFORE_S, PAUSE_S, SILENCE_S = 0.1, 0.3, 1.5
"""The last is for the end of speech to be found in."""
_SENTENCE_S = 30.0
_FULL_SCALE = 32_768


async def spoken() -> bytes:
    """The utterance as a WAV file's bytes, 16 kHz mono, always the same. Raises Missing, EngineFailed."""
    import numpy

    from jarvis.voice import wav
    from jarvis.voice.speaking import tts

    worker = Worker("demo voice", tts.TARGET, {"variation": 0.0})
    parts = [numpy.zeros(int(BEFORE_S * wav.RATE_HZ), numpy.int16)]
    try:
        for text, silence_s in ((WAKE_PHRASE, PAUSE_S), (QUESTION, SILENCE_S)):
            said = await worker.call("synthesize", text, deadline_s=_SENTENCE_S)
            samples = numpy.frombuffer(said["audio"], numpy.int16).astype(numpy.float32) / _FULL_SCALE
            parts.append(wav.to_int16(wav.resample(samples, said["rate_hz"], wav.RATE_HZ)))
            parts.append(numpy.zeros(int(silence_s * wav.RATE_HZ), numpy.int16))
    finally:
        await worker.close()
    return wav.to_bytes(numpy.concatenate(parts), wav.RATE_HZ)
