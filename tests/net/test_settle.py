"""Both ends of any pair of links keep the same one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.net.settle import Mark, Ticket, new_one_stays

LOW, HIGH = b"L" * 8, b"H" * 8


@dataclass(frozen=True)
class Both:
    """One link as its two ends mark it."""

    low_dialled: bool
    low: int
    high: int

    def at_low(self) -> Mark:
        return Mark(self.low_dialled, Ticket(LOW, self.low), Ticket(HIGH, self.high))

    def at_high(self) -> Mark:
        return Mark(not self.low_dialled, Ticket(HIGH, self.high), Ticket(LOW, self.low))


def history(draw: Any) -> list[Both]:
    """Two links as they can come about: each side has one counter; who dials draws before the other accepts."""
    links = []
    events = draw(st.permutations([("dial", 0), ("accept", 0), ("dial", 1), ("accept", 1)]))
    by_low = [draw(st.booleans()), draw(st.booleans())]
    order = sorted(events, key=lambda event: events.index(event))
    for which in (0, 1):
        if order.index(("dial", which)) > order.index(("accept", which)):
            i, j = order.index(("dial", which)), order.index(("accept", which))
            order[i], order[j] = order[j], order[i]
    counters = {True: 0, False: 0}
    drawn: dict[tuple[str, int], int] = {}
    one_round = draw(st.booleans()) and by_low[0] == by_low[1]
    for kind, which in order:
        side = by_low[which] if kind == "dial" else not by_low[which]
        other_dial = drawn.get(("dial", 1 - which))
        if kind == "dial" and one_round and other_dial is not None:
            drawn[kind, which] = other_dial  # several addresses tried at once share a number
            continue
        counters[side] += 1
        drawn[kind, which] = counters[side]
    for which in (0, 1):
        dial, accept = drawn["dial", which], drawn["accept", which]
        links.append(Both(by_low[which], dial if by_low[which] else accept, accept if by_low[which] else dial))
    return links


@given(st.data())
def test_both_ends_keep_the_same_link_in_whatever_order_they_see_them(data: st.DataObject) -> None:
    first, second = history(data.draw)
    kept = set()
    for old, new in ((first, second), (second, first)):
        kept.add(new if new_one_stays(new.at_low(), old.at_low(), mine_is_lower=True) else old)
        kept.add(new if new_one_stays(new.at_high(), old.at_high(), mine_is_lower=False) else old)
    assert len(kept) == 1


def test_simultaneous_dialling_keeps_the_lower_one_s() -> None:
    by_low, by_high = Both(True, low=1, high=2), Both(False, low=2, high=1)
    assert new_one_stays(by_low.at_low(), by_high.at_low(), mine_is_lower=True)
    assert not new_one_stays(by_high.at_high(), by_low.at_high(), mine_is_lower=False)


def test_who_dials_again_has_lost_the_other_link() -> None:
    old = Both(True, low=1, high=1)  # dialled by the lower, accepted by the higher
    again = Both(False, low=2, high=2)  # later the higher dials: it no longer has the old one
    assert new_one_stays(again.at_low(), old.at_low(), mine_is_lower=True)


def test_a_restarted_peer_wins_over_its_former_life() -> None:
    old = Mark(True, Ticket(LOW, 7), Ticket(HIGH, 9))
    new = Mark(False, Ticket(LOW, 8), Ticket(b"N" * 8, 1))
    assert new_one_stays(new, old, mine_is_lower=True)


def test_a_ticket_survives_its_text_and_nothing_else_is_one() -> None:
    ticket = Ticket(bytes(range(8)), 12)
    assert Ticket.from_text(ticket.to_text()) == ticket
    for bad in ("", ".", "00.1", ticket.to_text() + "0" * 20, ticket.to_text().upper() + "x", "0" * 16 + ".-1"):
        assert Ticket.from_text(bad) is None


@pytest.mark.parametrize("number", [0, 10**15 - 1])
def test_a_ticket_s_number_may_be_any_of_fifteen_digits(number: int) -> None:
    assert Ticket.from_text(Ticket(LOW, number).to_text()) == Ticket(LOW, number)
