"""The providers of language models that come with Jarvis, by name, and how one is made of its settings. A plugin offers
others in the same form (`jarvis.plugins.kinds.ModelProvider`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jarvis.assistant.language.model import LanguageModel
from jarvis.assistant.providers import anthropic_model, ollama_model
from jarvis.assistant.providers.anthropic_model import AnthropicModel
from jarvis.assistant.providers.calls import Headers
from jarvis.assistant.providers.keys import find_key
from jarvis.assistant.providers.ollama_model import OllamaModel
from jarvis.assistant.providers.openai_model import OpenAIModel
from jarvis.core.errors import BadConfiguration
from jarvis.plugins.kinds import ModelProvider


def _key_headers(settings: Mapping[str, str], header: str, before: str = "") -> Headers:
    """The key is read at each call: a new one holds at once, and none is kept in memory meanwhile."""
    name, key_file = settings["name"], settings.get("key_file", "")

    def headers() -> Mapping[str, str]:
        key = find_key(name, Path(key_file) if key_file else None)
        return {header: before + key} if key else {}

    return headers


def _openai(settings: Mapping[str, str]) -> LanguageModel:
    if not settings["url"]:
        raise BadConfiguration(f"{settings['name']} needs a url.", fix="Such as https://api.openai.com/v1.")
    return OpenAIModel(
        settings["url"],
        settings["model"],
        name=settings["name"],
        headers=_key_headers(settings, "Authorization", "Bearer "),
        context_tokens=int(settings["context_tokens"]),
        max_tokens=int(settings["max_tokens"]),
        trusted=settings["trusted"] == "yes",
    )


def _anthropic(settings: Mapping[str, str]) -> LanguageModel:
    if not settings["model"]:
        raise BadConfiguration(f"{settings['name']} needs a model.", fix="Its provider's documentation names them.")
    return AnthropicModel(
        settings["model"],
        url=settings["url"] or anthropic_model.DEFAULT_URL,
        name=settings["name"],
        headers=_key_headers(settings, "x-api-key"),
        context_tokens=int(settings["context_tokens"]),
        max_tokens=int(settings["max_tokens"]),
        trusted=settings["trusted"] == "yes",
    )


def _ollama(settings: Mapping[str, str]) -> LanguageModel:
    return OllamaModel(
        settings["url"] or ollama_model.DEFAULT_URL,
        settings["model"],
        name=settings["name"],
        context_tokens=int(settings["context_tokens"]),
        max_tokens=int(settings["max_tokens"]),
        trusted=settings["trusted"] == "yes",
        headers=_key_headers(settings, "Authorization", "Bearer "),
    )


PROVIDERS: tuple[ModelProvider, ...] = (
    ModelProvider("openai", _openai),
    ModelProvider("anthropic", _anthropic),
    ModelProvider("ollama", _ollama),
)
