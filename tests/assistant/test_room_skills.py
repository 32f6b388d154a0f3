"""What is said and done about timers that run, alarms, loudness, and announcements."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.intents import match_intent
from jarvis.assistant.types import Request, TimerInfo
from jarvis.core.errors import NotFound
from tests.assistant.homes import MemoryHome, turn, whole

ROOMS = ("kitchen", "bedroom", "Tom's room", "living room", "hall")
PASTA = TimerInfo("t1", "pasta", 480, 300.0, room="kitchen")
TEA = TimerInfo("t2", "tea", 180, 100.0, room="bedroom")
BARE = TimerInfo("t3", "", 600, 30.0, room="kitchen")


def asked(home: MemoryHome, text: str, *turns: tuple[str, str], room: str = "kitchen") -> str:
    async def main() -> str:
        past = [turn(heard, reply) for heard, reply in turns]
        return await whole(await Assistant().answer(Request(text, room, turns=past, rooms=ROOMS), home))

    return asyncio.run(main())


def home(*timers: TimerInfo) -> MemoryHome:
    return MemoryHome(timers=list(timers))


def test_time_is_added_and_taken_away() -> None:
    one = home(PASTA)
    assert asked(one, "Add five minutes to the pasta timer") == "The pasta timer has 10 minutes left now."
    assert asked(one, "Take two minutes off the timer") == "The pasta timer has 8 minutes left now."
    assert asked(one, "Snooze") == "The pasta timer has 13 minutes left now."
    assert asked(one, "Add a minute to the egg timer") == "There is no egg timer."
    assert asked(home(), "Add a minute") == "There are no timers to change."


def test_the_timer_that_rings_is_meant_then_the_one_of_this_room_and_else_it_is_asked() -> None:
    assert asked(home(TEA, PASTA), "Add five minutes") == "The pasta timer has 10 minutes left now."
    ringing = replace(TEA, rings=True, remaining_s=0)
    assert asked(home(ringing, PASTA), "Add five minutes") == "The tea timer in the bedroom has 5 minutes left now."
    both = home(PASTA, BARE)
    question = asked(both, "Add five minutes to the timer")
    assert question == "There are 2 timers: the 10 minute timer, the pasta timer. Which one do you mean?"
    assert asked(both, "The pasta one", ("Add five minutes to the timer", question)).startswith(
        "The pasta timer has 10"
    )
    assert asked(both, "The ten minute one", ("Pause the timer", question)).startswith("Paused the 10 minute timer")
    assert asked(home(PASTA, TEA), "Cancel the timer") == "Cancelled the pasta timer."


def test_timers_are_told_by_room() -> None:
    both = home(PASTA, TEA)
    assert asked(both, "What timers are running in the bedroom?") == "The tea timer has 1 minute and 40 seconds left."
    assert asked(both, "How long is left?") == (
        "There are 2 timers: the tea timer in the bedroom has 1 minute and 40 seconds left; "
        "the pasta timer has 5 minutes left."
    )
    assert asked(both, "Are there any timers in the hall?") == "There are no timers in the hall."
    assert asked(both, "Cancel all timers in the bedroom") == "Cancelled the tea timer."
    assert [one.name for one in both.timers] == ["pasta"]
    assert "rather not guess" in asked(both, "What timers are there in Python?"), "no room of the home"


def test_a_timer_is_paused_and_goes_on() -> None:
    one = home(PASTA)
    assert asked(one, "Pause the timer") == "Paused the pasta timer, with 5 minutes left."
    assert asked(one, "How long is left on the timer?") == "The pasta timer is paused with 5 minutes left."
    assert asked(one, "Pause the timer") == "There are no timers to pause."
    assert asked(one, "Resume the timer") == "The pasta timer goes on, with 5 minutes left."


def test_stop_ends_whatever_rings() -> None:
    one = home(replace(TEA, rings=True), PASTA)
    assert asked(one, "Stop the ringing one") == "Okay."
    assert one.timers == [PASTA]
    assert asked(one, "Turn off the alarm") == "There are no alarms to cancel."
    asked(one, "Wake me at seven")
    assert asked(one, "Turn off the alarm") == "Cancelled the alarm." and one.timers == [PASTA]


def test_alarms() -> None:
    one = home(PASTA)
    assert asked(one, "Wake me up at seven") == "Alarm set for 7:00 PM."
    assert asked(one, "Set an alarm for half past six tomorrow morning") == "Alarm set for 6:30 AM tomorrow."
    assert asked(one, "Seven thirty am", ("Wake me up", "For when?")) == "Alarm set for 7:30 AM tomorrow."
    assert asked(one, "Remind me at eight to call Bob") == "Alarm set for 8:00 PM: call bob."
    assert asked(one, "What alarms are set?").startswith("There are 4 alarms: the alarm at 7:00 PM; ")
    assert asked(one, "What timers do I have?") == "The pasta timer has 5 minutes left."
    assert asked(one, "Cancel the 6:30 alarm") == "Cancelled the alarm."
    assert asked(one, "Cancel the alarm").startswith("There are 3 alarms")
    assert asked(one, "Cancel all timers") == "Cancelled the pasta timer.", "an alarm is none"
    assert asked(one, "Cancel all alarms") == "Cancelled 3 alarms."
    assert asked(one, "Cancel my alarm") == "There are no alarms to cancel."


def test_who_does_not_know_the_time_sets_no_alarm() -> None:
    one = MemoryHome(clock_is_set=False)
    assert asked(one, "Wake me at seven").startswith("I don't know what time it is, so I can't set an alarm")
    assert one.timers == [] and "Timer set" in asked(one, "Set a timer for ten minutes")


@pytest.mark.parametrize(
    ("text", "percent", "said"),
    [
        ("Turn it up", 60, "The volume is at 60 percent."),
        ("Turn it down a lot", 25, "The volume is at 25 percent."),
        ("Set the volume to 30 percent", 30, "The volume is at 30 percent."),
        ("Set the volume to thirty five percent", 35, "The volume is at 35 percent."),
        ("Full volume", 100, "The volume is at 100 percent."),
        ("Volume 0", 0, "The volume is at 0 percent."),
        ("Set the volume to 150", 50, "The volume goes from 0 to 100 percent."),
        ("What's the volume?", 50, "The volume is at 50 percent."),
    ],
)
def test_the_volume(text: str, percent: int, said: str) -> None:
    one = home()
    assert asked(one, text) == said and one.percent == percent


def test_the_volume_ends_somewhere() -> None:
    one = MemoryHome(percent=95)
    assert asked(one, "Louder") == "The volume is at 100 percent."
    assert asked(one, "Louder") == "I can't get any louder."


def test_a_volume_that_the_device_insists_on_is_owned_up_to() -> None:
    class Fixed(MemoryHome):
        async def set_volume(self, percent: int) -> None:
            """Its file says otherwise."""

    assert asked(Fixed(), "Turn it up") == "The volume stays at 50 percent: this device's own settings say so."


@pytest.mark.parametrize(
    ("text", "room", "said"),
    [
        ("Announce dinner is ready", None, "Dinner is ready"),
        ("Hey Jarvis, announce that dinner is ready, please.", None, "Dinner is ready"),
        ("Announce in the bedroom that dinner is ready", "bedroom", "Dinner is ready"),
        ("Announce to everyone: we leave at 8:30", None, "We leave at 8:30"),
        ("Make an announcement that lunch is on the table", None, "Lunch is on the table"),
        ("Broadcast that the bath is free", None, "The bath is free"),
        ("Tell the bedroom dinner is ready", "bedroom", "Dinner is ready"),
        ("Tell Tom's room to come down", "Tom's room", "Come down"),
        ("Tell the living room that the film starts", "living room", "The film starts"),
        ("Tell everyone dinner is ready", None, "Dinner is ready"),
        ("Let the bedroom know that dinner is ready", "bedroom", "Dinner is ready"),
    ],
)
def test_announcements(text: str, room: str | None, said: str) -> None:
    one = home()
    reply = asked(one, text)
    assert one.announced == [(said, room)] and reply.startswith("Announced in")


@pytest.mark.parametrize(
    "text",
    [
        *("Tell me a joke", "Tell the truth", "Tell everyone about Rome", "Tell the bedroom what time it is"),
        *("Tell my sister dinner is ready", "Broadcast television in the sixties", "Tell the bedroom", "Let me know"),
        *("Announcements are boring", "Who announced the winner?", "Tell everyone", "Announce who won the match"),
    ],
)
def test_free_text_is_no_announcement(text: str) -> None:
    assert match_intent(text, rooms=ROOMS) is None


def test_who_announces_hears_where_it_was_not_said() -> None:
    one = home()
    assert asked(one, "Announce dinner is ready") == "Announced in the bedroom and the hall."
    one.quiet = ["hall"]
    assert asked(one, "Announce dinner is ready") == "Announced in the bedroom, but it is quiet hours in the hall."
    one.quiet = ["bedroom", "hall"]
    assert asked(one, "Announce dinner is ready") == "I did not: it is quiet hours in the bedroom and the hall."
    assert asked(one, "Announce") == "What should I announce?"
    one.quiet = []
    for text in ("Dinner is ready.", "Tern it up!"):  # which may have been "turn it up", had nothing been asked
        assert asked(one, text, ("Announce", "What should I announce?")).startswith("Announced")
    one.broken = NotFound("No node in 'bedroom' is connected.")
    assert "No node in 'bedroom' is connected." in asked(one, "Tell the bedroom dinner is ready")
