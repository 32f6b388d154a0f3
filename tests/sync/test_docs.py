"""docs/replication.md names what exists, with the numbers that hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jarvis.core import codec
from jarvis.crdt.registry import _EXACT, _PREFIX, OWN_PREFIX
from jarvis.identity import entries, membership, record
from jarvis.replica import documents, waiting
from jarvis.sync import asking, credit, machine, messages, peer, pushing, serving

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "replication.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    text = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]


def test_every_message_stands_there_with_its_number():
    listed = {cells[1].strip("`"): int(cells[0]) for cells in rows("The peer protocol") if cells[0].isdigit()}
    assert listed == {kind.__name__: number for kind, number in messages._NUMBERS.items()}


def test_every_document_stands_there_with_its_kind():
    kinds = _EXACT | _PREFIX
    listed = {
        re.sub("<.*", "", name): cells[2]
        for cells in rows("Documents and kinds")[2:]
        for name in re.findall("`([^`]*)`", cells[0])
        if not name.startswith(OWN_PREFIX)
    }
    assert listed == {name: str(kind.code) for name, kind in kinds.items()}


def test_the_limits_are_those_of_the_code():
    listed = {cells[0]: cells[1:] for cells in rows("Values and bytes")[2:]}
    limits = {
        "a frame": codec.FRAME_LIMITS,
        "the first frame of a link": codec.HELLO_LIMITS,
        "a record's header": record.HEADER_LIMITS,
        "a record's payload": record.PAYLOAD_LIMITS,
        "a membership entry": entries.ENTRY_LIMITS,
    }
    assert listed.keys() == limits.keys()
    for name, (size, depth, items) in listed.items():
        number, unit = size.split()
        assert int(number) * {"B": 1, "KiB": 1024}[unit] == limits[name].size_bytes
        assert (int(depth), int(items.replace(",", ""))) == (limits[name].depth, limits[name].items)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (pushing.WINDOW_RECORDS, "{} records or 1 MiB"),
        (credit.CREDIT_RECORDS, "At most {} records and 1 MiB of them"),
        (serving.MAX_ASKED_OF_US, "at most {} of a peer"),
        (machine.MAX_AUTHORS, "{} authors"),
        (asking.MAX_WANTS, "{} wants"),
        (messages.MAX_RECORDS, "{} records"),
        (messages.MAX_FRAME_HEADS, "{} a frame"),
        (membership.MAX_ENTRIES, "At most {} entries"),
        (waiting.MAX_PER_AUTHOR, "{} records an author"),
        (waiting.MAX_NODE_BYTES // 2**20, "{} MiB the authors of one node"),
        (waiting.MAX_BYTES // 2**20, "{} MiB in all"),
        (documents.CHECKPOINT_EVERY, "after {} operations"),
        (documents.MAX_LOADED, "({} documents)"),
        (record.MAX_PAYLOAD_BYTES, "16 to {}"),
        (peer.MAX_REST_MS // 1000, "then {} s"),
    ],
)
def test_numbers_in_the_text_are_those_of_the_code(value, text):
    assert text.format(f"{value:,}") in PAGE


def test_every_header_field_stands_there():
    listed = re.findall(r"^\|[^|]+\|[^|]+\| `(\w+)` \|", PAGE, re.MULTILINE)
    fields = record.Header.__dataclass_fields__
    assert set(listed) == set(fields)


def test_decisions_have_their_parts():
    for page in sorted((DOCS / "decisions").glob("000[3-8]-*.md")):
        text = page.read_text()
        assert re.match(rf"# {page.name[:4]} ", text)
        for part in ("Decided ", "## Question", "## Decision", "## Considered", "## Consequences"):
            assert part in text, (page.name, part)
