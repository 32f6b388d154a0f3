"""Speech to text with faster-whisper, loaded and called in a worker process. Knows no microphone and no wake word.

Whisper always pays for its whole window, so an utterance is decoded in one of 15 s, without timestamps: that costs a
third of the usual 30 s window and gives the same words up to 12 s of audio (a window of 10 s changed words, one of
5 to 7 s loops). What repeats itself is decoded again in the full window. There is no temperature fallback: it cost
seconds on repeated speech and never helped. What else may have been said is told beside the likeliest words, which
costs a fifth of the time more: whoever knows what people say here may find among it what was.

Source of the model: Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022.
"""

from __future__ import annotations

import secrets
import time
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidInput, not_installed
from jarvis.models import cache

TARGET = "jarvis.voice.hearing.stt:WhisperEngine"
RATE_HZ = 16_000
MAX_SECONDS = 600
"""Ten minutes: nobody speaks longer to an assistant, and decoding it already takes a minute."""
SHORT_WINDOW_S, FULL_WINDOW_S = 15, 30
SHORT_AUDIO_S = 12.0
"""The short window is right only with some silence left at its end."""
LONG_STEP_S = 28.0
BEAM = 5
"""Ways to hear it that are followed; eight found no command more, and cost more."""
NEVER_TWICE = 6
"""Tokens in a row, of short audio: speeches do repeat. With several ways to follow, a short command said again is
likelier to the decoder than the silence that follows it."""
OTHERS_WITHIN = 0.5
"""Log probability of a token by which other words may be less likely than the likeliest."""
OTHERS_LEAST = -1.0
"""Below, they are guesses at noise."""
NUMBER_BITS = 48
"""Of an utterance, by chance: another engine that is asked for it must not have given that number to another one."""
MAX_HINT_TOKENS = 200
"""Of the 223 that the decoder can be told before an utterance."""
REPETITION_RATIO = 2.4
"""zlib's compression ratio above which text repeats itself; the threshold of Whisper's own decoder."""


