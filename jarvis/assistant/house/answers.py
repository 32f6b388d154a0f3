"""What a short answer means after a question about the home's things: yes to "Should I unlock the front door?", a name
to "Which one?", a room to "In which room?". Pure. Only what is plainly a yes is one."""

from __future__ import annotations

from dataclasses import replace

from jarvis.assistant.house.names import plain
from jarvis.assistant.intents import Match
from jarvis.assistant.types import PastTurn
from jarvis.assistant.wording.words import joined, split, without_politeness

ASKED = "Should I "
WHICH_THING = "Which thing do you mean?"
"""Asked where somebody said "it", and nothing before says what."""
MAX_WORDS = 6
"""A longer sentence is no name."""
YES = frozenset(
    [
        "yes", "yes please", "yes do it", "yes do that", "yes you should", "yeah", "yep", "yup", "sure", "please do",
        "do it", "do that", "go ahead", "yes go ahead", "of course", "okay", "ok", "confirm", "confirmed", "correct",
        "yes sure", "yes jarvis", "absolutely", "definitely", "yes yes",
    ]
)  # fmt: skip
NO = frozenset(["no", "nope", "no thanks", "no thank you", "do not", "no do not", "better not", "nah", "please do not"])
_ALL = frozenset(["all", "both", "all of them", "both of them", "every one", "everything"])


def agrees(text: str) -> bool:
    """Whether it is a yes, and nothing but that."""
    return joined(split(text)) in YES


def answered(asked: Match, last: PastTurn, text: str) -> Match | None:
    """`asked` completed by `text`, where `last` ended with a question about it; None for something else."""
    said = joined(split(text))
    if last.reply.startswith(ASKED):
        if agrees(text):
            return replace(asked, slots={**asked.slots, "confirmed": True})
        return Match("never_mind") if said in NO else None
    said = joined(without_politeness(split(text)))
    if not said or len(said.split()) > MAX_WORDS:
        return None
    if last.reply.startswith("Which one: ") or last.reply == WHICH_THING:
        if said in _ALL:
            return replace(asked, slots={**asked.slots, "all": True})
        thing, _, area = plain(said.removesuffix(" one")).partition(" in ")
        named = {} if thing == "one" else {"thing": thing}
        return replace(asked, slots={**asked.slots, **named, **({"area": plain(area)} if area else {})}, missing=())
    if last.reply == "In which room?":
        return replace(asked, slots={**asked.slots, "area": plain(said.removeprefix("in "))})
    return None
