"""What people say in a breath, and how they go on from it: how much of `conversations.toml` comes to the right commands
with the right slots, and that nothing is made of what is none."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.types import PastTurn, Request
from tests.assistant.test_commands import ROOMS, plain

FILE = Path(__file__).with_name("conversations.toml")
WANTED = 0.98
"""90 % at the first look."""
ASSISTANT = Assistant()


def talks() -> list[tuple[list[str], str, list[dict[str, Any]]]]:
    groups = tomllib.loads(FILE.read_text(encoding="utf-8"))["talk"]
    return [(group.get("before", []), said, group["parts"]) for group in groups for said in group["said"]]


def meant(before: list[str], said: str) -> list[dict[str, Any]]:
    turns = tuple(PastTurn(one, "Okay.", "kitchen", 0) for one in before)
    found = ASSISTANT.meaning(Request(said, "kitchen", turns=turns, rooms=ROOMS), None)
    return [{"intent": one.match.intent, "slots": plain(one.match.slots)} for one in found]


def test_what_is_said_in_a_breath_or_goes_on() -> None:
    every = talks()
    wrong = [
        f"{before} {said!r} is {found}"
        for before, said, parts in every
        if (found := meant(before, said)) != [{**one, "slots": plain(one["slots"])} for one in parts]
    ]
    right = 1 - len(wrong) / len(every)
    assert right >= WANTED, f"{right:.1%} of {len(every)}\n" + "\n".join(wrong)


def test_nothing_is_done_where_nothing_was_asked_for() -> None:
    taken = [(said, found) for before, said, parts in talks() if not parts and (found := meant(before, said))]
    assert taken == []
