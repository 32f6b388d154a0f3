"""mDNS over loopback: nodes of one home hear each other, at whatever port they are now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from jarvis.core.ids import to_text
from jarvis.net import discovery as discovery_module
from jarvis.net.discovery import PEER_SERVICE, Discovery
from jarvis.net.interfaces import NetworkWatch, local_addresses
from jarvis.testing.waiting import until
from tests.net.homes import Home, Identity, Node, linked, play, running

HOME = b"h" * 16


class Heard:
    def __init__(self) -> None:
        self.nodes: dict[bytes, list[str]] = {}

    def __call__(self, node_id: bytes, addresses: list[str]) -> None:
        self.nodes[node_id] = addresses


def looking(me: bytes, heard: Heard, *, home: bytes = HOME, port: int = 7001, **more: object) -> Discovery:
    return Discovery(me=me, home=home, port=port, bind="127.0.0.1", found=heard, **more)  # type: ignore[arg-type]


@asynccontextmanager
async def at_work(*discoveries: Discovery) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.run()) for one in discoveries]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def test_nodes_of_one_home_find_each_other_and_nobody_else() -> None:
    async def main() -> None:
        ann, bob, eve = Heard(), Heard(), Heard()
        one, two = looking(b"a" * 16, ann), looking(b"b" * 16, bob, port=7002)
        other = looking(b"e" * 16, eve, home=b"x" * 16)
        began = time.monotonic()
        async with at_work(one, two, other):
            await until(lambda: b"b" * 16 in ann.nodes and b"a" * 16 in bob.nodes)
            assert time.monotonic() - began < 3
            assert ann.nodes == {b"b" * 16: ["127.0.0.1:7002"]}
            assert bob.nodes == {b"a" * 16: ["127.0.0.1:7001"]}
            await until(lambda: other.announcing)
            assert eve.nodes == {}
            # Whoever is admitted later is told what was heard before.
            ann.nodes.clear()
            one.repeat()
            assert ann.nodes == {b"b" * 16: ["127.0.0.1:7002"]}

    play(main)


def test_a_node_killed_and_restarted_on_another_port_is_found_and_linked(identities: list[Identity]) -> None:
    async def main() -> None:
        home = Home(*identities)
        first = Node(identities[0], home)
        async with running(first, introduce=False):
            watching = Discovery(me=first.id, home=HOME, port=first.port, bind="127.0.0.1", found=first.connector.learn)
            async with at_work(watching):
                for kill in (True, False):
                    second = Node(identities[1], home)
                    async with running(second, introduce=False):
                        announcing = looking(second.id, Heard(), port=second.port)
                        if kill:
                            announcing._close = _vanish  # type: ignore[method-assign]  # no goodbye
                        async with at_work(announcing):
                            await until(lambda second=second: linked(first, second))
                            assert first.links[second.id].address == second.address
                    await until(lambda: not first.links)

    play(main)


async def _vanish() -> None:
    """What `kill -9` does about mDNS."""


def test_false_announcements_are_dropped() -> None:
    async def main() -> None:
        ann = Heard()
        one = looking(b"a" * 16, ann)
        async with at_work(one):
            await until(lambda: one.announcing)
            liar = AsyncZeroconf(interfaces=["127.0.0.1"])
            lies = [
                {},
                {"home": to_text(HOME)},
                {"home": to_text(HOME), "node": "!"},
                {"home": to_text(HOME), "node": to_text(b"short")},
                {"home": to_text(HOME), "node": to_text(b"a" * 16)},
                {"home": to_text(HOME), "node": "A" * 200},
                {"home": to_text(b"x" * 16), "node": to_text(b"b" * 16)},
                {"home": to_text(HOME), "node": to_text(b"c" * 16)},  # the only one that says something useful
            ]
            for index, txt in enumerate(lies):
                info = AsyncServiceInfo(
                    PEER_SERVICE, f"lie{index}.{PEER_SERVICE}", port=1, properties=txt,
                    addresses=[bytes([127, 0, 0, 1])], server=f"lie{index}.local.",
                )  # fmt: skip
                await liar.async_register_service(info, cooperating_responders=True)
            await until(lambda: b"c" * 16 in ann.nodes)
            assert set(ann.nodes) == {b"c" * 16}
            await liar.async_close()

    play(main)


def test_a_flood_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery_module, "PENDING_NAMES", 8)
    monkeypatch.setattr(discovery_module, "KNOWN_NODES", 8)
    ann = Heard()
    one = looking(b"a" * 16, ann)
    for index in range(100):
        one._heard(name=f"n{index}.{PEER_SERVICE}", state_change=discovery_module.ServiceStateChange.Added)
        one._take({"home": to_text(HOME), "node": to_text(index.to_bytes(16, "big"))}, ["10.0.0.1:1"])
    assert len(one._pending) == 8 and len(one._known) == 8
    assert len(ann.nodes) == 100


def test_without_mdns_nothing_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async def never(_bind: str) -> AsyncZeroconf:
            raise AssertionError("mDNS is off")

        monkeypatch.setattr(discovery_module, "_open", never)
        quiet = looking(b"a" * 16, Heard(), mdns=False)
        async with at_work(quiet), quiet.announce_invitation(7002):
            await asyncio.sleep(0)
            assert not quiet.announcing

    play(main)


def test_stopping_says_goodbye_in_time() -> None:
    async def main() -> None:
        one = looking(b"a" * 16, Heard())
        async with at_work(one):
            await until(lambda: one.announcing)
            began = time.monotonic()
        assert time.monotonic() - began < 2

    play(main)


def test_looking_at_the_network_costs_little() -> None:
    began = time.process_time()
    for _ in range(50):
        local_addresses("::")
    assert (time.process_time() - began) / 50 < 0.02


def test_addresses_follow_what_the_socket_hears() -> None:
    assert local_addresses("127.0.0.1") == ["127.0.0.1"]
    assert all(":" not in address for address in local_addresses("0.0.0.0"))
    assert local_addresses("::")


def test_the_watch_waits_no_longer_than_told() -> None:
    async def main() -> None:
        watch = NetworkWatch()
        began = time.monotonic()
        await watch.changed(0.05)
        assert time.monotonic() - began < 2
        watch.close()

    play(main)
