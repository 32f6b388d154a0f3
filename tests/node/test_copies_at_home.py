"""Copies that rooms keep of each other's documents, between real nodes: wished for in a third room, fetched across
every break, answering when the holder is gone, erased everywhere, readable nowhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import InvalidInput, NotFound
from jarvis.testing.processes import NodeProcess, linked, until
from tests.node.conftest import LINK_S, ROOMS, Home
from tests.node.test_library import KNOWN_S, knowledge, search, titles, written
from tests.node.test_nothing_readable import files, found_in
from tests.store.pages import occurrences

COPIED_S = 40.0
BOOK, LEDGER = "Lighthouse book", "Attic ledger"
SECRET = "The cellar of the lighthouse holds seven barrels of elderberry cordial."


@pytest.fixture(scope="module")
def home(founded: Path, quiet: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One for all of these: starting nodes is most of what they take."""
    folder = tmp_path_factory.mktemp("copies")
    for room in ROOMS:
        shutil.copytree(founded / room, folder / room)
    temporary, caches = folder / "tmp", folder / "cache"
    temporary.mkdir()
    caches.mkdir()
    made = Home(folder, quiet | {"TMPDIR": str(temporary), "XDG_CACHE_HOME": str(caches)})
    yield made
    made.close()


@pytest.fixture(scope="module")
def rooms(home: Home) -> tuple[NodeProcess, NodeProcess, NodeProcess]:
    return home.all_three()


Rooms = tuple[NodeProcess, NodeProcess, NodeProcess]


def long_text() -> str:
    """Some forty pieces: a copy takes two seconds."""
    paragraphs = [f"## Part {n}\n\n" + f"Ordinary prose, number {n}, about nothing. " * 80 for n in range(330)]
    paragraphs[300] = f"## The cellar\n\n{SECRET}"
    return "# Lighthouse book\n\n" + "\n\n".join(paragraphs)


def copy_of(node: NodeProcess, title: str) -> dict[str, Any]:
    """As this node lists it; there is one."""
    [row] = [one for one in node.get("/api/v2/knowledge") if one["title"] == title]
    [copy] = row["copies"]
    return dict(copy)


def mine(node: NodeProcess, word: str) -> bool:
    """Whether this node alone finds it."""
    return bool(search(node, word, here=True)["results"])


def in_pages(node: NodeProcess, word: bytes) -> int:
    """How often a word stands in a running node's store, read with its key."""
    return occurrences(node.data_dir / "store" / "jarvis.db", (node.data_dir / "keys" / "store.key").read_bytes(), word)


def test_a_copy_survives_every_break_answers_and_is_erased(
    home: Home, rooms: Rooms, quiet: dict[str, str], tmp_path: Path
) -> None:
    kitchen, bedroom, hall = rooms
    book = knowledge(kitchen, "add", str(written(tmp_path, book=long_text())), env=quiet)[0]["document_id"]
    until(lambda: BOOK in titles(hall), KNOWN_S, "the title in the hall")
    kept = knowledge(hall, "pin", book[:8], "--room", "bedroom", env=quiet)
    assert [one["name"] for one in kept["copies"]] == ["bedroom"]

    # The holder dies in the middle: what has come is kept, and said.
    until(lambda: (copy_of(bedroom, BOOK)["percent"] or 0) >= 5, COPIED_S, "some of it")
    kitchen.kill()
    stopped = until(
        lambda: (one := copy_of(bedroom, BOOK))["problem"] == "The kitchen is away." and one,
        COPIED_S,
        "why no more comes",
    )
    assert 5 <= stopped["percent"] < 90 and stopped["online"]
    assert not mine(bedroom, "ordinary prose"), "half a copy does not count"
    shown = copy_of(hall, BOOK)
    assert shown["percent"] in (stopped["percent"], None), "asked over the link, which may be late"
    assert in_pages(bedroom, b"Ordinary prose"), "the search in its pages finds what there is"
    kitchen.start()
    until(lambda: copy_of(hall, BOOK)["percent"] == 100, COPIED_S, "the copy")
    [came] = bedroom.logged("a copy is whole", document=book)
    assert 30 < came["pieces"] <= came["came"] <= came["pieces"] + 2, "none was fetched twice, or the two on their way"

    # Holder and copy count once; without the holder the copy answers, and says so.
    until(lambda: linked(kitchen, bedroom, hall), LINK_S, "the links")
    question = "what does the cellar of the lighthouse hold"

    def answers() -> list[tuple[str, str, bool]]:
        rows = search(hall, question, k=16)["results"]
        return [(row["title"], row["holder"], row["copy"]) for row in rows if "elderberry" in row["text"]]

    until(lambda: answers() == [(BOOK, "kitchen", False)], KNOWN_S, "the holder's answer, once")
    kitchen.kill()
    until(lambda: answers() == [(BOOK, "bedroom", True)], KNOWN_S, "the copy's answer")
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
    until(lambda: not mine(bedroom, question), KNOWN_S, "its erasure in the bedroom")
    kitchen.start()
    until(lambda: not mine(kitchen, question), KNOWN_S, "its erasure in the kitchen")
    assert BOOK not in titles(kitchen) | titles(bedroom) | titles(hall)
    for node in (kitchen, bedroom):  # what was quoted stands in the conversation
        until(lambda node=node: not in_pages(node, b"Ordinary prose"), KNOWN_S, "its end in the file's pages")


