"""Addresses that lead nowhere, to somebody else by now, or slowly: links come in time all the same, and none that is in
use is given up for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from jarvis.core.errors import JarvisError, NotAllowed
from jarvis.net.accept import HALF_OPEN_PER_ADDRESS
from jarvis.net.settle import Ticket
from jarvis.testing.waiting import until
from tests.net.homes import Home, Identity, Node, linked, play, running

SOON_S = 3.0
"""Far less than the 8 s in which a dial gives up."""


@contextmanager
def hole(port: int = 0) -> Iterator[str]:
    """An address where nobody answers and nobody refuses: a listener whose backlog is full."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.9", port))
        listener.listen(0)
        for _ in range(4):
            one = sockets.enter_context(socket.socket())
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect(listener.getsockname())
        yield f"127.0.0.9:{listener.getsockname()[1]}"


@asynccontextmanager
async def slower(port: int, by_s: float) -> AsyncIterator[str]:
    """Another address of whoever listens at this port, on a slower way."""
    loop, writers = asyncio.get_running_loop(), []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                loop.call_later(by_s, writer.write, data)
        loop.call_later(by_s, writer.close)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, back))
        await asyncio.gather(pump(reader, back), pump(there, writer))

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.close()


def two(identities: list[Identity], **more: Any) -> tuple[Node, Node]:
    home = Home(*identities[:2])
    low, high = Node(identities[0], home), Node(identities[1], home, **more)
    assert low.id < high.id
    return low, high


@asynccontextmanager
async def dialling_in_vain(low: Node, high: Node) -> AsyncIterator[None]:
    """Both run, and the lower one's dial to the other is under way to nowhere."""
    with hole() as nowhere:
        async with running(low, high, introduce=False):
            low.connector.learn(high.id, [nowhere])
            await until(lambda: not low.connector._peers[high.id].settled.is_set())
            yield


def test_of_two_addresses_of_unequal_speed_one_link_comes_and_stays(identities: list[Identity]) -> None:
    """The lower one cannot dial; the higher one asks at both addresses, and both requests wait for the same moment."""

    async def main() -> None:
        low, high = two(identities)
        async with dialling_in_vain(low, high), slower(low.port, 0.04) as slow:
            low.connector._book.hear = lambda *_: False  # type: ignore[method-assign] - no hint gets through to it
            high.connector.learn(low.id, [slow, low.address])
            await until(lambda: (low.id, b"hello from " + low.id) in high.received)
            held = low.links[high.id]
            await high.links[low.id].send(b"still here")
            await until(lambda: (high.id, b"still here") in low.received)
            await until(lambda: low.transport._server._door._half_open == {})
            assert low.links == {high.id: held} and low.ended == high.ended == []

    play(main)


