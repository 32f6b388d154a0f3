"""What peers ask us for: one answer after another, as far as a peer's credit goes. What waits for credit is only what
was asked, never the answers."""

from __future__ import annotations

from collections.abc import Sequence

from jarvis.identity.record import SignedRecord
from jarvis.sync.effects import Drop, Effect, Fetch, Send
from jarvis.sync.messages import Records, Want
from jarvis.sync.peer import Peer

MAX_ASKED_OF_US = 4_096
"""Wants of one peer that wait: an honest one asks for 16 authors at a time, and once for each place where its history
and ours differ. Some 400 KiB."""


def asked(name: bytes, peer: Peer, want: Want) -> list[Effect]:
    if len(peer.wants) >= MAX_ASKED_OF_US:
        return [Drop(name, "it asks for more than it takes in")]
    peer.wants.append(want)
    return answer_next(name, peer)


def answer_next(name: bytes, peer: Peer) -> list[Effect]:
    """Fetch the next answer, if there is credit and none is being fetched."""
    if peer.is_fetching or not peer.wants or not peer.outgoing.is_left:
        return []
    peer.is_fetching = True
    want = peer.wants.popleft()
    return [Fetch(name, want.author, want.first, want.through)]


def answered(name: bytes, peer: Peer, records: Sequence[SignedRecord]) -> list[Effect]:
    """The store's answer to the last fetch; empty when there is nothing (any more)."""
    peer.is_fetching = False
    for record in records:
        peer.outgoing.sent(record)
    sent: list[Effect] = [Send(name, Records(tuple(records)))] if records else []
    return sent + answer_next(name, peer)
