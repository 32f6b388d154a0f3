"""The language models that are asked over HTTP, as the settings rank them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from jarvis.assistant.language.model import LanguageModel
from jarvis.assistant.providers.brought import BroughtModel
from jarvis.assistant.providers.careful import Careful
from jarvis.assistant.providers.offers import PROVIDERS
from jarvis.assistant.providers.ollama_model import OllamaModel
from jarvis.core.settings import LlmSettings, Settings
from jarvis.plugins.kinds import ModelProvider

BUILT_IN = frozenset(one.name for one in PROVIDERS)


def served_models(settings: Settings, offered: Callable[[], Sequence[ModelProvider]]) -> list[Careful]:
    """What `llm` lists, then Ollama at `ollama_url` unless it is listed. `offered` gives the providers of now: one that
    is not there may come with a plugin. Raises BadConfiguration for settings of which a built-in one makes nothing."""
    known, models = {one.name: one for one in offered()}, []
    for wanted in settings.llm:
        given: LanguageModel
        if wanted.provider in BUILT_IN:
            given = known[wanted.provider].make(_as_text(wanted))
        else:
            given = BroughtModel(wanted.provider, _as_text(wanted), offered)
        models.append(Careful(given, at_once=wanted.at_once, first_piece_s=wanted.first_words_s))
    if settings.ollama_url and not any(wanted.provider == "ollama" for wanted in settings.llm):
        models.append(Careful(OllamaModel(settings.ollama_url, settings.ollama_model)))
    return models


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
