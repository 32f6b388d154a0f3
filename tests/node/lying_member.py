"""A member that lies, as a program: it has the real key of a room, links to every node it is told of, and does one
thing after another that no honest node would do, as fast as they let it.

    python -m tests.node.lying_member DATA_DIR --to HOST:PORT [--to ...] --way fork [--way ...]

It prints one line of JSON when it has said hello everywhere, runs until its standard input ends, and then prints what
it did. It must run on the data directory of a room whose node does not run."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from jarvis.core.codec import pack
from jarvis.core.errors import JarvisError
from jarvis.core.hlc import stamp
from jarvis.crdt.dots import Dot
from jarvis.crdt.mvmap import MVMap
from jarvis.crdt.registry import CONFIG, METRICS
from jarvis.crdt.text import EDIT, SharedText
from jarvis.identity.fork import fork_proof
from jarvis.store.protocol import Head
from jarvis.sync.messages import (
    Ack,
    Digest,
    Ephemeral,
    Fork,
    Heads,
    Membership,
    Message,
    Ping,
    Records,
    Want,
    decode,
)
from jarvis.testing.pen import Pen
from tests.node.liar import Liar

NOTE = "notes/shopping"
AGAIN_S = 0.3
"""Before it links again where it was thrown out."""
PAUSE_S = 0.01
FIRST_S = 0.5
"""For the other lies to be told before these make the link slow, or end it."""
STALL_S = 3.0
"""How long it reads nothing."""


def pen_of(liar: Liar, incarnation: bytes | None = None) -> Pen:
    """Of a new incarnation, unless one is given."""
    return Pen(
        liar.key,
        lambda: liar.chain,
        os.urandom,
        incarnation or os.urandom(16),
        hlc=stamp(int(time.time() * 1000)),
        config_key="liar.value",
    )


class Victim:
    """One honest node, and the link to it."""

    def __init__(self, liar: Liar, number: int, address: str, counts: Counter[str]) -> None:
        self.liar, self.number, self.address = liar, number, address
        self.heads: dict[bytes, Head] = {}
        """What it says it holds."""
        self.reading = asyncio.Event()
        self.reading.set()
        self._counts = counts
        self._link = liar
        self.greeted = asyncio.Event()

    async def run(self, ways: list[str]) -> None:
        """One link after another, for ever."""
        while True:
            liar = self.liar.another()
            with contextlib.suppress(JarvisError, OSError, TimeoutError, AssertionError):
                async with liar.linked(self.address):
                    self._link = liar
                    self.heads.update(liar.frontier)  # or nobody is known to lie about until somebody writes
                    self._counts["links"] += 1
                    tasks = [asyncio.create_task(one) for one in (self._read(liar), *map(self._repeat, ways))]
                    self.greeted.set()
                    try:
                        await asyncio.gather(*tasks)
                    finally:
                        self.reading.set()
                        for task in tasks:
                            task.cancel()
                        await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(AGAIN_S)

    async def _repeat(self, name: str) -> None:
        if name in ("flood", "stall"):
            await asyncio.sleep(FIRST_S)
        while True:
            await WAYS[name](self)
            self._counts[name] += 1
            await asyncio.sleep(PAUSE_S)

    async def say(self, *messages: Message) -> None:
        for message in messages:
            await self._link.send(message)
            self._counts["frames"] += 1
            await asyncio.sleep(0)  # for each way to have its turn, and for the news that the link has ended

    async def _read(self, liar: Liar) -> None:
        assert liar.link is not None
        while (frame := await liar.link.receive()) is not None:
            message = decode(frame)
            if isinstance(message, (Heads, Ack)):
                self.heads.update(message.heads)
            await self.reading.wait()
        raise ConnectionError(liar.link.closed_reason)

    def somebody(self) -> bytes:
        """An author of another node."""
        others = [one for one in self.heads if not one.startswith(self.liar.key.node_id)]
        return max(others, key=lambda one: self.heads[one].seq, default=os.urandom(32))


# --- the ways ------------------------------------------------------------------------------------------------------


async def fork(victim: Victim) -> None:
    """Two histories of one incarnation: every other node hears another one first, then some hear both."""
    moment = int(time.time() * 5)
    incarnation = pack([moment, "fork"]).ljust(16, b"f")
    mine, other = pen_of(victim.liar, incarnation), pen_of(victim.liar, incarnation)
    branches = [[pen.put(f"{name}{number}") for number in range(3)] for pen, name in ((mine, "a"), (other, "b"))]
    await victim.say(Records(tuple(branches[victim.number % 2])))
    if victim.number % 3 == 0:
        await victim.say(Records(tuple(branches[(victim.number + 1) % 2])))
    proof = fork_proof(*[(one[0].header_data, one[0].signature) for one in branches])
    await victim.say(Fork(proof), Fork(proof))


async def backdate(victim: Victim) -> None:
    """Stamps of 1970 and of the far future, and stamps that fall along a chain."""
    pen = pen_of(victim.liar)
    now = stamp(int(time.time() * 1000))
    await victim.say(
        Records((pen.put("from 1970", hlc=1), pen.put("far ahead", hlc=now + stamp(10**10)), pen.put("fell", hlc=now)))
    )


async def gap(victim: Victim) -> None:
    """Edits of a note that leave one out: the library would keep them pending and displace others' words later."""
    pen = pen_of(victim.liar)
    text = SharedText(pen.author, NOTE)
    first, _, third = (text.insert(at, word).operation for at, word in ((0, "bread"), (5, " and"), (9, " cake")))
    await victim.say(Records((pen.write(NOTE, first), pen.write(NOTE, third))))


