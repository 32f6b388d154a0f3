"""What the intents about the conversation itself do and say: who is talked to, the end of it, going on with it, what
was said last, and whether it stays in its room."""

from __future__ import annotations

from jarvis.assistant.directions import room_of, same
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.alarms import cancel_alarm
from jarvis.assistant.skills.heard import elsewhere, last, what_did_i_ask
from jarvis.assistant.skills.said import Said, in_asked_room, the
from jarvis.assistant.types import Home, Request

NOT_PRIVATE = "I could not make this private."


async def what_can_you_do(match: Match, request: Request, home: Home) -> Said:
    return Said(
        "I can tell the time and the date, set and change timers, alarms and reminders, keep lists, do sums, "
        "announce things in other rooms, remember things for you, repeat what you or I said, in any room, and chat."
    )


async def who_are_you(match: Match, request: Request, home: Home) -> Said:
    where = f" in {the(request.room)}" if request.room else ""
    return Said(f"I'm {request.assistant_name}, your assistant{where}.")


async def stop(match: Match, request: Request, home: Home) -> Said:
    rang = await home.stop_ringing()
    if not rang and "alarm" in request.text.casefold():  # "turn off the alarm" is also said of one that is only set
        return await cancel_alarm(Match("alarm_cancel"), request, home)
    return Said("Okay.", closes=True)


async def never_mind(match: Match, request: Request, home: Home) -> Said:
    return Said("Okay.", closes=True)


async def go_on(match: Match, request: Request, home: Home) -> Said:
    """The session was chosen already: the question is whether it goes on here."""
    asked = str(match.slots.get("room", ""))
    named = room_of(match, request.rooms)
    newest = request.turns[-1] if request.turns else None
    if asked and not named:
        return Said(f"I don't know a room called {asked}.")
    if newest is None:
        return Said(f"There is nothing to continue{in_asked_room(match)}.")
    moves = match.intent == "continue" and named and not same(named, request.room)
    if moves and not same(newest.room, named):
        if request.private:
            return Said("This conversation stays in this room.")
        return Said(f"Okay, let's continue in {the(named)}.", moves_to=named)
    said = f"In {the(newest.room)} you said" if elsewhere(newest, request) else "You said"
    return Said(f"{said}: “{newest.heard}”" + (f" I said: “{newest.reply}”" if newest.reply else ""))


async def keep_private(match: Match, request: Request, home: Home) -> Said:
    return Said("Okay. From now on, what we say stays in this room." if request.private else NOT_PRIVATE)


async def share_again(match: Match, request: Request, home: Home) -> Said:
    if request.always_private:
        return Said("This room keeps everything to itself. You can change that in its settings.")
    return Said("Okay. What we say now is shared with the other rooms again.")


async def repeat(match: Match, request: Request, home: Home) -> Said:
    turn = last(request, match.slots.get("room"), lambda turn: bool(turn.reply))
    if turn is None:
        return Said(f"I have not said anything{in_asked_room(match)} yet.")
    if elsewhere(turn, request):
        return Said(f"In {the(turn.room)} I said: “{turn.reply}”")
    return Said(turn.reply)


SKILLS = {
    "what_can_you_do": what_can_you_do,
    "who_are_you": who_are_you,
    "stop": stop,
    "never_mind": never_mind,
    "continue": go_on,
    "go_back": go_on,
    "private": keep_private,
    "share_again": share_again,
    "repeat": repeat,
    "what_did_i_ask": what_did_i_ask,
}
