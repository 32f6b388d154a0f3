"""How a command ends that meets what nobody expected."""

from __future__ import annotations

import pytest
from jarvis_cli.failures import FAILED, report

from jarvis.core.codec import unpack


def test_what_nobody_expected_says_where_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TypeError) as raised:
        unpack(None)  # type: ignore[arg-type]
    assert report(raised.value, as_json=False, debug=False) == FAILED
    said = capsys.readouterr().err
    assert "Something unexpected went wrong (TypeError in codec.py, line " in said
    assert "Traceback" not in said and len(said.splitlines()) == 2
