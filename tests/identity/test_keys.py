"""Keys, certificates and the recovery phrase."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.errors import InvalidBytes, InvalidInput
from jarvis.core.ids import to_text
from jarvis.identity.certificate import MAX_CERTIFICATE_BYTES, key_pem, make_certificate, public_key_of
from jarvis.identity.keys import SigningKey, node_id_of, recovery_key, recovery_phrase, verify

KEY = SigningKey(b"k" * 32)

# RFC 8032, section 7.1: seed, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize(("seed", "public", "message", "signature"), [tuple(map(bytes.fromhex, v)) for v in RFC_8032])
def test_signatures_are_those_of_rfc_8032(seed, public, message, signature):
    key = SigningKey(seed)
    assert key.public == public
    assert key.sign(message) == signature
    assert verify(public, message, signature)
    assert not verify(public, message + b"\x00", signature)
    assert not verify(KEY.public, message, signature)
    for at in range(64):
        altered = bytearray(signature)
        altered[at] ^= 1
        assert not verify(public, message, bytes(altered))


def test_the_second_spelling_of_a_signature_is_refused():
    """S and S + L would both hold without RFC 8032's range check; then a record had two valid forms."""
    signature = KEY.sign(b"message")
    large = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    assert not verify(KEY.public, b"message", signature[:32] + large.to_bytes(32, "little"))


@given(
    st.binary(max_size=40) | st.binary(min_size=32, max_size=32),
    st.binary(max_size=40),
    st.binary(max_size=70) | st.binary(min_size=64, max_size=64),
)
def test_verify_never_raises(public, message, signature):
    assert verify(public, message, signature) in (True, False)
    assert not verify(KEY.public, message, signature)


def test_a_key_does_not_show_its_seed():
    assert KEY.seed.hex() not in repr(KEY)
    with pytest.raises(InvalidInput):
        SigningKey(b"short")


def test_a_certificate_carries_the_key_and_is_always_the_same():
    data = make_certificate(KEY)
    assert data == make_certificate(SigningKey(KEY.seed))
    assert len(data) <= MAX_CERTIFICATE_BYTES
    assert public_key_of(data) == KEY.public
    certificate = x509.load_der_x509_certificate(data)
    assert certificate.not_valid_before_utc.year == 1970
    assert certificate.not_valid_after_utc.year == 9999
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert certificate.subject.rfc4514_string() == f"CN={to_text(node_id_of(KEY.public))}"


def test_the_pem_is_the_same_key():
    assert load_pem_private_key(key_pem(KEY), None).private_bytes_raw() == KEY.seed


def issue(subject: str, public, signer, *, algorithm=None) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(public).serial_number(1)
    builder = builder.not_valid_before(datetime.datetime(2020, 1, 1)).not_valid_after(datetime.datetime(2030, 1, 1))
    return builder.sign(signer, algorithm).public_bytes(Encoding.DER)


def test_other_certificates_are_refused():
    mine = to_text(KEY.node_id)
    other = ed25519.Ed25519PrivateKey.generate()
    curve = ec.generate_private_key(ec.SECP256R1())
    public = KEY.private.public_key()
    assert public_key_of(issue(mine, public, KEY.private)) == KEY.public
    for wrong in (
        issue(mine, public, other),  # signed by somebody else
        issue(mine, other.public_key(), other),  # another's name
        issue("kitchen", public, KEY.private),
        issue(mine.upper(), public, KEY.private),
        issue(mine, curve.public_key(), curve, algorithm=hashes.SHA256()),
        make_certificate(KEY) + b"\x00" * MAX_CERTIFICATE_BYTES,
        make_certificate(KEY) + b"\x00",
        b"",
    ):
        with pytest.raises(InvalidBytes):
            public_key_of(wrong)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(st.binary(max_size=200), st.integers(0, 400), st.integers(1, 255))
def test_noise_and_damaged_certificates_are_refused(noise, at, change):
    good = bytearray(make_certificate(KEY))
    good[at % len(good)] ^= change
    for data in (noise, bytes(good)):
        with pytest.raises(InvalidBytes):
            public_key_of(data)


@given(st.binary(min_size=16, max_size=16))
def test_a_phrase_goes_round(entropy):
    phrase = recovery_phrase(entropy)
    assert len(phrase.split()) == 12
    key = recovery_key(phrase)
    assert recovery_key(phrase.upper()).public == key.public
    assert recovery_key("  " + phrase.replace(" ", "\n ") + " ").public == key.public
    assert key.seed != entropy.ljust(32, b"\x00")


def test_other_entropy_is_another_key():
    phrases = [recovery_phrase(bytes([n]) * 16) for n in range(5)]
    assert len({recovery_key(phrase).public for phrase in phrases}) == 5
    with pytest.raises(InvalidInput):
        recovery_phrase(b"short")


def test_wrong_words_are_refused():
    words = recovery_phrase(b"e" * 16).split()
    swapped = [words[1], words[0], *words[2:]]
    for phrase in (
        "",
        "abandon " * 12,
        " ".join(words[:11]),
        " ".join(["jarvis", *words[1:]]),
        " ".join(swapped),
        "\x00 " * 12,
        "ü " * 12,
    ):
        with pytest.raises(InvalidInput) as caught:
            recovery_key(phrase)
        assert not any(word in str(caught.value) for word in words), "an error must not repeat the secret"
