"""Canonical bytes out, measured bytes in: what a stranger may send can be refused, never more."""

from __future__ import annotations

import contextlib
import math
import struct
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jarvis.core.codec import (
    FRAME_LIMITS,
    HELLO_LIMITS,
    RECORD_LIMITS,
    Limits,
    measure,
    pack,
    unpack,
    unpack_canonical,
)
from jarvis.core.errors import InvalidBytes

floats = st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: x != 0.0 or math.copysign(1.0, x) > 0)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | floats | texts | st.binary(max_size=300)
keys = texts | st.binary(max_size=40) | st.integers(-(2**63), 2**64 - 1)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(keys, inner, max_size=20), max_leaves=30
)
WIDE = Limits(size_bytes=2**20, depth=40, items=2**20)


def same(a: object, b: object) -> bool:
    """Equal and of equal types, all the way down: in Python `1 == True` and `1 == 1.0`."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(map(type, sorted(a, key=pack))) == list(map(type, sorted(b, key=pack))) and all(
            key in b and same(a[key], b[key]) for key in a
        )
    return a == b


@given(values)
def test_values_go_round(value):
    data = pack(value)
    assert same(unpack(data, WIDE), value)
    assert same(unpack_canonical(data, WIDE), value)


@given(values, values)
def test_equal_bytes_exactly_when_equal_values(a, b):
    assert (pack(a) == pack(b)) == same(a, b)


@given(st.dictionaries(keys, scalars, max_size=8), st.randoms())
def test_a_map_has_one_encoding_whatever_the_order_of_its_making(value, rng):
    items = list(value.items())
    rng.shuffle(items)
    assert pack(dict(items)) == pack(value)


def test_tuples_are_lists():
    assert pack((1, (2,))) == pack([1, [2]])


def test_true_is_not_one_and_bytes_are_not_text():
    assert len({pack(one) for one in (1, True, 1.0, "1", b"1")}) == 5


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        -0.0,
        2**64,
        -(2**63) - 1,
        "\ud800",
        {"\udfff": 1},
        {True: 1},
        {None: 1},
        {1.5: 1},
        {(1,): 1},
        {1: {-0.0: 1}},
        {2**64: 1},
        bytearray(b"x"),
        {1, 2},
        object(),
        [[[-0.0]]],
    ],
)
def test_what_has_no_canonical_bytes_is_refused(value):
    with pytest.raises(InvalidBytes):
        pack(value)


def test_a_value_that_holds_itself_is_refused():
    value: list = []
    value.append(value)
    with pytest.raises(InvalidBytes):
        pack(value)


ODD_SPELLINGS = {
    "a long integer": b"\xcc\x01",
    "a longer integer": b"\xd3" + (5).to_bytes(8, "big"),
    "a positive number in a signed form": b"\xd0\x05",
    "a long string": b"\xd9\x01a",
    "a long array": b"\xdc\x00\x01\x01",
    "a long map": b"\xde\x00\x01\x01\x01",
    "a float of four bytes": b"\xca" + struct.pack(">f", 1.5),
    "long bytes": b"\xc5\x00\x01a",
    "keys out of order": b"\x82\xa1b\x01\xa1a\x01",
    "minus zero": b"\xcb" + struct.pack(">d", -0.0),
    "not a number": b"\xcb" + struct.pack(">d", math.nan),
    "infinity": b"\xcb" + struct.pack(">d", math.inf),
}


@pytest.mark.parametrize("name", ODD_SPELLINGS)
def test_a_second_spelling_is_no_canonical_bytes(name):
    with pytest.raises(InvalidBytes):
        unpack_canonical(ODD_SPELLINGS[name])


BROKEN = {
    "nothing": b"",
    "cut short": b"\x92\x01",
    "a cut number": b"\xcf\x00",
    "a cut length": b"\xdb\x00\x00",
    "text cut short": b"\xa5abc",
    "bytes that follow": b"\x01\x02",
    "an unused type": b"\xc1",
    "fixext": b"\xd4\x01\x00",
    "ext": b"\xc7\x01\x05\x00",
    "a timestamp": b"\xd6\xff\x00\x00\x00\x00",
    "a key twice": b"\x82\xa1a\x01\xa1a\x02",
    "a key twice, spelled in two ways": b"\x82\x01\x01\xcc\x01\x02",
    "a bool as key": b"\x81\xc3\x01",
    "nil as key": b"\x81\xc0\x01",
    "a float as key": b"\x81\xcb" + struct.pack(">d", 1.5) + b"\x01",
    "a list as key": b"\x81\x91\x01\x01",
    "a map as key": b"\x81\x80\x01",
    "half a character": b"\xa1\xff",
    "a surrogate": b"\xa3\xed\xa0\x80",
    "an overlong character": b"\xa2\xc0\x80",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_bytes_are_refused(name):
    with pytest.raises(InvalidBytes):
        unpack(BROKEN[name])


@pytest.mark.parametrize(
    "claim",
    [
        b"\xc6\xff\xff\xff\xff",  # 4 GiB of bytes
        b"\xdb\xff\xff\xff\xff",  # of text
        b"\xdd\xff\xff\xff\xff",  # 4 milliard values
        b"\xdf\xff\xff\xff\xff",  # as many pairs
        b"\x91\xdd\xff\xff\xff\xff",
        b"\xdc\xff\xff",
        b"\xde\xff\xff",
    ],
)
def test_a_claim_of_four_gibibytes_in_ten_bytes_costs_nothing(claim):
    data = claim.ljust(10, b"\x00")
    tracemalloc.start()
    try:
        for limits in (RECORD_LIMITS, FRAME_LIMITS, HELLO_LIMITS, Limits(2**40, 2**20, 2**40)):
            with pytest.raises(InvalidBytes):
                unpack(data, limits)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * 1024


def nested(depth: int) -> bytes:
    return b"\x91" * depth + b"\x01"


def test_depth_is_bounded_exactly():
    limits = Limits(depth=8)
    assert unpack(nested(8), limits)
    with pytest.raises(InvalidBytes, match="deeper than 8"):
        unpack(nested(9), limits)
    with pytest.raises(InvalidBytes):
        unpack(b"\x81\x01" * 9 + b"\x01", limits)


def test_a_million_open_brackets_are_refused_at_the_ninth():
    with pytest.raises(InvalidBytes, match="deeper"):
        measure(b"\x91" * 2**20, Limits(size_bytes=2**21, depth=8))


def test_size_and_count_are_bounded_exactly():
    assert unpack(pack([1] * 9), Limits(size_bytes=10, items=10)) == [1] * 9
    with pytest.raises(InvalidBytes, match="values"):
        unpack(pack([1] * 10), Limits(size_bytes=100, items=10))
    with pytest.raises(InvalidBytes, match="over the limit"):
        unpack(pack([1] * 10), Limits(size_bytes=10, items=100))
    assert unpack(pack({1: 1, 2: 2}), Limits(items=5))
    with pytest.raises(InvalidBytes, match="values"):
        unpack(pack({1: 1, 2: 2}), Limits(items=4))


@given(st.binary(max_size=200))
@example(b"\xdd\x00\x00\x00\x01\xc1")
@example(b"\x81" * 100)
def test_arbitrary_bytes_are_read_or_refused(data):
    for read in (unpack, unpack_canonical):
        try:
            value = read(data)
        except InvalidBytes:
            continue
        if read is unpack_canonical:
            assert pack(value) == data


@given(values, st.data())
def test_damaged_bytes_are_read_or_refused(value, data):
    """Nearer to the mark than noise: one byte of something valid changed, or its end cut off."""
    raw = bytearray(pack(value))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for damaged in (bytes(raw), bytes(raw[:cut])):
        with contextlib.suppress(InvalidBytes):
            unpack_canonical(damaged, WIDE)
    if cut < len(raw):
        with pytest.raises(InvalidBytes):
            unpack(pack(value)[:cut], WIDE)
