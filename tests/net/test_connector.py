"""Connectors over real sockets: they find one another, keep one link each, and outlive whoever leaves."""

from __future__ import annotations

import asyncio
import time

import pytest

from jarvis.core.errors import BadConfiguration, Unreachable
from jarvis.net.connector import DUPLICATE, REMOVED
from jarvis.net.link import Link
from jarvis.testing.ports import free_port
from jarvis.testing.waiting import until
from tests.net.homes import Home, Identity, Node, linked, play, running


def test_three_nodes_hold_one_link_to_each_other(identities: list[Identity]) -> None:
    async def main() -> None:
        home = Home(*identities)
        nodes = [Node(one, home) for one in identities]
        async with running(*nodes):
            await until(lambda: linked(*nodes) and all(len({peer for peer, _ in node.received}) == 2 for node in nodes))
            for node in nodes:
                for other in nodes:
                    if other is not node:
                        assert (other.id, b"hello from " + other.id) in node.received
                        # Both ends hold the same connection.
                        assert node.links[other.id].mine == other.links[node.id].theirs

    play(main)


def test_dialling_at_the_same_time_leaves_one_link(identities: list[Identity]) -> None:
    async def main() -> None:
        low, high = (Node(one, Home(*identities)) for one in identities[:2])
        async with running(low, high, introduce=False):
            # Both dial in the same instant, without the head start the lower one usually gets.
            first, second = low.connector._draw(), high.connector._draw()
            links = await asyncio.gather(
                low.transport.dial(high.address, first, high.id), high.transport.dial(low.address, second, low.id)
            )
            await asyncio.gather(low.connector._take(links[0]), high.connector._take(links[1]))
            await until(lambda: linked(low, high) and links[1].closed_reason != "")
            assert low.links[high.id] is links[0], "the link dialled by the lower id stays"
            assert links[1].closed_reason == DUPLICATE
            await until(lambda: high.links[low.id].theirs == first and high.links[low.id].mine == links[0].theirs)
            low.received.clear()
            await high.links[low.id].send(b"still here")
            await until(lambda: (high.id, b"still here") in low.received)

    play(main)


