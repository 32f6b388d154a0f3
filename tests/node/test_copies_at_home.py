"""Copies that rooms keep of each other's documents, between real nodes: wished for in a third room, fetched across
every break, answering when the holder is gone, erased everywhere, readable nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import InvalidInput, NotFound
from jarvis.testing.processes import NodeProcess, linked, until
from tests.node.conftest import LINK_S, Home
from tests.node.test_library import KNOWN_S, knowledge, search, titles, written
from tests.node.test_nothing_readable import files, found_in
from tests.store.pages import occurrences

COPIED_S = 40.0
SECRET = "The cellar of the lighthouse holds seven barrels of elderberry cordial."


def long_text() -> str:
    """Some forty pieces: a copy takes two seconds."""
    paragraphs = [f"## Part {n}\n\n" + f"Ordinary prose, number {n}, about nothing. " * 80 for n in range(330)]
    paragraphs[300] = f"## The cellar\n\n{SECRET}"
    return "# Lighthouse book\n\n" + "\n\n".join(paragraphs)


def copies_of(node: NodeProcess) -> list[dict[str, Any]]:
    """Of the only document."""
    [row] = node.get("/api/v2/knowledge")
    return list(row["copies"])


def copy_of(node: NodeProcess) -> dict[str, Any]:
    [copy] = copies_of(node)
    return copy


def whole(node: NodeProcess, copies: int) -> dict[str, Any]:
    """What a node logged last, once so many copies were whole."""
    logged = node.logged("a copy is whole")
    return logged[-1] if len(logged) == copies else {}


def test_a_copy_survives_every_break_answers_and_is_erased(home: Home, quiet: dict[str, str], tmp_path: Path) -> None:
    temporary, caches = home.folder / "tmp", home.folder / "cache"
    temporary.mkdir()
    caches.mkdir()
    home.env = home.env | {"TMPDIR": str(temporary), "XDG_CACHE_HOME": str(caches)}
    kitchen, bedroom, hall = home.all_three()
    papers = written(tmp_path.parent / f"{tmp_path.name}-papers", book=long_text())
    book = knowledge(kitchen, "add", str(papers / "book.md"), env=quiet)[0]["document_id"]
    until(lambda: "Lighthouse book" in titles(hall), KNOWN_S, "the title in the hall")
    kept = knowledge(hall, "pin", book[:8], "--room", "bedroom", env=quiet)
    assert [one["name"] for one in kept["copies"]] == ["bedroom"]

    # The holder dies in the middle: what has come is kept, and said.
    until(lambda: (copy_of(bedroom)["percent"] or 0) >= 5, COPIED_S, "some of it")
    kitchen.kill()
    stopped = until(
        lambda: (one := copy_of(bedroom))["problem"] == "The kitchen is away." and one,
        COPIED_S,
        "why no more comes",
    )
    assert 5 <= stopped["percent"] < 90 and stopped["online"]
    assert search(bedroom, "elderberry cordial", here=True)["results"] == [], "half a copy does not count"
    shown = copy_of(hall)
    assert shown["percent"] in (stopped["percent"], None), "asked over the link, which may be late"
    assert in_pages(bedroom, b"Ordinary prose"), "the search in its pages finds what there is"
    kitchen.start()
    until(lambda: copy_of(hall)["percent"] == 100, COPIED_S, "the copy")
    came = whole(bedroom, 1)
    assert 30 < came["pieces"] <= came["came"] <= came["pieces"] + 2, "none was fetched twice, or the two on their way"

    # Holder and copy count once; without the holder the copy answers, and says so.
    until(lambda: linked(kitchen, bedroom, hall), LINK_S, "the links")
    question = "what does the cellar of the lighthouse hold"

    def answers() -> list[tuple[str, str, bool]]:
        rows = search(hall, question, k=16)["results"]
        return [(row["title"], row["holder"], row["copy"]) for row in rows if "elderberry" in row["text"]]

    until(lambda: answers() == [("Lighthouse book", "kitchen", False)], KNOWN_S, "the holder's answer, once")
    kitchen.kill()
    until(lambda: answers() == [("Lighthouse book", "bedroom", True)], KNOWN_S, "the copy's answer")
    until(lambda: search(hall, question)["silent"] == [], KNOWN_S, "nothing being missing")
    said = until(
        lambda: (
            (reply := hall.ask("What does the lighthouse book say about elderberry cordial?", "new")["reply"])
            and "copy" in reply
            and reply
        ),
        KNOWN_S,
        "the spoken answer",
    )
    assert said == f"Lighthouse book says under The cellar: {SECRET} That is from the copy in the bedroom."

    for path in files(home.folder):
        assert not found_in(path.read_bytes(), ("elderberry", "lighthouse", "prose")), path

    # Removed in a third room while the holder is away: erased where the copy is, and where the holder comes back.
    hall.call("DELETE", f"/api/v2/knowledge/{book}")
    until(lambda: not search(bedroom, question, here=True)["results"], KNOWN_S, "its erasure in the bedroom")
    kitchen.start()
    until(lambda: not search(kitchen, question, here=True)["results"], KNOWN_S, "its erasure in the kitchen")
    assert titles(kitchen) == titles(bedroom) == titles(hall) == set()
    for node in (kitchen, bedroom):  # what was quoted stands in the conversation
        until(lambda node=node: not in_pages(node, b"Ordinary prose"), KNOWN_S, "its end in the file's pages")


def in_pages(node: NodeProcess, word: bytes) -> int:
    """How often a word stands in a running node's store, read with its key."""
    return occurrences(node.data_dir / "store" / "jarvis.db", (node.data_dir / "keys" / "store.key").read_bytes(), word)


