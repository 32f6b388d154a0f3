"""Which intent a text is, with its slots: whole sentences by templates, politeness taken off first. Deterministic and
anchored at both ends: what does not fit entirely is free text and goes to a language model. Must never raise on any
text, and must stay fast: it also runs on half-recognised speech, to tell when a person is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jarvis.assistant.templates.english import DANGLING
from jarvis.assistant.templates.understanding import Match, Understanding, shipped
from jarvis.assistant.wording.words import split, without_politeness

__all__ = ["Match", "match_exactly", "match_intent"]

MAX_DANGLING = 2
"""Words left out at the end to make a sentence fit: "a timer for the"."""


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
            return replace(found, dangling=left_out > 0)
    return templates.guess(words, text, rooms)


def match_exactly(
    text: str, assistant_name: str = "Jarvis", understanding: Understanding | None = None, rooms: Sequence[str] = ()
) -> Match | None:
    """As `match_intent`, of every word as it stands."""
    words = without_politeness(split(text), assistant_name)
    return (understanding or shipped()).understand(words, text, rooms)
