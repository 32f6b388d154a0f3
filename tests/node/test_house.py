"""A real node and a double of Home Assistant: set up by commands, talked to, and nothing said that should not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jarvis.testing.processes import NodeProcess, until
from tests.home_assistant.double import TOKEN, HomeAssistantDouble


def part(node: NodeProcess) -> dict[str, Any]:
    found = node.get("/api/v2/health")["components"]["home_assistant"]
    assert isinstance(found, dict)
    return found


def test_a_node_speaks_for_the_house(home: Any, house: HomeAssistantDouble) -> None:
    with home.node("kitchen") as kitchen:
        assert part(kitchen)["state"] == "off"
        assert kitchen.ask("Is the front door locked?")["reply"].startswith("I can't tell")
        kitchen.set_config("home_assistant.url", house.url)
        until(lambda: part(kitchen)["state"] == "degraded", 10, "it misses the token")
        token: Path = home.folder / "kitchen" / "keys" / "home-assistant-token"
        token.write_text(TOKEN + "\n")
        token.chmod(0o600)
        kitchen.set_config("home_assistant.url", house.url + "/")  # looked at once, not only in ten seconds
        until(lambda: part(kitchen)["state"] == "ok", 10, "it is connected")

        assert kitchen.get("/api/v2/config/home_assistant.url")["source"] == "local"
        assert kitchen.ask("Is the front door locked?")["reply"] == "Yes, the Front door is locked."
        asked = kitchen.ask("Unlock the front door")
        assert (asked["intent"], asked["reply"]) == ("home_unlock", "Should I unlock the Front door?")
        assert kitchen.ask("Yes please", asked["session_id"])["reply"] == "The Front door is unlocked."
        house.refuses["light.turn_on"] = ("home_assistant_error", "The bridge is offline")
        refused = kitchen.ask("Turn on the kitchen light")
        assert refused["reply"].startswith("Sorry") and "The bridge is offline" in refused["reply"]

        rows = [(row["target"], row["outcome"]) for row in kitchen.get("/api/v2/audit", action="house.act")]
        assert rows == [("lock.unlock", "ok"), ("light.turn_on", "failed")]
        assert "front" not in str(kitchen.get("/api/v2/audit")).lower()
        assert TOKEN not in kitchen.stderr + str(kitchen.get("/api/v2/config")) + str(part(kitchen))


def test_nobody_else_sets_where_the_token_goes(home: Any, house: HomeAssistantDouble) -> None:
    for room in ("kitchen", "bedroom"):
        token = home.folder / room / "keys" / "home-assistant-token"
        token.write_text(TOKEN)
        token.chmod(0o600)
    kitchen, bedroom = home.pair()
    bedroom.set_config("home_assistant.url", house.url)
    until(lambda: part(bedroom)["state"] == "ok", 10, "it is connected")
    with pytest.raises(Exception, match="only be set there"):
        bedroom.set_config("home_assistant.url", house.url, node="kitchen")
    until(lambda: kitchen.verify()["agree"], 10, "both hold the same")
    assert part(kitchen)["state"] == "off" and house.connected == 1
