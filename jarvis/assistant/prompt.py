"""The conversation as a language model sees it: a head that never changes, so that the model's cached work on it
holds, then as many of the last turns as fit. Pure; counts tokens only roughly, and too many rather than
too few, since each model counts in its own way."""

from __future__ import annotations

from collections.abc import Sequence

from jarvis.assistant.language import Message
from jarvis.assistant.types import PastTurn, Request

OVERHEAD_TOKENS = 8
"""Role and separators of one message in the usual chat templates."""
DROP_TURNS = 4
"""Old turns leave this many at a time: in between, the prompt only grows at its end and stays cached."""
MAX_TEXT_CHARS = 2_000
"""Of one message. A person speaks about 300 in one utterance; what is pasted may be longer and is cut."""


def head(request: Request) -> str:
    """The same for every turn and room. Short and plain on purpose: told of its room, the small model says that it is
    a kitchen."""
    return (
        f"You are {request.assistant_name}, a friendly voice assistant. "
        "Answer in one or two short spoken sentences, without lists or markup. "
        "You have no sensors, no internet and no control over devices: when asked for such things, say that you can't."
    )


def messages_for(request: Request, context_tokens: int, max_tokens: int) -> list[Message]:
    """Head, the last turns that fit beside an answer of `max_tokens`, and what was just said."""
    system: Message = {"role": "system", "content": head(request)}
    now: Message = {"role": "user", "content": request.text[:MAX_TEXT_CHARS]}
    left = context_tokens - max_tokens - _tokens(system) - _tokens(now)
    pairs = [_pair(turn) for turn in request.turns if turn.heard and turn.reply]
    costs = [sum(map(_tokens, pair)) for pair in pairs]
    first = 0
    while first < len(pairs) and sum(costs[first:]) > left:
        first = min(first + DROP_TURNS, len(pairs))
    return [system, *(message for pair in pairs[first:] for message in pair), now]


def without_oldest(messages: Sequence[Message]) -> list[Message] | None:
    """The same with the older half of the past turns left out; None when there are none left."""
    turns = (len(messages) - 2) // 2
    if turns < 1:
        return None
    return [messages[0], *messages[1 + 2 * ((turns + 1) // 2) :]]


def _pair(turn: PastTurn) -> list[Message]:
    return [
        {"role": "user", "content": turn.heard[:MAX_TEXT_CHARS]},
        {"role": "assistant", "content": turn.reply[:MAX_TEXT_CHARS]},
    ]


def _tokens(message: Message) -> int:
    """About 4 bytes of English are a token; taken as 3. Other scripts take up to a token for each byte or two."""
    text = message["content"]
    return OVERHEAD_TOKENS + len(text.encode("utf-8", "replace")) // (3 if text.isascii() else 2)
