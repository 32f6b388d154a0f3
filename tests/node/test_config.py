"""Whose value a key is: the home's, a node's, or this device's own."""

from __future__ import annotations

import asyncio
import os

import pytest

from jarvis.core.codec import pack
from jarvis.core.errors import BadConfiguration, InvalidInput
from jarvis.core.ids import to_text
from jarvis.core.time import SystemClock
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.config import PINS, Config
from jarvis.node.membership.members import Members
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore


class Home:
    """This node's config, in a home of two."""

    def __init__(self, file: dict[str, str] | None = None) -> None:
        key, other, owner = (SigningKey(os.urandom(SEED_BYTES)) for _ in range(3))
        chain = Chain.found(owner, owner.public, make_certificate(key), nonce=bytes(16), at_ms=0)
        chain = chain.admit(owner, make_certificate(other), at_ms=1)
        store, clock = MemoryStore(), SystemClock()
        replica = Replica(key, entropy=os.urandom, wall_ms=clock.wall_ms)
        store.transact(lambda tx: replica.found(tx, chain))
        self.journal = Journal(store, replica)
        self.members = Members(self.journal, chain, key.node_id, clock)
        self.config = Config(
            self.journal,
            Audit(self.journal, clock),
            key.node_id,
            file=file or {},
            find=self.members.find,
            refresh_names=self.members.refresh,
            name_of=self.members.name_of,
        )
        self.node_id = key.node_id
        self.me, self.them = to_text(key.node_id), to_text(other.node_id)


def test_a_value_of_this_device_alone_is_never_set_for_another() -> None:
    async def main() -> None:
        home = Home()
        config, me, them = home.config, home.me, home.them
        with pytest.raises(InvalidInput):
            await config.set("assistant.name", "Friday", node=them, local=True)
        with pytest.raises(InvalidInput):
            await config.unset("assistant.name", node=them, local=True)
        assert (await config.get("assistant.name"))["source"] == "default"
        await config.set("assistant.name", "Friday", node=me, local=True)
        assert (await config.get("assistant.name", me))["source"] == "local"
        assert (await config.get("assistant.name", them))["value"] == "Jarvis"

    asyncio.run(main())


@pytest.mark.parametrize("key", ["node.name", "node.room", "home.name"])
def test_a_name_is_one_that_can_be_borne_and_the_same_for_everybody(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        home = Home()
        for bad in ("", "  ", "x" * 65, "\x1b[31mred"):
            with pytest.raises(InvalidInput, match="1 to 64 printable"):
                await home.config.set(key, bad)
        with pytest.raises(InvalidInput, match="sees the same"):
            await home.config.set(key, "Attic", local=True)
        assert (await home.config.set(key, " Big   attic "))["value"] == "Big attic"
        await home.journal.change_local(lambda tx: tx.put(PINS + key, pack("cellar")))  # as an earlier version let one
        assert (await home.config.get(key))["value"] == "Big attic"
        await home.config.unset(key, local=True)

    asyncio.run(main())
    with pytest.raises(BadConfiguration, match=r"jarvis\.toml"):
        Home({key: "Attic"})
    monkeypatch.setenv("JARVIS_" + key.upper().replace(".", "_"), "Attic")
    with pytest.raises(BadConfiguration, match="the environment"):
        Home()


def test_the_home_has_one_name_and_each_node_its_own() -> None:
    async def main() -> None:
        home = Home()
        with pytest.raises(InvalidInput, match="sees the same"):
            await home.config.set("home.name", "Villa", node=home.them)
        await home.config.set("node.name", "hall", node=home.them)
        assert await home.members.find("hall") != home.node_id

    asyncio.run(main())


def test_whoever_follows_hears_of_a_change_before_it_is_answered() -> None:
    async def main() -> None:
        home, told = Home(), []
        home.config.follow(lambda: told.append("changed"))
        for number, (value, local) in enumerate((("room", False), ("home", True), ("room", True)), 1):
            await home.config.set("session.share", value, local=local)
            assert len(told) == number
        await home.config.unset("session.share", local=True)
        await home.config.unset("session.share")
        assert len(told) == 5
        with pytest.raises(InvalidInput):
            await home.config.set("session.share", "everybody")
        assert (await home.config.get("session.share"))["value"] == "home" and len(told) == 5

    asyncio.run(main())


SECRET = "sk-proj-" + "Zx9" * 10


@pytest.mark.parametrize(
    ("key", "value", "instead"),
    [
        ("llm.0.key", "abc", "key_file"),
        ("home_assistant.token", "abc", "keys/home-assistant-token"),
        ("plugin.sky.api_key", "abc", "docs/settings.md"),
        ("llm.0.auth", SECRET, "key_file"),
        ("assistant.name", SECRET, "docs/settings.md"),
    ],
)
@pytest.mark.parametrize("local", [False, True])
def test_a_secret_is_refused_by_name_and_not_repeated(key: str, value: str, instead: str, local: bool) -> None:
    async def main() -> None:
        home = Home()
        with pytest.raises(InvalidInput, match="secret") as refused:
            await home.config.set(key, value, local=local)
        assert key in str(refused.value) and instead in refused.value.fix
        assert value not in f"{refused.value} {refused.value.fix}"
        assert value not in str(await home.config.list())
        with pytest.raises(BadConfiguration, match="secret"):
            home.config.from_file({key: value})
        assert (await home.config.set("llm.0.key_file", "/etc/jarvis/key", local=True))["value"]

    asyncio.run(main())


def test_what_the_file_says_is_checked_and_taken_as_a_whole() -> None:
    async def main() -> None:
        home, told = Home({"audio.volume": "30"}), []
        home.config.follow(lambda: told.append("changed"))
        for values in ({"audio.volume": "loud"}, {"audio.quiet_hours": "always"}, {"Big Key": "1"}):
            with pytest.raises(BadConfiguration, match=r"jarvis\.toml"):
                home.config.from_file({"assistant.name": "Friday", **values})
        take = home.config.from_file({"assistant.name": "Friday"})
        assert (await home.config.get("audio.volume"))["value"] == "30" and not told
        take()
        assert (await home.config.get("audio.volume"))["source"] == "default" and told
        assert (await home.config.get("assistant.name"))["value"] == "Friday"

    asyncio.run(main())


@pytest.mark.parametrize("url", ["http://ada:swordfish@home:8123", "http://home:8123/?token=swordfish"])
def test_an_address_with_a_password_is_refused_and_not_repeated(url: str) -> None:
    async def main() -> None:
        config = Home().config
        with pytest.raises(InvalidInput, match=r"home_assistant\.url") as refused:
            await config.set("home_assistant.url", url, local=True)
        with pytest.raises(BadConfiguration, match=r"home_assistant\.url") as file:
            config.from_file({"home_assistant.url": url})
        assert "swordfish" not in f"{refused.value}{refused.value.fix}{file.value}{file.value.fix}"

    asyncio.run(main())