def test_dials_that_meet_never_become_two_links_in_use(
    identities: list[Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jarvis.net.connector.HEAD_START_S", 0.0)

    async def main() -> None:
        for _ in range(20):
            home = Home(*identities)
            nodes = [Node(one, home) for one in identities]
            async with running(*nodes):
                await until(lambda nodes=nodes: all(len(node.received) >= 2 for node in nodes))
                assert linked(*nodes) and [node.ended for node in nodes] == [[], [], []]

    play(main)


def test_an_address_that_a_person_gave_replaces_no_link(identities: list[Identity]) -> None:
    """Asked whose it is only after the peer had come by itself."""

    async def main() -> None:
        home = Home(*identities)
        spare = free_port()
        first = Node(identities[0], home, peers=[f"127.0.0.1:{spare}", f"localhost:{spare}"])
        second = Node(identities[1], home, port=spare)
        async with running(first, introduce=False), running(second, introduce=False):
            second.connector.learn(first.id, [first.address])
            await until(lambda: linked(first, second))
            held = first.links[second.id]
            await until(lambda: first.connector._book.owner(f"localhost:{spare}") == second.id)
            await until(lambda: first.connector._book.owner(f"127.0.0.1:{spare}") == second.id)
            await second.links[first.id].send(b"still here")
            await until(lambda: (second.id, b"still here") in first.received)
            assert first.links == {second.id: held} and first.ended == second.ended == []

    play(main)


def test_many_simultaneous_starts_settle_without_flapping(identities: list[Identity]) -> None:
    async def main() -> None:
        for _ in range(10):
            home = Home(*identities)
            nodes = [Node(one, home) for one in identities]
            async with running(*nodes):
                await until(lambda nodes=nodes: linked(*nodes))
                held = [dict(node.links) for node in nodes]
                await until(lambda nodes=nodes: all(len({peer for peer, _ in node.received}) == 2 for node in nodes))
                assert [dict(node.links) for node in nodes] == held

    play(main)


def test_a_static_peer_is_enough(identities: list[Identity]) -> None:
    async def main() -> None:
        home = Home(*identities)
        first = Node(identities[0], home)
        async with running(first):
            second = Node(identities[1], home, peers=[first.address])
            async with running(second, introduce=False):
                await until(lambda: linked(first, second))
                assert second.saved[first.id][0] == first.address
                # The one who was dialled learns where the other listens.
                assert first.links[second.id].address == second.address

    play(main)


def test_remembered_addresses_are_enough(identities: list[Identity]) -> None:
    async def main() -> None:
        home = Home(*identities)
        first = Node(identities[0], home)
        async with running(first):
            second = Node(identities[1], home, load=lambda: {first.id: ["127.0.0.1:9", first.address]})
            async with running(second, introduce=False):
                await until(lambda: linked(first, second))

    play(main)


def test_it_never_dials_itself(identities: list[Identity]) -> None:
    async def main() -> None:
        node = Node(identities[0], Home(*identities))
        async with running(node, introduce=False):
            other = Node(identities[1], Home(*identities), peers=[node.address])
            node.connector.learn(identities[1].id, [node.address])  # a false hint: this is our own address
            own = asyncio.create_task(node.connector._explore(node.address))
            await asyncio.wait_for(own, 5)  # it recognises itself and gives up
            assert node.links == {}
            async with running(other, introduce=False):
                await until(lambda: linked(node, other))

    play(main)


def test_a_restarted_peer_is_found_at_its_new_port(identities: list[Identity]) -> None:
    async def main() -> None:
        home = Home(*identities)
        first = Node(identities[0], home)
        async with running(first):
            before = Node(identities[1], home, peers=[first.address])
            async with running(before, introduce=False):
                await until(lambda: linked(first, before))
            await until(lambda: not first.links)
            after = Node(identities[1], home)
            async with running(after, introduce=False):
                first.connector.learn(after.id, [after.address])
                await until(lambda: linked(first, after), 3)

    play(main)


def test_a_peer_that_lost_its_power_is_taken_back_at_once(identities: list[Identity]) -> None:
    """The other end still holds the old link, since nobody said goodbye. The restarted one must not be refused."""

    async def main() -> None:
        home = Home(*identities)
        low, high = Node(identities[0], home), Node(identities[1], home)
        async with running(low, introduce=False):
            # `low` dials a `high` whose process then freezes: it holds the link and says nothing.
            frozen = Node(identities[1], home)
            frozen.port = await frozen.connector.open()
            frozen_run = asyncio.create_task(frozen.connector.run())
            low.connector.learn(frozen.id, [frozen.address])
            await until(lambda: linked(low, frozen))
            old = low.links[high.id]
            async with running(high, introduce=False):
                high.connector.learn(low.id, [low.address])
                await until(lambda: high.id in low.links and low.links[high.id] is not old, 3)
                await until(lambda: linked(low, high))
            await frozen.connector.close()
            await frozen_run

    play(main)


def test_removal_closes_the_link_and_refuses_the_next(identities: list[Identity]) -> None:
    async def main() -> None:
        everyone, rest = Home(*identities), Home(*identities)
        nodes = [Node(one, rest) for one in identities[:2]]
        removed = Node(identities[2], everyone)
        async with running(*nodes, removed):
            await until(lambda: linked(*nodes, removed))
            del rest.members[removed.id]
            for node in nodes:
                node.connector.members_changed()
            await until(lambda: not removed.links, 2)
            assert REMOVED in removed.ended
            for node in nodes:
                with pytest.raises(Unreachable, match="perhaps this node is not a member"):
                    link = await removed.transport.dial(node.address, removed.connector._draw(), node.id)
                    await link.send(b"let me in")  # TLS 1.3 may tell the client only now
                    assert await link.receive() is None
                    raise Unreachable("perhaps this node is not a member")
            assert linked(*nodes), "the others keep their link"

            rest.members[removed.id] = removed.identity.certificate
            for node in nodes:
                node.connector.members_changed()
            await until(lambda: linked(*nodes, removed))

    play(main)


def test_a_member_admitted_later_is_linked_without_a_restart(identities: list[Identity]) -> None:
    async def main() -> None:
        home = Home(*identities[:2])
        nodes = [Node(one, home) for one in identities[:2]]
        async with running(*nodes):
            await until(lambda: linked(*nodes))
            home.members[identities[2].id] = identities[2].certificate
            for node in nodes:
                node.connector.members_changed()
            third = Node(identities[2], home, peers=[nodes[0].address, nodes[1].address])
            async with running(third, introduce=False):
                await until(lambda: linked(*nodes, third))

    play(main)


def test_a_fault_in_one_link_costs_only_that_link(identities: list[Identity]) -> None:
    async def main() -> None:
        home = Home(*identities)
        calls: list[bytes] = []
        nodes = [Node(one, home) for one in identities[:2]]

        async def faulty(link: Link) -> None:
            calls.append(link.peer)
            if link.peer == nodes[0].id:
                raise ZeroDivisionError
            await Node.on_link(third, link)

        third = Node(identities[2], home, on_link=faulty)
        async with running(*nodes, third):
            began = time.monotonic()
            await until(lambda: linked(nodes[1], third) and linked(*nodes) and calls.count(nodes[0].id) >= 4)
            # Both sides try again, but not without pause: of four tries either began two, 0.25 s apart or more.
            assert time.monotonic() - began > 0.2

    play(main)


def test_a_taken_port_is_said_so(identities: list[Identity]) -> None:
    async def main() -> None:
        home = Home(*identities)
        first = Node(identities[0], home)
        async with running(first):
            second = Node(identities[1], home, port=first.port)
            with pytest.raises(BadConfiguration, match=f"Port {first.port} is taken") as caught:
                await second.connector.open()
            assert caught.value.fix
            await second.connector.close()

    play(main)


def test_close_takes_less_than_two_seconds_even_with_a_deaf_consumer(identities: list[Identity]) -> None:
    async def main() -> None:
        home = Home(*identities)
        never = asyncio.Event()

        async def deaf(_link: Link) -> None:
            await never.wait()

        nodes = [Node(one, home, on_link=deaf) for one in identities[:2]]
        async with asyncio.TaskGroup() as group:
            for node in nodes:
                node.port = await node.connector.open()
                group.create_task(node.connector.run())
            await asyncio.sleep(0)
            nodes[0].connector.learn(nodes[1].id, [nodes[1].address])
            await until(lambda: linked(*nodes))
            began = time.monotonic()
            await asyncio.gather(*(node.connector.close() for node in nodes))
            assert time.monotonic() - began < 2.5

    play(main)


def test_cancelling_run_releases_the_port(identities: list[Identity]) -> None:
    async def main() -> None:
        home = Home(*identities)
        first, second = (Node(one, home) for one in identities[:2])
        async with running(first):
            second.port = await second.connector.open()
            task = asyncio.create_task(second.connector.run())
            first.connector.learn(second.id, [second.address])
            await until(lambda: linked(first, second))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            again = Node(identities[1], home, port=second.port)
            async with running(again, introduce=False):
                await until(lambda: linked(first, again))

    play(main)


def test_what_happens_while_it_is_cancelled_starts_nothing(identities: list[Identity]) -> None:
    """A member that comes just then wants a task of a group that has begun to end."""

    async def main() -> None:
        home = Home(*identities[:2])
        first, second = Node(identities[0], home), Node(identities[1], home)
        ended: list[bytes] = []
        began = asyncio.Event()

        async def at_the_end(link: Link) -> None:
            began.set()
            try:
                while await link.receive() is not None:
                    pass
            except asyncio.CancelledError:
                home.members[identities[2].id] = identities[2].certificate
                first.connector.members_changed()
                first.connector.network_changed()
                ended.append(link.peer)
                raise

        first.connector._on_link = at_the_end
        async with running(second):
            first.port = await first.connector.open()
            run = asyncio.create_task(first.connector.run())
            await asyncio.sleep(0)
            first.connector.learn(second.id, [second.address])
            await began.wait()
            run.cancel()
            await asyncio.wait({run})
            assert run.cancelled() and ended == [second.id]

    play(main)
