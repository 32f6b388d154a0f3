"""Cuts a model's stream where a sentence ends, so that half a sentence is never spoken: a model that reaches its
length limit stops in the middle of one. Only the first sentence is given out by clauses: somebody waits for it, and it
would be spoken unfinished too. Pure."""

from __future__ import annotations

import re

END = re.compile(r"[.!?…][\"”'’)]*\s+|\n+")
CLAUSE = re.compile(r"(?<!\d)[,;:]\s+|\s[–—]\s+")
FIRST_CHARS = 20
"""Given out at a clause's end once there are so many: enough to be spoken while the rest is written."""
MAX_HELD_CHARS = 240
"""A longer stretch is given out before its sentence ends: silence would be worse."""


class Sentences:
    """Feed pieces, take whole sentences; what is given out plus what is held is always the text so far."""

    def __init__(self) -> None:
        self.held = ""
        self.given = False
        """Whether anything was given out before."""
        self._first = True
        """Still in the first sentence."""

    def feed(self, piece: str) -> str:
        """Everything up to the last sentence end, or of the first sentence up to a clause's; possibly nothing."""
        self.held += piece
        cut = 0
        for end in END.finditer(self.held):
            cut = end.end()
        if not cut and len(self.held) > MAX_HELD_CHARS:
            cut = self.held.rfind(" ") + 1 or len(self.held)
        if self.held[:cut].strip():
            self._first = False
        elif self._first:
            cut = max((clause.end() for clause in CLAUSE.finditer(self.held)), default=0)
            cut = cut if cut >= FIRST_CHARS or self.given else 0
        out, self.held = self.held[:cut], self.held[cut:]
        self.given = self.given or bool(out.strip())
        return out

    def finish(self) -> str:
        """The rest, unless it is the stump of a sentence after whole ones."""
        rest, self.held = self.held, ""
        if not self._first and not re.search(r"[.!?…][\"”'’)]*\s*$", rest):
            return ""
        return rest
