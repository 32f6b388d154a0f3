"""Several commands that were said at once, done in their order, and one reply of what came of them. What fails is told
by the words it was asked for with, and the rest is done all the same. Of several questions back one is asked, and it
says which command it is about; the others are told as not done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from jarvis.assistant.meaning import ABOUT, SAYS, Meant
from jarvis.assistant.replies import spoken
from jarvis.assistant.types import Reply

SEVERAL = "several"
"""The intent of a sentence that is more than one command."""


async def together(several: Sequence[Meant], do: Callable[[Meant], Awaitable[Reply]]) -> Reply:
    """What `do` does with each of them, as one reply."""
    done = [(one, await do(one)) for one in several]
    said: list[str] = []
    asked = ""
    for one, reply in done:
        text = "".join([piece async for piece in reply.pieces]).strip()
        if not reply.asks:
            said.append(text if reply.ok else f"{ABOUT}{one.request.text}{SAYS}{text}")
        elif not asked:
            asked = f"{ABOUT}{one.request.text}{SAYS}{text}"
        else:
            said.append(f"I have not done “{one.request.text}” yet: please say it again.")
    replies = [reply for _, reply in done]
    slots: dict[str, Any] = {"parts": [{"intent": one.intent, "slots": one.slots} for one in replies]}
    whole = " ".join([*dict.fromkeys(said), *([asked] if asked else [])])
    joined = spoken("intents", SEVERAL, slots, whole, ok=all(one.ok for one in replies))
    joined.closes, joined.asks = any(one.closes for one in replies) and not asked, bool(asked)
    joined.citations = tuple(citation for one in replies for citation in one.citations)
    return joined
