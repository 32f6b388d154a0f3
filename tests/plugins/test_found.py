"""Which plugins there are, without running any of them."""

from __future__ import annotations

import os
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from jarvis.core.errors import BadConfiguration
from jarvis.plugins import found
from jarvis.plugins.kinds import Metadata

HEAD = "from jarvis.plugins.kinds import Metadata\n"
DICE = HEAD + 'PLUGIN = Metadata(name="dice", version="1.0", summary="Rolls.")\nraise SystemExit("it ran")\n'


def only(folder: Path) -> found.Found:
    (one,) = found.in_folder(folder)
    return one


def test_looking_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "dice.py").write_text(DICE)
    one = only(tmp_path)
    assert (one.metadata, one.source, one.problem) == (Metadata("dice", "1.0", "Rolls."), "folder", "")
    assert one.place == str(tmp_path / "dice.py")


def test_a_plugin_may_be_a_folder_and_what_is_hidden_is_none(tmp_path: Path) -> None:
    for name in ("two-dice", ".hidden", "_draft", "__pycache__", "no-plugin"):
        (tmp_path / name).mkdir()
        if name != "no-plugin":
            (tmp_path / name / "__init__.py").write_text(DICE.replace('"dice"', '"two-dice"'))
    (tmp_path / "notes.txt").write_text("nothing")
    assert only(tmp_path).metadata.name == "two-dice"


def test_no_folder_is_no_plugins(tmp_path: Path) -> None:
    assert found.in_folder(tmp_path / "nowhere") == []


def test_a_folder_that_is_not_meant_is_not_read_whole(tmp_path: Path) -> None:
    for number in range(found.MAX_IN_FOLDER + 5):
        (tmp_path / f"p{number}.py").write_text("")
    assert len(found.in_folder(tmp_path)) == found.MAX_IN_FOLDER


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("def (:\n", "not Python in line 1"),
        ("x = 1\0", "not Python"),
        ("", "does not say what it is"),
        ('PLUGIN = Metadata(name=open("/etc/passwd").read(), version="1", summary="")\n', "does not say what it is"),
        ('PLUGIN = Metadata(wrong="dice")\n', "does not say what it is"),
        ('PLUGIN = Metadata(**{"name": "dice"})\n', "does not say what it is"),
        (f"PLUGIN = Metadata({'[' * 90}{']' * 90})\n", "does not say what it is"),
        (f"PLUGIN = Metadata({'-' * 50_000}1)\n", "not Python"),
        ('PLUGIN = Metadata("dice", 1, "")\n', "holds something that is no text"),
        ('PLUGIN = Metadata("Dice!", "1", "")\n', "name is not of a-z"),
        ('PLUGIN = Metadata("dice", "1", "", api=99)\n', "version 99 of Jarvis's plugins; this Jarvis knows up to 1"),
        ('PLUGIN = Metadata("dice", "1", "", api=True)\n', "version True"),
        ('PLUGIN = Metadata("cards", "1", "")\n', "calls itself 'cards'"),
    ],
)
def test_what_does_not_fit_is_told_by_its_file_name(tmp_path: Path, source: str, problem: str) -> None:
    (tmp_path / "dice.py").write_text(source)
    one = only(tmp_path)
    assert one.metadata == Metadata("dice", "", "") and problem in one.problem


def test_a_file_that_is_no_text_or_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.py").write_text("#" * (found.MAX_SOURCE_BYTES + 1))
    (tmp_path / "c.py").symlink_to(tmp_path / "gone.py")
    problems = [one.problem for one in found.in_folder(tmp_path)]
    assert "cannot be read as text" in problems[0] and "more than" in problems[1] and "no file" in problems[2]


def test_what_would_be_waited_for_forever_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py", 0o600)
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    problems = {one.metadata.name: one.problem for one in found.in_folder(tmp_path)}
    assert "no file that can be read" in problems["pipe"] and "cannot be read" in problems["folder"]
    assert problems.keys() == {"pipe", "folder"}


@pytest.mark.parametrize("which", ["folder", "file"])
def test_what_others_may_change_is_refused(tmp_path: Path, which: str) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "dice.py").write_text(DICE)
    open_to_all = folder if which == "folder" else folder / "dice.py"
    open_to_all.chmod(0o777)
    one = only(folder)
    assert f"Others may change {open_to_all}" in one.problem and "chmod go-w" in one.fix


def test_loading_reads_the_file_anew_and_leaves_nothing_of_one_that_fails(tmp_path: Path) -> None:
    file = tmp_path / "dice.py"
    file.write_text(DICE)
    name = found.module_name_of("dice")
    with pytest.raises(SystemExit):
        only(tmp_path).load()
    assert name not in sys.modules
    file.write_text(HEAD + 'PLUGIN = Metadata("dice", "2.0-longer", "")\nSIDES = 6\n')
    module = only(tmp_path).load()
    assert (module.SIDES, sys.modules[name]) == (6, module)
    found.forget("dice")
    assert name not in sys.modules


def test_of_two_of_a_name_the_built_in_one_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dice.py").write_text(DICE)
    ours = ModuleType("ours")
    ours.PLUGIN = Metadata("dice", "1", "Ours.")  # type: ignore[attr-defined]
    points = [EntryPoint("dice", "a.b", found.ENTRY_POINTS), EntryPoint("cards", "os.path:join", found.ENTRY_POINTS)]
    monkeypatch.setattr(found, "entry_points", lambda *, group: points if group == found.ENTRY_POINTS else [])
    there = found.all_of([ours], tmp_path)
    assert there["dice"].source == "builtin"
    second, third = there["dice (package)"], there["dice (folder)"]
    assert "builtin plugin 'dice' has that name already" in second.problem == third.problem
    assert third.place == str(tmp_path / "dice.py")
    assert (there["cards"].source, there["cards"].place) == ("package", "os.path:join")
    with pytest.raises(BadConfiguration, match="names no module"):
        there["cards"].load()
