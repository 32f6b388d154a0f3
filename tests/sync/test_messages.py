"""Every message there is, read back as it was sent; everything else refused."""

from __future__ import annotations

import contextlib
import dataclasses
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.codec import FRAME_LIMITS, HELLO_LIMITS, pack
from jarvis.core.errors import InvalidBytes
from jarvis.identity.fork import fork_proof
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import MAX_ENTRIES
from jarvis.identity.record import MAX_SEQ, SignedRecord, write_record
from jarvis.replica.staging import Part
from jarvis.store.protocol import Head
from jarvis.sync import credit, horizons, messages
from jarvis.sync.machine import MAX_MEMBERSHIP_BYTES
from jarvis.sync.messages import (
    MAX_EPHEMERAL_BYTES,
    MAX_FRAME_HEADS,
    MAX_RECORDS,
    MAX_REQUEST_BYTES,
    MAX_TOPIC_CHARS,
    Ephemeral,
    Heads,
    Hello,
    Membership,
    Message,
    Records,
    Refuse,
    Want,
    decode,
    encode,
)
from jarvis.sync.pushing import FETCH_BYTES

CLASSES = typing.get_args(Message)
KEY = SigningKey(b"k" * 32)


def record(text: str = "hello", document: str = "session/aaaaaaaaaaaaaaaa") -> SignedRecord:
    return write_record(
        KEY,
        home_id=b"h" * 16,
        document=document,
        author=KEY.node_id + bytes(16),
        seq=1,
        prev=b"",
        entry=b"e" * 16,
        hlc=1,
        kind=3,
        operations=[["turn", None, {"text": text}]],
        nonce=b"n" * 16,
    )


RECORDS = [record(str(number)) for number in range(4)]


def sized(length: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=length, max_size=length)


heads = st.dictionaries(sized(32), st.builds(Head, st.integers(1, MAX_SEQ), sized(32)), max_size=5).map(
    lambda found: tuple(sorted(found.items()))
)
FIELDS: dict[str, st.SearchStrategy] = {
    "places": st.dictionaries(sized(32), st.tuples(st.integers(1, MAX_SEQ), sized(32)), max_size=5),
    "root": sized(32),
    "entry": sized(32),
    "signature": sized(64) | st.just(b""),
    "document": st.text("abc/", max_size=20),
    "offset": st.integers(0, 2**20),
    "parts": st.lists(
        st.builds(
            Part,
            st.text("abc/", max_size=20),
            st.integers(0, 2**20),
            st.integers(0, 2**20),
            st.none() | st.binary(max_size=30),
        ),
        max_size=4,
    ).map(tuple),
    "protocol": st.integers(0, 2**32),
    "home_id": sized(16),
    "node_id": sized(16),
    "wall_ms": st.integers(0, 2**48),
    "addresses": st.lists(st.text("abc:.[]019", max_size=30), max_size=16).map(tuple),
    "length": st.integers(1, MAX_ENTRIES),
    "head": sized(32),
    "first": st.just(1),
    "through": st.integers(1, MAX_RECORDS),
    "entries": st.lists(st.tuples(st.binary(max_size=90), sized(64)), min_size=1, max_size=4).map(tuple),
    "prev": sized(32),
    "heads": heads,
    "last": st.booleans(),
    "author": sized(32),
    "records": st.lists(st.sampled_from(RECORDS), max_size=4).map(tuple),
    "count": st.integers(0, 2**63),
    "size_bytes": st.integers(0, 2**63),
    "ask": st.booleans(),
    "frontier": sized(32),
    "digest": sized(32),
    "topic": st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_TOPIC_CHARS),
    "body": st.binary(max_size=100),
    "nonce": st.integers(0, 2**63),
    "reply": st.booleans(),
    "done": st.booleans(),
    "proof": st.permutations(range(len(RECORDS))).map(
        lambda order: fork_proof(*[(RECORDS[at].header_data, RECORDS[at].signature) for at in order[:2]])
    ),
    "reason": st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
}
every_message = st.sampled_from(CLASSES).flatmap(
    lambda one: st.builds(one, **{field.name: FIELDS[field.name] for field in dataclasses.fields(one)})
)


@given(every_message)
def test_every_message_goes_round(message):
    frame = encode(message)
    again = decode(frame)
    assert type(again) is type(message)
    assert again == message
    assert encode(again) == frame


def test_every_class_is_a_message_with_its_own_number():
    rooms = (messages.__name__, horizons.__name__, credit.__name__)
    classes = {one for one in vars(messages).values() if dataclasses.is_dataclass(one) and one.__module__ in rooms}
    assert classes == set(CLASSES)
    assert len(set(messages._NUMBERS.values())) == len(CLASSES)


@given(st.binary(max_size=300), st.booleans())
def test_noise_is_refused(noise, first):
    with contextlib.suppress(InvalidBytes):
        decode(noise, first=first)