async def foreign(victim: Victim) -> None:
    """Blocks in another author's name, well formed, in a record of its own."""
    pen, other = pen_of(victim.liar), victim.somebody()
    text = SharedText(other, NOTE)
    edit = text.insert(0, "in your name")
    noise = [EDIT, os.urandom(40), []]
    await victim.say(Records((pen.write(NOTE, edit.operation), pen.write(NOTE, [EDIT, edit.operation[1], []]))))
    with contextlib.suppress(JarvisError):
        await victim.say(Records((pen.write(NOTE, noise),)))


async def dots(victim: Victim) -> None:
    """Another's chain, another's counter, another's future."""
    other = victim.somebody()
    head = victim.heads.get(other, Head(1, os.urandom(32)))
    pen = pen_of(victim.liar)
    forged = pen_of(victim.liar)
    forged.seq, forged.prev = head.seq, head.hash
    future = Dot(other, head.seq + 10**6, 0)
    await victim.say(
        Records((forged.write(CONFIG, MVMap().put("liar.value", "as you"), author=other),)),
        Records((pen.write(METRICS, ["count", "heard", 10**9, 0]),)),
        Records((pen.write(CONFIG, ["put", "liar.value", "waits", [list(future)]]),)),
        Heads(((other, Head(head.seq + 5_000, os.urandom(32))),), last=False),
        Heads(((other, Head(head.seq, os.urandom(32))),), last=False),
        Ack(((other, Head(head.seq + 5_000, os.urandom(32))),)),
    )


async def flood(victim: Victim) -> None:
    """Everything that is cheap to say and dear to hear."""
    pen = pen_of(victim.liar)
    many = [pen.put("x" * 200) for _ in range(20)]
    other = victim.somebody()
    known = victim.heads.get(other, Head(1, b""))
    for number in range(20):
        await victim.say(
            Ping(number),
            Ephemeral("say", b"\xc1" + os.urandom(8)),
            Ephemeral("say", pack(["", "x" * 1_000])),
            Want(other, max(1, known.seq - 500), max(1, known.seq)),
            Digest(True, os.urandom(32), os.urandom(32)),
            Heads(tuple((os.urandom(32), Head(7, os.urandom(32))) for _ in range(40)), last=False),
            Membership(1, os.urandom(32), 1),
            Records(tuple(many)),
            Records((replace(many[0], signature=os.urandom(64)),)),
            Records((replace(many[-1], payload=os.urandom(len(many[-1].payload or b""))),)),
        )


async def stall(victim: Victim) -> None:
    """Claims to hold all there is and more, asks for everything, reads nothing and answers nothing."""
    claims = {author: Head(head.seq + 2_000, os.urandom(32)) for author, head in victim.heads.items()}
    victim.reading.clear()
    try:
        await victim.say(Heads(tuple(sorted(claims.items())[:1_000]), last=False))
        for author, head in list(victim.heads.items())[:64]:
            await victim.say(Want(author, 1, min(head.seq, 512)))
        await asyncio.sleep(STALL_S)
    finally:
        victim.reading.set()


WAYS: dict[str, Callable[[Victim], Awaitable[None]]] = {
    "fork": fork,
    "backdate": backdate,
    "gap": gap,
    "foreign": foreign,
    "dots": dots,
    "flood": flood,
    "stall": stall,
}


async def lie(directory: Path, addresses: list[str], ways: list[str]) -> None:
    liar = await Liar.at(directory)
    counts: Counter[str] = Counter()
    victims = [Victim(liar, number, address, counts) for number, address in enumerate(addresses)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(victim.run(ways)) for victim in victims]
        await asyncio.gather(*[victim.greeted.wait() for victim in victims])
        print(json.dumps({"event": "linked", "node_id": liar.key.node_id.hex()}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for task in tasks:
            task.cancel()
    print(json.dumps(counts), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="lying_member")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--to", action="append", required=True, metavar="HOST:PORT")
    parser.add_argument("--way", action="append", required=True, choices=sorted(WAYS))
    arguments = parser.parse_args()
    asyncio.run(lie(arguments.directory, arguments.to, arguments.way))


if __name__ == "__main__":
    main()
