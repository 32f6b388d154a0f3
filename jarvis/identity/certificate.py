"""The self-signed X.509 certificate that carries a node's key into TLS. The subject is the node's id, unique among
members because OpenSSL finds trusted certificates by subject; it is valid from 1970, where small boards boot."""

from __future__ import annotations

import datetime
import functools

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from jarvis.core.errors import InvalidBytes
from jarvis.core.ids import to_text
from jarvis.identity.keys import SigningKey, node_id_of

MAX_CERTIFICATE_BYTES = 1_024
REMEMBERED = 256
"""Certificates whose key is known: the members', which every look at the whole chain would take apart again."""


def make_certificate(key: SigningKey) -> bytes:
    """DER of the certificate for `key`: always the same bytes for the same key, so members can be compared by it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, to_text(key.node_id))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.private.public_key())
        .serial_number(int.from_bytes(key.node_id, "big") >> 1 | 1)
        .not_valid_before(datetime.datetime(1970, 1, 1))
        .not_valid_after(datetime.datetime(9999, 12, 31, 23, 59, 59))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key.private, None)
    )
    return certificate.public_bytes(Encoding.DER)


def key_pem(key: SigningKey) -> bytes:
    """The private key as PKCS#8 PEM, for `ssl`. Written only where other keys are, 0600."""
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@functools.lru_cache(REMEMBERED)
def public_key_of(certificate_der: bytes) -> bytes:
    """The Ed25519 public key (32 bytes) in a node's certificate. Raises InvalidBytes unless it is exactly one of ours:
    right key type, self-signed, subject equal to the key's node id."""
    if len(certificate_der) > MAX_CERTIFICATE_BYTES:
        raise InvalidBytes("The certificate is too large.")
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        public = certificate.public_key()
        if not isinstance(public, Ed25519PublicKey):
            raise InvalidBytes("The certificate's key is not Ed25519.")
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        certificate.verify_directly_issued_by(certificate)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except InvalidBytes:
        raise
    except Exception as error:  # the parser's errors are many and undocumented; all mean the same here
        raise InvalidBytes(f"Not a node's certificate ({type(error).__name__}).") from None
    if [name.value for name in names] != [to_text(node_id_of(raw))]:
        raise InvalidBytes("The certificate's subject is not its key's node id.")
    return raw
