"""What a home knows: documents added by the commands people use, found in any room with their holder named, and erased
everywhere. By words alone: no model is needed here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import InvalidInput, NotFound
from jarvis.testing.processes import NodeProcess, jarvis, linked, until
from tests.node.conftest import LINK_S, Home
from tests.node.test_nothing_readable import files, found_in

KNOWN_S = 20.0
MANUAL = """# Samovar handbook

## Cleaning

Rinse the quicksilver strainer once a month under hot water.

## Errors

E15 means that the marzipan valve is stuck. Call the service.
"""


def knowledge(node: NodeProcess, *arguments: str, env: dict[str, str]) -> Any:
    return jarvis("knowledge", *arguments, data_dir=node.data_dir, env=env).json()


def titles(node: NodeProcess) -> set[str]:
    return {row["title"] for row in node.get("/api/v2/knowledge")}


def search(node: NodeProcess, question: str, **more: Any) -> Any:
    return node.get("/api/v2/knowledge/search", q=question, **more)


def written(folder: Path, **texts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)
    return folder


def test_a_document_is_added_found_cited_and_erased(home: Home, quiet: dict[str, str], tmp_path: Path) -> None:
    study = home.node("kitchen")
    study.start()
    folder = written(tmp_path / "papers", samovar=MANUAL, lease="# Lease\n\nThe notice period is three months.")
    (folder / "photo.raw").write_bytes(b"\0\1\2")
    (folder / "loop").symlink_to(folder)
    rows = knowledge(study, "add", str(folder), env=quiet)
    assert [(row["state"], row["title"]) for row in rows if row["state"] == "added"] == [
        ("added", "Lease"),
        ("added", "Samovar handbook"),
    ]
    assert knowledge(study, "add", str(folder / "lease.md"), env=quiet)[0]["state"] == "unchanged"

    found = knowledge(study, "search", "how do I clean the strainer", "-k", "1", env=quiet)
    assert len(found) == 1
    best = found[0]
    assert (best["title"], best["holder"]) == ("Samovar handbook", "kitchen")
    assert best["source"] == str(folder / "samovar.md")
    assert "Cleaning" in best["place"] and "quicksilver strainer" in best["text"] and 0 < best["score"] <= 1
    assert set(best) >= {"document_id", "title", "chunk", "score", "text", "holder", "source"}
    listed = {row["title"]: row for row in knowledge(study, "list", env=quiet)}
    assert listed["Lease"]["chunks"] == 1 and listed["Lease"]["online"] is True

    changed = written(folder, lease="# Lease\n\nThe notice period is six weeks.") / "lease.md"
    assert knowledge(study, "add", str(changed), env=quiet)[0]["state"] == "added"
    assert len(knowledge(study, "list", env=quiet)) == 2, "it took the other's place"
    assert ["six weeks" in row["text"] for row in knowledge(study, "search", "notice period", env=quiet)] == [True]

    done = knowledge(study, "reindex", env=quiet)
    assert done["documents"] == 2
    until(lambda: search(study, "marzipan")["results"], KNOWN_S, "the new index")

    study.kill()
    study.start()
    assert "marzipan" in search(study, "valve stuck")["results"][0]["text"], "kept over a crash"
    gone = knowledge(study, "remove", listed["Samovar handbook"]["document_id"][:8], env=quiet)
    assert gone["title"] == "Samovar handbook"
    assert search(study, "marzipan valve strainer")["results"] == []
    assert titles(study) == {"Lease"}
    actions = [row["action"] for row in study.get("/api/v2/audit") if row["action"].startswith("knowledge.")]
    assert actions == ["knowledge.added"] * 3 + ["knowledge.removed"] * 2
    for wrong in (str(tmp_path / "nowhere"), str(folder / "photo.raw")):
        with pytest.raises(AssertionError, match=r"cannot be read|reads|Nothing"):
            knowledge(study, "add", wrong, env=quiet)
    with pytest.raises(NotFound):
        study.call("DELETE", "/api/v2/knowledge/zzzz")
    with pytest.raises(InvalidInput):
        search(study, "")


def test_any_room_asks_all_and_says_who_was_silent(home: Home, quiet: dict[str, str], tmp_path: Path) -> None:
    kitchen, bedroom, hall = home.all_three()
    papers = written(tmp_path / "papers", samovar=MANUAL, lease="# Lease\n\nThe notice period is three months.")
    knowledge(kitchen, "add", str(papers / "samovar.md"), env=quiet)
    knowledge(bedroom, "add", str(papers / "lease.md"), env=quiet)
    until(lambda: titles(hall) == {"Samovar handbook", "Lease"}, KNOWN_S, "the titles in the hall")

    def asked(question: str) -> list[tuple[str, str]]:
        return [(row["title"], row["holder"]) for row in search(hall, question)["results"]]

    # Peers have a sixth of a second, which a busy machine may need for something else.
    until(lambda: asked("what is the notice period") == [("Lease", "bedroom")], KNOWN_S, "the bedroom's answer")
    until(lambda: asked("what does error E15 mean")[:1] == [("Samovar handbook", "kitchen")], KNOWN_S, "the kitchen's")
    assert search(hall, "notice period", here=True)["results"] == [], "the text itself stays where it is"

    def told(question: str) -> Any:
        return hall.ask(question, "new")

    wanted = "Samovar handbook says under Cleaning: Rinse the quicksilver strainer once a month under hot water."
    question = "What does the handbook say about the strainer?"
    until(lambda: told(question)["reply"] == f"{wanted} That is from the kitchen.", KNOWN_S, "a quotation")
    cited = until(lambda: told(question)["citations"], KNOWN_S, "a citation")[0]
    assert (cited["title"], cited["holder"]) == ("Samovar handbook", "kitchen")
    assert cited["place"].startswith("Samovar handbook > Cleaning")

    kitchen.stop()
    until(
        lambda: not next(row for row in hall.get("/api/v2/nodes") if row["name"] == "kitchen")["online"],
        KNOWN_S,
        "its absence",
    )
    until(lambda: asked("what is the notice period") == [("Lease", "bedroom")], KNOWN_S, "who is left")
    answer = search(hall, "marzipan valve")
    assert (answer["results"], answer["silent"]) == ([], ["kitchen"])
    said = told("What does the samovar handbook say about the strainer?")["reply"]
    assert said.startswith("I found nothing about") and "I could not ask the kitchen" in said

    samovar = next(row for row in hall.get("/api/v2/knowledge") if row["title"] == "Samovar handbook")
    assert samovar["online"] is False
    hall.call("DELETE", f"/api/v2/knowledge/{samovar['document_id']}")
    assert titles(hall) == {"Lease"}
    kitchen.start()
    until(lambda: linked(kitchen, bedroom, hall), LINK_S, "the links")
    until(lambda: titles(kitchen) == {"Lease"}, KNOWN_S, "the news in the kitchen")
    until(lambda: not search(kitchen, "marzipan strainer", here=True)["results"], KNOWN_S, "its erasure")


def test_no_word_of_a_document_can_be_read_from_disk(home: Home, quiet: dict[str, str], tmp_path: Path) -> None:
    temporary, caches = home.folder / "tmp", home.folder / "cache"
    temporary.mkdir()
    caches.mkdir()
    kitchen = home.node("kitchen", env={"TMPDIR": str(temporary), "XDG_CACHE_HOME": str(caches)})
    kitchen.start()
    outside = tmp_path.parent / f"{tmp_path.name}-papers"
    papers = written(outside, samovar=MANUAL)
    knowledge(kitchen, "add", str(papers), env=quiet)
    assert search(kitchen, "where does the marzipan valve sit")["results"]
    kitchen.kill()
    words = ("quicksilver", "marzipan", "samovar", "strainer")
    searched = 0
    for path in files(home.folder):
        content = path.read_bytes()
        searched += len(content)
        assert not found_in(content, words), path
        assert not any(word in str(path.relative_to(home.folder)).lower() for word in words)
    assert searched > 50_000
    assert not found_in(kitchen.stderr.encode(), words)
