"""What is said in the hour without a wake word: sentences made from a grammar of everyday talk, and the project's own
pages read aloud. The same seed gives the same hour; no sentence is said twice, and none holds the wake phrase."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from jarvis.voice.speaking.sentences import Sentences

ROOT = Path(__file__).resolve().parents[2]
NEAR_MISSES = Path(__file__).with_name("near_misses.txt")
FORBIDDEN = ("jarvis", '"hey ')
"""In no sentence without the phrase: its name, and a page's list of what sounds like it, which is counted apart."""
SHORTEST, LONGEST = 12, 160
"""Characters of a sentence worth saying."""


def _words(text: str) -> list[str]:
    return [one.strip() for one in text.split("|")]


_WHO = _words(
    "my sister|the neighbour|Travis|your uncle Harvey|the baker|a nurse|our teacher|Marvin|Jason|the old captain|"
    "Gertrude|the postman|a stranger|Doctor Chavez|my grandmother|the cat|the children|nobody|the whole village|"
    "James|Elvis|the gardener|a young lawyer|Janice|the driver|Charles|the woman next door|my brother George|"
    "the plumber|Davis"
)
_DID = _words(
    "forgot|bought|painted|was looking for|carried|sold|repaired|dropped|hid|gave me|found|borrowed|returned|"
    "described|photographed|could not lift|was proud of|had never seen|talked all evening about|dreamed of|"
    "burned|ordered|threw away|measured|washed|admired|complained about|lost|swore by|harvested"
)
_WHAT = _words(
    "a jar of olives|the large jar|the bicycle|two loaves of bread|an umbrella|the last train|a garden of roses|"
    "a service|her yellow coat|the broken radio|a letter from Paris|the harvest|seven eggs|a jacket|"
    "the carving knife|an old guitar|the kitchen table|some nervous horses|a chart of the coast|"
    "the jarring noise|a purple hat|the keys to the car|a card game|the starving dog|half of the budget|"
    "his marvellous speech|that curious novel|a bag of oranges|a jazz record|the front door"
)
_WHERE = _words(
    "in the yard|at the station|behind the garage|near the harbour|under the bridge|on the way home|"
    "at the market|in the far corner of the attic|beside the river|by the window|in the service lift|"
    "on the island|at school|upstairs|in the middle of the road|on a boat|outside the court|in the bath|"
    "over there|across the valley"
)
_WHEN = _words(
    "this morning|last Thursday|before breakfast|after the storm|in nineteen eighty four|when the bell rang|"
    "all summer|for three weeks|on her birthday|at a quarter past eight|during the concert|every other Sunday|"
    "yesterday|long ago|while it was raining|as soon as the guests had left|twice a day|in early March|"
    "at harvest time|without a word"
)
_SAID = _words(
    "Well, I think|They say that|It is strange, but|You know,|I was told that|Honestly,|Of course|And then|"
    "Do you believe that|She insists that|The paper says|Hey, listen,|Hey, guess what,|As far as I can tell,|"
    "Perhaps|Believe me,|I heard that|In the end|Nobody remembers that|To be fair,"
)
_ASKED = _words(
    "Could you pass me the salt|Where did you put the scissors|Is there any soup left|How far is it to the coast|"
    "Have you fed the cat|Shall we take the early train|Why is the hall light on|Did the plumber call|"
    "Who broke this cup|What was the name of that film|Can you hear the rain|Are you sure about the price|"
    "Would you carry this jar|When does the chemist close|Do we need more milk"
)
_NUMBERS = _words("a quarter to nine|half past two|minus eleven degrees|three hundred and six people|the ninth of May")
_SHAPES = (
    "{said} {who} {did} {what} {where} {when}.",
    "{who} {did} {what} {when}.",
    "{who} {did} {what}, and {who2} {did2} {what2} {where}.",
    "{when}, {who} {did} {what} {where}.",
    "{asked}, or was it {who} who {did} {what}?",
    "{asked}? {who} {did} it {where}.",
    "It was {number} {where}, and {who} {did} {what}.",
    "Hey {name}, {who} {did} {what} {where}!",
)
_NAMES = _words("Jason|Travis|Harvey|Marvin|Janice|Charlie|George|Jonas|Charles|Gerald|Mavis|Jerry|Darcy|Arvid|John")


def near_misses() -> list[str]:
    """The phrases of near_misses.txt."""
    lines = NEAR_MISSES.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def sentences(seed: int) -> Iterator[str]:
    """Sentences without end: two of the grammar, then one of the pages while there are any."""
    rng, seen = random.Random(seed), set[str]()
    pages = _pages(random.Random(seed))  # of its own: a page that changes must not change the rest
    while True:
        made = [_made(rng), _made(rng)]
        page = next(pages, None)
        for text in [*made, page] if page else made:
            if text not in seen:
                seen.add(text)
                yield text


def _made(rng: random.Random) -> str:
    text = rng.choice(_SHAPES).format(
        said=rng.choice(_SAID),
        asked=rng.choice(_ASKED),
        who=rng.choice(_WHO),
        did=rng.choice(_DID),
        what=rng.choice(_WHAT),
        who2=rng.choice(_WHO),
        did2=rng.choice(_DID),
        what2=rng.choice(_WHAT),
        where=rng.choice(_WHERE),
        when=rng.choice(_WHEN),
        name=rng.choice(_NAMES),
        number=rng.choice(
            ("a quarter to nine", "half past two", "minus eleven degrees", "three hundred and six people")
        ),
    )
    return text[0].upper() + text[1:]


def _pages(rng: random.Random) -> Iterator[str]:
    """The project's own pages, sentence by sentence, shuffled."""
    splitter, found = Sentences(), []
    for path in sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md"]):
        prose = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(("|", "    "))]
        found += [*splitter.feed("\n\n".join("\n".join(prose).split("\n\n")) + "\n"), *splitter.flush()]
    rng.shuffle(found)
    for one in found:
        if SHORTEST <= len(one) <= LONGEST and not any(word in one.lower() for word in FORBIDDEN):
            yield one
