"""What one room remembers of a wake word: its own claim, those of its peers, and what follows from them. The rules are
in `jarvis.voice.arbitration.claims`; here are their figures, the rank, and nothing that decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from jarvis.voice.arbitration.messages import Claim, Message
from jarvis.voice.hearing.transcript import shared_words

PHRASE_MS = 700.0
"""Claims heard so long before or after one's own are of the same phrase: the spread of detections and the delay of a
message fit three times."""
ROUND_MS = 240.0
"""Twice the longest that a message takes, 120 ms: then every claim that crossed is known. With 200 ms two rooms chimed
in 0.1 % of simulated trials."""
SOON_MS = 2_000.0
"""A busy machine may detect the phrase so late that it is another one to the others. Who is told, by a room that
claimed within this time, what it is about to answer itself, stays silent."""
UNABLE_ROUNDS = 2
"""An unable room can only apologise, so it waits until everybody who hears the phrase must have claimed."""
COPIES, COPY_MS = 3, 40.0
"""The last copy still comes within the round."""
PULSE_MS, SILENT_MS = 500.0, 2_500.0
"""Who answers shows life so often while it listens; four pulses in a row are not lost by chance."""
LATE_MS = 1_000.0
"""Who is called so much too late has slept, as a busy machine does. For a round it only shows life and takes in what
came meanwhile: another room may be about to call it silent."""
WAIT_MS = 5_000.0
"""A loser's text waits so long for the winner's: a later answer would be to a question that nobody remembers."""
LIFE_MS = 45_000.0
"""A bid's: the longest utterance, its silences and two attempts to understand it."""
EQUAL_SHARE = 0.3
"""Of a loser's words in the winner's text. Two recognisers agree on more of one sentence, seldom on as much of two."""
MAX_PEER_CLAIMS = 8
"""Kept of one peer: nobody says the phrase oftener in a bid's life, and a peer could claim without end."""
MAX_BIDS = 8


class State(Enum):
    CLAIMING = "claiming"
    ANSWERING = "answering"
    YIELDING = "yielding"
    OVER = "over"


Rank = tuple[bool, bool, bool, int, int]


def rank(node_id: bytes, claim: Claim) -> Rank:
    """Higher goes before lower; of equals the lower node id."""
    return claim.able, claim.first, claim.engaged, claim.snr_step, -int.from_bytes(node_id)


@dataclass(slots=True)
class Rival:
    """A peer's claim, as far as it is known here."""

    peer: bytes
    claim: Claim
    heard_ms: float
    sign_ms: float
    """When its node last said anything."""
    withdrawn: bool = False
    gone: bool = False
    """Its node was cut off, or silent for long."""
    told: bool = False
    """Its text is known, or it is known that it is private."""
    text: str | None = None
    second: bool = False
    """It lost too, and answers `text` as another person's."""
    same: bool | None = None
    """What it, or we for it, said of the two texts."""

    @property
    def rank(self) -> Rank:
        return rank(self.peer, self.claim)

    @property
    def over(self) -> bool:
        return self.withdrawn or self.gone

    @property
    def answering(self) -> bool:
        return self.claim.answering and not self.second and not self.over


@dataclass(slots=True)
class Bid:
    """A claim of ours."""

    me: bytes
    claim: Claim
    at_ms: float
    state: State = State.CLAIMING
    confirmed: bool = False
    since_ms: float = 0.0
    """When a better rival was last found to be out."""
    winner: Rival | None = None
    chimes: bool | None = None
    answers: bool | None = None
    why: str = ""
    pulse_ms: float = 0.0
    text: str | None = None
    private: bool = False
    text_ms: float = 0.0
    asked: bool = False
    second_ms: float | None = None

    @property
    def rank(self) -> Rank:
        return rank(self.me, self.claim)

    def concerns(self, rival: Rival) -> bool:
        """Whether both are of the same phrase."""
        return abs(rival.heard_ms - self.at_ms) <= PHRASE_MS

    def is_near(self, rival: Rival) -> bool:
        """Whether it may be the same phrase, detected very late by one of the two."""
        return abs(rival.heard_ms - self.at_ms) <= SOON_MS

    @property
    def shown(self) -> str | None:
        """The text as others may see it."""
        return None if self.private else self.text


@dataclass(frozen=True, slots=True)
class Send:
    message: Message
    to: bytes | None
    """None: to all peers."""


@dataclass(frozen=True, slots=True)
class Chimes:
    """Whether this room chimes for that wake word."""

    wake: bytes
    chimes: bool


@dataclass(frozen=True, slots=True)
class Answers:
    wake: bytes
    answers: bool


@dataclass(frozen=True, slots=True)
class Other:
    """A rival, as the audit tells of it."""

    node_id: bytes
    claim: Claim
    after_ms: float
    """Heard of so long after our own claim; before it, negative."""
    over: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """For the audit: this room chimed, answered, or both."""

    wake: bytes
    outcome: str
    """`answered`, `answered too` (a second person), `stopped` (a better one chimed too), `withdrew` or `gave up`."""
    why: str
    """`alone`, `only one`, `took over`, `first`, `able`, `dialogue`, `louder`, `lower id`, `another person`."""
    claim: Claim
    claims: tuple[Other, ...]


Effect = Send | Chimes | Answers | Settled


def equal(text: str, other: str | None) -> bool:
    """Whether one person said both. What cannot be compared counts as equal: fewer rooms answer then."""
    return other is None or shared_words(text, other) >= EQUAL_SHARE
