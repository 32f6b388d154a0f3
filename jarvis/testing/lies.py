"""What a lying member tells in a simulation: with its machine's real key, in fresh incarnations, over the links it
has. The machine itself goes on honestly and is judged like the others: whatever is told in its name, all must come
to the same."""

from __future__ import annotations

import random
from collections.abc import Callable

from jarvis.core.hlc import stamp
from jarvis.crdt.dots import Dot
from jarvis.crdt.mvmap import MVMap
from jarvis.crdt.registry import CONFIG
from jarvis.crdt.text import EDIT, SharedText
from jarvis.identity.fork import fork_proof
from jarvis.store.protocol import Head
from jarvis.sync.messages import Fork, Heads, Message, Records, encode
from jarvis.testing.machine import Machine
from jarvis.testing.pen import Pen
from jarvis.testing.writers import NOTE

AHEAD_MS = 10**9
"""Of every clock: such a stamp may order concurrent words, and move no clock."""


class Liar:
    """One lie of `machine`, which follows from `rng` alone. `pen()` is a new incarnation."""

    def __init__(self, machine: Machine, rng: random.Random) -> None:
        self.machine, self._rng = machine, rng
        self.peers = sorted(peer for peer, state in machine.sync.peers.items() if state.ready) if machine.sync else []
        self.others = [one for one in sorted(machine.heads()) if not one.startswith(machine.node_id)]

    def pen(self, incarnation: bytes | None = None) -> Pen:
        machine, rng = self.machine, self._rng
        return Pen(
            machine.key,
            lambda: machine.bounds().chain,
            rng.randbytes,
            incarnation or rng.randbytes(16),
            hlc=stamp(machine.wall_ms()),
            config_key="k0",
        )

    def somebody(self) -> tuple[bytes, Head]:
        """Another node's author, and what is held of it."""
        author = self._rng.choice(self.others) if self.others else self._rng.randbytes(32)
        return author, self.machine.heads().get(author, Head(1, bytes(32)))

    def tell(self, peer: bytes, *messages: Message) -> None:
        """Past the machine's own bookkeeping, which notes what honest nodes acknowledge."""
        for message in messages:
            self.machine.wires.post(self.machine, peer, encode(message))

    def tell_all(self, *messages: Message) -> None:
        for peer in self.peers:
            self.tell(peer, *messages)


def fork(liar: Liar) -> None:
    """Two histories, told to different peers; sometimes with the proof, and sometimes of different lengths."""
    incarnation, length = liar._rng.randbytes(16), liar._rng.randrange(1, 5)
    pens = [liar.pen(incarnation) for _ in range(2)]
    branches = [
        [pen.put(name) for _ in range(length + 2 * number)]
        for number, (pen, name) in enumerate(zip(pens, "ab", strict=True))
    ]
    first = liar._rng.randrange(2)
    for number, peer in enumerate(liar.peers):
        liar.tell(peer, Records(tuple(branches[(number + first) % 2])))
    if liar.peers and liar._rng.random() < 0.3:
        one, other = ((branch[0].header_data, branch[0].signature) for branch in branches)
        liar.tell(liar.peers[0], Fork(fork_proof(one, other)))


def backdate(liar: Liar) -> None:
    """Stamps of 1970, of the far future, and one that falls along its chain."""
    pen = liar.pen()
    ahead = stamp(liar.machine.wall_ms() + AHEAD_MS)
    liar.tell_all(Records((pen.put("1970", hlc=1), pen.put("ahead", hlc=ahead), pen.put("fell", hlc=ahead - 1))))


def invalid(liar: Liar) -> None:
    """Signed well and against the rules: of another kind, no operation, edits nobody could make."""
    pen, (other, _) = liar.pen(), liar.somebody()
    text, foreign = SharedText(pen.author, NOTE), SharedText(other, NOTE)
    edits = [text.insert(0, "left out"), text.insert(8, " and gone on")]
    liar.tell_all(
        Records(
            (
                pen.put("of another kind", kind=99),
                pen.write(CONFIG, ["shout", 1]),
                pen.write(NOTE, edits[1].operation),
                pen.write(NOTE, foreign.insert(0, "in your name").operation),
                pen.write(NOTE, [EDIT, b"\x01\x01", []]),
                pen.put("and this is valid"),
            )
        )
    )


def claim(liar: Liar) -> None:
    """To hold more of another than there is, or something else: to all but that one, which alone would know."""
    author, head = liar.somebody()
    claims = [
        Head(head.seq + liar._rng.randrange(1, 2_000), liar._rng.randbytes(32)),
        Head(head.seq, liar._rng.randbytes(32)),
    ]
    for peer in liar.peers:
        if not author.startswith(peer):
            liar.tell(peer, Heads(((author, liar._rng.choice(claims)),)))


def forge(liar: Liar) -> None:
    """The next record of somebody else, signed by itself."""
    author, head = liar.somebody()
    pen = liar.pen()
    pen.seq, pen.prev = head.seq, head.hash
    liar.tell_all(Records((pen.write(CONFIG, MVMap().put("k0", "as you"), author=author),)))


def orphan(liar: Liar) -> None:
    """Names what nobody wrote, and goes on: it waits for ever."""
    pen, (author, head) = liar.pen(), liar.somebody()
    future = Dot(author, head.seq + 10**6, 0)
    liar.tell_all(Records((pen.write(CONFIG, ["put", "k0", "waits", [list(future)]]), pen.put("and its next"))))


LIES: dict[str, Callable[[Liar], None]] = {
    "fork": fork,
    "backdate": backdate,
    "invalid": invalid,
    "claim": claim,
    "forge": forge,
    "orphan": orphan,
}
"""By name."""
