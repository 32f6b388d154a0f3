"""The language models that are asked over HTTP, as the settings rank them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jarvis.assistant.providers.careful import Careful
from jarvis.assistant.providers.offers import PROVIDERS
from jarvis.assistant.providers.ollama_model import OllamaModel
from jarvis.core.errors import BadConfiguration
from jarvis.core.settings import LlmSettings, Settings
from jarvis.plugins.kinds import ModelProvider


def served_models(settings: Settings, offered: Sequence[ModelProvider] = ()) -> list[Careful]:
    """What `llm` lists, then Ollama at `ollama_url` unless it is listed; `offered` come from plugins. Raises
    BadConfiguration for a provider that there is not, and for settings of which none can be made."""
    known = {one.name: one for one in (*offered, *PROVIDERS)}
    models = []
    for wanted in settings.llm:
        provider = known.get(wanted.provider)
        if provider is None:
            raise BadConfiguration(
                f"There is no provider of language models {wanted.provider!r}.", fix=f"There are {', '.join(known)}."
            )
        models.append(
            Careful(provider.make(_as_text(wanted)), at_once=wanted.at_once, first_piece_s=wanted.first_words_s)
        )
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
