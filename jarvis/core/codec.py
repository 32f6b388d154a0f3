"""The one place that touches msgpack: canonical bytes out, measured bytes in.

Canonical means that equal values have exactly one encoding: map keys sorted by their own encoding, shortest
integers, finite floats in eight bytes and never -0.0, valid UTF-8, no extension types. Untrusted bytes are
measured (size, depth, count, lengths) by a scan that builds nothing before msgpack may build anything.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import msgpack

from jarvis.core.errors import InvalidBytes

Value = Any
"""None, bool, int (64 bits), float, str, bytes, list or tuple of values, dict with str, bytes or int keys."""

_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What untrusted bytes may hold. Over any of these they are refused unread."""

    size_bytes: int = 64 * 1024
    """All of it. A record's bound: one long utterance with its reply is under 8 KiB."""
    depth: int = 8
    """Containers within containers. The deepest structure of ours is 5."""
    items: int = 16_384
    """Values in all, keys included."""


RECORD_LIMITS = Limits()
FRAME_LIMITS = Limits(size_bytes=256 * 1024, depth=10, items=65_536)
HELLO_LIMITS = Limits(size_bytes=16 * 1024, depth=6, items=1_024)
"""For bytes from somebody not yet known: pairing, and the first frame of a link."""


_PLAIN = frozenset({type(None), bool, bytes, str})
"""Nothing to check: msgpack itself refuses text that has no UTF-8."""


def _checked(value: Value, depth: int) -> Value:
    if depth > 32:
        raise InvalidBytes("A value is nested too deeply.")
    if value is None or isinstance(value, (bool, bytes)):
        return value
    if isinstance(value, int):
        if not _INT_MIN <= value <= _INT_MAX:
            raise InvalidBytes("An integer does not fit in 64 bits.")
        return value
    if isinstance(value, float):
        if not math.isfinite(value) or (value == 0.0 and math.copysign(1.0, value) < 0):
            raise InvalidBytes("A float must be finite and not -0.0.")
        return value
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return [item if type(item) in _PLAIN else _checked(item, depth + 1) for item in value]
    if isinstance(value, dict):
        for key in value:
            if isinstance(key, bool) or not isinstance(key, (str, bytes, int)):
                raise InvalidBytes("A map's key must be text, bytes or an integer.")
        ordered = sorted(value, key=lambda key: _packed(key))
        return {key: _checked(value[key], depth + 1) for key in ordered}
    raise InvalidBytes(f"A {type(value).__name__} cannot be encoded.")


def _packed(value: Value) -> bytes:
    try:
        data = msgpack.packb(value, use_bin_type=True, strict_types=False)
    except (UnicodeEncodeError, OverflowError, ValueError) as error:
        raise InvalidBytes(f"A value cannot be encoded: {error}.") from None
    assert isinstance(data, bytes)
    return data


def pack(value: Value) -> bytes:
    """The canonical bytes of `value`. Raises InvalidBytes for what has none (NaN, -0.0, surrogates, big integers)."""
    return _packed(_checked(value, 0))


def unpack(data: bytes, limits: Limits = RECORD_LIMITS) -> Value:
    """The value in `data`, arrays as lists. Raises InvalidBytes when a limit, the format or a key is wrong.

    It does not ask for canonical bytes; `unpack_canonical` does.
    """
    measure(data, limits)
    try:
        return msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=False,
            object_pairs_hook=_unique,
        )
    except InvalidBytes:
        raise
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        raise InvalidBytes(f"Not valid msgpack: {type(error).__name__}.") from None


def unpack_canonical(data: bytes, limits: Limits = RECORD_LIMITS) -> Value:
    """Like `unpack`, and refuses every spelling but the canonical one."""
    value = unpack(data, limits)
    if pack(value) != data:
        raise InvalidBytes("The bytes are not canonical.")
    return value


def _unique(pairs: list[tuple[Value, Value]]) -> dict[Value, Value]:
    result: dict[Value, Value] = {}
    for key, value in pairs:
        if isinstance(key, bool) or not isinstance(key, (str, bytes, int)):
            raise InvalidBytes("A map's key must be text, bytes or an integer.")
        if key in result:
            raise InvalidBytes("A map holds a key twice.")
        result[key] = value
    return result


# First byte -> (kind, bytes of the length or of the number that follow). Kinds: v value, s string or bytes,
# a array, m map. Fix-types are handled by range in `measure`. Absent: 0xc1 and extension types, refused.
_FORMS: dict[int, tuple[str, int]] = {
    0xC0: ("v", 0), 0xC2: ("v", 0), 0xC3: ("v", 0),
    0xC4: ("s", 1), 0xC5: ("s", 2), 0xC6: ("s", 4),
    0xCA: ("v", 4), 0xCB: ("v", 8),
    0xCC: ("v", 1), 0xCD: ("v", 2), 0xCE: ("v", 4), 0xCF: ("v", 8),
    0xD0: ("v", 1), 0xD1: ("v", 2), 0xD2: ("v", 4), 0xD3: ("v", 8),
    0xD9: ("s", 1), 0xDA: ("s", 2), 0xDB: ("s", 4),
    0xDC: ("a", 2), 0xDD: ("a", 4), 0xDE: ("m", 2), 0xDF: ("m", 4),
}  # fmt: skip
_LENGTH = {1: struct.Struct(">B"), 2: struct.Struct(">H"), 4: struct.Struct(">I")}


def measure(data: bytes, limits: Limits) -> None:
    """Walk the bytes without building anything; raises InvalidBytes at the first limit broken.

    Source of the format: the MessagePack specification, github.com/msgpack/msgpack/blob/master/spec.md.
    """
    size = len(data)
    if size > limits.size_bytes:
        raise InvalidBytes(f"{size} bytes are over the limit of {limits.size_bytes}.")
    position, items = 0, 0
    open_counts: list[int] = []  # how many values each open container still awaits
    while True:
        if position >= size:
            raise InvalidBytes("The bytes end too early.")
        first = data[position]
        position += 1
        items += 1
        if items > limits.items:
            raise InvalidBytes(f"More than {limits.items} values.")
        children = -1
        if first <= 0x7F or first >= 0xE0:
            pass
        elif first <= 0x8F:
            children = 2 * (first & 0x0F)
        elif first <= 0x9F:
            children = first & 0x0F
        elif first <= 0xBF:
            position += first & 0x1F
        else:
            form = _FORMS.get(first)
            if form is None:
                raise InvalidBytes(f"The type byte 0x{first:02x} is not allowed.")
            kind, width = form
            if kind == "v":
                position += width
            else:
                if position + width > size:
                    raise InvalidBytes("The bytes end too early.")
                (length,) = _LENGTH[width].unpack_from(data, position)
                position += width
                if kind == "s":
                    position += length
                else:
                    children = length if kind == "a" else 2 * length
        if position > size:
            raise InvalidBytes("A length reaches beyond the end.")
        if children > 0:
            # Each child takes at least one byte: a count larger than what is left is a lie.
            if children > size - position:
                raise InvalidBytes("A count reaches beyond the end.")
            open_counts.append(children)
            if len(open_counts) > limits.depth:
                raise InvalidBytes(f"Nested deeper than {limits.depth}.")
            continue
        while open_counts:
            open_counts[-1] -= 1
            if open_counts[-1]:
                break
            open_counts.pop()
        if not open_counts:
            break
    if position != size:
        raise InvalidBytes("Bytes follow the value.")
