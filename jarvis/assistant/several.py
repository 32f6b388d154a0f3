"""Several commands in one sentence: "turn off the kitchen lights and set a timer for ten minutes". A sentence is split
only where every part is a whole command by itself, or goes on from the one before ("and the fan"), and never within
words that somebody dictates: what can be one command is one. Pure, and bounded whatever is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jarvis.assistant.intents import Match
from jarvis.assistant.wording.words import Word, joined, split, without_politeness

MAX_PARTS = 4
"""More nobody says in a breath, or keeps in mind while they are answered."""
MAX_JOINTS = 8
"""Places at which a sentence could be split; a longer story is no list of commands."""
_BEGINS = ("and", "then", "also", "plus", "afterwards", "after")
_JOINERS = (*_BEGINS, "that")
_STOPS = frozenset(",;.!?&")
_GREETINGS = (
    "good night", "good morning", "good evening", "good afternoon", "goodnight", "night", "morning", "evening",
    "afternoon", "thanks", "thank you",
)  # fmt: skip
_WHOLE_TALK = frozenset(["private", "share_again", "session_new", "continue", "go_back"])
"""These say where a whole sentence belongs, so they are not a part of one."""

Understand = Callable[[str, Match | None], Match | None]
"""What a part means by itself, or after the command before it; None where that is nothing, or not exactly known."""


@dataclass(frozen=True, slots=True)
class Part:
    text: str
    match: Match


def several(text: str, understand: Understand) -> list[Part]:
    """The commands of `text` in their order; none where it is not made of commands alone."""
    words = split(text)
    joints = [at for at in range(1, len(words)) if _is_joint(text, words, at)]
    if not joints or len(joints) > MAX_JOINTS:
        return []
    return _Splitting(text, words, joints, understand).from_word(0, None, MAX_PARTS) or []


@dataclass
class _Splitting:
    text: str
    words: Sequence[Word]
    joints: Sequence[int]
    understand: Understand
    known: dict[tuple[int, int], Match | None] = field(default_factory=dict)

    def from_word(self, at: int, before: Match | None, most: int) -> list[Part] | None:
        """The words from `at` on as at most so many parts."""
        at = self._begin(at)
        end = len(self.words)
        if at == end:
            return None  # "and" at the end: more is to come
        if self._greets(at, end):
            return []
        last = self._meaning(at, end, before)
        if last is not None:
            return [Part(self._said(at, end), last)]
        for joint in reversed([one for one in self.joints if one > at]) if most > 1 else ():
            if self._greets(at, joint):
                return self.from_word(joint, before, most)
            found = self._meaning(at, joint, before)
            if found is None or found.missing or found.dictated:
                continue
            rest = self.from_word(joint, found, most - 1)
            if rest is not None:
                return [Part(self._said(at, joint), found), *rest]
        return None

    def _meaning(self, at: int, end: int, before: Match | None) -> Match | None:
        found = None if before is None else self.understand(self._said(at, end), before)
        if found is None and (at, end) not in self.known:
            self.known[at, end] = self.understand(self._said(at, end), None)
        found = found or self.known[at, end]
        return None if found is None or found.intent in _WHOLE_TALK or found.dangling else found

    def _begin(self, at: int) -> int:
        """Without the words that join."""
        if at and self.words[at].text in _BEGINS:
            while at < len(self.words) and self.words[at].text in _JOINERS:
                at += 1
        return at

    def _greets(self, at: int, end: int) -> bool:
        return joined(without_politeness(self.words[at:end])) in _GREETINGS

    def _said(self, at: int, end: int) -> str:
        return self.text[self.words[at].start : self.words[end - 1].end]


def _is_joint(text: str, words: Sequence[Word], at: int) -> bool:
    """Whether a part may begin at this word; a contraction is not torn apart."""
    between = text[words[at - 1].end : words[at].start]
    if words[at].start == words[at - 1].start:
        return False
    return (words[at].text in _BEGINS and words[at - 1].text not in _BEGINS) or not _STOPS.isdisjoint(between)
