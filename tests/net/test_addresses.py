"""Addresses as text, and the book that knows whose they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.errors import InvalidInput
from jarvis.net.addresses import ADDRESSES_PER_NODE, AddressBook, join_address, split_address

ANN, BOB = b"a" * 16, b"b" * 16


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.168.1.20:7001", "192.168.1.20", 7001),
        ("kitchen.local:7001", "kitchen.local", 7001),
        ("[fd00::2]:7001", "fd00::2", 7001),
        ("[fe80::1%eth0]:65535", "fe80::1%eth0", 65535),
    ],
)
def test_addresses_come_apart_and_together(text: str, host: str, port: int) -> None:
    assert split_address(text) == (host, port)
    assert join_address(host, port) == text


@pytest.mark.parametrize(
    "text",
    ["", "kitchen", ":7001", "kitchen:", "kitchen:0", "kitchen:65536", "kitchen:-1", "fd00::2:7001", "a b:1",
     "http://kitchen:80", "x@kitchen:80", "kitchen:٣", "[]:1", "a" * 300 + ":1", "a..b:1", ".home:1",
     "a" * 64 + ".home:1", "a\0b:1"],
)  # fmt: skip
def test_what_is_no_address_is_said_so(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not an address") as caught:
        split_address(text)
    assert "HOST:PORT" in caught.value.fix


def test_the_newest_hint_is_tried_first_then_what_has_answered() -> None:
    book = AddressBook({ANN: ["10.0.0.1:1", "10.0.0.2:1"]})
    assert book.addresses(ANN) == ["10.0.0.1:1", "10.0.0.2:1"]
    assert book.hear(ANN, ["10.0.0.3:1"])
    book.prove(ANN, "10.0.0.2:1")
    assert book.addresses(ANN) == ["10.0.0.3:1", "10.0.0.2:1", "10.0.0.1:1"]
    assert not book.hear(ANN, ["10.0.0.1:1"]), "known already"
    assert book.addresses(ANN)[0] == "10.0.0.1:1", "but there it is now"


def test_an_address_belongs_to_whoever_answered_last() -> None:
    book = AddressBook()
    assert book.prove(ANN, "10.0.0.1:1") and not book.prove(ANN, "10.0.0.1:1")
    assert book.owner("10.0.0.1:1") == ANN
    book.prove(BOB, "10.0.0.1:1")
    assert book.owner("10.0.0.1:1") == BOB and book.addresses(ANN) == []


@given(st.lists(st.lists(st.integers(1, 60000), max_size=20), max_size=20))
def test_false_hints_neither_grow_without_bound_nor_displace_what_answered(hints: list[list[int]]) -> None:
    book = AddressBook()
    book.prove(ANN, "10.0.0.1:1")
    for ports in hints:
        book.hear(ANN, [f"10.9.9.9:{port}" for port in ports])
    assert "10.0.0.1:1" in book.addresses(ANN)[:2]
    assert len(book.addresses(ANN)) <= ADDRESSES_PER_NODE + 1
    assert "10.0.0.1:1" in book.best()[ANN]


def test_who_left_is_forgotten() -> None:
    book = AddressBook({ANN: ["10.0.0.1:1"], BOB: ["10.0.0.2:1", "not an address"]})
    book.keep_only([BOB])
    assert book.best() == {BOB: ["10.0.0.2:1"]}
