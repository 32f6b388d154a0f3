"""The public events are told as the page on plugins says, and of what the node really publishes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

import jarvis.engines.events
import jarvis.node.events
import jarvis.voice.events  # noqa: F401 - all three define events
from jarvis.core.events import Event
from jarvis.plugins.catalogue import BY_ORIGIN, EVENTS
from jarvis.plugins.hooks import HOOKS

DOCS = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()


def every(kind: type[Event]) -> Iterator[type[Event]]:
    for one in kind.__subclasses__():
        yield one
        yield from every(one)


PUBLISHED = {kind.name: kind for kind in every(Event) if kind.__module__.startswith("jarvis.")}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_made_of_one_that_is_published(name: str) -> None:
    kind = PUBLISHED[EVENTS[name].origin]
    fields = {field.name for field in dataclasses.fields(kind)}
    assert EVENTS[name].fields.keys() <= fields
    assert EVENTS[name].words == ("text" in fields), "what holds words is told only where they may be heard"


def test_no_two_are_made_of_the_same() -> None:
    assert len(BY_ORIGIN) == len(EVENTS)


@pytest.mark.parametrize("name", [*EVENTS, *HOOKS])
def test_the_page_on_plugins_names_it(name: str) -> None:
    assert f"`{name}`" in DOCS
    for field in EVENTS[name].fields if name in EVENTS else ():
        line = next(line for line in DOCS.splitlines() if line.startswith(f"| `{name}`"))
        assert f"`{field}`" in line