@given(every_message, st.data())
def test_a_damaged_frame_is_read_or_refused(message, data):
    raw = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InvalidBytes):
        decode(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    with contextlib.suppress(InvalidBytes):
        decode(bytes(raw))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text("abc", max_size=3)
    | st.binary(max_size=3)
    | st.sampled_from([b"x" * 16, b"x" * 32, b"x" * 64, RECORDS[0].header_data]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([b"x" * 32, "a", 1]) | st.binary(max_size=2), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.integers(-1, 18) | values, st.lists(values, max_size=6))
def test_other_shapes_are_refused_and_what_is_read_can_be_sent(number, fields):
    try:
        message = decode(pack([number, *fields]))
    except InvalidBytes:
        return
    assert decode(encode(message)) == message


HEAD = {b"a" * 32: [1, b"h" * 32]}
WRONG = {
    "not an array": {1: 2},
    "empty": [],
    "no number": ["hello"],
    "an unknown number": [99],
    "a negative number": [-1],
    "true for one": [True, 1, b"h" * 16, b"n" * 16, 0, []],
    "true for a protocol": [1, True, b"h" * 16, b"n" * 16, 0, []],
    "too few fields": [1, 1, b"h" * 16],
    "too many fields": [9, 1, False, 0],
    "a short home": [1, 1, b"h" * 15, b"n" * 16, 0, []],
    "17 addresses": [1, 1, b"h" * 16, b"n" * 16, 0, ["a"] * 17],
    "a long address": [1, 1, b"h" * 16, b"n" * 16, 0, ["a" * 129]],
    "an address of bytes": [1, 1, b"h" * 16, b"n" * 16, 0, [b"a"]],
    "a chain of nothing": [2, 0, b"h" * 32, 0, []],
    "a chain without end": [2, MAX_ENTRIES + 1, b"h" * 32, 0, []],
    "entries beyond the chain": [2, 1, b"h" * 32, 2, []],
    "entries from before it": [2, 1, b"h" * 32, -1, []],
    "an entry of one": [2, 1, b"h" * 32, 0, [[b"x"]]],
    "an entry of text": [2, 1, b"h" * 32, 0, [["x", b"y"]]],
    "an entry in a map": [2, 1, b"h" * 32, 0, [{b"x": 1, b"y": 2}]],
    "a short author": [3, {b"a": [1, b"h" * 32]}, True],
    "sequence zero": [3, {b"a" * 32: [0, b"h" * 32]}, True],
    "sequence true": [3, {b"a" * 32: [True, b"h" * 32]}, True],
    "a sequence without end": [3, {b"a" * 32: [MAX_SEQ + 1, b"h" * 32]}, True],
    "a short hash": [3, {b"a" * 32: [1, b"h"]}, True],
    "a head of text": [6, {b"a" * 32: "ab"}],
    "heads in a list": [6, [[b"a" * 32, [1, b"h" * 32]]]],
    "last is one": [3, HEAD, 1],
    "want from zero": [4, b"a" * 32, 0, 1],
    "want backwards": [4, b"a" * 32, 5, 4],
    "want too much": [4, b"a" * 32, 1, MAX_RECORDS + 1],
    "want without end": [4, b"a" * 32, MAX_SEQ, MAX_SEQ + 1],
    "a record of two": [5, [[b"", b""]]],
    "a record of text": [5, ["abc"]],
    "a long ephemeral": [8, "t", b"x" * (MAX_EPHEMERAL_BYTES + 1)],
    "a long topic": [8, "t" * (MAX_TOPIC_CHARS + 1), b""],
    "a nonce of text": [9, "1", False],
    "a long request": [16, 1, "leave", b"x" * (MAX_REQUEST_BYTES + 1)],
    "a request of nobody": [16, "1", "leave", b""],
    "a request with a long topic": [16, 1, "t" * (MAX_TOPIC_CHARS + 1), b""],
    "a long answer": [17, 1, True, b"x" * (MAX_REQUEST_BYTES + 1)],
    "an answer done once": [17, 1, 1, b""],
    "a reason of bytes": [10, b"no"],
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_its_shape_is_refused(name):
    with pytest.raises(InvalidBytes):
        decode(pack(WRONG[name]))


def test_a_record_that_is_altered_beyond_its_shape_is_refused_with_its_frame():
    one = RECORDS[0]
    for header, signature, payload in (
        (one.header_data[:-1], one.signature, one.payload),
        (one.header_data, one.signature[:-1], one.payload),
        (one.header_data, one.signature, one.payload + b"x"),
    ):
        with pytest.raises(InvalidBytes):
            decode(pack([5, [[header, signature, payload]]]))


def test_a_stranger_has_smaller_limits():
    hello = Hello(1, b"h" * 16, b"n" * 16, 0, ("a" * 128,) * 16)
    assert decode(encode(hello), first=True) == hello
    big = encode(Ephemeral("t", bytes(HELLO_LIMITS.size_bytes)[:-100]))
    assert decode(big)
    over = encode(Records((record("x" * HELLO_LIMITS.size_bytes),)))
    assert decode(over)
    with pytest.raises(InvalidBytes):
        decode(over, first=True)
    with pytest.raises(InvalidBytes):
        decode(bytes(FRAME_LIMITS.size_bytes + 1))


def test_a_long_reason_is_cut():
    assert len(decode(encode(Refuse("no " * 200))).reason) == 200


def test_what_we_send_at_most_fits_a_frame():
    """The machine's own bounds, at their largest."""
    author = [bytes([n % 256, n // 256]) + bytes(30) for n in range(MAX_FRAME_HEADS)]
    frame = encode(Heads(tuple((one, Head(MAX_SEQ, b"h" * 32)) for one in sorted(author))))
    assert len(decode(frame).heads) == MAX_FRAME_HEADS

    many = tuple([record("", "config")] * MAX_RECORDS)
    assert len(decode(encode(Records(many))).records) == MAX_RECORDS
    large = record("x" * 64_400)
    assert FETCH_BYTES - 3_000 < large.size_bytes * 3 <= FETCH_BYTES
    assert decode(encode(Records((large,) * 3)))

    entry = (b"x" * 590, b"s" * 64)
    entries = (entry,) * min(MAX_ENTRIES, MAX_MEMBERSHIP_BYTES // 654)
    assert decode(encode(Membership(MAX_ENTRIES, b"h" * 32, 0, entries)))
    assert decode(encode(Want(b"a" * 32, MAX_SEQ - MAX_RECORDS + 1, MAX_SEQ)))
