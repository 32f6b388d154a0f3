"""How many tokens a text is for a model: estimated from its bytes, and corrected by what the model itself counted in
earlier prompts. Each model counts in its own way; loading its tokenizer for the sake of a bound would cost more than
the bound saves. Pure."""

from __future__ import annotations

import math
from collections import deque

from jarvis.assistant.language.model import Message

OVERHEAD_TOKENS = 8
"""Role and separators of one message in the usual chat templates."""
REMEMBERED = 8
"""Counts that a correction rests on; the least favourable of them decides."""
LEAST_SAMPLE = 100
"""Estimated tokens: in a shorter prompt the template outweighs the text."""
MARGIN = 1.05
LEAST_FACTOR, MOST_FACTOR = 0.6, 3.0
"""A server that counts only what its cache did not hold must not make us believe in a window without end."""


def estimated_tokens(message: Message) -> int:
    """About 4 bytes of English are a token; taken as 3. Other scripts take up to a token for each byte or two."""
    text = message["content"]
    return OVERHEAD_TOKENS + len(text.encode("utf-8", "replace")) // (3 if text.isascii() else 2)


class TokenScale:
    """One model's own tokens for each that is estimated."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def factor(self) -> float:
        """In steps of a tenth, so that it seldom changes: each change may move what a prompt begins with."""
        if not self._seen:
            return 1.0
        factor = math.ceil(max(self._seen) * MARGIN * 10) / 10
        return min(MOST_FACTOR, max(LEAST_FACTOR, factor))

    def learn(self, estimated: int, counted: int) -> None:
        """A prompt that was estimated so had so many tokens."""
        if estimated >= LEAST_SAMPLE and counted > 0:
            self._seen.append(counted / estimated)
