"""The connector on a simulated network in virtual time: long outages, in no time and always alike."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from jarvis.net.connector import Connector
from jarvis.net.link import Link, Transport
from jarvis.testing.network import NOTICE_MS, Conditions, Network
from jarvis.testing.virtual_time import run_virtual


class Rooms:
    """A home of `count` simulated nodes. Addresses are `known` to each: found, told by a person, or remembered."""

    def __init__(self, count: int, seed: int, conditions: Conditions | None = None, *, known: str = "found") -> None:
        rng = random.Random(seed)
        self.ids = sorted(rng.randbytes(16) for _ in range(count))
        self.members = dict.fromkeys(self.ids, b"")
        self.network = Network(rng, conditions=conditions)
        self.begun: dict[bytes, int] = dict.fromkeys(self.ids, 0)
        self.at_once: dict[tuple[bytes, bytes], int] = {}
        transports = {node_id: self.network.transport(node_id, lambda: self.members) for node_id in self.ids}
        self.addresses = {node_id: transport.address for node_id, transport in transports.items()}
        self.connectors = {node_id: self._connector(node_id, rng, transports[node_id], known) for node_id in self.ids}

    def _connector(self, node_id: bytes, rng: random.Random, transport: Transport, known: str) -> Connector:
        async def on_link(link: Link) -> None:
            pair = (node_id, link.peer)
            self.at_once[pair] = self.at_once.get(pair, 0) + 1
            assert self.at_once[pair] == 1, "two links to one peer at once"
            self.begun[node_id] += 1
            try:
                while await link.receive() is not None:
                    pass
            finally:
                self.at_once[pair] -= 1

        peers = self.addresses.values() if known == "told" else ()
        remembered = {one: [address] for one, address in self.addresses.items() if known == "remembered"}
        return Connector(
            transport,
            me=node_id,
            members=lambda: self.members,
            on_link=on_link,
            peers=peers,
            load=lambda: remembered,
            rng=rng,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            for connector in self.connectors.values():
                await connector.open()
                group.create_task(connector.run())
            await asyncio.sleep(0)
            self.introduce()
            yield
            for connector in self.connectors.values():
                await connector.close()

    def introduce(self) -> None:
        for connector in self.connectors.values():
            for node_id in self.ids:
                connector.learn(node_id, [self.addresses[node_id]])

    def whole(self) -> bool:
        """Everybody holds the same one link to everybody."""
        for one in self.ids:
            for two in self.ids:
                if one < two:
                    near = self.connectors[one].links.get(two)
                    far = self.connectors[two].links.get(one)
                    if near is None or far is None or near.mine != far.theirs or near.theirs != far.mine:
                        return False
        return True

    async def until_whole(self, within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while not self.whole():  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("seed", range(20))
def test_a_home_comes_together_and_stays_so(seed: int) -> None:
    async def main() -> None:
        rooms = Rooms(5, seed, Conditions(delay_ms=(1, 400)))
        async with rooms.running():
            await rooms.until_whole(30)
            await asyncio.sleep(10)  # a link dialled at the same time may still arrive and win
            begun = dict(rooms.begun)
            await asyncio.sleep(600)
            assert rooms.whole() and rooms.begun == begun, "links flap"

    run_virtual(main)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("within_s", [0.0, 0.6, 3.0, 20.0])
@pytest.mark.parametrize("known", ["found", "told", "remembered"])
def test_no_link_that_was_in_use_is_given_up_for_another(seed: int, within_s: float, known: str) -> None:
    """What was said over it would be said to nobody. All start within some seconds, as after a power cut, and dial
    slowly: head starts do not suffice."""

    async def main() -> None:
        rooms = Rooms(5, seed, Conditions(delay_ms=(10, 250)), known=known)
        starts = random.Random(seed)

        async def start(connector: Connector) -> None:
            await asyncio.sleep(starts.uniform(0.0, within_s))
            await connector.open()
            await connector.run()

        async with asyncio.TaskGroup() as group:
            for connector in rooms.connectors.values():
                group.create_task(start(connector))
            await asyncio.sleep(within_s)
            await asyncio.sleep(0)
            if known == "found":
                rooms.introduce()
            await rooms.until_whole(60)
            await asyncio.sleep(120)  # virtual time, in which a link could be replaced
            assert set(rooms.begun.values()) == {4}, "a link was replaced"
            for connector in rooms.connectors.values():
                await connector.close()

    run_virtual(main)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("one_way", [False, True])
def test_a_partition_ends_links_and_its_end_brings_them_back(seed: int, one_way: bool) -> None:
    async def main() -> None:
        rooms = Rooms(4, seed)
        left, right = rooms.ids[:2], rooms.ids[2:]
        async with rooms.running():
            await rooms.until_whole(30)
            for one in left:
                for two in right:
                    rooms.network.cut(one, two, one_way=one_way)
            await asyncio.sleep(NOTICE_MS / 1000 + 1)
            assert not any(two in rooms.connectors[one].links for one in left for two in right)
            assert left[1] in rooms.connectors[left[0]].links
            await asyncio.sleep(600)
            rooms.network.heal()
            await rooms.until_whole(45)  # the longest back-off, the rest of a hopeless dial, and the way

    run_virtual(main)


def test_word_of_the_network_s_return_shortens_the_wait() -> None:
    async def main() -> None:
        rooms = Rooms(2, 3)
        async with rooms.running():
            await rooms.until_whole(30)
            rooms.network.cut(*rooms.ids)
            await asyncio.sleep(600)
            rooms.network.heal()
            for connector in rooms.connectors.values():
                connector.network_changed()
            await rooms.until_whole(10)

    run_virtual(main)


def test_a_removed_member_is_cut_off_everywhere_and_a_new_one_is_linked() -> None:
    async def main() -> None:
        rooms = Rooms(4, 5)
        gone = rooms.ids[2]
        async with rooms.running():
            await rooms.until_whole(30)
            del rooms.members[gone]
            for connector in rooms.connectors.values():
                connector.members_changed()
            await asyncio.sleep(5)
            assert not any(gone in connector.links for connector in rooms.connectors.values())
            rooms.members[gone] = b""
            for connector in rooms.connectors.values():
                connector.members_changed()
            rooms.introduce()
            await rooms.until_whole(60)

    run_virtual(main)


def test_the_same_seed_is_the_same_story() -> None:
    def story() -> tuple[int, dict[bytes, int]]:
        rooms_of: list[Rooms] = []

        async def main() -> None:
            rooms = Rooms(4, 11, Conditions(delay_ms=(1, 300)))
            rooms_of.append(rooms)
            async with rooms.running():
                await rooms.until_whole(30)
                for link in list(rooms.connectors[rooms.ids[0]].links.values()):
                    for index in range(20):
                        await link.send(b"%d" % index)

        run_virtual(main)
        return rooms_of[0].network.frames, rooms_of[0].begun

    assert story() == story()
