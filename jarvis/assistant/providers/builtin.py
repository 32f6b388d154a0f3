"""The providers of language models that come with Jarvis, given by the hook that plugins use too."""

from __future__ import annotations

from jarvis.assistant.providers.offers import PROVIDERS
from jarvis.plugins.hooks import hookimpl
from jarvis.plugins.kinds import Metadata, ModelProvider

PLUGIN = Metadata("providers", "1", "Asks language models of OpenAI's, Anthropic's and Ollama's kind.")


@hookimpl
def jarvis_model_providers() -> list[ModelProvider]:
    return list(PROVIDERS)
