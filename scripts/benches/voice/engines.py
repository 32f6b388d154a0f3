"""The same engines asked one after another, as assistants usually do it: what streaming is compared with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from benches.voice.client import Turn
from jarvis.assistant.language.prompt import messages_for
from jarvis.assistant.language.sentences import Sentences
from jarvis.assistant.providers.llama_model import MODEL, LlamaModel, llama_worker
from jarvis.assistant.types import Request
from jarvis.engines.worker import Worker
from jarvis.models import cache
from jarvis.voice.hearing import stt
from jarvis.voice.speaking import tts
from jarvis.voice.speaking.sentences import cut
from jarvis.voice.speaking.speakable import speakable
from jarvis.voice.streams import RATE_HZ

FIXED_SILENCE_MS = 800.0


@dataclass(frozen=True)
class Alone:
    """What each engine took for one turn, by itself, in milliseconds."""

    stt: float
    model: float
    tts: float
    first_sentence: float
    """Of `tts`: the first sentence only."""

    @property
    def together(self) -> float:
        return self.stt + self.model + self.tts

    @property
    def one_after_another(self) -> float:
        """After a fixed silence: everything understood, then everything written, then everything said."""
        return FIXED_SILENCE_MS + self.together


class Engines:
    """Workers of the bench's own, as the node has them."""

    def __init__(self) -> None:
        self.stt = Worker("stt", stt.TARGET, {})
        self.voice = Worker("tts", tts.TARGET, {})
        self.model = llama_worker(cache.locate(MODEL))

    async def start(self) -> None:
        for worker in (self.stt, self.voice, self.model):
            await worker.start()

    async def close(self) -> None:
        for worker in (self.stt, self.voice, self.model):
            await worker.close()

    async def alone(self, turn: Turn, *, model: bool) -> Alone:
        sound, command = turn.command.sound, turn.command
        heard = sound[int((command.wake_end_s - 0.15) * RATE_HZ) : int((command.speech_end_s + 0.2) * RATE_HZ)]
        began = time.monotonic()
        decoded: Any = await self.stt.call("transcribe", heard.tobytes(), deadline_s=60)
        stt_ms = _since(began)
        model_ms, reply = 0.0, turn.reply
        if model:
            began = time.monotonic()
            reply = await self._written(decoded["text"])
            model_ms = _since(began)
        began = time.monotonic()
        await self.voice.call("synthesize", speakable(reply)[:1_000] or "Nothing.", deadline_s=60)
        tts_ms = _since(began)
        began = time.monotonic()
        await self.voice.call("synthesize", (cut(turn.reply) or ["Nothing."])[0], deadline_s=60)
        return Alone(stt_ms, model_ms, tts_ms, _since(began))

    async def _written(self, text: str) -> str:
        """A whole answer of the embedded model, as the node asks for it."""
        model, sentences = LlamaModel(self.model), Sentences()
        messages = messages_for(Request(text, "kitchen", "Jarvis", ()), model.context_tokens, model.max_tokens)
        said = [
            sentences.feed(one) async for one in model.complete(messages, max_tokens=model.max_tokens, deadline_s=60)
        ]
        return "".join([*said, sentences.finish()])


def _since(began_s: float) -> float:
    return (time.monotonic() - began_s) * 1_000