def test_a_dial_that_hangs_lets_nobody_wait(identities: list[Identity], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jarvis.net.connector.GRANT_S", 3_600.0)
    monkeypatch.setattr("jarvis.net.dial.DIAL_S", 7_200.0)

    async def main() -> None:
        low, high = two(identities)
        async with dialling_in_vain(low, high):
            low.connector._peers[high.id].dialled_s -= 3_601.0
            high.connector.learn(low.id, [low.address])
            await until(lambda: linked(low, high), SOON_S)

    play(main)


def test_requests_that_wait_crowd_nobody_out(identities: list[Identity], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jarvis.net.connector.GRANT_S", 3_600.0)

    async def main() -> None:
        low, high = two(identities)
        async with dialling_in_vain(low, high):
            dials = [
                asyncio.create_task(high.transport.dial(low.address, high.connector._draw(), low.id))
                for _ in range(HALF_OPEN_PER_ADDRESS)
            ]
            # Of a peer's requests one may wait.
            await until(lambda: sum(one.done() for one in dials) == len(dials) - 1, SOON_S)
            assert all("409" in str(one.exception()) for one in dials if one.done())
            await until(lambda: low.transport._server._door._half_open == {}, SOON_S)
            for one in dials:
                one.cancel()

    play(main)


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
def test_an_address_heard_of_while_a_dead_one_is_tried_is_tried_too(
    by_hand: bool, swapped: bool, identities: list[Identity]
) -> None:
    async def main() -> None:
        first, second = identities[:2][:: -1 if swapped else 1]
        home = Home(first, second)
        with hole() as nowhere:
            far = Node(second, home)
            async with running(far, introduce=False):
                peers = [far.address] if by_hand else []
                near = Node(first, home, peers=peers, load=lambda: {far.id: [nowhere]})
                async with running(near, introduce=False):
                    if not by_hand:
                        await until(lambda: not near.connector._peers[far.id].settled.is_set())
                        near.connector.learn(far.id, [far.address])
                    await until(lambda: linked(near, far), SOON_S)

    play(main)


def test_a_name_whose_first_address_is_dead_is_found_by_its_next(
    identities: list[Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        low, high = two(identities)
        async with running(low, high, introduce=False):
            loop = asyncio.get_running_loop()
            resolve = loop.getaddrinfo

            async def both(host: str, port: int, **more: Any) -> list[Any]:
                if host != "kitchen.home":
                    return await resolve(host, port, **more)
                return [*await resolve("127.0.0.9", port, **more), *await resolve("127.0.0.1", port, **more)]

            monkeypatch.setattr(loop, "getaddrinfo", both)
            with hole(high.port):
                async with asyncio.timeout(SOON_S):
                    assert await low.transport.whose(f"kitchen.home:{high.port}") == high.id

    play(main)


def test_an_absent_member_s_address_that_is_another_s_now_costs_that_one_no_link(identities: list[Identity]) -> None:
    """Its keeper tries it for ever; whoever has the address is not meant, and is linked already."""

    async def main() -> None:
        home = Home(*identities)
        present, absent = identities[1], identities[2]
        other = Node(present, home)
        async with running(other, introduce=False):
            remembered = {present.id: [other.address], absent.id: [other.address]}
            one = Node(identities[0], home, load=lambda: remembered)
            async with running(one, introduce=False):
                keeper = one.connector._peers[absent.id]
                await until(lambda: linked(one, other))
                held = one.links[other.id]
                for _ in range(3):
                    failures = keeper.failures
                    keeper.wake.set()
                    await until(lambda failures=failures: keeper.failures > failures)
                assert one.links == {other.id: held} and one.ended == other.ended == []

    play(main)


def test_an_address_remembered_as_another_s_leads_to_whoever_has_it(identities: list[Identity]) -> None:
    async def main() -> None:
        home = Home(*identities)
        moved = Node(identities[1], home)
        async with running(moved, introduce=False):
            one = Node(identities[0], home, load=lambda: {identities[2].id: [moved.address]})
            async with running(one, introduce=False):
                await until(lambda: linked(one, moved), SOON_S)

    play(main)


@pytest.mark.parametrize(
    "name", ["a..b", "x" * 64 + ".home", ".local", "a\0b", "a\N{ONE DOT LEADER}\N{ONE DOT LEADER}b"]
)
def test_a_name_that_is_none_costs_its_hint_only(name: str, identities: list[Identity]) -> None:
    async def main() -> None:
        low, high = two(identities, peers=[f"{name}:7001"])
        async with running(low, high, introduce=False):
            low.connector.learn(high.id, [f"{name}:7001"])
            high.connector.learn(low.id, [low.address])
            await until(lambda: linked(low, high))
            with pytest.raises(JarvisError):
                await low.transport.dial(f"{name}:7001", low.connector._draw(), high.id)
            with pytest.raises(JarvisError):
                await low.transport.whose(f"{name}:7001")

    play(main)


def test_the_port_where_others_join_is_no_address_of_the_node(identities: list[Identity]) -> None:
    async def main() -> None:
        low, high = two(identities)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(high.identity.certificate_file, high.identity.key_file)
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        async with running(low, introduce=False), server:
            with pytest.raises(NotAllowed, match="grants no links"):
                await low.transport.whose(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")

    play(main)


def test_who_is_refused_and_does_not_hang_up_is_hung_up(identities: list[Identity]) -> None:
    async def main() -> None:
        low, high = two(identities)
        async with running(low, high, introduce=False):
            reader, writer = await asyncio.open_connection("127.0.0.1", low.port, ssl=high.transport._trust.client)
            low.connector._peers[high.id].granted = Ticket(b"i" * 8, 1)
            writer.write(b"GET /link/1 HTTP/1.1\r\nHost: x\r\nJarvis-Ticket: %s.1\r\n\r\n" % (b"i" * 8).hex().encode())
            async with asyncio.timeout(SOON_S):
                assert b" 409 " in await reader.read()
            writer.close()

    play(main)


def test_who_asked_whose_an_address_is_and_left_late_is_let_go(identities: list[Identity]) -> None:
    async def main() -> None:
        low, high = two(identities)
        async with running(low, high, introduce=False):
            door = high.transport._server._door
            _, writer = await asyncio.open_connection("127.0.0.1", high.port, ssl=low.transport._trust.client)
            await until(lambda: high.transport._server._arrivals)
            writer.close()
            await until(lambda: door._half_open == {} and high.transport._server._arrivals == {}, SOON_S)

    play(main)
