"""Two copies of one node are noticed; restarts, however many, are not taken for them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jarvis.net.copies import REMEMBERED, Copies

PEER, OTHER = b"p" * 16, b"o" * 16
A, B, C = (bytes([number]) * 8 for number in (1, 2, 3))


def test_who_greets_again_after_another_was_alive_all_along() -> None:
    copies = Copies()
    assert not copies.greeted(PEER, A) and not copies.greeted(PEER, A)
    assert not copies.greeted(PEER, B), "a restart"
    assert not copies.refuses(PEER, A, B) and not copies.refuses(PEER, B, A)
    assert copies.greeted(PEER, A), "it was not: A is still alive"
    assert copies.refuses(PEER, B, A) and not copies.refuses(PEER, A, B)
    assert not copies.refuses(OTHER, B, A)
    assert not copies.greeted(PEER, A)
    # The copy gets in while the other one is away; when that returns, the copy is still the copy.
    assert copies.greeted(PEER, B) and copies.greeted(PEER, A)
    assert copies.refuses(PEER, B, A) and not copies.refuses(PEER, A, B)


def test_a_third_life_is_no_copy() -> None:
    copies = Copies()
    for instance in (A, B, A):
        copies.greeted(PEER, instance)
    assert not copies.greeted(PEER, C) and not copies.refuses(PEER, C, A)
    assert not copies.refuses(PEER, B, B)


@given(st.lists(st.integers(0, 20), max_size=60))
def test_lives_that_never_overlap_are_never_taken_for_copies(lengths: list[int]) -> None:
    copies = Copies()
    for number, greetings in enumerate(lengths):
        for _ in range(greetings):
            assert not copies.greeted(PEER, number.to_bytes(8, "big"))
        assert not copies.refuses(PEER, number.to_bytes(8, "big"), (number - 1).to_bytes(8, "big", signed=True))


@given(st.lists(st.integers(0, 30), max_size=200))
def test_it_remembers_a_few(order: list[int]) -> None:
    copies = Copies()
    for number in order:
        copies.greeted(PEER, number.to_bytes(8, "big"))
    lives = copies._lives.get(PEER)
    assert lives is None or (len(lives.seen) <= REMEMBERED and lives.copies <= set(lives.seen))
