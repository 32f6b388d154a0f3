"""The container of a backup: bytes sealed in chunks to a passphrase or to the home's recovery key. No I/O, clock or
random source: the caller brings entropy and moves the bytes. It must never give out a byte that was not verified, nor
hold more than two chunks.

    offset  bytes
    0       14     "jarvis backup\\n"
    14      1      version, 1
    15      1      1: passphrase, 2: recovery key
    16      32     1: scrypt's salt; 2: an ephemeral X25519 public key
    48      16     check: tells a wrong passphrase from a damaged file
    64             chunks of 65,536 bytes and a tag of 16; the last one holds 1 to 65,536

    secret      = 1: scrypt(passphrase in NFKC and UTF-8, salt, N = 2^16, r = 8, p = 2)
                  2: X25519(ephemeral, recovery) + ephemeral public + recovery public
    key, check  = HKDF-SHA-256(secret, info = bytes 0 to 47), 32 and 16 bytes
    chunk       = ChaCha20-Poly1305(key, nonce = number of the chunk in 11 bytes + 1 in the last one, else 0)

This is STREAM (Hoang, Reyhanitabar, Rogaway, Vizar: Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance, 2015): whatever is altered, left out, exchanged or cut off makes a chunk fail. The recovery key is
Ed25519; as in libsodium its X25519 twin is the same point in the other form (RFC 7748, 4.1), which is safe beside
signing (Thormarker: On using the same key pair for Ed25519 and an X25519 based KEM, 2021).
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from jarvis.core.errors import InvalidBytes, InvalidInput
from jarvis.identity.keys import PUBLIC_KEY_BYTES, SigningKey

MAGIC = b"jarvis backup\n"
VERSION = 1
PASSPHRASE, RECOVERY_KEY = 1, 2
ENTROPY_BYTES = 32
HEADER_BYTES = 64
CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
MIN_PASSPHRASE_CHARS, MAX_PASSPHRASE_CHARS = 8, 1_024
_CHECK_BYTES = 16
_P = 2**255 - 19


class Sealer:
    """Seals one stream: `header`, then what `feed` and at last `finish` give."""

    def __init__(self, start: bytes, secret: bytes) -> None:
        self._chunks, check = _keys(start, secret)
        self.header = start + check
        self._waiting = bytearray()

    def feed(self, data: bytes) -> bytes:
        """The chunks that are full now; at least one byte waits for the last chunk."""
        self._waiting += data
        sealed = bytearray()
        while len(self._waiting) > CHUNK_BYTES:
            sealed += self._chunks.seal(bytes(self._waiting[:CHUNK_BYTES]), last=False)
            del self._waiting[:CHUNK_BYTES]
        return bytes(sealed)

    def finish(self) -> bytes:
        """The last chunk. Raises InvalidInput when nothing was fed."""
        if not self._waiting:
            raise InvalidInput("There is nothing to seal.")
        return self._chunks.seal(bytes(self._waiting), last=True)


class Opener:
    """Opens one stream: what `feed` gives is verified, but only `finish` says that nothing is missing."""

    def __init__(self, chunks: _Chunks) -> None:
        self._chunks = chunks
        self._waiting = bytearray()

    def feed(self, data: bytes) -> bytes:
        """What the chunks that are surely not the last one hold. Raises InvalidBytes."""
        self._waiting += data
        opened = bytearray()
        while len(self._waiting) > CHUNK_BYTES + TAG_BYTES:
            opened += self._chunks.open(bytes(self._waiting[: CHUNK_BYTES + TAG_BYTES]), last=False)
            del self._waiting[: CHUNK_BYTES + TAG_BYTES]
        return bytes(opened)

    def finish(self) -> bytes:
        """What the last chunk holds. Raises InvalidBytes."""
        return self._chunks.open(bytes(self._waiting), last=True)


class _Chunks:
    def __init__(self, key: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self._number = 0

    def seal(self, content: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(last), content, None)

    def open(self, sealed: bytes, *, last: bool) -> bytes:
        try:
            return self._cipher.decrypt(self._nonce(last), sealed, None)
        except InvalidTag:
            raise InvalidBytes(
                "The backup is damaged or was cut short.", fix="Use another copy of it; nothing was restored."
            ) from None

    def _nonce(self, last: bool) -> bytes:
        nonce = self._number.to_bytes(11, "big") + bytes([last])
        self._number += 1
        return nonce


def sealed_with_passphrase(passphrase: str, entropy: bytes) -> Sealer:
    """`entropy`: 32 random bytes. Takes some 0.3 s and 64 MiB. Raises InvalidInput for one that is too short."""
    if not MIN_PASSPHRASE_CHARS <= len(passphrase) <= MAX_PASSPHRASE_CHARS:
        raise InvalidInput(f"A passphrase has {MIN_PASSPHRASE_CHARS} to {MAX_PASSPHRASE_CHARS} characters.")
    assert len(entropy) == ENTROPY_BYTES
    return Sealer(_start(PASSPHRASE, entropy), _stretched(passphrase, entropy))


def sealed_to_recovery_key(recovery: bytes, entropy: bytes) -> Sealer:
    """Only the recovery phrase opens it. `recovery` is the key's public half (Ed25519), `entropy` 32 random bytes."""
    ephemeral = X25519PrivateKey.from_private_bytes(entropy)
    public, theirs = ephemeral.public_key().public_bytes_raw(), _x25519_public(recovery)
    try:
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError:  # a point of low order: nobody's key
        raise InvalidInput("The home's recovery key cannot be sealed to.") from None
    return Sealer(_start(RECOVERY_KEY, public), shared + public + theirs)


