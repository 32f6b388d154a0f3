"""What language models cost: tokens read and written, answers and failures of each since the node started. Numbers
only; never a word of what was asked."""

from __future__ import annotations

from dataclasses import dataclass

from jarvis.assistant.language.model import Usage


@dataclass(slots=True)
class Spent:
    """Of one provider."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    answered: int = 0
    failed: int = 0
    """Answers that broke off or never began."""


class Spending:
    def __init__(self) -> None:
        self.of: dict[str, Spent] = {}
        """By the provider's name; as many as there are providers."""

    def add(self, provider: str, usage: Usage | None, *, ok: bool) -> None:
        """One answer; `usage` is None when nothing was read."""
        spent = self.of.setdefault(provider, Spent())
        if usage is not None:
            spent.prompt_tokens += usage.prompt
            spent.completion_tokens += usage.completion
        if ok:
            spent.answered += 1
        else:
            spent.failed += 1
