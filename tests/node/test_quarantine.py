"""What `quarantine` shows: everything that is kept or waits and does not count, and why."""

from __future__ import annotations

from typing import Any

from jarvis.node.membership.quarantine import MAX_CONTENT_CHARS, quarantine
from tests.replica.support import Author, Node


def shown(node: Node) -> list[dict[str, Any]]:
    return node.store.view(lambda tx: quarantine(tx, node.replica))


def test_nothing_is_shown_where_everything_counts():
    node = Node()
    node.accept(Author(1).put("a", 1))
    assert shown(node) == []


def test_what_waits_is_shown_with_what_it_waits_for():
    node, author, other = Node(), Author(1), Author(2)
    first, second = author.put("a", 1), author.put("a", 2)
    node.accept(second)
    assert [(row["seq"], row["reason"][:22]) for row in shown(node)] == [(2, "it waits for record 1 ")]
    node.accept(other.put("b", 1, (author.name, 2, 0)))
    assert [row["reason"].split(" of ")[0] for row in shown(node)] == [
        "it waits for record 1",
        "it waits for record 2",
    ]
    node.accept(first)
    assert shown(node) == []


def test_a_fork_and_an_invalid_record_are_shown_with_their_words():
    node, author = Node(), Author(1)
    twin = author.fork()
    node.accept(author.put("lamp", "on"), twin.put("lamp", "off"), Author(2).write("config", ["put", "lamp"]))
    rows = {row["reason"]: row for row in shown(node)}
    assert len(rows) == 2
    forked = next(row for reason, row in rows.items() if "two histories" in reason)
    assert forked["content"] == "[put, lamp, on, []]"
    assert any(reason.startswith("it is not valid: ") for reason in rows)


def test_long_content_is_cut_and_bytes_are_short():
    node, author = Node(), Author(1)
    node.accept(author.put("long", "x" * 2_000), author.fork().put("long", 1))
    node.accept(Author(2).put("b", {"n": b"\x00" * 32}, (author.name, 9, 0)))
    contents = [row["content"] for row in shown(node)]
    assert max(map(len, contents)) <= MAX_CONTENT_CHARS
    assert "\\x" not in "".join(contents)
