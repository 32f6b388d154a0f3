"""Horizons brought to who does not hold what they cover: who joins, was away, or has another disk."""

from __future__ import annotations

from jarvis.core.ids import from_text
from jarvis.replica.horizon import PARTS_BYTES, Need
from jarvis.replica.staging import Part
from jarvis.store.protocol import ASIDE, REJECTED
from tests.replica.horizon_home import (
    agree,
    answer,
    count,
    declare,
    fill,
    floor,
    hear,
    home,
    records_of,
    spread,
    stage,
    take,
    write,
)
from tests.replica.support import CERTIFICATES, NOW, OWNER, Author, Node


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
