"""A room without a document of its own asks three others that hold one each: the holder is named, whoever hangs or is
gone is named too, and nobody waits for them. By words alone: no model is needed here."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from jarvis.testing.processes import NodeProcess, jarvis, linked, until
from tests.node.conftest import LINK_S, Home
from tests.node.test_library import KNOWN_S, knowledge, search, titles, written

PAPERS = {
    "kitchen": ("samovar", "Samovar handbook", "Rinse the quicksilver strainer once a month."),
    "bedroom": ("lease", "Lease", "The notice period is three months."),
    "hall": ("bicycle", "Bicycle passport", "The frame number is stamped under the crank."),
}
ASKED = {"kitchen": "rinse strainer", "bedroom": "notice period", "hall": "frame number"}


@pytest.fixture
def study(home: Home, quiet: dict[str, str], tmp_path: Path) -> dict[str, NodeProcess]:
    """All rooms, linked with each other; `study` knows what the others hold, and holds nothing."""
    rooms = dict(zip(("kitchen", "bedroom", "hall"), home.all_three(), strict=True))
    invitation = rooms["kitchen"].post("/api/v2/nodes/invitations", {"name": "study", "room": "study"})
    joining = ("node", "join", invitation["code"], "--peer", invitation["peer"])
    jarvis(*joining, data_dir=home.folder / "study", env=quiet).json()
    rooms["study"] = home.node("study", *(f"--peer={home.address(room)}" for room in PAPERS))
    rooms["study"].start()
    until(lambda: linked(*rooms.values()), LINK_S, "the links")
    for room, (name, title, text) in PAPERS.items():
        papers = written(tmp_path / "papers", **{name: f"# {title}\n\n{text}\n"})
        knowledge(rooms[room], "add", str(papers / f"{name}.md"), env=quiet)
    until(lambda: titles(rooms["study"]) == {title for _, title, _ in PAPERS.values()}, KNOWN_S, "the titles")
    return rooms


def answered(node: NodeProcess, room: str) -> dict[str, Any] | None:
    """The answer to what this room's document says, once everybody took part in it; a busy machine may be late."""
    found: dict[str, Any] = search(node, ASKED[room])
    return found if found["results"] and not found["silent"] else None


def test_a_fourth_room_names_who_holds_what_and_who_is_silent(study: dict[str, NodeProcess]) -> None:
    asking = study["study"]
    for room, (_, title, text) in PAPERS.items():
        found = until(lambda room=room: answered(asking, room), KNOWN_S, f"{room}'s document")  # type: ignore[misc]
        best = found["results"][0]
        assert (best["title"], best["holder"]) == (title, room) and text in best["text"]
        reply = until(
            lambda room=room: (one := asking.ask(f"Search my documents for {ASKED[room]}", "new"))["citations"] and one,  # type: ignore[misc]
            KNOWN_S,
            "a quotation",
        )
        assert reply["reply"] == f"{title} says: {text} That is from the {room}."
        assert reply["citations"][0]["holder"] == room

    os.kill(study["hall"].pid, signal.SIGSTOP)  # it hangs, and its link is still there
    try:
        found = until(
            lambda: (one := search(asking, ASKED["bedroom"]))["silent"] == ["hall"] and one["results"] and one,
            KNOWN_S,
            "the answer of those who do not hang",
        )
        assert found["results"][0]["holder"] == "bedroom"
        assert search(asking, ASKED["hall"]) | {"by_meaning": False} == {
            "results": [],
            "by_meaning": False,
            "silent": ["hall"],
        }
        said = asking.ask("Search my documents for the frame number", "new")["reply"]
        assert said == (
            "I found nothing about the frame number in your documents. I could not ask the hall, so there may be more."
        )
    finally:
        os.kill(study["hall"].pid, signal.SIGCONT)
    until(lambda: answered(asking, "hall"), LINK_S + KNOWN_S, "the hall again")

    study["kitchen"].stop()
    found = until(
        lambda: (one := search(asking, ASKED["hall"]))["silent"] == ["kitchen"] and one["results"] and one,
        KNOWN_S,
        "who is left",
    )
    assert found["results"][0]["holder"] == "hall"
    said = asking.ask("Search my documents for the strainer", "new")["reply"]
    assert said.endswith("I could not ask the kitchen, so there may be more.")
