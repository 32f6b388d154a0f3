"""Ids as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.errors import InvalidInput, JarvisError, NotFound
from jarvis.core.ids import by_prefix, from_text, to_text


@given(st.binary(max_size=40))
def test_ids_go_round(raw):
    text = to_text(raw)
    assert text == text.lower()
    assert "=" not in text
    assert from_text(text) == from_text(text.upper()) == raw


def test_lengths_that_people_see():
    assert (len(to_text(bytes(16))), len(to_text(bytes(10)))) == (26, 16)


@given(st.text(max_size=30))
def test_anything_else_is_refused_in_words(text):
    try:
        raw = from_text(text)
    except InvalidInput:
        return
    assert to_text(raw) == text.lower()


@pytest.mark.parametrize("text", ["a", "ab=", "0189", "aaaaaaab!", "ab ", "ſ", "K", "ab", "a" * 14])
def test_second_spellings_and_noise_are_refused(text):
    # "ab" leaves bits over that no encoder writes: two texts for one id would be two ids for one node.
    with pytest.raises(InvalidInput):
        from_text(text)


KNOWN = ["kitchen", "kit", "bedroom"]


def test_an_unambiguous_prefix_is_enough():
    assert by_prefix("b", KNOWN, "node") == "bedroom"
    assert by_prefix(" BED ", KNOWN, "node") == "bedroom"
    assert by_prefix("kit", KNOWN, "node") == "kit", "an exact id wins over longer ones"
    assert by_prefix("kitc", KNOWN, "node") == "kitchen"
    assert by_prefix("b", ["bedroom", "bedroom"], "node") == "bedroom"


@pytest.mark.parametrize("wanted", ["ki", "", "  ", "cellar"])
def test_no_or_many_matches_are_said(wanted):
    with pytest.raises(NotFound) as caught:
        by_prefix(wanted, KNOWN, "node")
    assert isinstance(caught.value, JarvisError)
    assert caught.value.fix
