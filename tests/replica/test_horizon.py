"""Horizons on a few replicas: taken by who holds what they cover, brought to who does not, right after every step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import pytest

from jarvis.core.errors import InvalidBytes
from jarvis.core.ids import from_text
from jarvis.crdt.text import SharedText
from jarvis.identity.entries import Cutoff
from jarvis.identity.fork import fork_proof
from jarvis.identity.membership import Chain
from jarvis.identity.record import SignedRecord, decode_record
from jarvis.replica.horizon import PARTS_BYTES, Need
from jarvis.replica.manifest import Impossible, Manifest, read_manifest, root_of
from jarvis.replica.proposing import Reply
from jarvis.replica.staging import Part
from jarvis.store.protocol import ASIDE, REJECTED
from tests.replica.support import CERTIFICATES, CHAIN, KEYS, NOW, OWNER, Author, Node, make_chain

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


# --- taking ---------------------------------------------------------------------------------------------------------


def test_what_everybody_holds_is_deleted_and_means_the_same():
    nodes = home()
    fill(nodes)
    told = nodes[0].state("config").keys()
    chain = declare(nodes)
    for node in nodes:
        hear(node, chain)
        assert take(node) == 0
        assert count(node) == 0
        assert node.state("config").keys() == told
    assert agree(*nodes, *(node.restart() for node in nodes))
    fill(nodes, 5)
    assert agree(*nodes)
    assert all(count(node) == 5 for node in nodes)
    again = declare(nodes)
    for node in nodes:
        hear(node, again)
        take(node)
    assert agree(*nodes) and all(count(node) == 0 for node in nodes)


def test_a_crash_between_two_steps_leaves_what_is_right():
    nodes = home(2, make_chain(0, 1))
    for number in range(30):
        fill(nodes, 2, f"own/or_map/plugin/d{number}")
    before = nodes[0].digest()
    chain = declare(nodes)
    hear(nodes[1], chain)
    hear(nodes[0], chain)
    take(nodes[0])
    steps = 0
    node, following = nodes[1], None
    while following is None or following.more:
        following, _ = node.store.transact(node.replica.take_horizon)
        node = node.restart()
        assert node.store.view(node.replica.digests) == nodes[0].store.view(nodes[0].replica.digests)
        steps += 1
    assert steps > 4 and count(node) == 0
    assert before != nodes[0].digest(), "the chain is another, the documents are the same"


def test_records_from_below_are_duplicates_and_prove_nothing():
    nodes = home(2)
    author = Author(2)
    first = spread(author.put("a", 1), nodes)
    twin = author.fork()
    spread(author.put("a", 2), nodes)
    chain = declare(nodes, 2)
    hear(nodes[0], chain)
    take(nodes[0])
    before = nodes[0].digest()
    accepted = nodes[0].accept(first, twin.put("a", 3))
    assert (accepted.duplicates, accepted.refused, accepted.forks) == (2, [], [])
    assert nodes[0].digest() == before
    spread(author.put("a", 4), nodes)
    assert nodes[0].seq(author.name) == 3


def test_a_fork_heard_of_later_changes_nothing_below():
    """Whoever heard of it first takes back what it set aside."""
    nodes = home(2)
    author = Author(2)
    spread(author.put("a", 1), nodes)
    twin = author.fork()
    mine, other = author.put("a", 2), twin.put("a", 3)
    spread(mine, nodes)
    spread(author.put("b", 2), nodes)
    chain = declare(nodes, 2)
    proof = fork_proof((mine.header_data, mine.signature), (other.header_data, other.signature))
    nodes[1].store.transact(lambda tx: nodes[1].replica.accept_fork(tx, proof))
    assert nodes[1].seq(author.name) == 1
    for node in nodes:
        hear(node, chain)
        take(node)
        assert node.seq(author.name) == 3
        node.store.transact(lambda tx, node=node: node.replica.accept_fork(tx, proof))
        assert node.seq(author.name) == 3
        assert node.accept(author.fork().put("c", 1)).refused, "but nothing beyond"
    assert agree(*nodes)


def test_a_removal_heard_of_later_changes_nothing_below():
    nodes = home(2)
    author = Author(2)
    for number in range(4):
        spread(author.put(f"{number}", number), nodes)
    chain = declare(nodes, 2)
    cut = chain.remove(OWNER, KEYS[2].node_id, {author.name: Cutoff(1, b"h" * 32)}, at_ms=NOW)
    for node in nodes:
        hear(node, cut)
        take(node)
        assert node.seq(author.name) == 4
    assert agree(*nodes)


# --- acknowledging --------------------------------------------------------------------------------------------------


def test_who_holds_less_or_something_else_does_not_acknowledge():
    nodes = home()
    fill(nodes)
    nodes[0].append("config", ["put", "more", 1, []])
    manifest = manifest_of(nodes[0])
    assert reply(nodes[1], manifest).reason == "it does not hold all of that"
    other = Manifest(manifest.frontier, manifest.stamps, {}, {})
    assert reply(nodes[0], other).reason == "it finds other documents there"


def test_a_frontier_is_what_all_hold_and_names_nothing_beyond():
    nodes = home(2)
    first = write(nodes[0], nodes, "config", ["put", "a", 1, []])
    author = nodes[0].store.view(nodes[0].replica.author)
    lonely = nodes[1].append("memory", ["put", "x", 1, []])
    nodes[0].accept(lonely)
    second = nodes[0].append("memory", ["put", "x", 2, [[lonely.header.author, 1, 0]]])
    told = [{author: 2, lonely.header.author: 0}]
    frontier = nodes[0].store.view(lambda tx: nodes[0].replica.proposing.frontier(tx, told))
    assert frontier == {author: (1, first.hash)}, "the second names what the other may lack"
    told = [{author: 1, lonely.header.author: 1}]
    frontier = nodes[0].store.view(lambda tx: nodes[0].replica.proposing.frontier(tx, told))
    assert frontier == {author: (1, first.hash), lonely.header.author: (1, lonely.hash)}
    assert second.header.seq == 2


def test_a_deletion_beyond_the_frontier_makes_it_impossible():
    nodes = home(2)
    session = "session/" + "a" * 16
    write(nodes[0], nodes, session, ["turn", None, {"text": "words"}])
    manifest = manifest_of(nodes[0])
    write(nodes[1], nodes, "sessions", ["delete", from_text("a" * 16)])
    assert "deleted after" in reply(nodes[1], manifest).reason
    chain = declare(nodes, 2)
    for node in nodes:
        hear(node, chain)
        take(node)
        assert session not in node.store.view(lambda tx: tx.documents())
    assert agree(*nodes)


# --- being brought it -----------------------------------------------------------------------------------------------


def test_who_joins_is_brought_the_documents():
    nodes = home()
    for number in range(7):
        write(nodes[number % 3], nodes, "config", ["put", f"large{number}", "x" * 50_000, []])
    fill(nodes, 9, "memory")
    chain = declare(nodes)
    for node in nodes:
        hear(node, chain)
        take(node)
    fill(nodes, 4)
    grown = chain.admit(OWNER, CERTIFICATES[3], at_ms=NOW)
    for node in nodes:
        hear(node, grown)
    joiner = Node(grown, number=3)
    assert take(joiner) == 0, "nobody is there"
    assert take(joiner, nodes[1]) >= 350_000 // PARTS_BYTES
    pending = [one for node in nodes for one in records_of(node)]
    joiner.accept(*pending)
    assert agree(joiner, *nodes)
    assert agree(joiner.restart(), nodes[0])


def test_a_restart_goes_on_where_it_was_and_lies_are_dropped():
    nodes = home(2)
    for number in range(9):
        write(nodes[number % 2], nodes, "config", ["put", f"large{number}", "x" * 50_000, []])
    chain = declare(nodes, 2)
    for node in nodes:
        hear(node, chain)
        take(node)
    late = Node(chain, number=2)
    need = late.store.transact(late.replica.take_horizon)[0].need
    assert need == Need(chain.head, "", 0)
    honest = answer(nodes[0], need)
    lie = [Part("", 0, honest[0].total, bytes(honest[0].total))]
    assert not stage(late, need.entry, lie)
    assert stage(late, need.entry, honest)
    need = late.store.transact(late.replica.take_horizon)[0].need
    first = answer(nodes[0], need)
    assert stage(late, need.entry, first)
    late = late.restart()
    need = late.store.transact(late.replica.take_horizon)[0].need
    assert need.document == "config" and need.offset == PARTS_BYTES
    for bad in (
        Part("config", need.offset + 1, first[0].total, b"x"),
        Part("config", need.offset, first[0].total, bytes(first[0].total)),
        Part("elsewhere", 0, 1, b"x"),
        Part("config", need.offset, first[0].total, None),
        Part("config", need.offset, first[0].total, b""),
    ):
        assert not stage(late, need.entry, [bad])
    take(late, nodes[1])
    assert agree(late, *nodes)


def test_a_stale_member_keeps_what_it_wrote_alone():
    nodes = home()
    fill(nodes)
    author = nodes[2].store.view(nodes[2].replica.author)
    fill(nodes[:2], 4)
    alone = [nodes[2].append("config", ["put", f"alone{number}", number, []]) for number in range(3)]
    chain = declare(nodes[:2], 2)
    for node in nodes[:2]:
        hear(node, chain)
        take(node)
    hear(nodes[2], chain)
    take(nodes[2], nodes[0])
    assert nodes[2].seq(author) == alone[-1].header.seq, "its own chain goes on"
    assert floor(nodes[2]) == chain.head
    for record in alone:
        spread(record, nodes[:2])
    assert agree(*nodes)
    assert nodes[0].state("config").get("alone2").value == 2


def test_an_older_disk_never_writes_on_under_its_name():
    nodes = home(2)
    fill(nodes)
    copy = nodes[1].store.copy()
    author = nodes[1].store.view(nodes[1].replica.author)
    fill(nodes, 6)
    chain = declare(nodes, 2)
    hear(nodes[0], chain)
    take(nodes[0])
    older = Node(store=copy, number=1, life=9)
    hear(older, chain)
    waiting = older.append("memory", ["put", "while it waits", 1, []])
    assert waiting.header.author != author
    take(older, nodes[0])
    assert older.append("memory", ["put", "after", 1, []]).header.author != author
    spread(waiting, nodes[:1])
    assert older.seq(author) == nodes[0].seq(author)


def test_another_history_is_thrown_away():
    nodes = home(2)
    author = Author(2)
    spread(author.put("a", 1), nodes)
    twin = author.fork()
    other = Node(number=2)
    spread(author.put("a", 2), nodes)
    fill(nodes, 4)
    chain = declare(nodes, 2)
    for node in nodes:
        hear(node, chain)
        take(node)
    other.accept(Author(2).put("a", 1), twin.put("a", 3), twin.put("b", 3))
    hear(other, chain)
    take(other, nodes[1])
    assert agree(other, *nodes) and other.seq(author.name) == 2


# --- collapsing -----------------------------------------------------------------------------------------------------


def test_authors_that_nobody_writes_under_are_closed():
    nodes = home(2)
    fill(nodes, 6)
    old = nodes[1].store.view(nodes[1].replica.author)
    first = declare(nodes, 2)
    for node in nodes:
        hear(node, first)
        take(node)
    nodes[1] = nodes[1].restart()  # nobody has echoed its head: another incarnation
    write(nodes[1], nodes, "config", ["put", "0", "again", sorted_dots(nodes[1], "0")])
    second = declare(nodes, 2)
    assert old in second.collapsed
    for node in nodes:
        hear(node, second)
        take(node)
        assert node.seq(old) == 0
    assert agree(*nodes)
    # What lies below can be named, also where its author is closed.
    write(nodes[0], nodes, "config", ["put", "1", "again", sorted_dots(nodes[0], "1")])
    assert agree(*nodes)
    late = Node(second, number=2)
    take(late, nodes[0])
    late.accept(*records_of(nodes[0]))
    assert agree(late, *nodes)


def test_who_writes_on_under_a_name_does_not_let_it_be_closed():
    nodes = home(2)
    fill(nodes, 6)
    first = declare(nodes, 2)
    for node in nodes:
        hear(node, first)
        take(node)
    mine = nodes[1].store.view(nodes[1].replica.author)
    manifest = manifest_of(nodes[0])
    left = Manifest(
        {one: place for one, place in manifest.frontier.items() if one != mine},
        manifest.stamps,
        manifest.documents,
        manifest.aside,
    )
    assert "left out" in reply(nodes[1], left).reason


# --- a branch that lost ---------------------------------------------------------------------------------------------


def test_a_horizon_in_a_branch_that_lost_still_holds():
    """A recovery by who had not heard of it: its entry has lost, and what was deleted is gone all the same."""
    nodes = home()
    fill(nodes)
    author = nodes[2].store.view(nodes[2].replica.author)
    fill(nodes[:2], 4)
    lost = declare(nodes[:2], 2)
    for node in nodes[:2]:
        hear(node, lost)
        take(node)
    winning = CHAIN.recover(KEYS[3], OWNER.public, KEYS[3].public, KEYS[2].node_id, at_ms=NOW)
    for node in nodes:
        hear(node, winning)
        hear(node, lost)
    take(nodes[2], nodes[0])
    assert agree(*nodes)
    fill(nodes, 6)
    assert agree(*nodes)
    again = declare([nodes[2], nodes[0], nodes[1]], chain=winning)
    for node in nodes:
        hear(node, again)
        take(node)
        assert count(node) == 0 and floor(node) == again.head
    assert agree(*nodes, *(node.restart() for node in nodes))
    assert nodes[0].seq(author) > 0


# --- the manifest ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bent",
    [lambda d: d[:-1], lambda d: d + b"\x00", lambda d: b"\x91" + d[1:], lambda d: d.replace(b"config", b"confih")],
)
def test_a_damaged_manifest_is_refused_or_another(bent):
    nodes = home(2)
    fill(nodes, 4)
    data = manifest_of(nodes[0]).encode()
    assert read_manifest(data).encode() == data
    with contextlib.suppress(InvalidBytes):
        assert root_of(read_manifest(bent(data)).encode()) != root_of(data)


def test_a_node_that_has_not_taken_the_last_one_proposes_none():
    nodes = home(2)
    fill(nodes, 4)
    chain = declare(nodes, 2)
    hear(nodes[0], chain)
    with pytest.raises(Impossible, match="has not taken"):
        nodes[0].store.view(lambda tx: nodes[0].replica.proposing.frontier(tx, []))


def records_of(node: Node) -> list[SignedRecord]:
    held = node.store.view(lambda tx: list(tx.records_in_order(0)))
    return [decode_record(one.header, one.signature, one.payload) for one in held]


def sorted_dots(node: Node, key: str) -> list[list[object]]:
    return [list(one.at.dot) for one in node.state("config").writes(key)]


def test_a_fork_heard_of_between_two_steps_leaves_notes_as_they_are():
    """Edits go on from what is not deleted yet, too."""
    nodes = home(2)
    author, forker = Author(1), Author(2)
    text = SharedText(author.name, NOTE)
    spread(author.write(NOTE, text.insert(0, "milk").operation), nodes)
    spread(forker.put("a", 1), nodes)
    twin = forker.fork()
    chain = declare(nodes, 2)
    spread(author.write(NOTE, text.insert(4, " and eggs").operation), nodes)
    mine, other = forker.put("a", 2), twin.put("a", 3)
    spread(mine, nodes)
    for node in nodes:
        hear(node, chain)
    nodes[0].store.transact(nodes[0].replica.take_horizon)
    assert floor(nodes[0]) == chain.head and count(nodes[0]) > 3, "taken, and nothing deleted"
    proof = fork_proof((mine.header_data, mine.signature), (other.header_data, other.signature))
    for node in nodes:
        node.store.transact(lambda tx, node=node: node.replica.accept_fork(tx, proof))
        assert node.state(NOTE).text == "milk and eggs"
        take(node)
        assert node.state(NOTE).text == "milk and eggs"
    assert agree(*nodes, *(node.restart() for node in nodes))


# --- what differs ---------------------------------------------------------------------------------------------------


def test_what_was_deleted_meanwhile_is_owed_until_the_deletion_comes():
    nodes = home(2)
    session = "session/" + "a" * 16
    fill(nodes, 4)
    write(nodes[0], nodes, session, ["turn", None, {"text": "words"}])
    chain = declare(nodes, 2)
    for node in nodes:
        hear(node, chain)
        take(node)
    late = Node(chain, number=2)
    deletion = write(nodes[1], nodes, "sessions", ["delete", from_text("a" * 16)])
    following = None
    while following is None or following.more or (following.need is not None and following.need.document != session):
        following, _ = late.store.transact(late.replica.take_horizon)
        if following.need is not None:
            stage(late, following.need.entry, answer(nodes[0], following.need))
    assert floor(late) == chain.head and following.need == Need(chain.head, session, 0)
    assert late.state("config").keys() == nodes[0].state("config").keys(), "the rest is there"
    assert not stage(late, chain.head, [Part(session, 0, 9, None)]), "nobody is believed that it is gone"
    assert answer(late, following.need) == [], "nor says so itself"
    late.accept(deletion)
    assert take(late) == 0
    assert late.store.transact(late.replica.take_horizon)[0].need is None
    assert agree(late, *nodes, late.restart())
    assert answer(late, Need(chain.head, session, 0))[0].data is None


def test_a_document_that_differs_here_is_fetched_instead():
    """As an older program may have left it: the same records, and another sum."""
    nodes = home()
    fill(nodes, 9)
    for number in range(3):
        write(nodes[0], nodes, "memory", ["put", f"m{number}", number, []])
    author = nodes[0].store.view(nodes[0].replica.author)
    nodes[1].store.transact(lambda tx: tx.set_status(author, 1, REJECTED))
    nodes[1] = nodes[1].restart()
    chain = declare([nodes[0], nodes[2]], 1)
    for node in (nodes[0], nodes[2]):
        hear(node, chain)
        take(node)
    hear(nodes[1], chain)
    assert take(nodes[1]) == 0, "nobody brings the manifest"
    assert take(nodes[1], nodes[0]) == 2, "the manifest, and the one document"
    assert count(nodes[1]) == 0
    assert agree(*nodes, nodes[1].restart())


def test_a_document_that_nobody_else_has_goes():
    nodes = home()
    fill(nodes, 6)
    lonely = write(nodes[2], nodes, "memory", ["put", "x", 1, []])
    for number in (0, 1):
        node = nodes[number]
        node.store.transact(lambda tx: tx.set_status(lonely.header.author, lonely.header.seq, ASIDE))
        nodes[number] = node.restart()
    chain = declare(nodes[:2], 2)
    for node in nodes[:2]:
        hear(node, chain)
        take(node)
    hear(nodes[2], chain)
    take(nodes[2], nodes[1])
    assert agree(*nodes)
    assert "memory" not in nodes[2].store.view(lambda tx: tx.documents())
    # Whatever leans on it is set aside too, also where the record is gone.
    leaning = Author(2, 5).write("memory", ["put", "x", 2, [[lonely.header.author, lonely.header.seq, 0]]])
    for node in nodes:
        assert [one.status for one in node.accept(leaning).records] == [ASIDE]
    assert agree(*nodes)


def test_what_only_a_newer_program_understands_cannot_be_signed():
    nodes = home(2)
    author = Author(2)
    spread(author.write("newer/thing", ["?"]), nodes)
    manifest = manifest_or_reason(nodes[0])
    assert manifest == "it holds records that only a newer Jarvis understands"


def manifest_or_reason(node: Node) -> Manifest | str:
    try:
        return manifest_of(node)
    except Impossible as error:
        return str(error)


def test_what_counts_must_not_change_while_it_is_added_up():
    nodes = home(2)
    author = Author(2)
    spread(author.put("a", 1), nodes)
    twin = author.fork()
    mine, other = author.put("a", 2), twin.put("a", 3)
    frontier = nodes[0].store.view(lambda tx: nodes[0].replica.proposing.frontier(tx, []))
    assert nodes[0].store.transact(lambda tx: nodes[0].replica.horizons.make(tx, frontier)) is None
    nodes[0].accept(mine, other)
    with pytest.raises(Impossible, match="changed meanwhile"):
        nodes[0].store.transact(lambda tx: nodes[0].replica.horizons.make(tx, frontier))
    assert isinstance(manifest_or_reason(nodes[0]), Manifest)


def test_too_many_authors_are_said_so(monkeypatch):
    nodes = home(2)
    monkeypatch.setattr("jarvis.replica.proposing.MAX_AUTHORS", 2)
    for incarnation in range(3):
        spread(Author(2, incarnation).put("a", 1), nodes)
    assert manifest_or_reason(nodes[0]) == "its records have 3 authors, and a horizon holds 2"


def test_the_home_can_tell_that_a_base_is_sound():
    nodes = home(2)
    fill(nodes, 4)
    chain = declare(nodes, 2)
    node = nodes[0]
    assert node.store.view(node.replica.horizons.below) == [] and node.store.view(node.replica.horizons.is_taken)
    hear(node, chain)
    assert not node.store.view(node.replica.horizons.is_taken)
    take(node)
    assert node.store.view(node.replica.horizons.is_taken)
    assert node.store.view(node.replica.horizons.below) == ["config"]
    assert node.store.view(lambda tx: node.replica.horizons.is_sound(tx, "config"))
    node.store.transact(lambda tx: tx.put_base("config", b"something else"))
    assert not node.store.view(lambda tx: node.replica.horizons.is_sound(tx, "config"))
