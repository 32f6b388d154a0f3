"""A note that two rooms edit while they cannot hear each other, with real nodes and the commands people use."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import InvalidInput, NotFound
from jarvis.testing.processes import NodeProcess, agree, jarvis, until

AGREED_S = 20.0


def note(node: NodeProcess, *arguments: str, env: dict[str, str], **more: str) -> Any:
    return jarvis("note", *arguments, data_dir=node.data_dir, env=env | more).json()


def editor(folder: Path, program: str) -> str:
    """An EDITOR that does `program` to `text`."""
    script = folder / "editor.py"
    script.write_text(
        "import pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "text = file.read_text(encoding='utf-8')\n"
        f"{program}\n"
        "file.write_text(text, encoding='utf-8')\n"
    )
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}"


def test_two_rooms_edit_one_note_apart_and_agree_together(home, quiet, tmp_path):
    kitchen, bedroom = home.pair()
    note(kitchen, "add", "shopping", "milk \U0001f95b", env=quiet)
    note(kitchen, "add", "shopping", "eggs", env=quiet)
    until(lambda: any(row["text"].endswith("eggs") for row in note(bedroom, "list", env=quiet)), AGREED_S, "the note")

    bedroom.stop()
    vi = editor(tmp_path, "text = text.replace('milk', 'oat milk').replace('eggs', 'six eggs')")
    edited = note(kitchen, "edit", "shop", env=quiet, EDITOR=vi, VISUAL=vi)
    assert edited["text"] == "oat milk \U0001f95b\nsix eggs"
    kitchen.stop()
    bedroom.start()
    bedroom_made = note(bedroom, "add", "shopping", "bread", env=quiet)
    assert bedroom_made["text"] == "milk \U0001f95b\neggs\nbread"
    nano = editor(tmp_path, "text = text.replace('\\U0001f95b', '\\U0001f95b\\U0001f95b')")
    note(bedroom, "edit", "shopping", env=quiet, EDITOR=nano, VISUAL=nano)
    kitchen.start()

    wanted = "oat milk \U0001f95b\U0001f95b\nsix eggs\nbread"
    for room in (kitchen, bedroom):
        until(lambda room=room: note(room, "show", "shopping", env=quiet)["text"] == wanted, AGREED_S, "the text")
    until(lambda: agree(kitchen, bedroom), AGREED_S, "agreement")
    row = note(kitchen, "show", "shopping", env=quiet)
    assert (row["note_id"], row["title"]) == ("shopping", "oat milk \U0001f95b\U0001f95b")
    assert row == note(bedroom, "show", "shopping", env=quiet)


def test_an_edit_keeps_what_others_changed_meanwhile(home, quiet, tmp_path):
    kitchen = home.node("kitchen")
    kitchen.start()
    note(kitchen, "add", "list", "one\ntwo\nthree", env=quiet)
    api = kitchen
    base = api.get("/api/v2/notes/list")["text"]
    api.post("/api/v2/notes/list/edits", {"base": base, "edits": [{"position": 0, "delete": 3, "insert": "ONE"}]})
    late = [{"position": 4, "delete": 3, "insert": "2"}, {"position": 13, "insert": "!"}]
    assert api.post("/api/v2/notes/list/edits", {"base": base, "edits": late})["text"] == "ONE\n2\nthree!"
    unchanged = note(kitchen, "edit", "list", env=quiet, EDITOR="true", VISUAL="true")
    assert unchanged["text"] == "ONE\n2\nthree!"

    for edits in ([{"position": 14}], [{"position": 13, "delete": 1}], [{"position": 4, "delete": 2}, {"position": 5}]):
        with pytest.raises(InvalidInput):
            api.post("/api/v2/notes/list/edits", {"base": base, "edits": edits})
    for missing in ("other", "list-2"):
        with pytest.raises(NotFound):
            api.get(f"/api/v2/notes/{missing}")
    for wrong in ("List", "a b", "-", "ü", "x" * 65):
        ran = jarvis("note", "add", wrong, "text", data_dir=kitchen.data_dir, env=quiet)
        assert (ran.code != 0, "Traceback" in ran.err) == (True, False)
    failed = jarvis(
        "note", "edit", "list", data_dir=kitchen.data_dir, env=quiet | {"EDITOR": "false", "VISUAL": "false"}
    )
    assert failed.code == 1

    for _ in range(10):
        api.post("/api/v2/notes/big", {"text": "x" * 9_990})
    with pytest.raises(InvalidInput, match="at most"):
        api.post("/api/v2/notes/big", {"text": "y" * 200})
    base = api.get("/api/v2/notes/big")["text"]
    assert api.post("/api/v2/notes/big/edits", {"base": base, "edits": [{"position": 0, "delete": 1}]})
    api.post("/api/v2/notes/big/edits", {"base": base[1:], "edits": [{"position": 0, "insert": "x"}]})
    kitchen.stop()
    kitchen.start()
    assert len(kitchen.get("/api/v2/notes/big")["text"]) == 10 * 9_990 + 9
    assert [row["note_id"] for row in note(kitchen, "list", env=quiet)] == ["big", "list"]
