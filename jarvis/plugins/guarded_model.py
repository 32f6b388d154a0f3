"""A provider's language model, called through the guard of the plugin that brings it: whatever its code raises becomes
an error, and the next model in rank answers. What the words mean and how long they may take is decided above."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from copy import copy
from typing import Any

from jarvis.core.errors import JarvisError
from jarvis.plugins.guard import Guard, Misfit

LOOK_S = 5.0
CLOSE_S = 2.0
_END = object()


class GuardedModel:
    """As `jarvis.assistant.language.model.LanguageModel`. Raises PluginFailed when it is none, or cannot be made."""

    def __init__(
        self, make: Callable[[Mapping[str, str]], Any], settings: Mapping[str, str], guard: Guard, what: str
    ) -> None:
        self._guard, self._what = guard, what

        def made() -> tuple[Any, str, bool, int, int, bool]:
            model = make(settings)
            if not (callable(model.available) and callable(model.complete)):
                raise Misfit("it is no language model")
            about = str(model.name), bool(model.trusted), int(model.context_tokens), int(model.max_tokens)
            return model, *about, bool(getattr(model, "elsewhere", True))

        found = guard.call(what, made)
        self._model, self.name, self.trusted, self.context_tokens, self.max_tokens, self.elsewhere = found

        self.uses_tools = bool(getattr(self._model, "uses_tools", False))

    def using(self, tools: Any) -> GuardedModel:
        """The same, with tools for one answer; of a model that `uses_tools`."""
        view = copy(self)
        view._model = self._guard.call(self._what, self._model.using, tools)
        return view

    async def available(self) -> Any:
        return await self._guard.wait(self._what, self._model.available, deadline_s=LOOK_S)

    async def complete(self, messages: Sequence[Any], *, max_tokens: int, deadline_s: float) -> AsyncIterator[Any]:
        pieces = self._guard.call(
            self._what, lambda: self._model.complete(messages, max_tokens=max_tokens, deadline_s=deadline_s)
        )

        async def following() -> Any:
            return await anext(pieces, _END)

        try:
            while (piece := await self._guard.wait(self._what, following, deadline_s=deadline_s)) is not _END:
                yield piece
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                with contextlib.suppress(JarvisError):
                    await self._guard.wait(self._what, close, deadline_s=CLOSE_S)
