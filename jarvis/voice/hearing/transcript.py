"""What a decoder's answer is worth: was anything understood, and what of it was the wake phrase. Pure.

Whisper never says "nothing": for silence and noise it makes up "you" or "I'm going to go." The limits below lie between
what it gave for rooms, noise and doors (log probability under -1.5, or its own no-speech doubt over 0.9) and for
speech (over -0.5, doubt under 0.3, both worse with noise).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jarvis.core.codec import Value
from jarvis.core.errors import EngineFailed

_WAKE_PHRASE = re.compile(r"^\W*(?:hey|hay|hi|a|the)?\W*\b(?:jarvis|jarvis'|travis)\b[\s,.!?…-]*", re.IGNORECASE)
_WORDS = re.compile(r"[\w']+")
_NOISE_MARK = re.compile(r"^\W*[\[(♪][^\])]*[\])♪]?\W*$")


MAX_OTHERS = 8
Likeliest = Callable[[Sequence[str]], tuple[int, bool]]
"""Of several texts for the same sound, the likelier first: which one it is, by what people say here, and whether they
do say that."""


Hint = Callable[[], str]
"""Sentences and names as people say them here, as of now."""


def first(texts: Sequence[str]) -> tuple[int, bool]:
    """Nothing is known of what people say."""
    return 0, True


def no_hint() -> str:
    """Nothing is known of what people say."""
    return ""


@dataclass(frozen=True, slots=True)
class Transcript:
    text: str
    logprob: float
    no_speech: float
    decode_ms: float
    finished: float = 0.0
    """Smart Turn's probability, where it was asked."""
    chosen: bool = False
    """It is not what the decoder found likeliest."""
    strange: bool = False
    """It is none of what people say here."""

    @classmethod
    def of(cls, answer: Value, finished: float = 0.0, likeliest: Likeliest = first) -> Transcript:
        """From what the hearing engine answered. Raises EngineFailed when that makes no sense."""
        try:
            heard = [str(one) for one in (answer["text"], *answer.get("others", [])[:MAX_OTHERS])]
            if "," in heard[0]:  # a breath is written as one, too: "turn on the air, conditioning"
                heard.insert(1, heard[0].replace(",", ""))
            texts = [without_wake_phrase(one) for one in heard]
            which, known = likeliest(texts)
            return cls(
                texts[which],
                float(answer["logprob"]),
                float(answer["no_speech"]),
                float(answer["decode_ms"]),
                finished,
                chosen=which > 0,
                strange=not known,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise EngineFailed("The hearing engine's answer makes no sense.") from None

    def or_among(self, texts: Sequence[str], likeliest: Likeliest) -> Transcript:
        """One of `texts`, where people say that here, else this. Raises EngineFailed for what are no texts."""
        if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
            raise EngineFailed("The hearing engine's answer makes no sense.")
        others = [without_wake_phrase(one) for one in texts[:MAX_OTHERS]]
        which, known = likeliest([self.text, *others])
        return replace(self, text=others[which - 1], chosen=True, strange=not known) if which else self

    @property
    def understood(self) -> bool:
        """Whether somebody said this, as opposed to the decoder making it up."""
        if not any(map(str.isalnum, self.text)) or _NOISE_MARK.match(self.text):
            return False
        if self.no_speech > 0.85:
            return self.logprob > -0.45 and len(self.text.split()) > 1
        return self.logprob > (-0.9 if self.no_speech > 0.6 else -1.3)


def without_wake_phrase(text: str) -> str:
    """The text without a leading "Hey Jarvis", which is sometimes heard once more."""
    rest = _WAKE_PHRASE.sub("", text, count=1).strip()
    return rest[:1].upper() + rest[1:] if rest and rest != text else rest


def shared_words(text: str, said: str) -> float:
    """How much of `text` was in `said`, 0 to 1: our own voice, heard by our own ears, is what we are saying."""
    words, of = _WORDS.findall(text.lower()), Counter(_WORDS.findall(said.lower()))
    return sum((Counter(words) & of).values()) / len(words) if words else 0.0
