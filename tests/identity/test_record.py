"""A record's bytes: what is signed, what every altered byte does, what it costs."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.codec import pack, unpack
from jarvis.core.errors import InvalidBytes
from jarvis.core.hlc import MAX_STAMP, stamp
from jarvis.identity.keys import SigningKey
from jarvis.identity.record import (
    MAX_DOCUMENT_BYTES,
    MAX_PAYLOAD_BYTES,
    MAX_SEQ,
    NONCE_BYTES,
    Header,
    decode_header,
    decode_record,
    is_authentic,
    operations_of,
    record_hash,
    write_record,
)

KEY = SigningKey(b"k" * 32)
HEADER = Header(
    home_id=b"h" * 16,
    document="session/aaaaaaaaaaaaaaaa",
    author=KEY.node_id + b"i" * 16,
    seq=2,
    prev=b"p" * 32,
    entry=b"e" * 16,
    hlc=stamp(1_800_000_000_000),
    kind=3,
    payload_bytes=20,
    payload_hash=b"q" * 32,
)


def sized(length: int):
    return st.binary(min_size=length, max_size=length)


names = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789/._-"), min_size=1, max_size=MAX_DOCUMENT_BYTES)


@st.composite
def headers(draw):
    seq = draw(st.integers(1, MAX_SEQ))
    return Header(
        draw(sized(16)),
        draw(names),
        draw(sized(32)),
        seq,
        draw(sized(32)) if seq > 1 else b"",
        draw(sized(16)),
        draw(st.integers(0, MAX_STAMP)),
        draw(st.integers(0, 255)),
        draw(st.integers(NONCE_BYTES, MAX_PAYLOAD_BYTES)),
        draw(sized(32)),
    )


@given(headers())
def test_headers_go_round(header):
    data = header.encode()
    assert decode_header(data) == header
    assert decode_header(data).encode() == data


@given(headers(), st.data())
def test_a_damaged_header_is_another_header_or_none(header, data):
    raw = bytearray(header.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode_header(bytes(raw))
    except InvalidBytes:
        return
    assert decoded != header


@given(st.binary(max_size=300))
def test_noise_is_no_header(noise):
    with pytest.raises(InvalidBytes):
        decode_header(noise)


@given(st.recursive(st.none() | st.integers() | st.text() | st.binary(max_size=15), st.lists, max_leaves=5))
def test_other_shapes_are_no_record(value):
    # An erased record has no payload: there None is none of the other shapes.
    payload = b"" if value is None else value
    for triple in ((value, b"s" * 64, b""), (HEADER.encode(), value, b""), (HEADER.encode(), b"s" * 64, payload)):
        with pytest.raises(InvalidBytes):
            decode_record(*triple)


FIELDS = [field.name for field in dataclasses.fields(Header)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("home_id", b"h" * 15),
        ("home_id", "h" * 16),
        ("document", ""),
        ("document", "x" * 65),
        ("document", "ü" * 33),
        ("document", b"config"),
        ("author", b"a" * 31),
        ("author", [1]),
        ("seq", 0),
        ("seq", -1),
        ("seq", MAX_SEQ + 1),
        ("seq", True),
        ("seq", 1),  # with a hash before it
        ("seq", 2.0),
        ("prev", b""),
        ("prev", b"p" * 33),
        ("prev", None),
        ("entry", b""),
        ("hlc", -1),
        ("hlc", True),
        ("hlc", 1.5),
        ("kind", 256),
        ("kind", -1),
        ("kind", "3"),
        ("payload_bytes", NONCE_BYTES - 1),
        ("payload_bytes", MAX_PAYLOAD_BYTES + 1),
        ("payload_hash", b"q" * 31),
        ("version", 0),
        ("version", 256),
        ("version", "1"),
    ],
)
def test_every_field_has_its_bounds(field, value):
    with pytest.raises(InvalidBytes):
        decode_header(dataclasses.replace(HEADER, **{field: value}).encode())


@pytest.mark.parametrize("name", ["config\x00", "session/\U0010ffff", "audit/2026\n", "a b", "sessión/x", "\x7f"])
def test_a_document_has_a_plain_name(name):
    """Names go into files, logs and SQL ranges: what does not show or sorts past the end has no place there."""
    with pytest.raises(InvalidBytes):
        decode_header(dataclasses.replace(HEADER, document=name).encode())


def test_later_versions_may_append_fields_and_ours_may_not():
    fields = unpack(HEADER.encode())
    with pytest.raises(InvalidBytes):
        decode_header(pack([*fields, 1]))
    later = pack([2, *fields[1:], 1, b"more"])
    assert decode_header(later) == dataclasses.replace(HEADER, version=2)
    with pytest.raises(InvalidBytes):
        decode_header(pack([2, *fields[1:], b"x" * 512]))
    with pytest.raises(InvalidBytes):
        decode_header(pack(fields[:10]))


def session_record(seq: int = 2, operations=None):
    text = "what is the weather like in the kitchen tomorrow morning"
    return write_record(
        KEY,
        home_id=b"h" * 16,
        document="session/aaaaaaaaaaaaaaaa",
        author=KEY.node_id + b"i" * 16,
        seq=seq,
        prev=b"p" * 32 if seq > 1 else b"",
        entry=b"e" * 16,
        hlc=stamp(1_800_000_000_000, 65_535),
        kind=3,
        operations=operations or [["turn", None, {"text": text, "room": "kitchen"}]],
        nonce=b"n" * NONCE_BYTES,
    )


def test_every_altered_byte_is_noticed():
    record = session_record()
    parts = (record.header_data, record.signature, record.payload)
    assert is_authentic(decode_record(*parts), KEY.public)
    for which, part in enumerate(parts):
        for at in range(len(part)):
            for change in (0x01, 0x80):
                altered = bytearray(part)
                altered[at] ^= change
                attempt = [*parts[:which], bytes(altered), *parts[which + 1 :]]
                try:
                    decoded = decode_record(*attempt)
                except InvalidBytes:
                    continue
                assert not is_authentic(decoded, KEY.public), (which, at)
                if which == 0:
                    assert decoded.hash != record.hash


def test_a_payload_of_another_length_or_record_is_refused():
    record, other = session_record(), session_record(operations=[["turn", None, {"text": "x"}]])
    for payload in (record.payload[:-1], record.payload + b"\x00", b""):
        with pytest.raises(InvalidBytes):
            decode_record(record.header_data, record.signature, payload)
    padded = other.payload.ljust(len(record.payload), b"\x00")
    assert not is_authentic(decode_record(record.header_data, record.signature, padded), KEY.public)
    with pytest.raises(InvalidBytes):
        decode_record(record.header_data, record.signature[:-1], record.payload)


def test_the_hash_covers_the_header_and_not_the_signature():
    record = session_record()
    assert record.hash == record_hash(record.header_data)
    assert dataclasses.replace(record, signature=b"\x00" * 64).hash == record.hash


def test_equal_sentences_have_unequal_payload_hashes():
    one = session_record()
    two = write_record(
        KEY,
        **{
            name: getattr(one.header, name)
            for name in FIELDS
            if name not in ("payload_bytes", "payload_hash", "version")
        },
        operations=operations_of(one.payload),
        nonce=b"m" * NONCE_BYTES,
    )
    assert one.header.payload_hash != two.header.payload_hash


def test_a_record_costs_at_most_260_bytes_beside_its_payload():
    records = {seq: session_record(seq) for seq in (1, 2, 2**20, MAX_SEQ)}
    overhead = {seq: len(record.header_data) + len(record.signature) for seq, record in records.items()}
    assert max(overhead.values()) <= 260, f"header + signature in bytes, by sequence: {overhead}"
    assert overhead == {1: 209, 2: 241, 2**20: 245, MAX_SEQ: 249}, "docs/replication.md states these"


def test_what_does_not_fit_is_refused_when_written():
    with pytest.raises(InvalidBytes, match="too much"):
        session_record(operations=[["turn", None, {"text": "x" * MAX_PAYLOAD_BYTES}]])
    room = MAX_PAYLOAD_BYTES - NONCE_BYTES - len(pack([["turn", None, {"text": "x" * 60_000}]])) + 60_000
    assert len(session_record(operations=[["turn", None, {"text": "x" * room}]]).payload) == MAX_PAYLOAD_BYTES


@given(st.binary(max_size=60))
def test_operations_are_one_canonical_list_or_nothing(data):
    try:
        operations = operations_of(b"n" * NONCE_BYTES + data)
    except InvalidBytes:
        return
    assert operations
    assert pack(operations) == data


@pytest.mark.parametrize(
    "body", [b"", pack([]), pack({}), pack(1), pack([1]) + b"\x01", b"\xdc\x00\x01\x01", b"\x91" * 40 + b"\x01"]
)
def test_other_payloads_are_refused(body):
    with pytest.raises(InvalidBytes):
        operations_of(b"n" * NONCE_BYTES + body)
