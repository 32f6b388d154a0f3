"""Every decoder that untrusted bytes reach, as a target for `fuzzing`, with examples of what each understands. Where a
signature guards the rest, the damaged bytes are signed anew: a member may sign anything as itself."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from jarvis.core.codec import FRAME_LIMITS, HELLO_LIMITS, pack, unpack, unpack_canonical
from jarvis.core.errors import InvalidBytes
from jarvis.crdt.dots import Dot
from jarvis.crdt.gset import GSet
from jarvis.crdt.lifecycle import Lifecycle
from jarvis.crdt.mvmap import MVMap
from jarvis.crdt.registry import ALL_KINDS, AUDIT_PREFIX, CONFIG, SESSION_PREFIX, SESSIONS, kind_of
from jarvis.crdt.session import Session
from jarvis.crdt.text import SharedText
from jarvis.crdt.yjs_blocks import read_update
from jarvis.identity.certificate import make_certificate, public_key_of
from jarvis.identity.entries import TAG as ENTRY_TAG
from jarvis.identity.entries import Cutoff, read_entry
from jarvis.identity.fork import fork_proof, read_proof
from jarvis.identity.horizon import acknowledge
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.identity.record import (
    TAG,
    SignedRecord,
    decode_header,
    decode_record,
    is_authentic,
    operations_of,
    write_record,
)
from jarvis.identity.sealed import HEADER_BYTES, how_to_open, opened_with_recovery_key, sealed_to_recovery_key
from jarvis.net.pairing import (
    WELCOME_LIMITS,
    InviterHandshake,
    JoinerHandshake,
    Welcome,
    message,
    read_message,
)
from jarvis.node.talk import partials
from jarvis.replica.manifest import Manifest, read_manifest
from jarvis.replica.replica import Replica
from jarvis.replica.staging import Part
from jarvis.replica.validity import judge
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import Head
from jarvis.sync.credit import Credit
from jarvis.sync.horizons import Acknowledge, Propose, Snapshot, WantSnapshot
from jarvis.sync.machine import Sync
from jarvis.sync.messages import (
    PROTOCOL,
    Ack,
    Answer,
    Branch,
    Digest,
    Ephemeral,
    Fork,
    Heads,
    Hello,
    Membership,
    Message,
    Ping,
    Records,
    Refuse,
    Request,
    Want,
    decode,
    encode,
)
from jarvis.testing.claim_decoders import claim_targets
from jarvis.testing.fuzzing import Target
from jarvis.testing.house_decoders import house_targets
from jarvis.testing.lending_decoders import lending_targets
from jarvis.testing.library_decoders import library_targets
from jarvis.testing.timer_decoders import timer_targets

NOW_MS = 1_800_000_000_000
OWNER, RECOVERY = SigningKey(b"o" * 32), SigningKey(b"r" * 32)
KEYS = [SigningKey(bytes([number + 1]) * 32) for number in range(3)]
CERTIFICATES = [make_certificate(key) for key in KEYS]
AUTHOR = KEYS[1].node_id + b"\x01" * 16
NOTE = "notes/aaaaaaaaaaaaaaaa"
LIFE = 500
"""Inputs that one replica or protocol machine sees before a fresh one takes its place."""


def _chain() -> Chain:
    chain = Chain.found(OWNER, RECOVERY.public, CERTIFICATES[0], nonce=b"n" * 16, at_ms=NOW_MS)
    for certificate in CERTIFICATES[1:]:
        chain = chain.admit(OWNER, certificate, at_ms=NOW_MS)
    return chain


CHAIN = _chain()


def _lost() -> Chain:
    return Chain.verify(CHAIN.entries[:2]).admit(OWNER, CERTIFICATES[2], at_ms=NOW_MS + 1)


def _grown() -> Chain:
    cutoffs = {AUTHOR: Cutoff(3, b"h" * 32)}
    places, root = {AUTHOR: (3, b"h" * 32)}, b"R" * 32
    acks = {KEYS[1].node_id: acknowledge(KEYS[1], CHAIN.home_id, places, root)}
    chain = CHAIN.declare_horizon(OWNER, places, root, acks, [KEYS[2].node_id], at_ms=NOW_MS)
    chain = chain.remove(OWNER, KEYS[1].node_id, cutoffs, at_ms=NOW_MS)
    return chain.hand_over(OWNER, RECOVERY.public, KEYS[2].node_id, at_ms=NOW_MS)


def _operations() -> list[tuple[str, list[Any]]]:
    """A document and operations that fit it, of every kind."""
    config, session = MVMap(), Session()
    reply = session.add_reply(Dot(AUTHOR, 1, 0), {"text": "ho"})
    dot = [AUTHOR, 1, 0]
    note = SharedText(AUTHOR)
    edits = [note.insert(0, "milk, eggs"), note.delete(2, 3), note.replace(1, 2, "ä\U0001f95a")]
    return [
        (CONFIG, [config.put("node.name", "hall"), ["put", "a", 1.5, [dot]], ["del", b"key", [dot]]]),
        (SESSIONS, [Lifecycle.add(b"x" * 10), Lifecycle.delete(b"x" * 10)]),
        (AUDIT_PREFIX + "2027-01", [GSet.add({"action": "x", "at": 1})]),
        (
            SESSION_PREFIX + "aaaaaaaaaaaaaaaa",
            [session.add_turn({"text": "hi"}), reply],
        ),
        (NOTE, [edit.operation for edit in edits]),
        ("metrics", [["count", "heard", 5, 0]]),
        ("newer/thing", [["?"]]),
    ]


def records() -> list[SignedRecord]:
    """One author's chain through every kind of document."""
    result: list[SignedRecord] = []
    for document, operations in _operations():
        last, kind = (result[-1] if result else None), kind_of(document)
        result.append(
            write_record(
                KEYS[1],
                home_id=CHAIN.home_id,
                document=document,
                author=AUTHOR,
                seq=len(result) + 1,
                prev=last.hash if last else b"",
                entry=CHAIN.head_id,
                hlc=(NOW_MS << 16) + len(result),
                kind=kind.code if kind else 1,
                operations=operations,
                nonce=b"N" * 16,
            )
        )
    return result


