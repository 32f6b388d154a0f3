"""A few replicas in one process that take horizons, right after every step."""

from __future__ import annotations

from collections.abc import Iterable

from jarvis.identity.membership import Chain
from jarvis.identity.record import SignedRecord, decode_record
from jarvis.replica.horizon import Need
from jarvis.replica.manifest import Impossible, Manifest, root_of
from jarvis.replica.proposing import Reply
from jarvis.replica.staging import Part
from tests.replica.support import CHAIN, KEYS, NOW, OWNER, Node

NOTE = "notes/aaaaaaaaaaaaaaaa"


def home(count: int = 3, chain: Chain = CHAIN) -> list[Node]:
    return [Node(chain, number=number) for number in range(count)]


def spread(record: SignedRecord, nodes: Iterable[Node]) -> SignedRecord:
    for node in nodes:
        node.accept(record)
    return record


def write(node: Node, nodes: Iterable[Node], document: str, *operations: object) -> SignedRecord:
    record = node.append(document, *operations)
    return spread(record, [one for one in nodes if one is not node])


def fill(nodes: list[Node], count: int = 12, document: str = "config") -> None:
    for number in range(count):
        write(nodes[number % len(nodes)], nodes, document, ["put", f"{number}", number, []])


def manifest_of(node: Node) -> Manifest:
    frontier, manifest = node.store.view(lambda tx: node.replica.proposing.frontier(tx, [])), None
    while manifest is None:
        manifest = node.store.transact(lambda tx: node.replica.horizons.make(tx, frontier))
    return manifest


def reply(node: Node, manifest: Manifest) -> Reply:
    found = None
    while found is None:
        found = node.store.transact(
            lambda tx: node.replica.proposing.reply(tx, manifest.frontier, root_of(manifest.encode()))
        )
    return found


def declare(nodes: list[Node], *stale: int, chain: Chain | None = None) -> Chain:
    """By the first node, acknowledged by the others; nobody has heard of it yet."""
    manifest = manifest_of(nodes[0])
    replies = {KEYS[node.number].node_id: reply(node, manifest) for node in nodes[1:]}
    assert not any(one.reason for one in replies.values()), replies
    acks = {node_id: one.signature for node_id, one in replies.items()}
    chain = chain or nodes[0].store.view(nodes[0].replica.chain)
    left = [KEYS[number].node_id for number in stale]
    return chain.declare_horizon(OWNER, manifest.frontier, root_of(manifest.encode()), acks, left, at_ms=NOW)


def hear(node: Node, chain: Chain) -> None:
    node.store.transact(lambda tx: node.replica.accept_membership(tx, chain.entries))


def take(node: Node, *peers: Node) -> int:
    """All that can be done; how many answers it took from peers."""
    answers = 0
    while answers < 500:
        following, _ = node.store.transact(node.replica.take_horizon)
        if following.more:
            continue
        need = following.need
        brought = [one for peer in peers if need is not None and (one := answer(peer, need))]
        if need is None or not brought:
            return answers
        answers += 1
        assert stage(node, need.entry, brought[0])
    raise AssertionError("it never ends")


def stage(node: Node, entry: bytes, parts: list[Part]) -> bool:
    return node.store.transact(lambda tx: node.replica.horizons.stage(tx, entry, parts))


def answer(node: Node, need: Need) -> list[Part]:
    return node.store.view(lambda tx: node.replica.horizons.answer(tx, need.entry, need.document, need.offset))


def count(node: Node) -> int:
    return node.store.view(lambda tx: tx.record_count())


def floor(node: Node) -> bytes:
    return node.store.view(lambda tx: node.replica.floor(tx).entry)


def agree(*nodes: Node) -> bool:
    return len({node.digest() for node in nodes}) == 1


def records_of(node: Node) -> list[SignedRecord]:
    held = node.store.view(lambda tx: list(tx.records_in_order(0)))
    return [decode_record(one.header, one.signature, one.payload) for one in held]


def sorted_dots(node: Node, key: str) -> list[list[object]]:
    return [list(one.at.dot) for one in node.state("config").writes(key)]


def manifest_or_reason(node: Node) -> Manifest | str:
    try:
        return manifest_of(node)
    except Impossible as error:
        return str(error)
