"""How a new device proves that it knows the short code, and learns which home it joins: the cryptography of pairing,
without a socket. A wrong code must cost a try and reveal nothing; a right one must bind both certificates, the home
and its membership's head.

    joiner                                        inviter
    hello:     SPAKE2 A, its certificate    ->
                                            <-    challenge: SPAKE2 B, home id, head of the chain
    confirm:   HMAC, signature by its key   ->    (the joiner commits first: a guess costs one try)
                                            <-    proof: HMAC
    wishes                                  ->    (the inviter, the owner's node, signs the admission)
                                            <-    welcome
    saved                                   ->

Sources: SPAKE2, RFC 9382 with explicit key confirmation; the library is Brian Warner's `spake2`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from spake2 import SPAKE2_A, SPAKE2_B
from spake2.ed25519_basic import NotOnCurve
from spake2.spake2 import SPAKEError

from jarvis.core.codec import HELLO_LIMITS, Limits, pack, unpack
from jarvis.core.errors import InvalidBytes, InvalidInput, NotAllowed, Unreachable
from jarvis.core.ids import NODE_ID_BYTES
from jarvis.identity.certificate import public_key_of
from jarvis.identity.keys import SIGNATURE_BYTES, SigningKey, verify

CODE_DIGITS = 8
"""Five tries of 100 million: one chance in 20 million for each invitation, and a spoken code is easily typed."""
ALPN = "jarvis-pair/1"
"""Tells an invitation's port from a peer port in the first answer."""
VERSION = 1
MAC_BYTES = 32
HASH_BYTES = 32
SPAKE_BYTES = 33
WELCOME_LIMITS = Limits(size_bytes=1024 * 1024, depth=10, items=65_536)
"""A membership chain of a thousand entries is under 400 KiB."""
_TAG = b"jarvis pairing v1 "


class CodeWrong(InvalidInput):
    """The code was mistyped; the sentence says how many tries are left."""


class InvitationExpired(NotAllowed):
    """It was open for its two minutes, and those are over."""


class InvitationUsed(NotAllowed):
    """Another device joined with this code."""


class InvitationSpent(NotAllowed):
    """Too many wrong codes."""


class NoInvitation(NotAllowed):
    """The node is there, but invites nobody."""


class InviterUnreachable(Unreachable):
    """Nobody answers at that address."""


class InviterNotProven(NotAllowed):
    """Whoever answered does not know the code either: somebody else's device, or somebody in between."""


class JoinRefused(NotAllowed):
    """The home could not or would not sign the admission; the sentence is the home's."""


@dataclass(frozen=True)
class Proven:
    """Which home the code was proven for; the welcome that follows must be this home's."""

    home_id: bytes
    chain_head: bytes
    """Head of its membership chain when the invitation was answered; the welcome's chain has grown from it."""


@dataclass(frozen=True)
class Welcome:
    """What a home gives a device that it admitted."""

    chain: list[tuple[bytes, bytes]]
    """The membership chain, oldest first: (entry, signature)."""
    home_name: str
    name: str
    """The name suggested for the new node; "" when it may choose."""
    room: str
    addresses: list[str]
    """`HOST:PORT` of peers to dial."""
    inviter: bytes
    """The node id of the inviter."""

    def to_bytes(self) -> bytes:
        chain = [list(entry) for entry in self.chain]
        return message("welcome", chain, self.home_name, self.name, self.room, self.addresses, self.inviter)

    @classmethod
    def from_fields(cls, fields: list[Any]) -> Welcome:
        """From what `read_message` gives. Raises InvalidBytes."""
        chain, home_name, name, room, addresses, inviter = expect(fields, list, str, str, str, list, bytes)
        if not all(isinstance(one, str) for one in addresses) or len(inviter) != NODE_ID_BYTES:
            raise InvalidBytes("The welcome is not well formed.")
        entries = []
        for entry in chain:
            if not isinstance(entry, list):
                raise InvalidBytes("The welcome is not well formed.")
            body, signature = expect(entry, bytes, bytes)
            entries.append((body, signature))
        return cls(entries, home_name, name, room, addresses, inviter)


def new_code() -> str:
    """A fresh code as it is shown: `4821-7735`."""
    digits = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    return f"{digits[:4]}-{digits[4:]}"


def code_digits(text: str) -> bytes:
    """The digits of a code as somebody typed it, spaces and dashes aside. Raises InvalidInput."""
    digits = "".join(text.replace("-", " ").replace("\u2013", " ").split())
    if len(digits) != CODE_DIGITS or not (digits.isascii() and digits.isdigit()):
        raise InvalidInput("A code has eight digits, like 4821-7735.", fix="Type it as the inviting node shows it.")
    return digits.encode()


def message(kind: str, *fields: Any) -> bytes:
    return pack([kind, *fields])


def read_message(data: bytes, limits: Limits = HELLO_LIMITS) -> tuple[str, list[Any]]:
    """Kind and fields of a message. Raises InvalidBytes."""
    value = unpack(data, limits)
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        raise InvalidBytes("Not a message of pairing.")
    return value[0], value[1:]