def test_wishes_are_for_the_file_and_can_be_taken_back(home: Home, quiet: dict[str, str], tmp_path: Path) -> None:
    kitchen, bedroom = home.pair()
    papers = written(tmp_path.parent / f"{tmp_path.name}-papers", book=f"# Lighthouse book\n\n{SECRET}")
    first = knowledge(kitchen, "add", str(papers), env=quiet)[0]["document_id"]
    until(lambda: titles(bedroom), KNOWN_S, "the title in the bedroom")
    for room, error in (("kitchen", InvalidInput), ("attic", NotFound)):
        with pytest.raises(error):
            bedroom.post(f"/api/v2/knowledge/{first}/pin", {"room": room})
    with pytest.raises(NotFound):
        bedroom.post(f"/api/v2/knowledge/{first}/unpin")
    with pytest.raises(NotFound):
        bedroom.post("/api/v2/knowledge/zzzz/pin")

    # What becomes of the file becomes of its copies, also of one whose node was away.
    bedroom.post(f"/api/v2/knowledge/{first}/pin")
    until(lambda: copy_of(kitchen)["percent"] == 100, COPIED_S, "the copy")
    assert mine(bedroom, "elderberry")
    bedroom.stop()
    until(lambda: not copy_of(kitchen)["online"], KNOWN_S, "its absence")
    assert copy_of(kitchen)["percent"] == 100
    (papers / "book.md").write_text("# Lighthouse book\n\nThe barrels hold gooseberry lemonade now.")
    second = knowledge(kitchen, "add", str(papers), env=quiet)[0]["document_id"]
    assert second != first and copy_of(kitchen)["percent"] is None
    bedroom.start()
    until(lambda: mine(bedroom, "gooseberry"), COPIED_S, "the new content")
    assert not mine(bedroom, "elderberry")
    until(lambda: not in_pages(bedroom, b"elderberry"), KNOWN_S, "its end in the file's pages")
    until(lambda: copy_of(kitchen)["percent"] == 100, KNOWN_S, "its end in the list")

    gone = knowledge(kitchen, "unpin", second, "--room", "bedroom", env=quiet)
    assert gone["copies"] == []
    until(lambda: not mine(bedroom, "gooseberry"), KNOWN_S, "the erasure")
    assert mine(kitchen, "gooseberry")
    until(lambda: not in_pages(bedroom, b"gooseberry"), KNOWN_S, "its end in the file's pages")
    actions = [row["action"] for row in kitchen.get("/api/v2/audit") if row["action"].startswith("knowledge.")]
    assert actions.count("knowledge.pinned") == 1 and actions.count("knowledge.unpinned") == 1


def mine(node: NodeProcess, word: str) -> bool:
    """Whether this node alone finds it."""
    return bool(search(node, word, here=True)["results"])
