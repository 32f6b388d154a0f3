"""What was asked for, completed by the answer to a question back: "For how long?", "Which one?", "What should I put on
the list?". Such an answer is no sentence ("the pasta one", "seven"), and what it means depends on what was asked, so it
is read here and not by templates. Pure; an answer that does not fit is None, and is then taken as itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from jarvis.assistant.intents import Match
from jarvis.assistant.templates.english import list_items
from jarvis.assistant.templates.graph import Heard
from jarvis.assistant.wording.durations import parse_duration
from jarvis.assistant.wording.moments import when_at
from jarvis.assistant.wording.words import split, without_politeness

MAX_NAME_WORDS = 4
"""A timer's name is "pasta" or "front door parcel"; more is a sentence about something else."""
_BEFORE = ("for", "about", "make", "it", "the", "that", "my")
_NO_NAMES = frozenset("a an the my our your for new another that this about around roughly exactly".split())  # noqa: SIM905
_ASKS = frozenset("what who why when where which how is are can could will does did tell".split())  # noqa: SIM905
"""A sentence that begins so is nothing to put on a list."""
_ALL = ("all", "both", "all of them", "both of them", "every one", "everything")


def fill_missing(asked: Match, text: str) -> Match | None:
    """`asked` with what `text` says; None when `text` is something else."""
    words = without_politeness(split(text))
    while len(words) > 1 and words[0].text in _BEFORE:
        words = words[1:]
    texts = [word.text for word in words]
    if not texts:
        return None
    if asked.intent == "timer_set" and "seconds" in asked.missing:
        seconds = parse_duration(texts)
        return None if seconds is None else _with(asked, seconds=seconds)
    if asked.intent in ("remember", "announce") and "text" in asked.missing:
        return _with(asked, text=text.strip().rstrip(".!"))
    if asked.intent == "alarm_set" and "at" in asked.missing:
        return _at(asked, texts)
    if asked.intent in ("list_add", "list_create") and "items" not in asked.slots:
        several = [] if texts[0] in _ASKS else list_items(Heard(text, words, tuple(texts)))
        return Match("list_add", {**asked.slots, "items": several}) if several else None
    if asked.intent in ("timer_add", "timer_take", "timer_pause", "timer_resume"):
        return _which(asked, texts, "length")
    if asked.intent == "timer_cancel":
        if " ".join(texts) in _ALL:
            return Match("timer_cancel", {"all": True})
        return _which(Match("timer_cancel"), texts, "seconds")
    return None


def _with(asked: Match, **slots: object) -> Match:
    return Match(asked.intent, {**asked.slots, **slots})


def _at(asked: Match, texts: Sequence[str]) -> Match | None:
    """A time of day for an alarm; "in ten minutes" makes it a timer."""
    seconds = parse_duration(texts[texts[0] == "in" :])
    if seconds is not None:
        return Match("timer_set", {**asked.slots, "seconds": seconds})
    when = when_at(texts, 0)
    if when is None or when[2] != len(texts):
        return None
    slots = {slot: value for slot, value in asked.slots.items() if slot != "day"}
    moment = when[0] if when[0].day or when[1] else replace(when[0], day=asked.slots.get("day"))
    every = {"every": list(when[1])} if when[1] else {}
    return Match("alarm_set", {**slots, "at": asdict(moment), **every})


def _which(asked: Match, texts: Sequence[str], length: str) -> Match | None:
    """`asked` of the timer that was meant, by its length or its name."""
    kept = texts[:-1] if texts[-1] in ("timer", "one") else texts
    seconds = parse_duration(kept)
    if seconds is not None:
        return _with(asked, **{length: seconds})
    name = _name(kept) if len(kept) <= MAX_NAME_WORDS else ""
    return _with(asked, name=name) if name else None


def _name(words: Sequence[str]) -> str:
    """A timer's name without articles; empty for words that name nothing."""
    while words and words[0] in _NO_NAMES:
        words = words[1:]
    kept = " ".join(words)
    return "" if kept in ("me", "it", "us", "timer", "one", "please") else kept
