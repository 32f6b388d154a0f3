"""How loud this room is, and what is said aloud in others."""

from __future__ import annotations

from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import Said, a_list, capital, the
from jarvis.assistant.types import Home, Request

STEP, FAR_STEP = 10, 25
"""Of the volume, in percent."""


async def volume(match: Match, request: Request, home: Home) -> Said:
    before = await home.volume()
    if match.intent == "volume_tell":
        return Said(f"The volume is at {before} percent.")
    step = FAR_STEP if match.slots.get("far") else STEP
    wanted = {"volume_up": before + step, "volume_down": before - step}.get(match.intent)
    if wanted is None:
        wanted = round(match.slots["percent"])
        if not 0 <= wanted <= 100:
            return Said("The volume goes from 0 to 100 percent.")
    elif before == max(0, min(100, wanted)):
        return Said("I can't get any louder." if match.intent == "volume_up" else "I am silent already.")
    await home.set_volume(max(0, min(100, wanted)))
    after = await home.volume()
    if after != max(0, min(100, wanted)):
        return Said(f"The volume stays at {after} percent: this device's own settings say so.")
    return Said(f"The volume is at {after} percent.")


async def announce(match: Match, request: Request, home: Home) -> Said:
    if "text" in match.missing:
        return Said("What should I announce?", asks=True)
    done = await home.announce(capital(str(match.slots["text"])), match.slots.get("room"))
    quiet = f"it is quiet hours in {a_list(map(the, done.quiet))}" if done.quiet else ""
    if not done.rooms:
        return Said(f"I did not: {quiet}." if quiet else "There is no other room that could hear it.")
    return Said(f"Announced in {a_list(map(the, done.rooms))}{f', but {quiet}' if quiet else ''}.")


SKILLS = {
    "volume_set": volume,
    "volume_up": volume,
    "volume_down": volume,
    "volume_tell": volume,
    "announce": announce,
}
