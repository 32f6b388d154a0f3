"""The home as people manage it, with real nodes and real commands."""

from __future__ import annotations

import asyncio
from pathlib import Path

from jarvis.core.ids import to_text
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SigningKey
from jarvis.node.membership.admissions import ADMIT, BURST
from jarvis.sync.messages import Answer, Request
from jarvis.testing.processes import agree, jarvis, until
from tests.node.conftest import Home
from tests.node.liar import Liar


def test_any_node_renames_any_other_and_everybody_sees_it(home: Home) -> None:
    kitchen, bedroom = home.pair()
    shown = [jarvis("home", "info", data_dir=node.data_dir).json() for node in (kitchen, bedroom)]
    assert shown[0] == shown[1]
    assert shown[0]["owner_name"] == "kitchen" and (shown[0]["members"], shown[0]["term"]) == (3, 0)
    own = jarvis("node", "rename", "--name", "nursery", data_dir=bedroom.data_dir).json()
    assert (own["name"], own["room"]) == ("nursery", "bedroom")
    other = jarvis("node", "rename", "kitchen", "--name", "larder", "--room", "cellar", data_dir=bedroom.data_dir)
    assert (other.json()["name"], other.json()["room"]) == ("larder", "cellar")
    wanted = {("larder", "cellar"), ("nursery", "bedroom")}
    for node in (kitchen, bedroom):
        until(lambda node=node: wanted <= {(r["name"], r["room"]) for r in node.get("/api/v2/nodes")}, 10, "the names")
    assert kitchen.get("/api/v2/home")["owner_name"] == "larder"
    assert kitchen.get("/api/v2/nodes/self")["room"] == "cellar"
    for wrong, says in (([], "no new name"), (["--name", " "], "printable"), (["attic", "--name", "x"], "attic")):
        ran = jarvis("node", "rename", *wrong, data_dir=kitchen.data_dir)
        assert ran.code == 1 and says in ran.err
    assert kitchen.get("/api/v2/audit", action="node.renamed")[-1]["detail"] == {"what": ["node.name", "node.room"]}


def test_any_member_invites_and_the_owner_s_node_signs(home: Home) -> None:
    kitchen, bedroom = home.pair()
    entries = kitchen.get("/api/v2/home")["entries"]
    made = jarvis("node", "invite", "--room", "attic", data_dir=bedroom.data_dir).json()
    joined = jarvis(
        *("node", "join", made["code"], "--peer", made["peer"]), data_dir=home.folder / "attic", env=home.env
    ).json()
    assert (joined["name"], joined["home_id"]) == ("attic", kitchen.get("/api/v2/home")["home_id"])
    assert kitchen.get("/api/v2/home")["entries"] == bedroom.get("/api/v2/home")["entries"] == entries + 1
    admitted = kitchen.get("/api/v2/audit", action="node.admitted")[-1]
    assert admitted["target"] == joined["node_id"] and admitted["node_id"] == kitchen.ready["node_id"]
    assert admitted["detail"] == {"invited_by": bedroom.ready["node_id"]}
    attic = home.node("attic")  # it learnt the bedroom's address, and the others' from it
    attic.start()
    until(lambda: attic.connected() >= 1, 15, "a link")
    until(lambda: agree(bedroom, attic), 15, "agreement")


def test_a_member_lets_in_a_flat_and_not_an_army(home: Home, tmp_path: Path) -> None:
    """The hall is played by this test: it asks for one admission after another over its link."""
    kitchen = home.node("kitchen")
    kitchen.start()
    liar = Liar(home.folder)

    async def ask() -> list[bool]:
        answers = []
        async with asyncio.timeout(30), liar.linked(kitchen.peer_address):
            for number in range(BURST + 3):
                stranger = SigningKey(bytes([number + 1]) * 32)
                await liar.send(Request(number, ADMIT, make_certificate(stranger)))
                answer = await liar.until_said(Answer)
                assert isinstance(answer, Answer) and answer.nonce == number
                answers.append(answer.done)
            await liar.send(Request(99, ADMIT, b"no certificate"))
            await liar.until_said(Answer)
        return answers

    assert asyncio.run(ask()) == [True] * BURST + [False] * 3
    assert len(kitchen.get("/api/v2/nodes")) == 3 + BURST
    assert kitchen.logged("too many admissions asked for", peer=to_text(liar.key.node_id))
