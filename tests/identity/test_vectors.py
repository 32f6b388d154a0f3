"""Ed25519 at its edges: one more published vector, and what a lenient verifier would take. The points of small order
are found by arithmetic of the curve, apart from the table that the product keeps."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from jarvis.identity.keys import SigningKey, verify

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
ORDER = 2**252 + 27742317777372353535851937790883648493
KEY = SigningKey(b"k" * 32)
MESSAGE = b"message"
SIGNATURE = KEY.sign(MESSAGE)

Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, -1, P) % P
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P) % P
    return x, y


def times(count: int, point: Point) -> Point:
    result = (0, 1)
    while count:
        if count & 1:
            result = add(result, point)
        point, count = add(point, point), count >> 1
    return result


def decode(data: bytes) -> Point | None:
    """The point that 32 bytes stand for, also where they are not canonical."""
    number = int.from_bytes(data, "little")
    y, sign = (number & (1 << 255) - 1) % P, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return (x if x & 1 == sign else (P - x) % P), y


def encode(point: Point, *, y: int | None = None, sign: int | None = None) -> bytes:
    bit = point[0] & 1 if sign is None else sign
    return ((point[1] if y is None else y) | bit << 255).to_bytes(32, "little")


def small_order() -> set[Point]:
    """All eight: whatever a point is, ORDER times it is one of them."""
    found: set[Point] = set()
    for number in range(120):
        point = decode(hashlib.sha256(number.to_bytes(2, "big")).digest())
        if point is not None:
            found.add(times(ORDER, point))
    return found


def test_the_vector_of_rfc_8032_named_sha_abc():
    seed = bytes.fromhex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
    public = bytes.fromhex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf")
    signature = bytes.fromhex(
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
    )
    message = hashlib.sha512(b"abc").digest()
    assert SigningKey(seed).public == public
    assert SigningKey(seed).sign(message) == signature
    assert verify(public, message, signature)


def test_a_key_of_small_order_has_signed_nothing():
    points = small_order()
    assert len(points) == 8
    for point in points:
        assert times(8, point) == (0, 1)
        for sign in (0, 1):
            public = encode(point, sign=sign)
            for r in points:  # S = 0: holds for one message in eight at least where only the equation is looked at
                assert not verify(public, MESSAGE, encode(r) + bytes(32))


def test_the_library_alone_would_take_them():
    """What the check is there for: nothing was signed, and it holds for every message."""
    nothing = encode((0, 1))
    for message in (b"", MESSAGE):
        Ed25519PublicKey.from_public_bytes(nothing).verify(nothing + bytes(32), message)
        assert not verify(nothing, message, nothing + bytes(32))


@pytest.mark.parametrize("more", range(19))
def test_a_key_in_its_second_spelling_is_refused(more):
    """y and y + P are the same point where both fit into 255 bits."""
    for sign in (0, 1):
        public = encode((0, 0), y=P + more, sign=sign)
        for r in (bytes(32), encode((0, 1)), public):
            assert not verify(public, MESSAGE, r + bytes(32))


@pytest.mark.parametrize("multiple", range(1, 16))
def test_s_must_be_below_the_order(multiple):
    s = int.from_bytes(SIGNATURE[32:], "little") + multiple * ORDER
    if s < 2**256:
        assert not verify(KEY.public, MESSAGE, SIGNATURE[:32] + s.to_bytes(32, "little"))
    for s in (ORDER, ORDER + 1, 2**256 - 1, 2**253, 0):
        assert not verify(KEY.public, MESSAGE, SIGNATURE[:32] + s.to_bytes(32, "little"))


def test_a_component_of_small_order_in_r_is_seen():
    """With the cofactor, R and R plus a point of small order would both hold: two forms of one record."""
    r = decode(SIGNATURE[:32])
    assert r is not None and encode(r) == SIGNATURE[:32]
    for point in small_order() - {(0, 1)}:
        assert not verify(KEY.public, MESSAGE, encode(add(r, point)) + SIGNATURE[32:])


@pytest.mark.parametrize(
    ("public", "signature"),
    [
        (b"", SIGNATURE),
        (KEY.public[:-1], SIGNATURE),
        (KEY.public + b"\x00", SIGNATURE),
        (KEY.public, b""),
        (KEY.public, SIGNATURE[:-1]),
        (KEY.public, SIGNATURE + b"\x00"),
        (KEY.public, bytes(64)),
        (bytes(32), SIGNATURE),
        (b"\xff" * 32, SIGNATURE),
        (KEY.public * 2, SIGNATURE * 2),
    ],
)
def test_what_has_not_the_right_length_or_is_no_key_is_refused(public, signature):
    assert verify(public, MESSAGE, signature) is False


@given(st.binary(max_size=200), st.integers(0, 2**512 - 1))
def test_the_same_always_says_the_same(message, change):
    good = KEY.sign(message)
    other = (int.from_bytes(good, "big") ^ change).to_bytes(64, "big")
    said = {verify(KEY.public, message, other) for _ in range(3)}
    assert said == {change == 0}
