"""Clocks that are wrong: set back an hour, or a board that boots in 1970. Stamps still rise, peers take the records,
timers ring, and what nobody can know is not told."""

from __future__ import annotations

import time

import pytest

from jarvis.testing.processes import NodeProcess, agree, linked, until
from tests.node.conftest import LINK_S, Home
from tests.node.listening import heard

SHIFTED = """
import os, sys
from jarvis.core.time import SystemClock
shift_ms, true = int(os.environ["SHIFT_MS"]), SystemClock.wall_ms
SystemClock.wall_ms = lambda clock: true(clock) + shift_ms
from jarvis_cli.main import main
sys.exit(main())
"""
HOUR_MS = 3_600_000


def shifted(home: Home, room: str, shift_ms: int, *options: str) -> NodeProcess:
    """A node whose wall clock is wrong by so much."""
    node = home.node(room, *options, env={"SHIFT_MS": str(shift_ms)})
    node.use_program("-c", SHIFTED)
    return node


def to_1970() -> int:
    return 5_000 - time.time_ns() // 1_000_000


@pytest.mark.parametrize("boots", ["an hour back", "in 1970", "an hour ahead"])
def test_stamps_rise_and_peers_agree_whatever_the_clock_says(home: Home, boots: str) -> None:
    shift_ms = {"an hour back": -HOUR_MS, "in 1970": to_1970(), "an hour ahead": HOUR_MS}[boots]
    kitchen, bedroom = home.pair()
    session = kitchen.ask("What day is it?")["session_id"]
    kitchen.set_config("lamp.colour", "red")
    until(lambda: agree(kitchen, bedroom), LINK_S, "agreement")
    kitchen.stop()

    wrong = shifted(home, "kitchen", shift_ms)
    wrong.start()
    wrong.ask("Remember that the clock is wrong.", session=session)
    wrong.set_config("lamp.colour", "blue")
    until(lambda: linked(wrong, bedroom), LINK_S, "the link")
    wrong.ask("Remember that we are linked again.", session=session)
    wrong.set_config("lamp.colour", "green")
    until(lambda: agree(wrong, bedroom), LINK_S, "agreement")
    for node in (wrong, bedroom):
        assert node.texts(session) == [
            "What day is it?",
            "Remember that the clock is wrong.",
            "Remember that we are linked again.",
        ]
        assert node.get("/api/v2/config/lamp.colour")["value"] == "green"
        assert node.get("/api/v2/conflicts") == []
        assert node.get("/api/v2/audit/verification")["ok"]
        assert not node.logged("peer refused")
    bedroom.set_config("lamp.colour", "yellow")  # and it is not the wrong clock that wins from now on
    until(lambda: wrong.get("/api/v2/config/lamp.colour")["value"] == "yellow", 5, "the new value")

    wrong.ask("Set an egg timer for one second.")
    assert heard(wrong, "timer.rang", 8)
    wrong.ask("Stop.")
    until(lambda: wrong.get("/api/v2/timers") == [], 5, "silence")
    assert wrong.ask("What time is it?")["reply"].startswith("It's")
    if boots == "in 1970":
        year = time.localtime().tm_year
        assert str(year) in wrong.ask("What day is it?")["reply"], "the bedroom knows"
        bedroom.stop()
        until(lambda: wrong.connected() == 0, LINK_S, "the end of the link")
        for question in ("What time is it?", "What day is it?"):
            reply = wrong.ask(question)["reply"]
            assert not any(char.isdigit() for char in reply), "nobody knows"
            assert "clock" in reply.lower()
        bedroom.start()
    assert wrong.stop() == 0

    if boots == "an hour ahead":  # nothing to come back from: its stamps were only early
        return
    right = home.node("kitchen")
    right.start()
    until(lambda: linked(right, bedroom), LINK_S, "the link")
    right.ask("Remember that the clock is right.", session=session)
    until(lambda: agree(right, bedroom), LINK_S, "agreement")
    assert bedroom.texts(session)[-1] == "Remember that the clock is right."
