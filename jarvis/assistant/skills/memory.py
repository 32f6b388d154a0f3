"""What people asked the home to remember: kept in their words, told again, and forgotten when they say so. It forgets
nothing that it has not named, and never more than it was asked to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from jarvis.assistant.intents import Match
from jarvis.assistant.language.chat import asks
from jarvis.assistant.skills.said import MAX_SPOKEN, Said
from jarvis.assistant.types import Home, Request
from jarvis.assistant.wording.words import split

MAX_REMEMBERED_CHARS = 500
"""Of one note: half a minute of speech."""
_EMPTY = frozenset("a an the my our your his her their of is are was were in on at to for and that it".split())  # noqa: SIM905
"""Words that say nothing about what a note is about."""
_ASKING = frozenset(
    "what which who whose where when why how do does did can could will would should have has had i we you me us"  # noqa: SIM905
    " tell know there many much again".split()
)


async def remember(match: Match, request: Request, home: Home) -> Said:
    if "text" in match.missing:
        return Said("What should I remember?", asks=True)
    text = str(match.slots["text"])
    if len(text) > MAX_REMEMBERED_CHARS:
        return Said("That is too long for me to remember. Please tell me in fewer words.")
    await home.remember(text)
    return Said(f"I'll remember: {text}.")


async def recall(match: Match, request: Request, home: Home) -> Said:
    texts = await home.remembered()
    about = match.slots.get("about")
    if about is not None:
        texts = _about(texts, str(about))
        if not texts:
            return Said(f"You have not asked me to remember anything about {about}.")
    if not texts:
        return Said("You have not asked me to remember anything.")
    told = "; ".join(texts[-MAX_SPOKEN:])
    older = len(texts) - MAX_SPOKEN
    more = f" And {older} older {'thing' if older == 1 else 'things'}." if older > 0 else ""
    return Said(f"You asked me to remember: {told}.{more}")


async def forget(match: Match, request: Request, home: Home) -> Said:
    """One thing at a time, unless everything is asked for: several that fit are named instead."""
    texts, about = await home.remembered(), match.slots.get("about")
    if not texts:
        return Said("There is nothing to forget: you have not asked me to remember anything.")
    if match.slots.get("all"):
        gone = await home.forget(texts)
        return Said("I forgot the one thing I remembered." if gone == 1 else f"I forgot all {gone} things.")
    chosen = _about(texts, str(about)) if about is not None else texts[-1:]
    if not chosen:
        return Said(f"You have not asked me to remember anything about {about}.")
    if len(chosen) > 1:
        told = "; ".join(chosen[-MAX_SPOKEN:])
        return Said(f"There are {len(chosen)} such things: {told}. Say which one, in more of its words.")
    await home.forget(chosen)
    return Said(f"I forgot: {chosen[0]}.")


async def remembered(question: str, home: Home) -> str | None:
    """What was remembered, where it answers `question`: a note that has every word in it that says something. None for
    what is no question, and where nothing fits."""
    wanted = _words(question, _EMPTY | _ASKING)
    if not wanted or not asks(question):
        return None
    fitting = [text for text in await home.remembered() if wanted <= _words(text)]
    return f"You asked me to remember: {'; '.join(fitting[-MAX_SPOKEN:])}." if fitting else None


SKILLS: dict[str, Callable[[Match, Request, Home], Awaitable[Said]]] = {
    "remember": remember,
    "recall": recall,
    "forget": forget,
}


def _about(texts: Sequence[str], about: str) -> list[str]:
    """Those with every word of `about` that says something."""
    wanted = _words(about)
    return [text for text in texts if wanted and wanted <= _words(text)]


def _words(text: str, empty: frozenset[str] = _EMPTY) -> set[str]:
    return {word.text.removesuffix("s") for word in split(text) if word.text not in empty}
