"""The house stays as it is drawn: imports go one way, every module says what it is for, borders have one keeper."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULE_LINES = 480
"""The aim is 400; past this a module surely holds more than one idea."""


def modules() -> Iterator[Path]:
    for folder in (ROOT / "jarvis", ROOT / "cli" / "jarvis_cli"):
        yield from sorted(folder.rglob("*.py"))


def names(paths: Iterator[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def test_imports_go_one_way(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The contracts stand in pyproject.toml under [tool.importlinter]."""
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename="pyproject.toml", no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.mark.parametrize("name", names(modules()))
def test_a_module_says_what_it_is_for_and_stays_small(name: str) -> None:
    source = (ROOT / name).read_text()
    assert ast.get_docstring(ast.parse(source)), f"{name} has no docstring"
    assert source.count("\n") <= MODULE_LINES, f"{name} is longer than {MODULE_LINES} lines"


@pytest.mark.parametrize("name", names(modules()))
def test_annotations_are_never_evaluated(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text())
    if any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.AnnAssign) for node in ast.walk(tree)):
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
        assert imports, f"{name} lacks `from __future__ import annotations`"


def test_no_package_takes_the_global_name_cli() -> None:
    """See docs/decisions/0001-cli-package.md."""
    assert not (ROOT / "cli" / "__init__.py").exists()
