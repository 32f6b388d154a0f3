"""All skills of ours by their intent. A skill gets its slots, the request and the home, and returns one reply. It never
asks a language model and never invents: what it cannot know, it says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from jarvis.assistant.house.phrases import SKILLS as HOUSE
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.alarms import SKILLS as ALARMS
from jarvis.assistant.skills.aloud import SKILLS as ALOUD
from jarvis.assistant.skills.clock import SKILLS as CLOCK
from jarvis.assistant.skills.conversation import SKILLS as CONVERSATION
from jarvis.assistant.skills.knowledge import SKILLS as KNOWLEDGE
from jarvis.assistant.skills.lists import SKILLS as LISTS
from jarvis.assistant.skills.memory import SKILLS as MEMORY
from jarvis.assistant.skills.questions import SKILLS as QUESTIONS
from jarvis.assistant.skills.reminders import SKILLS as REMINDERS
from jarvis.assistant.skills.said import Said
from jarvis.assistant.skills.sums import SKILLS as SUMS
from jarvis.assistant.skills.timers import SKILLS as TIMERS
from jarvis.assistant.types import Home, Request

Skill = Callable[[Match, Request, Home], Awaitable[Said]]

SKILLS: dict[str, Skill] = {
    **TIMERS,
    **ALARMS,
    **REMINDERS,
    **ALOUD,
    **CLOCK,
    **LISTS,
    **MEMORY,
    **SUMS,
    **QUESTIONS,
    **KNOWLEDGE,
    **CONVERSATION,
    **HOUSE,
}
