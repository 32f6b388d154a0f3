"""A project of source code in a few paragraphs, in its own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from jarvis.core.errors import InvalidInput
from jarvis.knowledge.files.projects import is_project, summary
from jarvis.knowledge.files.walking import files_in
from jarvis.plugins.kinds import FileLimits

SUFFIXES = frozenset({".py", ".md", ".toml", ".rs"})


def project(folder: Path, **files: str) -> list[Path]:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [path for path in files_in(folder, SUFFIXES) if isinstance(path, Path)]


def test_what_it_is_and_what_is_in_it(tmp_path: Path) -> None:
    files = project(
        tmp_path,
        pyproject_dot_toml='[project]\nname = "orchard"\ndescription = "Counts quinces."\n',
        README_dot_md="# Orchard\n\n![badge](x)\n\nIt looks at\nshadows.\n\nMore.\n",
        src__shade_dot_py='"""Where shadows fall. Never at night."""\nimport os\n',
        src__broken_dot_py="def (",
        src__old_dot_rs="fn main() {}",
    )
    assert is_project(tmp_path)
    text = summary(tmp_path, files, FileLimits())
    assert text.title == "orchard (project)"
    assert [(part.place, part.text) for part in text.parts] == [
        (
            "overview",
            "orchard is a project of 5 files, most of them in Python (2), Markdown (1), Rust (1).\n\n"
            "Counts quinces.\n\nIt looks at shadows.",
        ),
        (".", "orchard, top folder:\n- README.md"),
        ("src", "orchard, src:\n- broken.py\n- old.rs\n- shade.py: Where shadows fall"),
    ]


@pytest.mark.parametrize("broken", ["[project", "[project]\nname = 3\n", "project = 7", "\0"])
def test_a_broken_manifest_says_nothing(tmp_path: Path, broken: str) -> None:
    files = project(tmp_path, pyproject_dot_toml=broken, a_dot_py="x = 1")
    assert summary(tmp_path, files, FileLimits()).title == f"{tmp_path.name} (project)"


def test_other_folders_are_none_and_large_ones_are_bounded(tmp_path: Path) -> None:
    files = project(tmp_path, **{f"m{n}_dot_py": f'"""{"Long " * 200}"""' for n in range(70)})
    assert not is_project(tmp_path)
    told = summary(tmp_path, files, FileLimits()).parts[1].text.split("\n")
    assert told[-1] == "and 10 more" and len(told) == 62
    assert max(map(len, told)) < 320
    with pytest.raises(InvalidInput, match="more than 1100 characters"):
        summary(tmp_path, files, FileLimits(max_chars=1_100))
