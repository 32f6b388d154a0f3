"""What the benches are built from, without measuring anything."""

from __future__ import annotations

import asyncio
from pathlib import Path
from xml.etree import ElementTree

import pytest

SCRIPTS = str(Path(__file__).resolve().parents[2] / "scripts")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)


def test_a_plot_is_svg_with_bars_to_one_scale() -> None:
    from benches.support.plot import Bar, Panel, svg

    text = svg([Panel("a < b", "ms", [Bar("one & only", 50.0), Bar("other", 100.0, ours=False)])], "made here")
    bars = [one for one in ElementTree.fromstring(text).iter() if one.tag.endswith("rect")]
    short, long = (float(one.attrib["width"]) for one in bars)
    assert long == pytest.approx(2 * short, abs=0.2) and bars[0].attrib["fill"] != bars[1].attrib["fill"]


def test_each_record_reaches_each_node_about_once() -> None:
    from benches.support.homes import spread

    few, many = spread(3), spread(6)
    assert 1.0 <= few.receipts <= 1.2 and 1.0 <= many.receipts <= 1.2
    assert 300 < few.wire_bytes < many.wire_bytes


def test_what_a_room_appends_arrives_in_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benches.support import homes

    monkeypatch.setenv("PYTHONPATH", SCRIPTS)
    joined = asyncio.run(homes.join_by_history(tmp_path / "history", 600))
    assert joined.user_bytes == 60_000 < joined.wire_bytes and joined.disk_bytes > 0 < joined.seconds
    brought, raw_s = asyncio.run(homes.join_by_snapshot(tmp_path / "snapshot", 600))
    assert brought.user_bytes < brought.wire_bytes < joined.wire_bytes and raw_s > 0


def test_a_relay_that_cannot_be_had_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    from benches.support import relays

    monkeypatch.setattr("shutil.which", lambda name: None)
    assert relays.y_websocket(1, 1, 0.0) == "y-websocket was not measured: npm and node are not installed."


def test_the_limit_shares_records_where_the_journal_would(tmp_path: Path) -> None:
    from benches.support.alone import appends_a_second

    for shared in (False, True):
        assert asyncio.run(appends_a_second(tmp_path / str(shared), 64, together=32, shared=shared)) > 0


def test_a_table_in_markdown_says_what_is_not_met() -> None:
    from benches.table import markdown, row

    rows = [row("speed", 12_345.6, "a second", against="theirs", other=20_000.0, least=1.0), row("way", 1.234, "ms")]
    assert markdown(rows).splitlines()[2:] == [
        "| speed | 12,346 a second | theirs | 0.62 | &gt;= 1 | **no** |",
        "| way | 1.23 ms |  |  |  |  |",
    ]
