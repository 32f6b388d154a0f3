"""Cuts a model's stream where a sentence ends, so that half a sentence is never spoken: a model that reaches its
length limit stops in the middle of one. Pure."""

from __future__ import annotations

import re

END = re.compile(r"[.!?…][\"”'’)]*\s+|\n+")
MAX_HELD_CHARS = 240
"""A longer stretch is given out before its sentence ends: silence would be worse."""


class Sentences:
    """Feed pieces, take whole sentences; what is given out plus what is held is always the text so far."""

    def __init__(self) -> None:
        self.held = ""
        self.given = False
        """Whether a sentence was given out before."""

    def feed(self, piece: str) -> str:
        """Everything up to the last sentence end, possibly nothing."""
        self.held += piece
        cut = 0
        for end in END.finditer(self.held):
            cut = end.end()
        if not cut and len(self.held) > MAX_HELD_CHARS:
            cut = self.held.rfind(" ") + 1 or len(self.held)
        out, self.held = self.held[:cut], self.held[cut:]
        self.given = self.given or bool(out.strip())
        return out

    def finish(self) -> str:
        """The rest, unless it is the stump of a sentence after whole ones."""
        rest, self.held = self.held, ""
        if self.given and not re.search(r"[.!?…][\"”'’)]*\s*$", rest):
            return ""
        return rest
