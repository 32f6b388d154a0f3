"""Where a secret may come from, and that none gets into a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from jarvis.core.errors import BadConfiguration
from jarvis.core.secrets import MAX_SECRET_BYTES, find_secret


def find(file: Path | None = None, **environ: str) -> str:
    return find_secret("The token", "A_TOKEN", "a-token", file, environ)


def test_the_first_that_is_set_counts(tmp_path: Path) -> None:
    places = {one: tmp_path / one for one in ("named", "own", "a-token")}
    for name, path in places.items():
        path.write_text(f"from-{name}\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert find() == "" and find(**environ) == "from-a-token"
    assert find(places["own"], **environ) == "from-own"
    assert find(places["own"], A_TOKEN=" spoken ", **environ) == "spoken"
    assert find(places["own"], A_TOKEN="spoken", A_TOKEN_FILE=str(places["named"]), **environ) == "from-named"


@pytest.mark.parametrize("content", ["", "two words", "x" * (MAX_SECRET_BYTES + 1), "sch\u00f6n", "a\x00b"])
def test_what_is_no_secret_is_refused_without_repeating_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "file").write_text(content)
    with pytest.raises(BadConfiguration) as refused:
        find(tmp_path / "file")
    assert refused.value.fix and (not content or content not in f"{refused.value} {refused.value.fix}")


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="cannot be read"):
        find(A_TOKEN_FILE=str(tmp_path / "absent"))
    with pytest.raises(BadConfiguration, match="cannot be read"):
        find(tmp_path / "absent")
