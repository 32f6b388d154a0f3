"""What is enabled on a device stays its own matter, and a plugin that ended the node is not loaded again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from jarvis.core.codec import pack
from jarvis.core.errors import InvalidInput, NotFound, PluginFailed
from jarvis.core.ids import to_text
from jarvis.core.time import SystemClock
from jarvis.crdt.registry import CONFIG
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.config import Config
from jarvis.node.declared import ENABLED
from jarvis.node.membership.members import Members
from jarvis.node.plugins import TRYING, NodePlugins
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.plugins.registry import Plugins
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore
from tests.plugins.test_registry import tools


class Device:
    """A store that outlives the node."""

    def __init__(self, folder: Path) -> None:
        key, self.folder = SigningKey(os.urandom(SEED_BYTES)), folder
        chain = Chain.found(key, key.public, make_certificate(key), nonce=bytes(16), at_ms=0)
        store, self.clock = MemoryStore(), SystemClock()
        replica = Replica(key, entropy=os.urandom, wall_ms=self.clock.wall_ms)
        store.transact(lambda tx: replica.found(tx, chain))
        self.node_id = key.node_id
        self.journal = Journal(store, replica)
        self.audit = Audit(self.journal, self.clock)
        members = Members(self.journal, chain, key.node_id, self.clock)
        self.config = Config(
            self.journal,
            self.audit,
            key.node_id,
            file={},
            find=members.find,
            refresh_names=members.refresh,
            name_of=members.name_of,
        )

    async def start(self) -> tuple[Plugins, NodePlugins]:
        plugins = Plugins(self.folder)
        face = NodePlugins(plugins, self.config, self.journal, self.audit)
        await face.load()
        return plugins, face


@pytest.fixture
def device(tmp_path: Path) -> Device:
    (tmp_path / "letters.py").write_text(tools())
    return Device(tmp_path)


def story(told: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await told()

    asyncio.run(main())


def test_what_is_enabled_is_on_after_a_restart_until_it_is_disabled(device: Device) -> None:
    async def told() -> None:
        plugins, face = await device.start()
        assert plugins.on() == [] and face.component()["state"] == "off"
        assert (await face.set("letters", True))["state"] == "on"
        assert face.component() == {"state": "ok", "detail": "letters"}
        plugins, face = await device.start()
        assert plugins.on() == ["letters"]
        row = await face.set("letters", False)
        assert (row["state"], row["enabled"]) == ("off", False)
        assert (await device.start())[0].on() == []
        actions = [row["action"] for row in await device.audit.list(None, None)]
        assert actions == ["plugin.enabled", "plugin.disabled"]

    story(told)


def test_one_that_cannot_be_loaded_is_not_tried_at_the_next_start(device: Device) -> None:
    (device.folder / "letters.py").write_text(tools() + "raise ValueError\n")

    async def told() -> None:
        plugins, face = await device.start()
        with pytest.raises(PluginFailed):
            await face.set("letters", True)
        assert face.component()["state"] == "degraded"
        plugins, face = await device.start()
        assert plugins.problems() == {} and (await device.config.value(ENABLED)) == ""
        for name in ("cards", "no such name"):
            for enabled in (True, False):
                with pytest.raises(NotFound):
                    await face.set(name, enabled)

    story(told)


def test_one_that_has_become_faulty_or_gone_is_told_and_the_node_starts(device: Device) -> None:
    async def told() -> None:
        _, face = await device.start()
        await face.set("letters", True)
        (device.folder / "letters.py").write_text("import no_such_library\n" + tools())
        _, face = await device.start()
        row = await face.info("letters")
        assert (row["state"], row["enabled"]) == ("faulty", True) and "no_such_library" in row["problem"]
        (device.folder / "letters.py").unlink()
        _, face = await device.start()
        assert (await face.info("letters"))["state"] == "missing"
        assert face.component()["state"] == "degraded"
        row_count = len(await face.list())
        with pytest.raises(NotFound):
            await face.set("letters", False)
            await face.info("letters")
        assert len(await face.list()) == row_count - 1

    story(told)


def test_one_that_ended_the_whole_process_is_left_alone_until_somebody_says_so(device: Device) -> None:
    async def told() -> None:
        _, face = await device.start()
        await face.set("letters", True)
        await device.journal.change_local(lambda tx: tx.put(TRYING, pack("letters")))  # as a process leaves it
        plugins, face = await device.start()
        assert plugins.on() == [] and "ended while it was loaded" in (await face.info("letters"))["problem"]
        assert (await face.set("letters", True))["state"] == "on"
        assert (await device.start())[0].on() == ["letters"]

    story(told)


def test_no_other_node_enables_anything_here(device: Device) -> None:
    async def told() -> None:
        me = to_text(device.node_id)
        for stored in (ENABLED, f"node/{me}/{ENABLED}"):  # as a member may write it
            await device.journal.write((CONFIG, lambda state, stored=stored: [state.put(stored, "letters")]))
        assert (await device.start())[0].on() == []
        assert (await device.config.set(ENABLED, "letters"))["source"] == "local"
        with pytest.raises(InvalidInput):
            await device.config.set(ENABLED, "Let ters")
        await device.config.unset(ENABLED)
        assert (await device.config.value(ENABLED)) == ""

    story(told)


def test_its_settings_are_the_configurations(device: Device) -> None:
    source = tools(takes="setup").replace('"Counts letters"', 'setup.settings["what"]')
    (device.folder / "letters.py").write_text(source)

    async def told() -> None:
        plugins, face = await device.start()
        with pytest.raises(PluginFailed, match="KeyError"):
            await face.set("letters", True)
        await device.config.set("plugin.letters.what", "Vowels", local=True)
        await device.config.set("plugin.letters-too.what", "Others")
        await face.set("letters", True)
        assert plugins.tools()[0].description == "Vowels"

    story(told)