def expect(fields: list[Any], *kinds: type) -> list[Any]:
    """The fields, when they have exactly these types. Raises InvalidBytes."""
    if len(fields) != len(kinds) or not all(type(one) is kind for one, kind in zip(fields, kinds, strict=True)):
        raise InvalidBytes("A message of pairing has the wrong fields.")
    return fields


class JoinerHandshake:
    """The new device's side, once."""

    def __init__(self, code: bytes, key: SigningKey, certificate: bytes) -> None:
        self._key, self._certificate = key, certificate
        self._spake = SPAKE2_A(code, idA=_TAG + b"joiner", idB=_TAG + b"inviter")
        self._sent: bytes = self._spake.start()
        self._keys: _Keys | None = None
        self._proven = Proven(b"", b"")

    def hello(self) -> bytes:
        return message("hello", VERSION, self._sent, self._certificate)

    def confirm(self, challenge: list[Any], inviter_certificate: bytes) -> bytes:
        """The answer to a challenge; `inviter_certificate` is what TLS saw. Raises InvalidBytes."""
        theirs, home_id, chain_head = expect(challenge, bytes, bytes, bytes)
        self._proven = Proven(home_id, chain_head)
        transcript = _transcript(self._certificate, inviter_certificate, home_id, chain_head, self._sent, theirs)
        self._keys = _Keys(_finish(self._spake, theirs), transcript)
        signature = self._key.sign(_TAG + b"joiner signs" + transcript)
        return message("confirm", self._keys.joiner, signature)

    def check(self, proof: list[Any]) -> Proven | None:
        """The home, when the inviter knows the code and saw the same things. Raises InvalidBytes."""
        (mac,) = expect(proof, bytes)
        known = self._keys is not None and hmac.compare_digest(mac, self._keys.inviter)
        return self._proven if known else None


class InviterHandshake:
    """The home's side, once for each connection."""

    def __init__(self, code: bytes, certificate: bytes, home_id: bytes, chain_head: bytes) -> None:
        self._code, self._certificate = code, certificate
        self._home_id, self._chain_head = home_id, chain_head
        self._keys: _Keys | None = None
        self._transcript = b""
        self._joiner_key = b""
        self.joiner_certificate = b""

    def challenge(self, hello: list[Any]) -> bytes:
        """The answer to a hello. Raises InvalidBytes, also for a certificate that is not a node's."""
        version, theirs, certificate = expect(hello, int, bytes, bytes)
        if version != VERSION:
            raise InvalidBytes("The joining device speaks another version of pairing.")
        self._joiner_key, self.joiner_certificate = public_key_of(certificate), certificate
        spake = SPAKE2_B(self._code, idA=_TAG + b"joiner", idB=_TAG + b"inviter")
        sent = spake.start()
        self._transcript = _transcript(certificate, self._certificate, self._home_id, self._chain_head, theirs, sent)
        self._keys = _Keys(_finish(spake, theirs), self._transcript)
        return message("challenge", sent, self._home_id, self._chain_head)

    def check(self, confirm: list[Any]) -> bool:
        """Whether the joiner knows the code and holds its certificate's key. Raises InvalidBytes."""
        mac, signature = expect(confirm, bytes, bytes)
        if self._keys is None or len(signature) != SIGNATURE_BYTES:
            return False
        known = hmac.compare_digest(mac, self._keys.joiner)
        return known and verify(self._joiner_key, _TAG + b"joiner signs" + self._transcript, signature)

    def proof(self) -> bytes:
        """Only to be sent after `check` was True."""
        assert self._keys is not None
        return message("proof", self._keys.inviter)


class _Keys:
    """The two confirmations, from SPAKE2's key and all that both sides saw."""

    def __init__(self, secret: bytes, transcript: bytes) -> None:
        kdf = HKDF(algorithm=hashes.SHA256(), length=2 * MAC_BYTES, salt=transcript, info=_TAG + b"confirmation")
        keys = kdf.derive(secret)
        self.joiner = hmac.digest(keys[:MAC_BYTES], _TAG + b"joiner" + transcript, "sha256")
        self.inviter = hmac.digest(keys[MAC_BYTES:], _TAG + b"inviter" + transcript, "sha256")


def _transcript(*parts: bytes) -> bytes:
    """SHA-256 over both certificates, home, head and both SPAKE2 messages, unambiguously joined."""
    return hashlib.sha256(_TAG + pack(list(parts))).digest()


def _finish(spake: Any, theirs: bytes) -> bytes:
    if len(theirs) != SPAKE_BYTES:
        raise InvalidBytes("Not a SPAKE2 message.")
    try:
        key: bytes = spake.finish(theirs)
    except (SPAKEError, NotOnCurve, ValueError) as error:  # wrong side, reflected, not a point, wrong group
        raise InvalidBytes(f"Not a SPAKE2 message ({type(error).__name__}).") from None
    return key
