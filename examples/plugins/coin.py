"""An intent: "flip a coin", with the sentences that mean it and the skill that does it."""

from __future__ import annotations

import secrets
from typing import Any

from jarvis.plugins.hooks import hookimpl
from jarvis.plugins.kinds import IntentPack, Metadata

PLUGIN = Metadata(name="coin", version="1.0", summary="Flips a coin when somebody says so.")

SENTENCES = """
language = "en"

[[intent]]
name = "coin_flip"
sentences = ["(flip|toss|throw) (a|the|my) coin [for (me|us)]", "heads or tails"]
"""


async def coin_flip(match: Any, request: Any, home: Any) -> str:
    return f"It's {secrets.choice(('heads', 'tails'))}."


@hookimpl
def jarvis_intents() -> list[IntentPack]:
    return [IntentPack("coin", "en", SENTENCES, {"coin_flip": coin_flip})]
