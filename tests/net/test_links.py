"""What every link must do, asked of the real one (TLS and WebSocket over loopback) and of its in-memory twin."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from jarvis.core.errors import InvalidInput, NotAllowed, Unreachable
from jarvis.net.accept import HALF_OPEN_PER_ADDRESS
from jarvis.net.link import FIRST_FRAME_BYTES, MAX_FRAME_BYTES, SEND_QUEUE_BYTES, Elsewhere, Link, OwnAddress, Transport
from jarvis.net.settle import Ticket
from jarvis.net.transport import TlsTransport
from jarvis.testing.network import Network
from jarvis.testing.waiting import until
from tests.net.homes import Home, Identity, play

TICKET = Ticket(b"i" * 8, 1)
ANSWER = Ticket(b"a" * 8, 2)


@dataclass
class Pair:
    """Two transports that listen, and how they are reached."""

    home: Home
    one: Transport
    two: Transport
    one_address: str
    two_address: str
    accepted: list[Link]
    """Links that `two` accepted."""
    two_id: bytes
    asked: list[bytes]
    """Who asked for a link."""
    grant: asyncio.Event
    """Who asks is answered while it is set."""


Make = Callable[[list[Identity]], AbstractAsyncContextManager[Pair]]


def tls(pair_of: list[Identity]) -> AbstractAsyncContextManager[Pair]:
    home = Home(*pair_of[:2])
    transports = [
        TlsTransport(
            me=one.id, members=home, certificate=one.certificate_file, key=one.key_file, bind="127.0.0.1", port=0
        )
        for one in pair_of[:2]
    ]
    return _served(home, transports, lambda _index, port: f"127.0.0.1:{port}")


def memory(pair_of: list[Identity]) -> AbstractAsyncContextManager[Pair]:
    home = Home(*pair_of[:2])
    network = Network(random.Random(1))
    transports = [network.transport(one.id, home) for one in pair_of[:2]]
    return _served(home, transports, lambda index, _port: transports[index].address)


@asynccontextmanager
async def _served(home: Home, transports: list[Transport], address: Callable[[int, int], str]) -> AsyncIterator[Pair]:
    accepted: list[Link] = []
    asked: list[bytes] = []
    release, grant = asyncio.Event(), asyncio.Event()
    grant.set()

    async def answer(peer: bytes, _theirs: Ticket) -> Ticket | None:
        asked.append(peer)
        await grant.wait()
        return ANSWER

    async def accept(link: Link) -> None:
        accepted.append(link)
        await release.wait()

    ports = [await transport.listen(accept, answer) for transport in transports]
    async with asyncio.TaskGroup() as group:
        serving = [group.create_task(transport.serve()) for transport in transports]
        await asyncio.sleep(0)
        try:
            yield Pair(
                home,
                *transports,
                address(0, ports[0]),
                address(1, ports[1]),
                accepted,
                [*home.members][1],
                asked,
                grant,
            )
        finally:
            release.set()
            for link in accepted:
                await link.close("the test is over")
            for transport in transports:
                await transport.close()
            for task in serving:
                task.cancel()


@pytest.fixture(params=[tls, memory], ids=["tls", "memory"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


async def dialled(pair: Pair) -> tuple[Link, Link]:
    near = await pair.one.dial(pair.two_address, TICKET, pair.two_id)
    await until(lambda: len(pair.accepted) > 0)
    return near, pair.accepted[-1]


def test_both_ends_know_each_other(make: Make, identities: list[Identity]) -> None:
    async def main() -> None:
        async with make(identities) as pair:
            near, far = await dialled(pair)
            assert (near.peer, far.peer) == (identities[1].id, identities[0].id)
            assert (near.dialled, far.dialled) == (True, False)
            assert (near.mine, near.theirs, far.mine, far.theirs) == (TICKET, ANSWER, ANSWER, TICKET)
            assert near.address == pair.two_address and far.address == pair.one_address
            assert near.closed_reason == far.closed_reason == ""
            await near.close("done")

    play(main)


def test_frames_arrive_whole_and_in_order_both_ways(make: Make, identities: list[Identity]) -> None:
    async def main() -> None:
        async with make(identities) as pair:
            near, far = await dialled(pair)
            frames = [b"", b"hello", bytes(FIRST_FRAME_BYTES), random.Random(2).randbytes(MAX_FRAME_BYTES)]
            frames += [b"%d" % index for index in range(200)]

            async def send(link: Link) -> None:
                for frame in frames:
                    await link.send(frame)

            async def receive(link: Link) -> None:
                for frame in frames:
                    assert await link.receive() == frame

            await asyncio.gather(send(near), send(far), receive(near), receive(far))
            await near.close("done")

    play(main)


def test_a_goodbye_carries_its_reason_after_what_was_sent(make: Make, identities: list[Identity]) -> None:
    async def main() -> None:
        async with make(identities) as pair:
            near, far = await dialled(pair)
            await near.send(b"last words")
            waiting = asyncio.create_task(near.receive())
            await asyncio.sleep(0)
            await near.close("moving house")
            assert await waiting is None
            await near.close("twice does no harm")
            assert near.closed_reason == "moving house"
            assert await far.receive() == b"last words"
            assert await far.receive() is None
            assert await far.receive() is None
            assert far.closed_reason == "moving house"
            for link in (near, far):
                with pytest.raises(Unreachable, match="moving house"):
                    await link.send(b"too late")

    play(main)


def test_a_reason_of_any_length_and_script_ends_the_link(make: Make, identities: list[Identity]) -> None:
    async def main() -> None:
        async with make(identities) as pair:
            near, far = await dialled(pair)
            await near.close("\n\x1b[31m" + "ß" * 500)
            assert await far.receive() is None
            assert far.closed_reason and far.closed_reason.isprintable() and len(far.closed_reason.encode()) <= 120

    play(main)


def test_what_is_too_long_is_not_even_sent(make: Make, identities: list[Identity]) -> None:
    async def main() -> None:
        async with make(identities) as pair:
            near, far = await dialled(pair)
            with pytest.raises(InvalidInput, match="over the limit"):
                await near.send(bytes(FIRST_FRAME_BYTES + 1))
            await near.send(b"short")
            with pytest.raises(InvalidInput, match="over the limit"):
                await near.send(bytes(MAX_FRAME_BYTES + 1))
            await near.send(b"still open")
            assert [await far.receive(), await far.receive()] == [b"short", b"still open"]
            await near.close("done")

    play(main)


def test_a_slow_reader_costs_bounded_memory_and_its_link(
    make: Make, identities: list[Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jarvis.net.websocket.SEND_DEADLINE_S", 0.5)
    monkeypatch.setattr("jarvis.testing.network.SEND_DEADLINE_S", 0.5)

    async def main() -> None:
        async with make(identities) as pair:
            near, _far = await dialled(pair)
            await near.send(b"hello")
            sent = 0
            with pytest.raises(Unreachable, match="reads too slowly"):
                while True:
                    await near.send(bytes(MAX_FRAME_BYTES))
                    sent += MAX_FRAME_BYTES
            assert near.closed_reason == "the peer reads too slowly"
            # The kernel's own buffers on loopback take some MiB; ours must not grow beyond.
            assert sent < 32 * 1024 * 1024

    play(main)


def test_too_many_waiting_senders_end_the_link(make: Make, identities: list[Identity]) -> None:
    async def main() -> None:
        async with make(identities) as pair:
            near, _far = await dialled(pair)
            await near.send(b"hello")

            async def send() -> str:
                try:
                    await near.send(bytes(MAX_FRAME_BYTES))
                except Unreachable as error:
                    return str(error)
                return ""

            # More at once than may wait, and as much again as the kernel's buffers swallow.
            results = await asyncio.gather(*(send() for _ in range(40 + SEND_QUEUE_BYTES // MAX_FRAME_BYTES)))
            assert any("reads too slowly" in result for result in results)
            assert near.closed_reason == "the peer reads too slowly"

    play(main)


def test_a_cancelled_receive_loses_nothing(make: Make, identities: list[Identity]) -> None:
    async def main() -> None:
        async with make(identities) as pair:
            near, far = await dialled(pair)
            waiting = asyncio.create_task(far.receive())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            await near.send(b"here")
            assert await far.receive() == b"here"
            await near.close("done")

    play(main)


def test_dialling_in_vain_says_why(make: Make, identities: list[Identity]) -> None:
    async def main() -> None:
        async with make(identities) as pair:
            with pytest.raises(Elsewhere):
                await pair.one.dial(pair.two_address, TICKET, identities[2].id)
            with pytest.raises(Elsewhere):
                await pair.one.dial(pair.one_address, TICKET, identities[1].id)
            with pytest.raises(Unreachable, match="Nobody answers"):
                await pair.one.dial("127.0.0.1:9", TICKET, identities[1].id)
            del pair.home.members[identities[1].id]
            pair.one.members_changed()
            with pytest.raises(NotAllowed, match="not a member"):
                await pair.one.dial(pair.two_address, TICKET, identities[1].id)

    play(main)


def test_who_leaves_before_its_link_is_granted_leaves_nothing(
    make: Make, identities: list[Identity], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with make(identities) as pair:
            pair.grant.clear()
            dialling = asyncio.create_task(pair.one.dial(pair.two_address, TICKET, identities[1].id))
            await until(lambda: pair.asked)
            dialling.cancel()
            await asyncio.wait({dialling})
            if isinstance(pair.two, TlsTransport):
                (connection,) = pair.two._server._web.connections
                await until(lambda: connection.transport is None)
            pair.grant.set()
            await pair.one.dial(pair.two_address, TICKET, identities[1].id)
            await until(lambda: len(pair.accepted) == 1)
            assert len(pair.asked) == 2

    play(main)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_whose_an_address_is_can_be_asked_without_a_link(make: Make, identities: list[Identity]) -> None:
    async def main() -> None:
        async with make(identities) as pair:
            for _ in range(2 * HALF_OPEN_PER_ADDRESS):  # none of them stays half-open
                assert await pair.one.whose(pair.two_address) == identities[1].id
            assert pair.accepted == []
            with pytest.raises(OwnAddress):
                await pair.one.whose(pair.one_address)
            with pytest.raises(Unreachable, match="Nobody answers"):
                await pair.one.whose("127.0.0.1:9")
            await pair.one.dial(pair.two_address, TICKET, identities[1].id)
            del pair.home.members[identities[1].id]
            pair.one.members_changed()
            with pytest.raises(NotAllowed, match="not a member"):
                await pair.one.whose(pair.two_address)

    play(main)


def test_after_close_nobody_answers(make: Make, identities: list[Identity]) -> None:
    async def main() -> None:
        async with make(identities) as pair:
            await pair.two.close()
            with pytest.raises(Unreachable):
                await pair.one.dial(pair.two_address, TICKET, identities[1].id)

    play(main)