def _proof() -> bytes:
    one = records()[0]
    other = replace(one.header, hlc=one.header.hlc + 1).encode()
    return fork_proof((one.header_data, one.signature), (other, KEYS[1].sign(TAG + other))).to_bytes()


def messages() -> list[Message]:
    heads = ((AUTHOR, Head(3, b"h" * 32)),)
    found = CHAIN.entries
    return [
        Hello(PROTOCOL, CHAIN.home_id, KEYS[1].node_id, NOW_MS, ("10.0.0.1:7000",)),
        Membership(len(found), CHAIN.head, 0, found),
        Heads(heads),
        Want(AUTHOR, 1, 9),
        Records(tuple(records())),
        Records(tuple(replace(one, payload=None) for one in records())),
        Ack(heads),
        Digest(True, b"f" * 32, b"d" * 32),
        Ephemeral("claim", b"body"),
        Ping(7),
        Refuse("no"),
        Fork(read_proof(_proof())),
        Propose({AUTHOR: (3, b"h" * 32)}, b"R" * 32),
        Acknowledge(b"R" * 32, b"s" * 64),
        WantSnapshot(b"E" * 32, CONFIG, 70_000),
        Snapshot(b"E" * 32, (Part(CONFIG, 0, 9, b"documents"), Part("session/x", 0, 9, None))),
        Request(1, "admit", CERTIFICATES[1]),
        Answer(1, False, b"why"),
        Branch(2, CHAIN.hashes[1], _lost().entries[2:]),
        Credit(1_024, 2**21),
    ]


# --- decoders ----------------------------------------------------------------------------------------------------


def _codec(data: bytes) -> None:
    value = unpack(data, FRAME_LIMITS)
    try:
        packed = pack(value)
    except InvalidBytes:  # NaN and -0.0 have no canonical bytes
        return
    assert unpack_canonical(packed, FRAME_LIMITS) == value


def _header(data: bytes) -> None:
    header = decode_header(data)
    if header.version == 1:
        assert header.encode() == data


def _record(data: bytes) -> None:
    """[header, signature, payload], signed anew, up to the verdict."""
    value = unpack(data, FRAME_LIMITS)
    if not isinstance(value, list) or len(value) != 3:
        raise InvalidBytes("not three")
    record = decode_record(*value)
    is_authentic(record, KEYS[1].public)
    judge(record, record.header.hlc - 1)


def _kinds(data: bytes) -> None:
    """A payload, as operations of every kind, up to the state's bytes and back."""
    operations = operations_of(data)
    good = 0
    for kind in ALL_KINDS:
        state = kind.empty()
        try:
            for operation in operations:
                kind.check(operation)
                list(kind.names(operation))
            kind.fits(state, operations, AUTHOR, "notes/text")
            for index, operation in enumerate(operations):
                kind.absorb(state, kind.delta(operation, Dot(AUTHOR, 2**40, index), 1))
        except InvalidBytes:
            continue
        good += 1
        encoded = pack(kind.encode(state))
        assert pack(kind.encode(kind.decode(unpack(encoded, FRAME_LIMITS)))) == encoded
    if not good:
        raise InvalidBytes("of no kind")