def test_wishes_are_for_the_file_and_can_be_taken_back(rooms: Rooms, quiet: dict[str, str], tmp_path: Path) -> None:
    kitchen, bedroom, _ = rooms
    until(lambda: linked(*rooms), LINK_S, "the links")
    papers = written(tmp_path, ledger=f"# {LEDGER}\n\nThe trunk holds nine velvet waistcoats.")
    first = knowledge(kitchen, "add", str(papers), env=quiet)[0]["document_id"]
    until(lambda: LEDGER in titles(bedroom), KNOWN_S, "the title in the bedroom")
    for room, error in (("kitchen", InvalidInput), ("attic", NotFound)):
        with pytest.raises(error):
            bedroom.post(f"/api/v2/knowledge/{first}/pin", {"room": room})
    with pytest.raises(NotFound):
        bedroom.post(f"/api/v2/knowledge/{first}/unpin")
    with pytest.raises(NotFound):
        bedroom.post("/api/v2/knowledge/zzzz/pin")

    # What becomes of the file becomes of its copies, also of one whose node was away.
    bedroom.post(f"/api/v2/knowledge/{first}/pin")
    until(lambda: copy_of(kitchen, LEDGER)["percent"] == 100, COPIED_S, "the copy")
    assert mine(bedroom, "waistcoats") and in_pages(bedroom, b"waistcoats")
    bedroom.stop()
    until(lambda: not copy_of(kitchen, LEDGER)["online"], KNOWN_S, "its absence")
    assert copy_of(kitchen, LEDGER)["percent"] == 100
    (papers / "ledger.md").write_text(f"# {LEDGER}\n\nThe trunk holds umbrellas now.")
    second = knowledge(kitchen, "add", str(papers), env=quiet)[0]["document_id"]
    assert second != first and copy_of(kitchen, LEDGER)["percent"] is None
    bedroom.start()
    until(lambda: mine(bedroom, "umbrellas"), COPIED_S, "the new content")
    assert not mine(bedroom, "waistcoats")
    until(lambda: not in_pages(bedroom, b"waistcoats"), KNOWN_S, "its end in the file's pages")
    until(lambda: copy_of(kitchen, LEDGER)["percent"] == 100, KNOWN_S, "its end in the list")

    gone = knowledge(kitchen, "unpin", second, "--room", "bedroom", env=quiet)
    assert gone["copies"] == []
    until(lambda: not mine(bedroom, "umbrellas"), KNOWN_S, "the erasure")
    assert mine(kitchen, "umbrellas")
    until(lambda: not in_pages(bedroom, b"umbrellas"), KNOWN_S, "its end in the file's pages")
    audited = [row["action"] for row in kitchen.get("/api/v2/audit") if row["target"] in (first, second)]
    assert audited.count("knowledge.pinned") == 1 and audited.count("knowledge.unpinned") == 1
