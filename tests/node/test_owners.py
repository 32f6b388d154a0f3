"""Leaving, handing over and recovering a home, with real nodes and real commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jarvis.testing.processes import READY_S, NodeProcess, Ran, agree, jarvis, linked, until
from tests.node.conftest import LINK_S, Home


def run(node: NodeProcess, *arguments: str) -> Ran:
    return jarvis(*arguments, data_dir=node.data_dir)


def three(home: Home) -> tuple[NodeProcess, NodeProcess, NodeProcess]:
    kitchen, bedroom = home.pair()
    hall = home.node("hall", "--peer", home.address("kitchen"), "--peer", home.address("bedroom"))
    hall.start()
    until(lambda: linked(kitchen, bedroom, hall), LINK_S, "the links")
    until(lambda: agree(kitchen, bedroom, hall), LINK_S, "agreement")
    return kitchen, bedroom, hall


def roles(node: NodeProcess) -> dict[str, list[str]]:
    return {row["name"]: row["roles"] for row in node.get("/api/v2/nodes")}


def join(home: Home, inviter: NodeProcess, room: str) -> str:
    """The new node's id."""
    made = run(inviter, "node", "invite", "--room", room).json()
    ran = jarvis(*("node", "join", made["code"], "--peer", made["peer"]), data_dir=home.folder / room, env=home.env)
    return str(ran.json()["node_id"])


def test_a_node_leaves_and_what_it_wrote_counts_to_the_last_word(home: Home) -> None:
    kitchen, bedroom, hall = three(home)
    session = hall.ask("Remember that the hall was here.", session="new")["session_id"]
    hall.set_config("lamp.hall", "last words")
    left = run(hall, "node", "leave", "--yes").json()
    assert left["left"] and left["node_id"] == hall.ready["node_id"]
    assert hall.wait(5) == 0
    assert "left its home" in hall.stderr and "Traceback" not in hall.stderr
    assert [path.name for path in (home.folder / "hall").rglob("*") if path.is_file() and path.name != "lock"] == []
    for node in (kitchen, bedroom):
        until(lambda node=node: set(roles(node)) == {"kitchen", "bedroom"}, 5, "the hall's removal")
        until(lambda node=node: node.connected() == 1, 5, "its links closed")
        assert node.texts(session) == ["Remember that the hall was here."]
        assert node.get("/api/v2/config/lamp.hall")["value"] == "last words"
        assert node.get("/api/v2/quarantine") == []
    assert kitchen.get("/api/v2/audit", action="node.left")[-1]["target"] == left["node_id"]
    until(lambda: agree(kitchen, bedroom), 10, "agreement")
    # The emptied directory is as good as new.
    join(home, bedroom, "hall")
    hall.start()
    until(lambda: hall.connected() >= 1, LINK_S, "a link")
    assert hall.ready["node_id"] != left["node_id"]


def test_who_may_not_leave_is_told_why_and_stays(home: Home, tmp_path: Path) -> None:
    kitchen, bedroom = home.pair()
    owner = run(kitchen, "node", "leave", "--yes")
    assert owner.code == 77 and "owner key" in owner.err and "home handover" in owner.err
    kitchen.stop()
    until(lambda: bedroom.connected() == 0, 10, "the link's end")
    alone = run(bedroom, "node", "leave", "--yes")
    assert alone.code == 69 and "kitchen keeps the owner key" in alone.err and "Start kitchen" in alone.err
    assert bedroom.alive and bedroom.ask("What time is it?")["reply"]
    bedroom.stop()
    stopped = run(bedroom, "node", "leave", "--yes")
    assert stopped.code == 77 and "jarvis run" in stopped.err
    jarvis("init", data_dir=tmp_path / "single", env=home.env).json()
    with NodeProcess(tmp_path / "single", "--no-mdns", "--bind", "127.0.0.1", env=home.env) as single:
        last = run(single, "node", "leave", "--yes")
        assert last.code == 77 and "all there is" in last.err and str(tmp_path / "single") in last.err


def test_the_home_is_handed_over_and_the_old_owner_may_leave(home: Home) -> None:
    kitchen, bedroom, hall = three(home)
    elsewhere = run(bedroom, "home", "handover", "hall", "--yes")
    assert elsewhere.code == 77 and "on kitchen" in elsewhere.err
    for wrong, says in (("kitchen", "already"), ("attic", "attic")):
        refused = run(kitchen, "home", "handover", wrong, "--yes")
        assert refused.code == 1 and says in refused.err
    hall.stop()
    until(lambda: kitchen.connected() == 1, 10, "the hall's goodbye")
    away = run(kitchen, "home", "handover", "hall", "--yes")
    assert away.code == 69 and "hall cannot be reached" in away.err and "Start hall" in away.err
    done = run(kitchen, "home", "handover", "bedroom", "--yes").json()
    assert (done["owner_name"], done["term"]) == ("bedroom", 0)
    for node in (kitchen, bedroom):
        until(lambda node=node: roles(node)["bedroom"] == ["owner"], 5, "the new owner")
        assert roles(node)["kitchen"] == ["member"]
    # The old owner's key signs nothing any more, also after a restart; the new one's does.
    kitchen.stop()
    kitchen.start()
    until(lambda: linked(kitchen, bedroom), LINK_S, "the link")
    refused = run(kitchen, "node", "remove", "hall", "--yes")
    assert refused.code == 77 and "on bedroom" in refused.err
    bedroom.kill()
    bedroom.start()
    until(lambda: linked(kitchen, bedroom), LINK_S, "the link")
    attic = join(home, kitchen, "attic")
    assert run(kitchen, "node", "leave", "--yes").json()["left"]
    assert kitchen.wait(5) == 0
    assert run(bedroom, "node", "remove", attic, "--yes").json()["removed"]
    hall.start()
    until(lambda: roles(hall) == {"bedroom": ["owner"], "hall": ["member"]}, LINK_S, "the hall hears of it")
    until(lambda: agree(bedroom, hall), 10, "agreement")


