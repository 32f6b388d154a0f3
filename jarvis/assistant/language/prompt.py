"""The conversation as a language model sees it: a head that never changes, so that the model's cached work on it holds,
then what older turns were about in a line each, then as many of the last turns as fit. Pure, and without a model: a
summary that a model writes is one more thing it may invent, and somebody would wait for it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jarvis.assistant.language.instructions import Instructions, built_in
from jarvis.assistant.language.model import Message
from jarvis.assistant.language.tokens import estimated_tokens
from jarvis.assistant.types import PastTurn, Request

DROP_TURNS = 4
"""Old turns leave this many at a time: in between, the prompt only grows at its end and stays cached."""
MAX_TEXT_CHARS = 2_000
"""Of one message. A person speaks about 300 in one utterance; what is pasted may be longer and is cut."""
SUMMARY_SHARE = 4
"""A quarter of what is left for the past may go to the lines about older turns."""
SUMMARY_WINDOW = 2_048
"""In a smaller window the last turns need all there is."""
LINE_CHARS = 80
"""Of what was said in a turn, and of what was answered: as much as tells what it was about."""
SUMMARY_ASKS = "What did we talk about before?"


def messages_for(
    request: Request,
    context_tokens: int,
    max_tokens: int,
    *,
    factor: float = 1.0,
    tools: bool = False,
    instructions: Instructions | None = None,
) -> list[Message]:
    """Head, lines about the older turns, the last turns that fit beside an answer of `max_tokens`, and what was just
    said. `factor` is the model's own tokens for each that is estimated."""

    def cost(messages: Sequence[Message]) -> int:
        return math.ceil(factor * sum(map(estimated_tokens, messages)))

    head = (instructions or built_in()).head(request.assistant_name, tools=tools)
    system: Message = {"role": "system", "content": head}
    now: Message = {"role": "user", "content": request.text[:MAX_TEXT_CHARS]}
    left = context_tokens - max_tokens - cost([system, now])
    pairs = [_pair(turn) for turn in request.turns if turn.heard and turn.reply]
    costs = [cost(pair) for pair in pairs]
    first = _first_that_fits(costs, left)
    summary: list[Message] = []
    if first and context_tokens >= SUMMARY_WINDOW:
        first = _first_that_fits(costs, left - left // SUMMARY_SHARE)
        summary = _summary(pairs[:first], int(left // SUMMARY_SHARE / factor))
    return [system, *summary, *(message for pair in pairs[first:] for message in pair), now]


def without_oldest(messages: Sequence[Message]) -> list[Message] | None:
    """The same with the older half of the past turns left out; None when there are none left."""
    turns = (len(messages) - 2) // 2
    if turns < 1:
        return None
    return [messages[0], *messages[1 + 2 * ((turns + 1) // 2) :]]


def _first_that_fits(costs: Sequence[int], left: int) -> int:
    first = 0
    while first < len(costs) and sum(costs[first:]) > left:
        first = min(first + DROP_TURNS, len(costs))
    return first


def _summary(pairs: Sequence[Sequence[Message]], tokens: int) -> list[Message]:
    """A question and an answer, so that it is a turn like any other; nothing when not one line fits."""
    lines: list[str] = []
    for heard, reply in reversed(pairs):
        line = f"You said: {_brief(heard['content'])} I answered: {_brief(reply['content'])}"
        if estimated_tokens(_told([line, *lines])) + estimated_tokens(_ask()) > tokens:
            break
        lines.insert(0, line)
    return [_ask(), _told(lines)] if lines else []


def _ask() -> Message:
    return {"role": "user", "content": SUMMARY_ASKS}


def _told(lines: Sequence[str]) -> Message:
    return {"role": "assistant", "content": "\n".join(lines)}


def _brief(text: str) -> str:
    """The beginning, to the end of a word."""
    text = " ".join(text.split())
    return text if len(text) <= LINE_CHARS else text[:LINE_CHARS].rsplit(" ", 1)[0] + " …"


def _pair(turn: PastTurn) -> list[Message]:
    return [
        {"role": "user", "content": turn.heard[:MAX_TEXT_CHARS]},
        {"role": "assistant", "content": turn.reply[:MAX_TEXT_CHARS]},
    ]
