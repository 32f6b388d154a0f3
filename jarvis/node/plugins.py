"""This node's plugins for people: looking at them, switching them on and off for good, and loading those that are to be
on when the node starts. Which code a device runs is its own matter: the list never leaves it, and no other node can
write it."""

from __future__ import annotations

import asyncio
from typing import Any

from jarvis.core.codec import pack, unpack
from jarvis.core.errors import InvalidInput, JarvisError, NotFound
from jarvis.node.config import Config
from jarvis.node.declared import ENABLED, MAX_VALUE_BYTES
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.plugins.registry import Plugins

TRYING = "plugins/trying"
"""The plugin that is being loaded: one that ends the whole process is known by it at the next start."""
Rows = list[dict[str, Any]]
Names = list[str]


class NodePlugins:
    def __init__(self, plugins: Plugins, config: Config, journal: Journal, audit: Audit) -> None:
        self._plugins, self._config, self._journal, self._audit = plugins, config, journal, audit
        self._lock = asyncio.Lock()
        """One at a time: each may take a while, and the list is read and written."""

    async def load(self) -> None:
        """Switch on what is to be on. Never raises for a plugin's sake."""
        ended = await self._journal.read(lambda tx, _: unpack(tx.get(TRYING) or pack("")))
        for name in await self._wanted():
            if name == ended:
                again = f"`jarvis plugin enable {name}` tries again."
                self._plugins.blame(name, f"The node ended while it was loaded, so it was not loaded again. {again}")
                continue
            try:
                await self._try(name)
            except JarvisError as error:
                self._plugins.blame(name, str(error))

    async def list(self) -> Rows:
        return await self._plugins.rows(await self._wanted())

    async def info(self, name: str) -> dict[str, Any]:
        """Raises NotFound."""
        for row in await self.list():
            if row["name"] == name:
                return row
        raise NotFound(f"There is no plugin {name!r}.", fix="`jarvis plugin list` shows all.")

    async def set(self, name: str, enabled: bool) -> dict[str, Any]:
        """Switch it on or off, now and at every start: its row. A plugin that cannot be switched on is not to be on at
        the next start either. Raises what switching on raises."""
        async with self._lock:
            if self._plugins.builtin(name):
                raise InvalidInput(f"{name!r} is built in and always on.")
            wanted = await self._wanted()
            if enabled:
                await self._try(name)
                wanted = [*wanted, name] if name not in wanted else wanted
            else:
                if name not in wanted:
                    await self.info(name)
                self._plugins.switch_off(name)
                wanted = [one for one in wanted if one != name]
            await self._keep(name, wanted, enabled)
        return await self.info(name)

    def component(self) -> dict[str, str]:
        """For `status`."""
        on, problems = self._plugins.on(), self._plugins.problems()
        if problems:
            name, problem = next(iter(problems.items()))
            return {"state": "degraded", "detail": f"{name}: {problem}"}
        return {"state": "ok" if on else "off", "detail": ", ".join(on) or "none is enabled"}

    async def _try(self, name: str) -> None:
        settings = await self._settings(name)
        await self._journal.change_local(lambda tx: tx.put(TRYING, pack(name)))
        try:
            await self._plugins.switch_on(name, settings)
        finally:
            await self._journal.change_local(lambda tx: tx.delete(TRYING))

    async def _keep(self, name: str, wanted: Names, enabled: bool) -> None:
        value = ",".join(wanted)
        if len(value.encode()) > MAX_VALUE_BYTES:
            self._plugins.switch_off(name)
            raise InvalidInput("So many plugins cannot be enabled at once.", fix="Disable one.")
        await self._config.set(ENABLED, value, local=True)
        await self._journal.write(
            self._audit.entry("plugin.enabled" if enabled else "plugin.disabled", name, actor="user")
        )

    async def _wanted(self) -> Names:
        names = (await self._config.value(ENABLED)).split(",")
        return [*dict.fromkeys(name.strip() for name in names if name.strip())]

    async def _settings(self, name: str) -> dict[str, str]:
        prefix = f"plugin.{name}."
        rows = await self._config.list(None)
        return {str(row["key"])[len(prefix) :]: str(row["value"]) for row in rows if row["key"].startswith(prefix)}
