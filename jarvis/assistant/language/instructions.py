"""What a language model is told first, as data: the words of the head of every prompt. They change nothing but how it
speaks; what no model may be believed about, and what it may not do, is decided in code before and after. Pure, but for
reading our own words once."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from string import Formatter

from jarvis.core.errors import InvalidInput

MAX_BYTES = 2_000
"""About 500 tokens: half of the smallest window, and a second of the embedded model's time when it changes."""
ABILITIES = (
    "{who} have no sensors, no internet and no control over devices: when asked for such things, say that you can't."
)
PLACES = ("abilities", "name")
"""What is filled in: what the model can do, and what the assistant is called."""


class Instructions:
    """Raises InvalidInput for a text that cannot be used, with what is wrong in one sentence."""

    def __init__(self, text: str) -> None:
        self._text = text.removeprefix("\ufeff").strip()  # some editors begin a file so
        if not self._text:
            raise InvalidInput("it says nothing")
        if len(self._text.encode()) > MAX_BYTES:
            raise InvalidInput(f"it has more than {MAX_BYTES} bytes")
        if not all(letter.isprintable() or letter == "\n" for letter in self._text):
            raise InvalidInput("it has signs that nobody can read")
        try:
            parts = list(Formatter().parse(self._text))
        except ValueError:
            raise InvalidInput("a brace stands alone; write {{ for one that is meant") from None
        for _, name, form, conversion in parts:
            if name is not None and (name not in PLACES or form or conversion):
                known = " and ".join(f"{{{one}}}" for one in PLACES)
                raise InvalidInput(f"there is no {{{name}}}; there are {known}")

    def head(self, assistant_name: str, *, tools: bool = False) -> str:
        """The same for every turn and room, so that a server's cached work on it holds."""
        who = "Apart from your tools you" if tools else "You"
        return self._text.format(name=assistant_name, abilities=ABILITIES.format(who=who))


@cache
def built_in() -> Instructions:
    return Instructions(files("jarvis.assistant.language").joinpath("prompts", "system.txt").read_text("utf-8"))
