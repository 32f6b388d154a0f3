"""What a link is, whatever carries it: an authenticated, ordered, bounded way to one peer and back. Protocols and
bounds only; it knows no socket. A link carries opaque frames: it must never look inside one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from jarvis.core.errors import InvalidInput, NotAllowed
from jarvis.net.settle import Ticket

MAX_FRAME_BYTES = 256 * 1024
"""A frame's bound, measured before its bytes are taken in. Records are at most 64 KiB and blob chunks 128 KiB."""
FIRST_FRAME_BYTES = 16 * 1024
"""The first frame each way is a greeting; who it comes from has proven a key, but not yet agreed on a protocol."""
SEND_QUEUE_BYTES = 2 * 1024 * 1024
"""What callers of one link may wait with: the credit of 1 MiB a peer gives, and as much again for everything else.
Beyond it the peer is not reading, and holding more would only move its trouble into our memory."""
SEND_DEADLINE_S = 10.0
"""How long one frame may wait to leave. A peer on a slow radio link takes 256 KiB in under 3 s."""
CLOSE_DEADLINE_S = 1.0
"""How long a goodbye may take before the connection is cut."""
MAX_REASON_BYTES = 120
"""A WebSocket's close frame holds 123."""


class Elsewhere(NotAllowed):
    """Another member than was meant answers at the address."""


class OwnAddress(Elsewhere):
    """The address leads back to this node."""


class Link(Protocol):
    """One authenticated connection to one peer."""

    peer: bytes
    """The peer's node id, proven by its certificate."""
    dialled: bool
    """Whether this side opened it."""
    address: str
    """`HOST:PORT` where the peer can be dialled; "" when unknown."""
    mine: Ticket
    theirs: Ticket

    @property
    def closed_reason(self) -> str:
        """Why it ended, in a few words; "" while it is open."""

    def stalled(self) -> bool:
        """Whether bytes that were sent wait for an answer unusually long: after an outage TCP may let them wait for
        as long again, and a new link is there sooner."""

    async def send(self, frame: bytes) -> None:
        """Give one frame (at most MAX_FRAME_BYTES) to the connection; frames of one caller keep their order.

        Waits while the peer is slow. Raises Unreachable when the link is closed, when more than SEND_QUEUE_BYTES
        wait or when the frame could not leave within SEND_DEADLINE_S: the link is then closed, with that reason.
        """

    async def receive(self) -> bytes | None:
        """The next frame, or None once the link is closed. One caller at a time, and it must keep calling: an
        unread link answers no pings, and the peer gives it up after about 20 s."""

    async def close(self, reason: str) -> None:
        """Tell the peer why, and end it within CLOSE_DEADLINE_S. Idempotent; a waiting `receive` returns None."""


Accept = Callable[[Link], Awaitable[None]]
"""Takes a link that a peer opened, for its whole life: returns when it is closed."""
Answer = Callable[[bytes, Ticket], Awaitable[Ticket | None]]
"""Draws our mark for a link that this peer (its node id) asks for with its own mark, or None to refuse. It may let one
request of a peer wait for about a second."""


class Transport(Protocol):
    """A way to be reached by members and to reach them. The real one is `net.transport`; its in-memory twin is
    `jarvis.testing.network`."""

    async def listen(self, accept: Accept, answer: Answer) -> int:
        """Take the port and return it; `answer` is awaited before each link is granted. Raises BadConfiguration when
        the address cannot be used."""

    async def serve(self) -> None:
        """Accept until cancelled."""

    async def dial(self, address: str, ticket: Ticket, peer: bytes) -> Link:
        """Open a link to this member (its node id) if it answers there. Raises Unreachable, NotAllowed when we were
        refused or the answering node is not a member, and Elsewhere when it is another."""

    async def whose(self, address: str) -> bytes:
        """The node id of the member that answers there, without a link to it. Raises Unreachable, NotAllowed when it
        is no member, and OwnAddress when it is this node."""

    def members_changed(self) -> None:
        """New handshakes follow the new members from now on."""

    async def close(self) -> None:
        """Stop accepting and release the port, within CLOSE_DEADLINE_S. Live links are their owner's."""


def check_frame(frame: bytes, *, first: bool) -> None:
    """Refuse to send what the other side would refuse to take."""
    limit = FIRST_FRAME_BYTES if first else MAX_FRAME_BYTES
    if len(frame) > limit:
        raise InvalidInput(f"A frame of {len(frame)} bytes is over the limit of {limit}.")


def tidy_reason(reason: str) -> str:
    """A peer's reason as something fit for a log: short, one line, printable."""
    short = reason.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore")
    return "".join(char if char.isprintable() else " " for char in short)