@pytest.fixture
def founded_here(home: Home, tmp_path: Path) -> tuple[str, Home]:
    """A home whose phrase is known: study and den."""
    founded = jarvis("init", "--name", "study", data_dir=tmp_path / "study", env=home.env).json()
    study = home.node("study")
    study.start()
    join(home, study, "den")
    study.stop()
    return founded["recovery_phrase"], home


def test_the_phrase_brings_a_home_back_and_what_the_old_key_signs_is_void(founded_here: tuple[str, Home]) -> None:
    phrase, home = founded_here
    den = home.node("den", "--peer", home.address("study"))
    den.start()
    other = " ".join(["abandon"] * 11 + ["about"])
    assert "not a recovery phrase" in run(den, "home", "recover", *phrase.split()[:-1]).err
    wrong = run(den, "home", "recover", *other.split())
    assert wrong.code == 77 and "not this home's" in wrong.err
    assert roles(den)["den"] == ["member"]
    # The words come through a pipe, and are in no shell's history.
    command = [sys.executable, "-m", "jarvis_cli", "home", "recover", "--json", "--data-dir", str(den.data_dir)]
    ran = subprocess.run(command, input=phrase + "\n", capture_output=True, text=True, timeout=30)
    done = Ran(ran.returncode, ran.stdout, ran.stderr).json()
    assert done["term"] == 1 and done["owner_node"] == den.ready["node_id"]
    new = done["recovery_phrase"]
    assert len(new.split()) == 12 and new != phrase
    assert new not in den.stderr and phrase not in den.stderr
    assert run(den, "home", "recover", *phrase.split()).code == 77, "the old phrase is void"
    den.stop()
    # The old owner's node comes back, and admits somebody while the new one is away: the higher term wins.
    study = home.node("study")
    study.start()
    join(home, study, "loft")
    join(home, study, "cellar")
    assert len(study.get("/api/v2/nodes")) == 4
    den.start()
    until(lambda: linked(study, den), LINK_S, "the link")
    until(lambda: roles(study).get("den") == ["owner"], LINK_S, "the new owner")
    assert len(study.get("/api/v2/nodes")) == 2
    refused = run(study, "node", "remove", "den", "--yes")
    assert refused.code == 77 and "on den" in refused.err
    assert run(den, "home", "recover", *new.split()).json()["term"] == 2
    assert run(den, "node", "remove", "study", "--yes").json()["removed"]
    until(lambda: den.connected() == 0, 5, "the old owner out")


def test_whom_a_lost_owner_had_removed_stays_out_after_the_recovery(founded_here: tuple[str, Home]) -> None:
    """The den recovers the home without having heard that the study took the loft out."""
    phrase, home = founded_here
    study, den = home.node("study"), home.node("den", "--peer", home.address("study"))
    study.start()
    loft_id = join(home, study, "loft")
    loft = home.node("loft", "--peer", home.address("study"), "--peer", home.address("den"))
    den.start()
    loft.start()
    until(lambda: linked(study, den, loft), LINK_S, "the links")
    loft.set_config("lamp.loft", "on")
    until(lambda: agree(study, den, loft), LINK_S, "agreement")
    den.stop()
    assert run(study, "node", "remove", "loft", "--yes").json()["removed"]
    study.stop()
    den.start()
    until(lambda: den.connected() == 1, LINK_S, "the loft, which the den takes for a member")
    assert run(den, "home", "recover", *phrase.split()).json()["term"] == 1
    study.start()
    until(lambda: "loft" not in roles(den) and "loft" not in roles(study), LINK_S, "the loft's removal, signed again")
    assert roles(den) == roles(study) == {"study": ["member"], "den": ["owner"]}
    until(lambda: den.connected() == study.connected() == 1, 5, "the loft's links closed")
    again = den.get("/api/v2/audit", action="node.removed")[-1]
    assert (again["target"], again["detail"], again["node_id"]) == (loft_id, {"again": True}, den.ready["node_id"])
    assert study.get("/api/v2/config/lamp.loft")["value"] == "on", "what it wrote before counts"
    until(lambda: agree(study, den), LINK_S, "agreement")


def test_a_node_that_heard_of_its_removal_says_so_and_is_emptied(home: Home) -> None:
    kitchen, bedroom = home.pair()
    assert run(kitchen, "node", "remove", "bedroom", "--yes").json()["removed"]
    until(lambda: bedroom.connected() == 0, 5, "the link's end")
    heard = "bedroom" not in roles(bedroom)  # its link may have ended before the entry was through
    bedroom.stop()
    if heard:
        bedroom.launch()
        assert bedroom.wait(READY_S) == 78 and "taken out of its home" in bedroom.stderr
        assert run(bedroom, "node", "leave", "--yes").json()["left"]
        assert not (home.folder / "bedroom" / "keys" / "node.key").exists()
    else:
        assert "delete" in run(bedroom, "node", "leave", "--yes").err
