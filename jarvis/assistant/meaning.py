"""What somebody means by a sentence, within its conversation: one command, several, the answer to a question back, or
what goes on from what was said before, by this session's turns, whichever rooms they are from. Pure and deterministic;
it does nothing, and where nothing fits there is no meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from jarvis.assistant.directions import meant, same
from jarvis.assistant.filling import fill_missing
from jarvis.assistant.following import follow, follow_within, goes_on, lacks_a_thing, names_several
from jarvis.assistant.house.answers import answered
from jarvis.assistant.intents import Match
from jarvis.assistant.several import Part, several
from jarvis.assistant.types import PastTurn, Request

MAX_ASKED_BACK = 3
"""Questions back for one wish: which one, in which room, and whether really."""
MAX_TOLD = 6
"""Turns that are looked at: each of them may go on from the one before."""
MAX_BACK = 3
"""Turns after which "it" is no longer what it was."""
FOLLOW_MS = 5 * 60_000
"""What was said longer ago nobody means by "it"."""
ABOUT, SAYS = "About “", "”: "
"""Around the part of a sentence that a question is about, where there were several."""

Understand = Callable[[Request], Match | None]


@dataclass(frozen=True, slots=True)
class Meant:
    """What is to be done, and the request to do it with."""

    match: Match
    request: Request


@dataclass(frozen=True, slots=True)
class Meaning:
    exactly: Understand
    """The intent of a sentence by itself, every word as it stands."""
    roughly: Understand
    """As above, or with a word that was misheard, or one left out at the end."""

    def of(self, request: Request, now_ms: int | None) -> list[Meant]:
        """In the order in which it is to be done; nothing for free text. `now_ms` is None where nobody knows."""
        past = _Past(self, request, request.turns[-MAX_TOLD:], now_ms is not None)
        return self.after(past, request, now_ms)

    def parts(self, request: Request) -> list[Part]:
        """The commands that the sentence is made of, if it is several."""

        def understand(text: str, before: Match | None) -> Match | None:
            if before is not None:
                return follow_within(text, before, rooms=request.rooms)
            part = replace(request, text=text)
            found = self.exactly(part)
            return found if found is not None and meant(found, part) else None

        return several(request.text, understand)

    def after(self, past: _Past, request: Request, now_ms: int | None) -> list[Meant]:
        """As `of`, after the turns in `past`."""
        if followed := self._following(request, now_ms, past):
            return followed
        match = self.exactly(request)
        if match is not None and meant(match, request):
            return [Meant(match, request)]
        if followed := self._following(request, now_ms, past, bare=True):
            return followed
        if parts := self.parts(request):
            return [Meant(one.match, replace(request, text=one.text)) for one in parts]
        # An answer to a question is likelier than a sentence in which a word was misheard.
        if past.asked_back and past.turns and past.turns[-1].reply.endswith("?"):
            answer = _answering(request, past.turns[-1], past.told(len(past.turns) - 1))
            if answer is not None:
                return [answer]
        match = self.roughly(request) or lacks_a_thing(request.text)
        return [Meant(match, request)] if match is not None and meant(match, request) else []

    def _following(self, request: Request, now_ms: int | None, past: _Past, *, bare: bool = False) -> list[Meant]:
        """What the sentence means after one of the last turns: after its last command, or after each where it says
        "them". Only of a thing it may be some turns ago."""
        if not past.turns or not goes_on(request.text, bare=bare):
            return []
        for at in range(len(past.turns) - 1, max(-1, len(past.turns) - 1 - MAX_BACK), -1):
            turn = past.turns[at]
            if now_ms is not None and abs(now_ms - turn.at_ms) > FOLLOW_MS:
                return []
            elsewhere = "" if same(turn.room, request.room) else turn.room
            after = [
                follow(request.text, one.match, rooms=request.rooms, said_in=elsewhere, bare=bare)
                for one in past.told(at)
            ]
            found = [one for one in after if one is not None and (at == len(past.turns) - 1 or "thing" in one.slots)]
            if found:
                return [Meant(one, request) for one in (found if names_several(request.text) else found[-1:])]
        return []


@dataclass(slots=True)
class _Past:
    """What was meant before, looked up when something goes on from it: each turn may go on from the one before."""

    meaning: Meaning
    request: Request
    turns: Sequence[PastTurn]
    clock: bool
    """Somebody knows the time."""
    asked_back: int = MAX_ASKED_BACK
    """Questions that are still looked behind."""
    known: dict[int, list[Meant]] = field(default_factory=dict)

    def told(self, at: int) -> list[Meant]:
        if at not in self.known:
            turn, before = self.turns[at], self.turns[:at]
            then = replace(self.request, text=turn.heard, room=turn.room, turns=before)
            past = _Past(self.meaning, self.request, before, self.clock, self.asked_back - 1, self.known)
            self.known[at] = self.meaning.after(past, then, turn.at_ms if self.clock else None)
        return self.known[at]


def _answering(request: Request, turn: PastTurn, before: Sequence[Meant]) -> Meant | None:
    """What was asked for before, with the sentence as the answer to the question back; and that may have been one too:
    "Unlock the door." "Which one?" "The front door." "Should I ...?" "Yes."."""
    last, asked = _asked(turn, before)
    if asked is None or not last.reply.endswith("?"):
        return None
    match = answered(asked, last, request.text) or fill_missing(asked, request.text)
    return None if match is None else Meant(match, replace(request, turns=(*request.turns[:-1], last)))


def _asked(turn: PastTurn, meant_then: Sequence[Meant]) -> tuple[PastTurn, Match | None]:
    """The question of a turn, as if nothing else had been said, and what it is about: one of its own commands."""
    if len(meant_then) < 2:
        return turn, meant_then[0].match if meant_then else None
    text, _, question = turn.reply.rpartition(ABOUT)[2].partition(SAYS)
    about = [one.match for one in meant_then if one.request.text == text]
    named = [one for one in about if str(one.slots.get("thing", "")).casefold() in question.casefold()]
    return replace(turn, heard=text, reply=question), next(iter(named or about), None)
