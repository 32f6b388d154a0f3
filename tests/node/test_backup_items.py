"""What a backup holds, as bytes: items come back as they were, and bytes that are none are refused."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.core.codec import pack
from jarvis.core.errors import BadConfiguration, InvalidBytes, JarvisError
from jarvis.node.backups.items import (
    ITEMS,
    About,
    Below,
    End,
    Entry,
    Fork,
    Item,
    Items,
    OwnValue,
    Proof,
    Record,
    encode,
)

ABOUT = About(b"n" * 16, "kitchen", "kitchen", "Home", 2, 1_800_000_000_000)
WHOLE: list[Item] = [
    ABOUT,
    Entry(b"e", b"s"),
    OwnValue("pin/a.b", b"v"),
    Fork(b"f"),
    Record(b"h", b"s" * 64, b"p" * 999),
    Proof(b"h", b"s" * 64, b"p"),
    Below("config", 7, 2**20, b"b"),
    Below("session/x", 0, 9, None),
    End(1),
]
_VALUES = {
    "bytes": st.binary(max_size=300),
    "bytes | None": st.none() | st.binary(max_size=300),
    "str": st.text(max_size=50),
    "int": st.integers(0, 2**48),
}


def items() -> st.SearchStrategy[Item]:
    return st.one_of(*(st.builds(kind, **{one.name: _VALUES[str(one.type)] for one in fields(kind)}) for kind in ITEMS))


def read(data: bytes, piece: int = 7) -> list[Item]:
    reader = Items()
    found = [item for at in range(0, len(data), piece) for item in reader.feed(data[at : at + piece])]
    reader.finish()
    return found


def framed(value: object) -> bytes:
    data = pack(value)
    return len(data).to_bytes(4, "big") + data


@settings(max_examples=100, deadline=None)
@given(st.lists(items().filter(lambda one: not isinstance(one, (About, End))), max_size=6), st.integers(1, 500))
def test_every_item_comes_back_as_it_was(between: list[Item], piece: int) -> None:
    whole = [ABOUT, *between, End(len(between))]
    assert read(b"".join(map(encode, whole)), piece) == whole


@pytest.mark.parametrize("kind", ITEMS)
def test_every_kind_is_in_the_sample(kind: type[Item]) -> None:
    assert any(type(one) is kind for one in WHOLE)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_items_or_refused(data: bytes, after_about: bool) -> None:
    try:
        found = read((encode(ABOUT) if after_about else b"") + data)
    except JarvisError:
        return
    assert isinstance(found[0], About) and isinstance(found[-1], End)


def test_what_ends_too_early_is_refused() -> None:
    data = b"".join(map(encode, WHOLE))
    for length in range(len(data)):
        with pytest.raises(InvalidBytes):
            read(data[:length])


@pytest.mark.parametrize(
    "order",
    [[ABOUT, ABOUT, End(0)], [End(0)], [Entry(b"", b""), End(0)], [ABOUT, End(0), End(0)], [ABOUT, End(0), ABOUT]],
)
def test_items_in_the_wrong_place_are_refused(order: list[Item]) -> None:
    with pytest.raises(InvalidBytes, match="wrong place"):
        read(b"".join(map(encode, order)))


@pytest.mark.parametrize(
    "value", [[], None, [True, 1], ["about"], [6], [6, True], [6, 1, 1], [2, b"e"], [2, "e", b"s"], [3, b"k", b"v"]]
)
def test_fields_that_do_not_fit_are_refused(value: object) -> None:
    with pytest.raises(InvalidBytes, match="fields"):
        read(encode(ABOUT) + framed(value))


def test_an_item_of_a_newer_program_is_said_to_be_one() -> None:
    with pytest.raises(BadConfiguration, match="newer"):
        read(encode(ABOUT) + framed([len(ITEMS) + 1, b"what"]))


def test_a_length_is_not_believed() -> None:
    with pytest.raises(InvalidBytes, match="too long"):
        read(encode(ABOUT) + (2**31).to_bytes(4, "big"))
