"""What is to be seen in a picture, in a language model's words. A picture leaves this device only where somebody has
allowed it; the model gets nothing but the picture and the wish, no tools, and what it says is text and nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import structlog

from jarvis.assistant.language.model import LanguageModel, Message, Usage, closing
from jarvis.assistant.language.spending import Spending
from jarvis.core.errors import JarvisError

MAX_CHARS = 800
"""Of a caption; more is no caption. It makes one chunk."""
MAX_TOKENS = 200
DEADLINE_S = 60.0
"""For one picture: nobody waits, but other files do."""
WISH = (
    "Describe this picture for somebody who will search for it later: what it shows, where, and any text that can be "
    "read in it. Two or three plain sentences. Say nothing of what you cannot see."
)
HERE, EVERYWHERE, NOWHERE = "here", "yes", "no"
"""Who may be shown a picture: a server on this device, any that is set, none."""

log = structlog.get_logger()


class Captions:
    """`models` gives those that see pictures now, in the order of preference; `allowed` HERE, EVERYWHERE or NOWHERE."""

    def __init__(
        self,
        models: Callable[[], Sequence[LanguageModel]],
        spending: Spending,
        allowed: Callable[[], Awaitable[str]],
        *,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._models, self._spending, self._allowed, self._deadline_s = models, spending, allowed, deadline_s

    async def hindrance(self) -> str:
        """Why none can be had now, in a sentence; "" when it is worth trying."""
        allowed = await self._allowed()
        if allowed == NOWHERE:
            return "Without a caption: knowledge.captions is no."
        if not self._models():
            return "Without a caption: no language model that can see is set."
        asked = await self._asked()
        if not asked:
            return "Without a caption: the model that can see is elsewhere, and knowledge.captions is not yes."
        found = [await model.available() for model in asked]
        return "" if any(one.ok for one in found) else f"Without a caption: {found[0].reason}"

    async def describe(self, picture: bytes) -> tuple[str, str] | None:
        """A caption of this JPEG, and who says so; None when nobody gave one in time."""
        message = {"role": "user", "content": WISH, "image": picture}
        try:
            async with asyncio.timeout(self._deadline_s):
                for model in await self._asked():
                    if words := await self._told(model, message):
                        return words, model.name
        except TimeoutError:
            log.info("no caption in time")
        return None

    async def _asked(self) -> Sequence[LanguageModel]:
        everywhere = await self._allowed() == EVERYWHERE
        return [one for one in self._models() if everywhere or not getattr(one, "elsewhere", True)]

    async def _told(self, model: LanguageModel, message: dict[str, Any]) -> str:
        words, told, ok = "", None, False
        if not (await model.available()).ok:
            return ""
        try:
            asked = cast(Sequence[Message], [message])
            stream = model.complete(asked, max_tokens=MAX_TOKENS, deadline_s=self._deadline_s)
            async with closing(stream):
                async for piece in stream:
                    if isinstance(piece, Usage):
                        told = piece
                    else:
                        words += piece
                    if len(words) > MAX_CHARS:
                        break
            ok = True
        except JarvisError as error:
            log.info("no caption", model=model.name, error=type(error).__name__)
            words = ""
        finally:
            self._spending.add(model.name, told, ok=ok)
        return _tidy(words)


def _tidy(words: str) -> str:
    """One paragraph, whole words."""
    plain = " ".join("".join(one if one.isprintable() else " " for one in words).split())
    return plain if len(plain) <= MAX_CHARS else plain[:MAX_CHARS].rpartition(" ")[0] + " …"
