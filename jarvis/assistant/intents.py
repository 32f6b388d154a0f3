"""Which intent a text is, with its slots: whole sentences by templates, politeness taken off first. Deterministic and
anchored at both ends: what does not fit entirely is free text and goes to a language model. Must never raise on any
text, and must stay fast: it also runs on half-recognised speech, to tell when a person is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jarvis.assistant.templates.english import DANGLING
from jarvis.assistant.templates.understanding import Understanding, Understood, shipped
from jarvis.assistant.wording.words import split, without_politeness

MAX_DANGLING = 2
"""Words left out at the end to make a sentence fit: "a timer for the"."""


@dataclass(frozen=True, slots=True)
class Match:
    intent: str
    slots: dict[str, Any] = field(default_factory=dict)
    """`seconds`, `name`, `all` for timers; `at`, the fields of a Moment, for alarms; `text` to remember; `room` asked
    about; `day` of a date; `percent`, `far` for the volume."""
    missing: tuple[str, ...] = ()
    """Slots without which it cannot be done."""
    open_ended: bool = False
    """It ends in dictated words, so more may follow."""
    dangling: bool = False
    """A last word such as "and" or "for" was left out to make it fit."""
    confidence: float = 1.0
    """Below one where a word had to be another one to make it fit."""
    reply: str = ""
    """What to say, where the templates themselves answer."""

    @property
    def whole(self) -> bool:
        """Nothing more needs to be said."""
        return not (self.missing or self.open_ended or self.dangling) and self.confidence == 1.0


def match_intent(
    text: str, assistant_name: str = "Jarvis", understanding: Understanding | None = None, rooms: Sequence[str] = ()
) -> Match | None:
    """The intent of `text`, or None for free text. `understanding` is of templates, ours alone when it is None; `rooms`
    are the home's, for what is to be said in one of them."""
    words = without_politeness(split(text), assistant_name)
    templates = understanding or shipped()
    for left_out in range(MAX_DANGLING + 1):
        kept = words[: len(words) - left_out]
        if left_out and not (kept and words[len(kept)].text in DANGLING):
            break
        found = templates.understand(kept, text, rooms)
        if found is not None:
            return replace(_as_match(found), dangling=left_out > 0)
    guess = templates.guess(words, text, rooms)
    return None if guess is None else _as_match(guess)


def _as_match(found: Understood) -> Match:
    return Match(
        found.intent, found.slots, found.missing, found.open_ended, confidence=found.confidence, reply=found.reply
    )
