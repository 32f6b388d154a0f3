"""The home's things as this node reaches them: where its Home Assistant is, and the audit of what was done through it.
The address is this device's own: the token goes wherever it points, so nobody else may set it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jarvis.core.errors import BadConfiguration
from jarvis.core.secrets import find_secret
from jarvis.home_assistant.client import HomeAssistant, Place
from jarvis.home_assistant.things import Done, House, Thing
from jarvis.node.config import Config
from jarvis.node.declared import HOME_ASSISTANT
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal

TOKEN = "JARVIS_HOME_ASSISTANT_TOKEN"  # nosec B105 - the variable's name
CREDENTIAL = "home-assistant-token"
"""In the data directory's `keys`, and what systemd may call it."""


def token(keys: Path) -> str:
    """Of Home Assistant, "" when there is none. Raises BadConfiguration for what is none."""
    own = keys / CREDENTIAL
    return find_secret("The token of Home Assistant", TOKEN, CREDENTIAL, own if own.exists() else None)


class HouseDevices:
    """See things.Devices. What lets people in, and everything else that is done, is audited; by its kind, not its
    name. `keys` is the directory that may hold the token."""

    def __init__(self, config: Config, journal: Journal, audit: Audit, keys: Path) -> None:
        self._config, self._journal, self._audit, self._keys = config, journal, audit, keys
        self._home_assistant = HomeAssistant(self._place)
        config.follow(self._home_assistant.changed)
        self.run = self._home_assistant.run
        self.component = self._home_assistant.component
        self.house = self._home_assistant.house
        self.forecast = self._home_assistant.forecast

    async def act(self, service: str, things: Sequence[Thing], data: Mapping[str, Any], done: Done) -> House:
        outcome = "failed"
        try:
            house = await self._home_assistant.act(service, things, data, done)
            outcome = "ok" if all(done(house.now(thing)) for thing in things) else "unconfirmed"
            return house
        finally:
            said = self._audit.entry("house.act", service, actor="user", outcome=outcome, things=len(things))
            await self._journal.write(said)

    async def _place(self) -> Place | None:
        url = await self._config.value(HOME_ASSISTANT)
        if not url:
            return None
        found = token(self._keys)
        if not found:
            raise BadConfiguration(
                "There is no token for Home Assistant.", fix=f"Put one into {self._keys / CREDENTIAL}."
            )
        return Place(url, found)