def _frame(data: bytes) -> None:
    with suppress(InvalidBytes):
        decode(data, first=True)
    found = decode(data)
    assert decode(encode(found)) == found


class _Protocol:
    """A node's protocol machine and replica behind the frames of one member who signs whatever it likes."""

    def __init__(self) -> None:
        self._seen = 0

    def __call__(self, data: bytes) -> None:
        if self._seen % LIFE == 0:
            self._begin()
        self._seen += 1
        peer = KEYS[1].node_id
        found = decode(data)
        if isinstance(found, Hello):
            return
        self.sync.received(peer, found, float(self._seen), NOW_MS)
        if isinstance(found, Records):
            signed = [replace(one, signature=KEYS[1].sign(TAG + one.header_data)) for one in found.records]
            accepted = self.store.transact(lambda tx: self.replica.accept(tx, signed))
            self.sync.committed(accepted.heads, [], float(self._seen), source=peer)
        elif isinstance(found, Fork):
            self.store.transact(lambda tx: self.replica.accept_fork(tx, found.proof))
        elif isinstance(found, Branch) and found.first < len(CHAIN.entries):
            entries = (*CHAIN.entries[: found.first], *found.entries)
            self.store.transact(lambda tx: self.replica.accept_membership(tx, entries))
        elif isinstance(found, Propose):
            self.store.transact(lambda tx: self.replica.proposing.reply(tx, found.places, found.root))
        elif isinstance(found, Snapshot):
            self.store.transact(lambda tx: self.replica.horizons.stage(tx, found.entry, found.parts))
        elif isinstance(found, WantSnapshot):
            self.store.view(lambda tx: self.replica.horizons.answer(tx, found.entry, found.document, found.offset))
        elif isinstance(found, Membership) and found.entries and not found.first:
            self.store.transact(lambda tx: self.replica.accept_membership(tx, found.entries))

    def _begin(self) -> None:
        peer = KEYS[1].node_id
        self.store = MemoryStore()
        self.replica = Replica(KEYS[0], entropy=random.Random(1).randbytes, wall_ms=lambda: NOW_MS)  # nosec B311
        self.store.on_undo(self.replica.forget)
        self.store.transact(lambda tx: self.replica.found(tx, CHAIN))
        self.sync = Sync(KEYS[0].node_id, CHAIN.entries, {})
        self.sync.connected(peer, 0.0, NOW_MS)
        for first in (messages()[0], Membership(len(CHAIN.entries), CHAIN.head, 0), Heads(())):
            self.sync.received(peer, first, 0.0, NOW_MS)


def _entry(data: bytes) -> None:
    read_entry(data, *_place(data))


def _place(data: bytes) -> tuple[int, bytes]:
    """Where the entry says it stands, so that the check of its place is passed."""
    value = unpack(data, HELLO_LIMITS)
    if isinstance(value, list) and len(value) == 7 and isinstance(value[3], int) and isinstance(value[4], bytes):
        return value[3], value[4]
    return 0, b""


def _chain_of(data: bytes) -> None:
    """A whole chain, each entry signed anew by the founding owner."""
    value = unpack(data, FRAME_LIMITS)
    if not isinstance(value, list) or not all(isinstance(one, bytes) for one in value) or len(value) > 32:
        raise InvalidBytes("not entries")
    chain = Chain.verify([(entry, OWNER.sign(ENTRY_TAG + entry)) for entry in value])
    assert chain.supersedes(CHAIN) or CHAIN.supersedes(chain) or chain.home_id != CHAIN.home_id or chain == CHAIN


def _manifest(data: bytes) -> None:
    found = read_manifest(data)
    assert found.encode() == data


def _manifest_examples() -> list[bytes]:
    frontier = {AUTHOR: (3, b"h" * 32), KEYS[2].node_id + bytes(16): (2**40, b"i" * 32)}
    documents = {CONFIG: (b"d" * 32, 400), SESSION_PREFIX + "aaaaaaaaaaaaaaaa": (b"e" * 32, 2**20)}
    stamps = dict.fromkeys(frontier, NOW_MS << 16)
    whole = Manifest(frontier, stamps, documents, {(AUTHOR, 2): CONFIG})
    return [whole.encode(), Manifest({}, {}, {}, {}).encode()]


def _certificate(data: bytes) -> None:
    public_key_of(data)


def _fork(data: bytes) -> None:
    assert read_proof(data).to_bytes() == data


def _pairing(data: bytes) -> None:
    kind, fields = read_message(data)
    inviter = InviterHandshake(b"12345678", CERTIFICATES[0], home_id=CHAIN.home_id, chain_head=CHAIN.head)
    if kind == "hello":
        inviter.challenge(fields)
    elif kind == "challenge":
        JoinerHandshake(b"12345678", KEYS[2], CERTIFICATES[2]).confirm(fields, CERTIFICATES[0])
    elif kind == "confirm":
        inviter.check(fields)


