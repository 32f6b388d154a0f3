"""Changes by position: they make the new text of the old one, touch nothing that stayed, and find their place again."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from jarvis.node.kept import differences
from jarvis.node.kept.differences import Change, apply, carried, changes

texts = st.text(st.sampled_from("ab\n é\U0001f389"), max_size=30)


@given(texts, texts)
def test_changes_make_the_new_text(old, new):
    made = changes(old, new)
    assert apply(list(reversed(made)), old) == new
    assert (made == []) == (old == new)
    behind = 0
    for change in made:
        assert change.position >= behind
        behind = change.position + change.delete
        assert old[change.position : behind] != change.insert


def test_a_word_changed_is_a_small_change():
    assert changes("milk\neggs\nbread", "milk\nsix eggs\nbread") == [Change(5, 0, "six ")]
    assert changes("milk\neggs\nbread", "milk\nbread") == [Change(5, 5, "")]


def test_long_notes_are_compared_by_lines(monkeypatch):
    old = "".join(f"line {n}\n" for n in range(5_000))
    new = old.replace("line 7\n", "line seven\n").replace("line 4990\n", "")
    assert apply(list(reversed(changes(old, new))), old) == new
    assert sum(change.delete + len(change.insert) for change in changes(old, new)) < 30
    monkeypatch.setattr(differences, "MAX_PAIRS", 1)
    assert apply(list(reversed(changes("ab\ncd\nef", "ab\nxyz\nef"))), "ab\ncd\nef") == "ab\nxyz\nef"


@given(texts, texts)
def test_carried_over_nothing_they_are_what_they_were(old, new):
    assert apply(carried(changes(old, new), old, old), old) == new


@given(texts, texts)
def test_a_change_made_by_others_alone_stays(old, others):
    assert apply(carried([], old, others), others) == others


@given(texts, texts, st.data())
def test_what_was_deleted_goes_and_what_others_wrote_stays(head, tail, data):
    """Somebody deletes a passage into which another wrote: what the other wrote remains."""
    passage = data.draw(st.text("xyz", min_size=2, max_size=6))
    at = data.draw(st.integers(1, len(passage) - 1))
    base = head + "<" + passage + ">" + tail
    now = head + "<" + passage[:at] + "NEW" + passage[at:] + ">" + tail
    made = carried([Change(len(head) + 1, len(passage), "!")], base, now)
    assert sorted(apply(made, now)[len(head) + 1 :][:4]) == sorted("NEW!")
    assert apply(made, now).endswith(">" + tail)


def test_an_insertion_stays_beside_its_word():
    assert apply(carried([Change(4, 0, " and eggs")], "milk", "oat milk!"), "oat milk!") == "oat milk and eggs!"
    assert apply(carried([Change(2, 0, "X")], "abcd", "aYd"), "aYd") in ("aXYd", "aYXd")


def test_no_two_notes_take_long_to_compare():
    began = time.monotonic()
    for old, new in (
        ("ab" * 10_000, "ba" * 9_999),
        ("\n" * 50_000, "x" + "\n" * 49_990),
        ("a" * 440 + "x", "y" + "a" * 440),
        ("abc\n" * 400, "acb\n" * 450),
        ("ab" * 300, "aab" * 210),
    ):
        assert apply(list(reversed(changes(old, new))), old) == new
    assert time.monotonic() - began < 10
