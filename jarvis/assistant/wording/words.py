"""Text as intents see it: lower-case words without punctuation, contractions opened, politeness and the wake phrase
taken off. Each word remembers where it stood, so that what a person dictated can be kept as it was said. Must stay
pure, and fast on any text: it runs while the person may still be speaking."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_CHARS = 1_000
"""Longer text is never an intent. Fifteen seconds of speech, the longest utterance, are about 300 characters."""

_WORD = re.compile(
    r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*|(?<=\d)\s{0,2}[-−–+*×·÷/^]\s{0,2}(?=\d)|(?<=\d) ?%|(?<!\w)[-−](?=\d)"
)
"""Words, numbers, and the signs of sums where they stand between numbers."""
_SIGNS = {
    "-": "minus", "−": "minus", "–": "minus", "+": "plus", "*": "times", "×": "times", "·": "times",
    "÷": "divided by", "/": "divided by", "^": "to the power of", "%": "percent",
}  # fmt: skip
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'"})

_OPENED = {
    "what's": "what is", "whats": "what is", "what're": "what are", "who's": "who is", "where's": "where is",
    "when's": "when is", "how's": "how is", "it's": "it is", "that's": "that is", "thats": "that is",
    "there's": "there is", "i'm": "i am", "im": "i am", "i've": "i have", "i'd": "i would", "i'll": "i will",
    "we're": "we are", "we've": "we have", "we'll": "we will", "they're": "they are", "he's": "he is",
    "she's": "she is", "doesn't": "does not", "wasn't": "was not", "haven't": "have not", "hasn't": "has not",
    "wouldn't": "would not", "shouldn't": "should not", "everyone's": "everyone is",
    "you're": "you are", "you've": "you have", "don't": "do not", "dont": "do not", "didn't": "did not",
    "didnt": "did not", "can't": "can not", "cannot": "can not", "couldn't": "could not", "won't": "will not",
    "isn't": "is not", "aren't": "are not", "let's": "let us", "nevermind": "never mind", "gimme": "give me",
    "wanna": "want to", "lemme": "let me", "timer's": "timer is", "time's": "time is", "date's": "date is",
    "weather's": "weather is", "door's": "door is", "that'll": "that will", "hot's": "hot is", "cold's": "cold is",
    "warm's": "warm is", "½": "half", "¼": "quarter",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    start: int
    """Where it began in the text it was taken from, in characters."""
    end: int


def split(text: str) -> list[Word]:
    """Every word of `text`; a contraction gives several words with one place. Text over MAX_CHARS gives none."""
    if len(text) > MAX_CHARS:
        return []
    found: list[Word] = []
    for match in _WORD.finditer(text.translate(_APOSTROPHES)):
        plain = match.group().casefold()
        opened = _OPENED.get(plain) or _SIGNS.get(plain.strip()) or unicodedata.normalize("NFKC", plain)
        for part in opened.split():
            found.append(Word(part, match.start(), match.end()))
    return found


def joined(words: Iterable[Word]) -> str:
    return " ".join(word.text for word in words)


# What recognisers write for the wake word. Only at the start, where the wake word was.
_WAKE_HEARD = ("jarvis", "jervis", "jarves", "jarvus", "javis", "travis", "charvis")
_GREETINGS = ("hey", "hi", "hello", "ok", "okay", "a", "yo")
_BEFORE = [
    tuple(phrase.split())
    for phrase in (
        "please", "um", "uh", "er", "hmm", "oh", "so", "well", "ok", "okay", "alright", "all right", "hey", "hi",
        "hello", "actually", "just", "quickly", "now", "then", "also", "and", "but", "can you", "could you",
        "would you", "will you", "can you please", "could you please", "would you please", "will you please",
        "i want you to", "i would like you to", "i need you to", "can we", "could we", "shall we", "why do not you",
        "i will", "go ahead and", "would you mind", "yes", "yeah", "sorry", "thanks", "thank you",
        "can someone", "could someone", "can somebody", "could somebody", "would you be so kind as to", "you can",
        "right", "lovely", "quick", "wait", "hang on", "ah", "erm", "listen",
        "excuse me", "be so kind and", "be so kind as to", "do me a favor and", "do me a favour and",
    )
]  # fmt: skip
_AFTER = [
    tuple(phrase.split())
    for phrase in (
        "please", "thanks", "thank you", "thanks a lot", "now", "right now", "just now", "for me", "ok", "okay",
        "will you", "would you", "can you", "could you", "at the moment", "then", "again please", "if you can",
        "quickly", "real quick", "immediately", "at once", "very much",
        "would ya", "will ya", "for us", "or what", "if you like",
        "thank you very much", "if you do not mind", "if you would", "if possible", "cheers", "mate", "buddy", "dear",
    )
]  # fmt: skip
_HESITATION = frozenset(["um", "uh", "erm", "uhm", "umm"])
"""Wherever it is said."""
_BEFORE.sort(key=len, reverse=True)
_AFTER.sort(key=len, reverse=True)


def without_politeness(words: Sequence[Word], name: str = "Jarvis") -> list[Word]:
    """`words` without wake phrase, the assistant's name, fillers and "please" around it. Never takes the last word."""
    names = {(one,) for one in _WAKE_HEARD} | {tuple(word.text for word in split(name))} - {()}
    vocatives = sorted(
        [*names, *((greeting, *one) for greeting in _GREETINGS for one in names)], key=lambda phrase: -len(phrase)
    )
    kept = [word for word in words if word.text not in _HESITATION] or list(words)
    while taken := _leading(kept, vocatives) or _leading(kept, _BEFORE):
        kept = kept[taken:]
    own = [tuple(word.text for word in split(name)) or ("jarvis",), ("jarvis",)]
    while taken := _trailing(kept, own) or _trailing(kept, _AFTER):
        if kept[-taken - 1].text == "no":
            break  # "no thanks" is an answer
        kept = kept[:-taken]
    return kept


def _leading(words: Sequence[Word], phrases: Iterable[tuple[str, ...]]) -> int:
    for phrase in phrases:
        if len(words) > len(phrase) and all(a.text == b for a, b in zip(words, phrase, strict=False)):
            return len(phrase)
    return 0


def _trailing(words: Sequence[Word], phrases: Iterable[tuple[str, ...]]) -> int:
    for phrase in phrases:
        if len(words) > len(phrase) and tuple(word.text for word in words[-len(phrase) :]) == phrase:
            return len(phrase)
    return 0
