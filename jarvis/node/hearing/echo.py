"""What other rooms' loudspeakers are saying just now, so that no microphone takes them for a person. A room tells its
peers before each sentence; one that is private tells only how long it takes and whether the wake phrase is in it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from jarvis.core.codec import Limits, Value
from jarvis.core.errors import InvalidBytes
from jarvis.core.time import Clock
from jarvis.node.links.topics import Topics
from jarvis.voice.conversation import WAKE_WORD
from jarvis.voice.hearing.transcript import shared_words
from jarvis.voice.speaking.numbers import cardinal

TOPIC = "speaking"
MAX_TEXT_CHARS = 1_000
"""Of one sentence: the longest that is made at once has a few hundred."""
LIMITS = Limits(size_bytes=4 * MAX_TEXT_CHARS + 32, depth=1, items=4)
MAX_MS = 60_000
"""A longer sentence is a lie: it would make this room deaf."""
AFTER_MS = 1_000.0
"""A room reverberates, and detectors and links are late."""
HEARD_WITHIN_MS = 8_000.0
"""A text is compared when its utterance has ended, and what was heard of a loudspeaker is over since then. Longer, and
a few common words would be found in all that a room has said."""
ECHO_SHARE = 0.7
MAX_SENTENCES = 16
"""Of one peer: what it says within `HEARD_WITHIN_MS`, and more than it can."""


_FIGURES = re.compile(r"[0-9]+")
_NOON = re.compile(r"\b([ap])\.\s?m\b\.?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Saying:
    ms: int
    wakes: bool
    """The wake phrase is in it."""
    text: str | None
    """None: it is said in a private room."""


def to_value(saying: Saying) -> Value:
    return [saying.ms, saying.wakes, saying.text]


def from_value(value: Value) -> Saying:
    """Raises InvalidBytes for anything that `to_value` does not make."""
    match value:
        case [int(ms), bool(wakes), (str() | None) as text] if type(ms) is int and 0 <= ms <= MAX_MS:
            if len(text or "") <= MAX_TEXT_CHARS:
                return Saying(ms, wakes, text)
    raise InvalidBytes("That is nothing that a room says.")


@dataclass(frozen=True, slots=True)
class _Sentence:
    saying: Saying
    until_ms: float


class Echo:
    """`private` says whether this room's words may not leave it."""

    def __init__(self, topics: Topics, clock: Clock, private: Callable[[], bool]) -> None:
        self._topics, self._clock, self._private = topics, clock, private
        self._said: dict[bytes, deque[_Sentence]] = {}
        """Of members only: nobody else has a link."""
        topics.serve(TOPIC, self.delivered, LIMITS)

    def saying(self, text: str, ms: float) -> None:
        """This room is about to."""
        shown = None if self._private() else text[:MAX_TEXT_CHARS]
        said = Saying(min(max(round(ms), 0), MAX_MS), WAKE_WORD in text.lower(), shown)
        self._topics.broadcast(TOPIC, to_value(said))

    def delivered(self, peer: bytes, value: Value) -> None:
        saying = from_value(value)
        sentences = self._said.setdefault(peer, deque(maxlen=MAX_SENTENCES))
        sentences.append(_Sentence(saying, self._clock.mono_ms() + saying.ms + AFTER_MS))

    def deaf(self) -> bool:
        """Whether some room's loudspeaker says the wake phrase now."""
        return any(one.saying.wakes for sentences in self._since(0.0) for one in sentences)

    def echo(self, text: str) -> bool:
        """Whether `text`, heard without the wake word, is what rooms have just been saying."""
        rooms = (" ".join(one.saying.text or "" for one in sentences) for sentences in self._since(HEARD_WITHIN_MS))
        return any(shared_words(_spelled(text), _spelled(said)) >= ECHO_SHARE for said in rooms)

    def _since(self, ago_ms: float) -> list[list[_Sentence]]:
        """A room each."""
        from_ms = self._clock.mono_ms() - ago_ms
        return [[one for one in said if one.until_ms >= from_ms] for said in self._said.values()]


def _spelled(text: str) -> str:
    """Figures as they are said, since a voice says words and a recogniser writes figures: "6.14 p.m.", "614 PM"."""
    return _FIGURES.sub(_said, _NOON.sub(r"\1m", text))


def _said(figures: re.Match[str]) -> str:
    digits = figures[0]
    parts = [digits[:-2], digits[-2:]] if len(digits) in (3, 4) else [digits]
    return " ".join(cardinal(int(part)) for part in parts)