def _welcome(data: bytes) -> None:
    kind, fields = read_message(data, WELCOME_LIMITS)
    welcome = Welcome.from_fields(fields)
    if kind == "welcome":
        assert read_message(welcome.to_bytes(), WELCOME_LIMITS)[0] == "welcome"


def _backup(data: bytes) -> None:
    header, sealed = data[:HEADER_BYTES], data[HEADER_BYTES:]
    how_to_open(header)
    opener = opened_with_recovery_key(header, RECOVERY)
    opener.feed(sealed)
    opener.finish()


def _edit(data: bytes) -> None:
    read_update(data)


def _partial(data: bytes) -> None:
    assert pack(partials.read(unpack(data, partials.LIMITS)).value()) == pack(unpack(data))


# --- examples ----------------------------------------------------------------------------------------------------


def _pairing_examples() -> list[bytes]:
    joiner = JoinerHandshake(b"12345678", KEYS[2], CERTIFICATES[2])
    inviter = InviterHandshake(b"12345678", CERTIFICATES[0], home_id=CHAIN.home_id, chain_head=CHAIN.head)
    hello = joiner.hello()
    challenge = inviter.challenge(read_message(hello)[1])
    confirm = joiner.confirm(read_message(challenge)[1], CERTIFICATES[0])
    return [hello, challenge, confirm, inviter.proof(), message("wishes", {"name": "hall"}), message("saved")]


def _welcome_examples() -> list[bytes]:
    return [Welcome(list(CHAIN.entries), "home", "hall", "hall", ["10.0.0.1:1"], KEYS[0].node_id).to_bytes()]


def _backup_examples() -> list[bytes]:
    sealer = sealed_to_recovery_key(RECOVERY.public, b"e" * 32)
    return [sealer.header + sealer.feed(b"content" * 40) + sealer.finish()]


def _codec_examples() -> list[bytes]:
    values = [None, [1, -1, 2**40, 1.5, True], {"a": b"b", b"c": [{}], 3: "ü"}, [[[[[[1]]]]]], "x" * 300, b"y" * 300]
    return [pack(value) for value in values]


def _lists(make: Callable[[], Sequence[SignedRecord]]) -> list[bytes]:
    return [pack([one.header_data, one.signature, one.payload]) for one in make()]


def targets() -> dict[str, Target]:
    """By name. Stateful ones are new with every call."""
    frames = [encode(one) for one in messages()]
    found = [
        Target("codec", _codec, _codec_examples),
        Target("header", _header, lambda: [one.header_data for one in records()]),
        Target("record", _record, lambda: _lists(records)),
        Target("kinds", _kinds, lambda: [one.payload or b"" for one in records()]),
        Target("frame", _frame, lambda: frames),
        Target("protocol", _Protocol(), lambda: frames),
        Target("entry", _entry, lambda: [data for data, _ in _grown().entries]),
        Target("chain", _chain_of, lambda: [pack([data for data, _ in _grown().entries]), pack([CHAIN.entries[0][0]])]),
        Target("fork", _fork, lambda: [_proof()]),
        Target("manifest", _manifest, _manifest_examples),
        Target("certificate", _certificate, lambda: CERTIFICATES, damage_value=False),
        Target("pairing", _pairing, _pairing_examples),
        Target("welcome", _welcome, _welcome_examples),
        Target("backup", _backup, _backup_examples, damage_value=False),
        Target("partial", _partial, lambda: [pack(["t", "hall", 1, "What?", 3, "It is"])]),
        Target(
            "edit", _edit, lambda: [one[1] for one in dict(_operations())["notes/aaaaaaaaaaaaaaaa"]], damage_value=False
        ),
        *lending_targets(),
        *library_targets(),
        *claim_targets(),
        *timer_targets(),
        *house_targets(),
    ]
    return {target.name: target for target in found}


def read_corpus(folder: Path, target: Target) -> list[bytes]:
    """The checked-in inputs of a target, in the order of their names; its examples where there are none."""
    files = sorted((folder / target.name).glob("*.bin"))
    return [path.read_bytes() for path in files] or list(target.examples())


def write_corpus(folder: Path, target: Target) -> int:
    """Put the target's examples into its folder, named by their hash; returns how many there are."""
    place = folder / target.name
    place.mkdir(parents=True, exist_ok=True)
    for data in target.examples():
        save(folder, target.name, data)
    return len(list(place.glob("*.bin")))


def save(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name / f"{hashlib.sha256(data).hexdigest()[:12]}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
