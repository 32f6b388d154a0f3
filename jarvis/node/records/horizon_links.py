"""The protocol's side of horizons, for the part of the node that conducts them: what is proposed, what is lacked, and
what linked peers say to hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable

from jarvis.core.time import Clock
from jarvis.replica.horizon import Need
from jarvis.sync.effects import Effect, OfHorizons
from jarvis.sync.horizons import Proposal
from jarvis.sync.machine import Sync
from jarvis.sync.messages import Message


async def _ignore(effect: OfHorizons) -> None:
    """A node that does not run its parts has nothing to say about horizons."""


class HorizonLinks:
    """`send` carries out what the protocol decides, `post` sends to a peer if it is linked."""

    def __init__(
        self,
        sync: Sync,
        clock: Clock,
        *,
        send: Callable[[Iterable[Effect]], None],
        post: Callable[[bytes, Message], bool],
    ) -> None:
        self._sync = sync
        self._clock = clock
        self._send = send
        self.post = post
        self.carry_out: Callable[[OfHorizons], Awaitable[None]] = _ignore
        """Told of each effect, in turn with the records of its link."""

    @property
    def proposal(self) -> Proposal | None:
        """What this node has proposed, while members have not signed it."""
        return self._sync.proposal

    def propose(self, proposal: Proposal | None) -> None:
        self._send(self._sync.propose(proposal, self._clock.mono_ms()))

    def lacks(self, need: Need | None) -> None:
        self._send(self._sync.lacks(need, self._clock.mono_ms()))

    def staged(self, peer: bytes, need: Need | None, *, useful: bool) -> None:
        self._send(self._sync.staged(peer, need, self._clock.mono_ms(), useful=useful))

    def told(self, but: Collection[bytes]) -> list[dict[bytes, int]]:
        """How far each linked peer holds each author, of all but these."""
        return self._sync.told(but)
