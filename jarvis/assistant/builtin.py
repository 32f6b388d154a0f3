"""The intents that come with Jarvis, given by the hook that plugins use too: their names are taken, and whoever offers
a skill for one of them is told so. Their sentences are files that `templates` reads by itself."""

from __future__ import annotations

from jarvis.assistant.skills.questions import OPEN
from jarvis.assistant.skills.registry import SKILLS
from jarvis.assistant.templates.understanding import ENGLISH
from jarvis.plugins.hooks import hookimpl
from jarvis.plugins.kinds import IntentPack, Metadata

PLUGIN = Metadata("intents", "1", "Time, timers, lists, notes, sums, the house, and the conversation itself.")


@hookimpl
def jarvis_intents() -> list[IntentPack]:
    taken = {intent: skill for intent, skill in SKILLS.items() if intent not in OPEN}
    return [IntentPack("built-in", ENGLISH, "", taken)]
