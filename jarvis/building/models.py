"""The language models that are asked over HTTP, as the settings rank them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from jarvis.assistant.language.model import LanguageModel
from jarvis.assistant.providers.brought import BroughtModel
from jarvis.assistant.providers.careful import Careful
from jarvis.assistant.providers.offers import PROVIDERS
from jarvis.core.settings import LlmSettings, Settings
from jarvis.plugins.kinds import ModelProvider

BUILT_IN = frozenset(one.name for one in PROVIDERS)
OLLAMA_TOKENS = 4096
"""Of the Ollama that nobody set up: its own windows are as small where nobody asks for more."""
Served = Mapping[LlmSettings, Careful]
"""In the order in which they are asked."""
SETTINGS = ("llm", "ollama_url", "ollama_model")
"""Those that `served_models` reads."""


def served_models(
    settings: Settings, offered: Callable[[], Sequence[ModelProvider]], before: Served = MappingProxyType({})
) -> Served:
    """What `llm` lists, then Ollama at `ollama_url` unless it is listed. `offered` gives the providers of now: one that
    is not there may come with a plugin. What is set as it was in `before` stays the same model, with what was learnt of
    it. Raises BadConfiguration for settings of which a built-in one makes nothing."""
    wanted = [*settings.llm]
    if settings.ollama_url and not any(one.provider == "ollama" for one in wanted):
        here = {"url": settings.ollama_url, "model": settings.ollama_model, "context_tokens": OLLAMA_TOKENS}
        wanted.append(LlmSettings.model_validate({"provider": "ollama", **here}))
    return {one: before.get(one) or _made(one, offered) for one in wanted}


def _made(wanted: LlmSettings, offered: Callable[[], Sequence[ModelProvider]]) -> Careful:
    if wanted.provider in BUILT_IN:
        provider = next(one for one in offered() if one.name == wanted.provider)
        given: LanguageModel = provider.make(_as_text(wanted))
    else:
        given = BroughtModel(wanted.provider, _as_text(wanted), offered)
    return Careful(given, at_once=wanted.at_once, first_piece_s=wanted.first_words_s)


def _as_text(wanted: LlmSettings) -> Mapping[str, str]:
    """As plugins get them."""
    return {
        "name": wanted.called,
        "url": wanted.url,
        "model": wanted.model,
        "key_file": str(wanted.key_file or ""),
        "context_tokens": str(wanted.context_tokens),
        "max_tokens": str(wanted.max_tokens),
        "trusted": "yes" if wanted.trusted else "no",
    }