class WhisperEngine:
    """`model` is a name of the catalogue or a folder with a CTranslate2 model; `language` "" lets it guess."""

    def __init__(self, model: str = "whisper-tiny.en", language: str = "en", threads: int = 1) -> None:
        try:
            from faster_whisper import WhisperModel
            from faster_whisper.tokenizer import Tokenizer
        except ImportError:
            raise not_installed("faster-whisper", "voice") from None
        folder = model if "/" in model else str(cache.locate(model))
        # Two threads decode one utterance no faster than one: the other core is for speaking.
        self._whisper = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=threads)
        multilingual = self._whisper.model.is_multilingual
        self._language = language
        self._tokenizer: Any = Tokenizer(
            self._whisper.hf_tokenizer, multilingual, task="transcribe", language=language or "en"
        )
        self._suppressed = [-1, *self._special_tokens()]
        self._number = 0
        self._last: tuple[Any, float] | None = None
        self.transcribe(bytes(RATE_HZ))  # the first decode allocates; nobody should wait for that

    def transcribe(self, audio: bytes) -> dict[str, Value]:
        """What is said in 16 kHz mono int16 `audio`: {text, others, logprob, no_speech, repeated, decode_ms, number}.

        `others` are texts that it may have been as well, the likelier first; none for long audio. `logprob` is the mean
        log probability of a token (0 is certain), `no_speech` the model's own doubt, 0 to 1.
        Raises InvalidInput for half a sample or more than ten minutes.
        """
        import numpy as np

        if len(audio) % 2:
            raise InvalidInput("The audio ends in half a sample.", fix="Give 16-bit samples.")
        if len(audio) > MAX_SECONDS * RATE_HZ * 2:
            raise InvalidInput(f"The audio is longer than {MAX_SECONDS // 60} minutes.", fix="Give it in pieces.")
        began = time.perf_counter()
        samples = np.frombuffer(audio, np.int16).astype(np.float32) / 32768.0
        result = self._decode_all(samples)
        return {**result, "decode_ms": (time.perf_counter() - began) * 1000, "number": self._number}

    def again(self, number: int, hint: str) -> list[str]:
        """What utterance `number` may have been, the likeliest first, if sentences like those in `hint` are usual. None
        of it where another was heard since, or it was long. What a decoder is told to expect it also hears where it
        was not said: only what makes sense from end to end may be believed."""
        if number != self._number or self._last is None:
            return []
        encoded, seconds = self._last
        tokenizer = self._tokenizer
        before = [tokenizer.sot_prev, *tokenizer.encode(f" {hint.strip()}")[-MAX_HINT_TOKENS:]]
        texts, scores, _ = self._generate(encoded, [*before, *self._prompt(encoded)], seconds)
        return _distinct("", _near(texts, scores))

    def _decode_all(self, samples: Any) -> dict[str, Value]:
        if len(samples) <= SHORT_AUDIO_S * RATE_HZ:
            result = self._decode(samples, SHORT_WINDOW_S)
            return self._decode(samples, FULL_WINDOW_S) if result["repeated"] else result
        if len(samples) <= FULL_WINDOW_S * RATE_HZ:
            return self._decode(samples, FULL_WINDOW_S)
        pieces = [self._decode(piece, FULL_WINDOW_S) for piece in _cut_at_quiet(samples)]
        spoken = [piece for piece in pieces if piece["text"]] or pieces[:1]
        return {
            "text": " ".join(piece["text"] for piece in spoken if piece["text"]),
            "others": [],
            "logprob": sum(piece["logprob"] for piece in spoken) / len(spoken),
            "no_speech": min(piece["no_speech"] for piece in spoken),
            "repeated": any(piece["repeated"] for piece in spoken),
        }

    def _decode(self, samples: Any, window_s: int) -> dict[str, Value]:
        import numpy as np

        padded = np.zeros(window_s * RATE_HZ, np.float32)
        padded[: len(samples)] = samples
        features = self._whisper.feature_extractor(padded, padding=0)
        encoded, seconds = self._whisper.encode(features), len(samples) / RATE_HZ
        self._number = secrets.randbits(NUMBER_BITS)
        self._last = (encoded, seconds) if window_s == SHORT_WINDOW_S else None
        texts, scores, no_speech = self._generate(encoded, self._prompt(encoded), seconds)
        return {
            "text": texts[0],
            "others": _distinct(texts[0], _near(texts, scores)),
            "logprob": scores[0],
            "no_speech": no_speech,
            "repeated": _compression_ratio(texts[0]) > REPETITION_RATIO,
        }

    def _generate(self, encoded: Any, prompt: list[int], seconds: float) -> tuple[list[str], list[float], float]:
        """Texts, the log probability of a token of each, and whether it may be no speech."""
        answer = self._whisper.model.generate(
            encoded,
            [prompt],
            beam_size=BEAM,
            num_hypotheses=BEAM,
            max_length=len(prompt) + _token_bound(seconds),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            no_repeat_ngram_size=NEVER_TWICE if seconds <= SHORT_AUDIO_S else 0,
            suppress_tokens=self._suppressed,
        )[0]
        texts = [self._tokenizer.decode(tokens).strip() for tokens in answer.sequences_ids]
        scores = [_logprob(*one) for one in zip(answer.scores, answer.sequences_ids, strict=True)]
        return texts, scores, float(answer.no_speech_prob)

    def _prompt(self, encoded: Any) -> list[int]:
        tokenizer, whisper = self._tokenizer, self._whisper
        if whisper.model.is_multilingual and not self._language:
            language = whisper.model.detect_language(encoded)[0][0][0].strip("<|>")
            tokenizer.language = tokenizer.tokenizer.token_to_id(f"<|{language}|>")
        return [*tokenizer.sot_sequence, tokenizer.no_timestamps]

    def _special_tokens(self) -> list[int]:
        tokenizer = self._tokenizer
        special = (tokenizer.transcribe, tokenizer.translate, tokenizer.sot, tokenizer.sot_prev, tokenizer.sot_lm)
        return sorted({*special, *tokenizer.non_speech_tokens} - {None})


def _token_bound(seconds: float) -> int:
    """The fastest speech is about 7 tokens a second; a decoder that loops must not fill its 448."""
    return min(16 + int(10 * seconds), 440)


def _near(texts: Sequence[str], scores: Sequence[float]) -> list[str]:
    """Those that are nearly as likely as the first."""
    least = max(scores[0] - OTHERS_WITHIN, OTHERS_LEAST)
    return [text for text, score in zip(texts, scores, strict=True) if score >= least]


def _logprob(score: float, tokens: Sequence[int]) -> float:
    """Of a token, the one that ends it counted: `score` is a mean without that."""
    return float(score * len(tokens) / (len(tokens) + 1))


def _distinct(text: str, texts: Iterable[str]) -> list[str]:
    """Those that differ from `text` and one another in more than capitals and punctuation."""
    known = {_bare(one): one for one in reversed([text, *texts])}
    return [one for one in dict.fromkeys(known[_bare(one)] for one in texts) if one != text]


def _bare(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum() or char.isspace())


def _compression_ratio(text: str) -> float:
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def _cut_at_quiet(samples: Any) -> list[Any]:
    """Pieces of at most 28 s, each cut in the quietest 100 ms of its last 5 s, so that no word is halved."""
    import numpy as np

    pieces, hop = [], RATE_HZ // 10
    while len(samples) > LONG_STEP_S * RATE_HZ:
        start = int((LONG_STEP_S - 5) * RATE_HZ)
        tail = samples[start : start + 5 * RATE_HZ]
        energy = np.square(tail).reshape(-1, hop).sum(axis=1)
        cut = start + int(energy.argmin()) * hop + hop // 2
        pieces.append(samples[:cut])
        samples = samples[cut:]
    return [*pieces, samples]
