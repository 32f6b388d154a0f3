"""Ed25519 keys of nodes, owners and recovery; signing and verifying over a tag that says what is signed.

Source: RFC 8032; the library is `cryptography`.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from mnemonic import Mnemonic

from jarvis.core.errors import InvalidInput
from jarvis.core.ids import NODE_ID_BYTES

SEED_BYTES = 32
PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
RECOVERY_ENTROPY_BYTES = 16
_P = 2**255 - 19
_ORDER_8_Y = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD83D3D706A17C7
_SMALL_ORDER_Y = frozenset((0, 1, _P - 1, _ORDER_8_Y, _P - _ORDER_8_Y))
"""Of the eight points of an order that divides 8, whichever their x."""


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is `public_key`'s (32 bytes) Ed25519 signature of `message`.

    Never raises: keys and signatures of any length or value may come in, and what is malformed is False. Strict, so
    that all nodes say the same for ever and nobody can have signed by chance: S below the group's order (RFC 8032,
    5.1.7), the equation without cofactor, R compared as bytes; a key whose y is written larger than it need be, or
    whose point is of small order (any message would hold), is False.
    """
    if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    y = int.from_bytes(public_key, "little") & (1 << 255) - 1
    if y >= _P or y in _SMALL_ORDER_Y:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


class SigningKey:
    """A private Ed25519 key, made from 32 random bytes that the caller brings."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise InvalidInput(f"A key's seed has {SEED_BYTES} bytes, not {len(seed)}.")
        self.seed = seed
        self.private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self.private.sign(message)

    @property
    def node_id(self) -> bytes:
        return node_id_of(self.public)

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public.hex()})"


def node_id_of(public_key: bytes) -> bytes:
    """The 16 bytes that name a node: the start of SHA-256 of its public key."""
    return hashlib.sha256(public_key).digest()[:NODE_ID_BYTES]


def recovery_phrase(entropy: bytes) -> str:
    """Twelve English words (BIP-39) for 16 random bytes; shown once, kept on paper."""
    if len(entropy) != RECOVERY_ENTROPY_BYTES:
        raise InvalidInput(f"A recovery phrase is made from {RECOVERY_ENTROPY_BYTES} bytes.")
    return str(Mnemonic("english").to_mnemonic(entropy))


def recovery_key(phrase: str) -> SigningKey:
    """The key behind a phrase. Raises InvalidInput when a word or the checksum is wrong."""
    words = " ".join(phrase.lower().split())
    mnemonic = Mnemonic("english")
    if not mnemonic.check(words):
        raise InvalidInput("That is not a recovery phrase.", fix="Check the twelve words and their order.")
    kdf = HKDF(algorithm=hashes.SHA256(), length=SEED_BYTES, salt=None, info=b"jarvis recovery key v1")
    return SigningKey(kdf.derive(bytes(mnemonic.to_entropy(words))))
