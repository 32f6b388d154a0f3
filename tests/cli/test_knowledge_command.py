"""What people read of documents and their copies."""

from __future__ import annotations

from pathlib import Path

import pytest
from jarvis_cli.main import main

from tests.api.double import ScriptedNode, served


@pytest.fixture
def knowledge(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("JARVIS_DATA_DIR", str(tmp_path / "home"))

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        with served(ScriptedNode(tmp_path / "home")):
            code = main(("knowledge", *arguments))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_list_says_who_keeps_a_copy_how_far_it_is_and_why_no_farther(knowledge) -> None:  # type: ignore[no-untyped-def]
    code, out, err = knowledge("list")
    assert code == 0 and "study 43 %" in out
    assert "The copy of Tea in study waits. The kitchen is away." in err
    assert "Tea is told as it was: what its file holds now is refused. /tea.md is locked." in err


def test_a_wish_is_said_and_taken_back(knowledge) -> None:  # type: ignore[no-untyped-def]
    assert knowledge("pin", "ddd", "--room", "attic")[:2] == (0, "Tea is kept, besides its holder, by: attic 43 %.\n")
    assert knowledge("unpin", "ddd", "--room", "attic")[:2] == (0, "No copy of Tea is kept in attic any more.\n")
    assert knowledge("unpin", "ddd")[:2] == (0, "No copy of Tea is kept here any more.\n")
    for wish in ("pin", "unpin"):
        code, _, err = knowledge(wish, "")
        assert code != 0 and "at least one letter" in err


def test_a_passage_from_a_copy_is_called_one(knowledge) -> None:  # type: ignore[no-untyped-def]
    assert (
        "page 1 (copy in kitchen, as of 2026-01-01, its file could not be read since)" in knowledge("search", "tea")[1]
    )


def test_a_path_that_is_none_hinders_no_other(knowledge) -> None:  # type: ignore[no-untyped-def]
    code, out, err = knowledge("add", "/absent", "/tea.md")
    assert code == 0 and "Tea" in out and "refused    /absent cannot be read" in err
    code, out, err = knowledge("add", "/absent", "/absent")
    assert code == 1 and not out and "Nothing was added" in err
    code, _, err = knowledge("add", "/absent")
    assert code == 1 and "/absent cannot be read" in err and "Check the path" in err
