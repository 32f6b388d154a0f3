"""A real node that is told what a house calls its things, and hears one that no recogniser knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jarvis.models import cache
from jarvis.testing.processes import until
from tests.home_assistant.double import TOKEN, HomeAssistantDouble, entry, state
from tests.node.speaking import file_of, spoken, voice_needed


@pytest.mark.models
def test_a_thing_with_a_name_that_nobody_else_has(home: Any, house: HomeAssistantDouble) -> None:
    voice_needed()
    sound = file_of(*spoken("What's the temperature of the EcoBee?"))
    house.states["climate.eco"] = state("climate.eco", "heat", "EcoBee", current_temperature=21.5, temperature=22)
    house.entries.append(entry("climate.eco"))
    token: Path = home.folder / "kitchen" / "keys" / "home-assistant-token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    with home.node("kitchen", env={"JARVIS_MODELS_DIR": str(cache.cache_dir())}) as kitchen:

        def heard() -> str:
            said = kitchen.call("POST", "/api/v2/voice", query={"wake": False}, audio=sound, deadline_s=60)
            return str(said["heard"]).casefold()

        assert "ecobee" not in heard(), "a recogniser does not know it"
        kitchen.set_config("home_assistant.url", house.url)
        until(lambda: kitchen.get("/api/v2/health")["components"]["home_assistant"]["state"] == "ok", 10, "connected")
        kitchen.ask("What time is it?")  # a turn: names are read after each
        until(lambda: "ecobee" in heard(), 30, "it is told what things are called")
        reply = kitchen.ask("What's the temperature of the EcoBee?")["reply"]
    assert reply == "The EcoBee measures 21.5 degrees. The EcoBee is set to 22 degrees."
