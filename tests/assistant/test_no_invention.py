"""A hundred questions that a small model would answer with something made up: what devices are doing, what happens in
the world now, sums, what stands in somebody's calendar. With only such a model there, none of them reaches it."""

from __future__ import annotations

import asyncio
from typing import cast

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.types import Home
from tests.assistant.homes import MemoryHome, ScriptedModel, request, whole

INVENTED = "It is locked, and the answer is 349."

HOUSE = [
    "Is the front door locked?", "did i lock the back door", "is the garage open", "Are the kitchen lights on?",
    "which windows are open", "is the oven still on", "did I leave the iron on", "is the washing machine done",
    "has the dishwasher finished", "is anybody home", "is the alarm system armed", "what is the thermostat set to",
    "how warm is it in the bedroom", "is the heating on", "are the blinds down in the office", "is the tv off",
    "is the water running", "how much battery does the vacuum have left", "is the fridge door closed",
    "did somebody open the front door today", "is the dryer running", "is the coffee machine on",
    "what's the humidity in the bathroom", "is there someone at the door", "did the mail come today",
    "where are my keys", "where did i leave my phone", "is the car locked", "is the wifi working", "is the stove off",
]  # fmt: skip
WORLD = [
    "who won yesterday", "Who won the game last night?", "what's the weather tomorrow", "is it raining",
    "will it snow this weekend", "what's the score of the game", "what are the headlines", "what's in the news today",
    "what's the price of bitcoin", "how is the stock market doing", "what is the exchange rate of the dollar today",
    "when is the next bus", "is my flight on time", "how is the traffic", "when does the supermarket close",
    "is the pharmacy open now", "what's on tv tonight", "which movies are playing today", "who is the president",
    "who is the prime minister of england", "what's the latest version of python", "when is sunset today",
    "what time does the sun rise tomorrow", "what time is it in tokyo",
    "how long is the line at the post office right now",
    "when does the train to berlin leave", "how many people live here now", "did the lakers win",
    "who is leading the league", "what's the temperature outside", "what was the result of the election yesterday",
    "how much does gas cost today", "is school open tomorrow", "when is my package coming", "what's trending today",
]  # fmt: skip
SUMS = {
    "what is 17 times 23": "391", "what's 144 divided by 12": "12", "how much is 15 percent of 80": "12",
    "what's the square root of 144": "12", "1234 plus 4321": "5,555", "what is 2 to the power of 10": "1,024",
    "what is 999 times 999": "998,001", "how much is 20 percent off 50": "40", "half of 90": "45",
    "100 minus 37": "63", "what's 3.5 plus 2.25": "5.75", "how many feet in a mile": "5,280",
    "350 fahrenheit in celsius": "176.7", "how many hours in a week": "168", "12 squared": "144",
    "what is a million divided by eight": "125,000",
}  # fmt: skip
WORD_SUMS = [
    "if i have three apples and buy four more how many do i have", "how many days are there between march 3 and may 9",
    "add up 12 15 and 19", "what is 12 factorial", "what's the average of 4 8 and 15",
    "what is the cube root of 27", "how many minutes are left until midnight",
]  # fmt: skip
OWN = [
    "what's on my calendar today", "do i have any appointments tomorrow", "do i have new messages", "any new emails",
    "when is my next meeting", "what did my wife say", "how many steps did i walk today", "what's my bank balance",
    "when is my mother's birthday", "how much did i spend this month", "what time did i get up", "am i late",
]  # fmt: skip


def ask(text: str) -> tuple[str, ScriptedModel]:
    model = ScriptedModel([INVENTED])

    async def main() -> str:
        return await whole(await Assistant([model]).answer(request(text), cast(Home, MemoryHome())))

    return asyncio.run(main()), model


def test_a_small_model_is_asked_for_nothing_it_would_make_up() -> None:
    every = [*HOUSE, *WORLD, *SUMS, *WORD_SUMS, *OWN]
    assert len(every) == 100
    asked = [text for text in every if ask(text)[1].asked]
    assert asked == []


def test_sums_are_right() -> None:
    wrong = [(text, said) for text, number in SUMS.items() if number not in (said := ask(text)[0])]
    assert wrong == []
