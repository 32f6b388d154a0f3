"""Replies that code makes, and the sentences for an answer that cannot be given or ends too soon. What is said is kept
in the reply as it goes out, piece by piece."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from jarvis.assistant.language.model import closing
from jarvis.assistant.types import Reply

NO_MODEL = "I can only help with simple things right now, because no language model is available."
BROKE_OFF = "Sorry, my language model stopped in the middle of that."
FAILED = "Sorry, my language model failed, so I can't answer that."
TOO_LONG = "Sorry, that is too long for me."
NOT_HEARD = "Sorry, I didn't hear anything."
APOLOGIES = (NO_MODEL, BROKE_OFF, FAILED, TOO_LONG, NOT_HEARD)
"""Worth having as sound, since what fails may take the voice with it."""
_MUTE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd]+")


def spoken(provider: str, intent: str | None, slots: Mapping[str, Any], text: str, *, ok: bool = True) -> Reply:
    """All of it at once."""
    reply = Reply("intent", provider, intent, dict(slots), pieces=nothing(), ok=ok)
    reply.pieces = recorded(reply, _one(text))
    return reply


async def recorded(reply: Reply, pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """Passes pieces on and keeps them in `reply.said`; closing it closes what is below, down to the model."""
    async with closing(pieces):
        async for piece in pieces:
            piece = sayable(piece)
            reply.said.append(piece)
            yield piece


def sayable(text: str) -> str:
    """Without signs that have no sound or no bytes, such as half of a pair of JSON's surrogates or a terminal's
    commands: whatever a model or a plugin gives, it can be kept and sent."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _MUTE.sub(" ", whole)


async def nothing() -> AsyncIterator[str]:
    """Until there is something to say."""
    return
    yield ""  # makes it a generator


async def _one(text: str) -> AsyncIterator[str]:
    yield text
