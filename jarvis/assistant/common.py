"""What is said most: the sentences worth having as sound before anybody waits for them. Apologies come first, because
they are needed when the voice can make no more. Pure; it says nothing itself."""

from __future__ import annotations

from jarvis.assistant.replies import BROKE_OFF, FAILED, NO_MODEL, NOT_HEARD
from jarvis.assistant.skills.questions import NO_WEATHER
from jarvis.assistant.wording.durations import say_duration

MINUTES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 45, 60, 90, 120)
"""Of the timers that kitchens set."""


def common_replies() -> list[str]:
    """As the skills say them, the most needed first."""
    lengths = [say_duration(60 * minutes) for minutes in MINUTES]
    return [
        NO_MODEL,
        FAILED,
        BROKE_OFF,
        NOT_HEARD,
        "Okay.",
        *(f"Timer set for {length}." for length in lengths),
        "There are no timers.",
        "There are no timers to cancel.",
        "For how long?",
        "What should I remember?",
        *(f"Cancelled the {length.rstrip('s')} timer." for length in lengths if " and " not in length),
        "You have not asked me to remember anything.",
        "I can't do that.",
        "Ask me what I can do.",
        NO_WEATHER,
        "I can't tell: I have no live information.",
        "I can't tell: I don't know, and I would rather not guess.",
        "I can't tell: I don't trust myself with calculations.",
    ]