def how_to_open(header: bytes) -> int:
    """PASSPHRASE or RECOVERY_KEY. `header` is the file's first HEADER_BYTES. Raises InvalidBytes for another file, a
    newer version, or too few bytes."""
    if header[: len(MAGIC)] != MAGIC:
        raise InvalidBytes("That file is not a backup of Jarvis.", fix="Give a file that `jarvis backup create` wrote.")
    if len(header) < HEADER_BYTES:
        raise InvalidBytes("The backup was cut short.", fix="Use another copy of it.")
    version, mode = header[len(MAGIC) : len(MAGIC) + 2]
    if version != VERSION or mode not in (PASSPHRASE, RECOVERY_KEY):
        raise InvalidBytes(
            "That backup was made by a newer Jarvis, or is damaged.", fix="Update Jarvis, then try again."
        )
    return mode


def opened_with_passphrase(header: bytes, passphrase: str) -> Opener:
    """Takes as long as sealing. Raises InvalidInput for a wrong passphrase, InvalidBytes as `how_to_open`."""
    if how_to_open(header) != PASSPHRASE:
        raise InvalidInput("This backup is sealed to the recovery key.", fix="Give the recovery phrase.")
    salt = _field(header)
    return _opener(header, _stretched(passphrase[:MAX_PASSPHRASE_CHARS], salt), "The passphrase is not this backup's.")


def opened_with_recovery_key(header: bytes, recovery: SigningKey) -> Opener:
    """Raises InvalidInput for another home's key, InvalidBytes as `how_to_open`."""
    if how_to_open(header) != RECOVERY_KEY:
        raise InvalidInput("This backup is sealed with a passphrase.", fix="Give the passphrase.")
    private = X25519PrivateKey.from_private_bytes(hashlib.sha512(recovery.seed).digest()[:32])
    public, ours = _field(header), private.public_key().public_bytes_raw()
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise InvalidBytes("The backup is damaged.", fix="Use another copy of it.") from None
    return _opener(header, shared + public + ours, "The recovery phrase is not the one of this backup's home.")


def _opener(header: bytes, secret: bytes, refusal: str) -> Opener:
    chunks, check = _keys(header[: HEADER_BYTES - _CHECK_BYTES], secret)
    if not hmac.compare_digest(check, header[HEADER_BYTES - _CHECK_BYTES : HEADER_BYTES]):
        raise InvalidInput(refusal, fix="Try again; if you are sure, the file's beginning is damaged.")
    return Opener(chunks)


def _start(mode: int, field: bytes) -> bytes:
    return MAGIC + bytes([VERSION, mode]) + field


def _field(header: bytes) -> bytes:
    return header[len(MAGIC) + 2 : HEADER_BYTES - _CHECK_BYTES]


def _keys(start: bytes, secret: bytes) -> tuple[_Chunks, bytes]:
    kdf = HKDF(algorithm=hashes.SHA256(), length=32 + _CHECK_BYTES, salt=None, info=start)
    derived = kdf.derive(secret)
    return _Chunks(derived[:32]), derived[32:]


def _stretched(passphrase: str, salt: bytes) -> bytes:
    text = unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogatepass")
    return Scrypt(salt=salt, length=32, n=2**16, r=8, p=2).derive(text)


def _x25519_public(ed25519: bytes) -> bytes:
    """The Montgomery form u = (1 + y) / (1 - y) of an Edwards point, of which an Ed25519 public key holds y."""
    assert len(ed25519) == PUBLIC_KEY_BYTES
    y = int.from_bytes(ed25519, "little") & (2**255 - 1)
    return ((1 + y) * pow(1 - y, _P - 2, _P) % _P).to_bytes(32, "little")
