"""One node asks another: answered once, refused in the other's words, and never waited for without end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from jarvis.core.codec import pack
from jarvis.core.errors import (
    BadConfiguration,
    DeadlineExceeded,
    JarvisError,
    NotAllowed,
    Overloaded,
    StoreFailed,
    Unreachable,
)
from jarvis.node.membership.requests import MAX_OPEN, Hung, Requests
from jarvis.sync.messages import Answer, Request, decode, encode

KITCHEN, HALL = b"k" * 16, b"h" * 16


class Pair:
    """Two nodes and the link between them, over which every message is really encoded."""

    def __init__(self) -> None:
        self.linked, self.lost = True, False
        self.kitchen = Requests(self._to_hall)
        self.hall = Requests(lambda *_: False)
        self.tasks: set[asyncio.Task[None]] = set()

    def _to_hall(self, peer: bytes, request: Request) -> bool:
        if self.linked and not self.lost:
            self.tasks.add(asyncio.get_running_loop().create_task(self._answer(peer, request)))
        return self.linked

    async def _answer(self, peer: bytes, request: Request) -> None:
        read = decode(encode(request))
        assert isinstance(read, Request)
        answer = decode(encode(await self.hall.handle(KITCHEN, read)))
        assert isinstance(answer, Answer)
        self.kitchen.answered(peer, answer)


def tell(story: Callable[[Pair], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(10):
            await story(Pair())

    asyncio.run(run())


def test_what_is_asked_is_answered() -> None:
    async def story(pair: Pair) -> None:
        async def double(peer: bytes, body: bytes) -> bytes:
            return peer[:1] + body * 2

        pair.hall.serve("double", double)
        asked = [pair.kitchen.ask(HALL, "double", body, within_s=5) for body in (b"a", b"b")]
        assert await asyncio.gather(*asked) == [b"kaa", b"kbb"]

    tell(story)


@pytest.mark.parametrize("error", [NotAllowed, Overloaded, StoreFailed])
def test_a_refusal_comes_in_the_words_of_who_refused(error: type[JarvisError]) -> None:
    async def story(pair: Pair) -> None:
        async def refuse(peer: bytes, body: bytes) -> bytes:
            raise error("Not today.", fix="Come\x1b tomorrow.")

        pair.hall.serve("ask", refuse)
        with pytest.raises(error, match="Not today") as caught:
            await pair.kitchen.ask(HALL, "ask", b"", within_s=5)
        assert caught.value.fix == "Come  tomorrow."
        with pytest.raises(NotAllowed, match="does not know"):
            await pair.kitchen.ask(HALL, "something newer", b"", within_s=5)

    tell(story)


def test_an_error_without_a_name_of_its_own_is_a_refusal() -> None:
    async def story(pair: Pair) -> None:
        async def fail(peer: bytes, body: bytes) -> bytes:
            raise BadConfiguration("It does not fit.")

        pair.hall.serve("ask", fail)
        with pytest.raises(NotAllowed, match="It does not fit"):
            await pair.kitchen.ask(HALL, "ask", b"", within_s=5)

    tell(story)


@pytest.mark.parametrize("body", [b"", b"\xc1", pack(["NotAllowed"]), pack([1, 2, 3]), pack("no")])
def test_a_refusal_that_cannot_be_read_is_one(body: bytes) -> None:
    async def story(pair: Pair) -> None:
        pair.lost = True
        asking = asyncio.ensure_future(pair.kitchen.ask(HALL, "ask", b"", within_s=5))
        await asyncio.sleep(0)
        pair.kitchen.answered(HALL, Answer(1, False, body))
        with pytest.raises(NotAllowed, match="did not say why"):
            await asking

    tell(story)


def test_nobody_waits_for_who_is_not_there() -> None:
    async def story(pair: Pair) -> None:
        pair.linked = False
        with pytest.raises(Unreachable):
            await pair.kitchen.ask(HALL, "ask", b"", within_s=5)
        pair.linked = pair.lost = True
        with pytest.raises(DeadlineExceeded):
            await pair.kitchen.ask(HALL, "ask", b"", within_s=0.01)
        asking = [asyncio.ensure_future(pair.kitchen.ask(HALL, "ask", b"", within_s=5)) for _ in range(MAX_OPEN)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await pair.kitchen.ask(HALL, "ask", b"", within_s=5)
        pair.kitchen.ended(KITCHEN, "not this one")
        pair.kitchen.answered(KITCHEN, Answer(2, True, b"forged"))
        pair.kitchen.ended(HALL, "it went")
        for one in asking:
            with pytest.raises(Hung, match="it went"):
                await one
        pair.kitchen.answered(HALL, Answer(2, True, b"too late"))

    tell(story)
