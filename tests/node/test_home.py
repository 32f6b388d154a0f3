"""The home as people manage it, with real nodes and real commands."""

from __future__ import annotations

from jarvis.testing.processes import jarvis, until
from tests.node.conftest import Home


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
