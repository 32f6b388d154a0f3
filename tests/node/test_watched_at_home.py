"""A folder that a real node follows: what is in it can be found, what changes is found anew, what goes is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jarvis.testing.processes import NodeProcess, jarvis, until
from tests.knowledge import documents
from tests.node.conftest import Home
from tests.node.test_library import KNOWN_S, knowledge, search, titles

ORCHARD = ("package.json", "orchard (project)")


def found(node: NodeProcess, question: str) -> list[tuple[str, str]]:
    return [(row["title"], row["place"]) for row in search(node, question)["results"]]


def folder_of(node: NodeProcess) -> Any:
    return node.get("/api/v2/knowledge/watched")[0]


def test_a_watched_folder_is_what_the_library_knows(home: Home, quiet: dict[str, str], tmp_path: Path) -> None:
    kitchen = home.node("kitchen")
    kitchen.start()
    papers = tmp_path / "papers"
    papers.mkdir()
    documents.pdf(papers / "oven.pdf", ["Cover", "Descale the zirconium grill monthly."], "Oven")
    (papers / "lease.md").write_text("# Lease\n\n## Notice\n\nThe notice period is three months.")
    (papers / "broken.pdf").write_bytes(b"%PDF-1.4 and no more")
    (papers / "package.json").write_text('{"name": "orchard", "description": "Counts quinces by their shadow."}')
    row = knowledge(kitchen, "watch", str(papers), env=quiet)
    assert row["path"] == str(papers)
    until(lambda: folder_of(kitchen)["state"] == "watched", KNOWN_S, "the folder to be read")
    row = folder_of(kitchen)
    assert (row["done"], row["files"], row["documents"], row["problem"]) == (4, 4, 4, "")
    assert [Path(one["path"]).name for one in row["refused"]] == ["broken.pdf"]
    assert ("orchard (project)", "overview") in found(kitchen, "counts quinces")
    assert found(kitchen, "zirconium grill") == [("Oven", "page 2")]
    assert found(kitchen, "notice period")[0] == ("Lease", "Lease > Notice")

    (papers / "lease.md").write_text("# Lease\n\n## Pets\n\nAxolotls are welcome.")
    until(lambda: found(kitchen, "axolotls") == [("Lease", "Lease > Pets")], KNOWN_S, "the changed file")
    (papers / "lease.md").write_bytes(b"# Lease\0")
    until(lambda: any(row["outdated"] for row in kitchen.get("/api/v2/knowledge")), KNOWN_S, "the refused file")
    (lease,) = (row for row in knowledge(kitchen, "list", env=quiet) if row["title"] == "Lease")
    assert lease["outdated"] and "binary data" in lease["refused"]
    said = jarvis("ask", "what does the lease say about axolotls?", data_dir=kitchen.data_dir, env=quiet).json()
    assert "what the file holds now could not be read" in said["reply"] and said["citations"][0]["as_of"]
    (papers / "lease.md").write_text("# Lease\n\n## Pets\n\nAxolotls are welcome.")
    until(lambda: not any(row["outdated"] for row in kitchen.get("/api/v2/knowledge")), KNOWN_S, "it as it was")
    (papers / "oven.pdf").unlink()
    until(lambda: titles(kitchen) == {"Lease", *ORCHARD}, KNOWN_S, "the removed file to be forgotten")
    kitchen.stop()
    (papers / "tea.md").write_text("# Tea\n\nSteep the lapsang for four minutes.")
    kitchen.start()
    until(lambda: found(kitchen, "lapsang") == [("Tea", "Tea")], KNOWN_S, "what came while the node was off")
    assert knowledge(kitchen, "unwatch", str(papers), env=quiet)["state"] == "ended"
    assert jarvis("knowledge", "watched", data_dir=kitchen.data_dir, env=quiet).json() == []
    assert titles(kitchen) == {"Lease", "Tea", *ORCHARD}
    again = jarvis("knowledge", "unwatch", str(papers), data_dir=kitchen.data_dir, env=quiet)
    assert again.code != 0
