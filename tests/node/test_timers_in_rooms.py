"""Timers of a home of real processes: a node that dies with one running is stood in for by exactly one other, every
room can stop and change what another has set, and what was set before this version is not lost."""

from __future__ import annotations

import asyncio

from jarvis.core.codec import pack
from jarvis.node.directory import DataDirectory
from jarvis.testing.processes import linked, until
from tests.node.conftest import Home
from tests.node.listening import following

RINGS_S = 30.0
SYNC_S = 10.0
RANG = "timer.rang"


def test_a_node_killed_with_a_timer_running_is_stood_in_for_by_exactly_one_other(home: Home) -> None:
    kitchen, bedroom, hall = home.all_three()
    kitchen.ask("Set a pasta timer for 3 seconds.")
    until(lambda: len(bedroom.get("/api/v2/timers")) == len(hall.get("/api/v2/timers")) == 1, SYNC_S, "it everywhere")
    kitchen.kill()
    with following(RANG, bedroom, hall) as rung:
        until(lambda: any(rung), RINGS_S, "somebody rings")
        by_other, by_one = sorted(rung, key=len)  # the lower id, unless this machine kept it waiting for too long
        kitchen.start()
        with following(RANG, kitchen) as (by_kitchen,):
            until(lambda: linked(kitchen, bedroom, hall), RINGS_S, "the links")
            rang = len(by_one)
            until(lambda: len(by_one) >= rang + 2 or by_other or by_kitchen, RINGS_S, "it rings on")
            assert by_other == [] and by_kitchen == [], "exactly one"
            (row,) = kitchen.get("/api/v2/timers")
            assert (row["state"], row["room"], row["name"]) == ("ringing", "kitchen", "pasta")
            assert kitchen.ask("Stop.")["intent"] == "stop"
            until(lambda: not bedroom.get("/api/v2/timers") + hall.get("/api/v2/timers"), SYNC_S, "silence")
        assert by_other == [] and by_kitchen == []


def test_two_rooms_change_one_timer(home: Home) -> None:
    kitchen, bedroom = home.pair()
    made = kitchen.post("/api/v2/timers", {"length": "1h", "name": "roast"})
    timer = f"/api/v2/timers/{made['timer_id']}"
    until(lambda: bedroom.get("/api/v2/timers"), SYNC_S, "the timer")
    kitchen.call("PATCH", timer, body={"add": "10m"})
    bedroom.call("PATCH", timer, body={"add": "5 minutes"})

    def left_min() -> set[int]:
        return {round(node.get("/api/v2/timers")[0]["remaining_s"] / 60) for node in (kitchen, bedroom)}

    until(lambda: left_min() == {75}, SYNC_S, "both additions, in both rooms")
    bedroom.call("PATCH", timer, body={"paused": True})
    until(lambda: kitchen.get("/api/v2/timers")[0]["state"] == "paused", SYNC_S, "the pause")
    kitchen.call("PATCH", timer, body={"paused": False})
    until(lambda: bedroom.get("/api/v2/timers")[0]["state"] == "running" and left_min() == {75}, SYNC_S, "it goes on")
    bedroom.call("DELETE", timer)
    until(lambda: kitchen.get("/api/v2/timers") == [], SYNC_S, "its end")


def test_timers_of_an_earlier_version_become_the_homes(home: Home) -> None:
    async def keep() -> None:
        store = await DataDirectory(home.folder / "kitchen").open_store()
        value = pack(["bread", 5_000, 4_000_000_000_000])
        await store.write(lambda tx: tx.put("timer/abcdefgh", value))
        await store.close()

    asyncio.run(keep())
    kitchen, bedroom = home.pair()
    (row,) = kitchen.get("/api/v2/timers")
    assert (row["timer_id"], row["name"], row["seconds"]) == ("abcdefgh", "bread", 5_000) and row[
        "remaining_s"
    ] <= 5_000
    until(lambda: [one["name"] for one in bedroom.get("/api/v2/timers")] == ["bread"], SYNC_S, "the other room")
    kitchen.call("DELETE", "/api/v2/timers/abcdefgh")
    kitchen.kill()
    kitchen.start()
    assert kitchen.get("/api/v2/timers") == []
