"""Claims over the links of a simulated home: who chimes and answers, what the audit says of it, what garbage does."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import Any

import pytest

from jarvis.core.codec import Value, pack, unpack
from jarvis.core.errors import InvalidBytes
from jarvis.core.ids import to_text
from jarvis.node.hearing.claim_account import detail_of, sentence
from jarvis.node.hearing.claims import RoomClaims
from jarvis.node.hearing.echo import Echo, Saying, to_value
from jarvis.node.links.topics import Topics
from jarvis.sync.messages import Ephemeral
from jarvis.testing.virtual_time import run_virtual
from jarvis.voice.arbitration.arbiter import WakeClaim
from jarvis.voice.arbitration.messages import TOPIC, Claim
from jarvis.voice.arbitration.state import Other, Settled

KITCHEN, HALL, BEDROOM = (bytes([number]) * 16 for number in (1, 2, 3))
NAMES = {KITCHEN: "kitchen", HALL: "hall", BEDROOM: "bedroom"}


class LoopClock:
    def mono_ms(self) -> float:
        return asyncio.get_running_loop().time() * 1000

    def wall_ms(self) -> int:
        return 1_800_000_000_000


class Written:
    """In place of the journal and the audit: what would be written."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def entry(self, action: str, target: str, *, outcome: str, **detail: Any) -> dict[str, Any]:
        return {"action": action, "target": target, "outcome": outcome, "detail": unpack(pack(detail))}

    async def write(self, row: dict[str, Any]) -> None:
        self.rows.append(row)


@dataclass
class Around:
    """What a node is asked; links take 20 ms."""

    me: bytes
    home: dict[bytes, Around]
    cut: set[bytes] = field(default_factory=set)
    is_able: bool = True
    is_private: bool = False
    sent: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home[self.me] = self
        self.topics = Topics(self.tell, self.spread)
        self.written = Written()
        self.claims = RoomClaims(
            self.me,
            self.topics,
            self.written,  # type: ignore[arg-type]
            self.written,  # type: ignore[arg-type]
            LoopClock(),
            self,
        )

    def peers(self) -> frozenset[bytes]:
        return frozenset(one for one in self.home if one != self.me and one not in self.cut | {self.me})

    def others(self) -> frozenset[bytes]:
        return frozenset(self.home) - {self.me}

    def able(self) -> bool:
        return self.is_able

    def private(self) -> bool:
        return self.is_private

    def tell(self, peer: bytes, topic: str, body: bytes) -> None:
        self.sent.append(body)
        if peer in self.peers():
            other = self.home[peer].topics
            asyncio.get_running_loop().call_later(0.02, other.deliver, self.me, Ephemeral(topic, body))

    def spread(self, topic: str, body: bytes) -> None:
        for peer in self.peers():
            self.tell(peer, topic, body)

    async def hears(
        self, after_s: float, text: str, *, snr_db: float = 15.0, speaks_s: float = 1.0
    ) -> tuple[bool, bool]:
        """(it chimed, it answers)."""
        await asyncio.sleep(after_s)
        bid = self.claims.bid(WakeClaim(0.97, snr_db))
        await asyncio.sleep(0.05)
        bid.confirm()
        wins = asyncio.create_task(bid.wins())
        await asyncio.sleep(speaks_s)
        answers = await bid.answers(text)
        return await wins, answers

    async def account(self) -> str:
        """What the audit says of its only decision."""
        [row] = self.written.rows
        return sentence(row["outcome"], to_text(self.me), row["detail"], lambda node: NAMES[node])


def a_home(*nodes: bytes) -> list[Around]:
    home: dict[bytes, Around] = {}
    return [Around(node, home) for node in nodes]


async def with_audit(home: list[Around], *work: Any) -> list[Any]:
    async with asyncio.TaskGroup() as group:
        writing = [group.create_task(one.claims.run()) for one in home]
        outcomes = await asyncio.gather(*work)
        await asyncio.sleep(1)
        for task in writing:
            task.cancel()
    return outcomes


def test_the_loudest_of_those_that_heard_it_at_once_answers():
    async def scene() -> None:
        kitchen, hall, bedroom = home = a_home(KITCHEN, HALL, BEDROOM)
        outcomes = await with_audit(
            home,
            kitchen.hears(0.005, "what time is it", snr_db=24),
            hall.hears(0.0, "what time is it now", snr_db=18),
            bedroom.hears(0.1, "time is it", snr_db=30),
        )
        assert outcomes == [(True, True), (False, False), (False, False)]
        assert await kitchen.account() == (
            "kitchen answered: it heard the wake word best, 24 dB over its noise, hall at most 18 dB. "
            "bedroom heard of a claim before hearing the wake word, and left it to others."
        )
        assert hall.written.rows == bedroom.written.rows == []
        assert "kitchen" not in str(kitchen.written.rows)

    run_virtual(scene)


def test_two_persons_are_both_answered():
    async def scene() -> None:
        kitchen, hall = home = a_home(KITCHEN, HALL)
        outcomes = await with_audit(
            home,
            kitchen.hears(0.0, "set a timer for ten minutes"),
            hall.hears(0.1, "what is the weather", speaks_s=2.0),
        )
        assert outcomes == [(True, True), (False, True)]
        assert await hall.account() == "hall answered too: somebody else spoke there, and kitchen heard other words."

    run_virtual(scene)


def test_behind_a_cut_link_two_rooms_answer_and_both_entries_say_why():
    async def scene() -> None:
        kitchen, hall = home = a_home(KITCHEN, HALL)
        kitchen.cut, hall.cut = {HALL}, {KITCHEN}
        outcomes = await with_audit(home, *(one.hears(0.0, "what time is it") for one in home))
        assert outcomes == [(True, True), (True, True)]
        assert await hall.account() == (
            "hall answered: no other node could be reached. "
            "kitchen could not be reached, so another room may have answered as well."
        )

    run_virtual(scene)


def test_a_room_whose_node_is_lost_in_mid_turn_is_replaced():
    async def scene() -> None:
        kitchen, hall = home = a_home(KITCHEN, HALL)

        async def dies() -> tuple[bool, bool]:
            await asyncio.sleep(1.0)
            hall.cut = {KITCHEN}
            kitchen.cut = {HALL}
            hall.claims.links_changed()
            return False, False

        work = kitchen.hears(0.0, "what time is it", speaks_s=5.0), hall.hears(0.1, "what time is it"), dies()
        outcomes = await with_audit(home, *work)
        assert outcomes[1] == (False, True)
        assert (await hall.account()).startswith("hall answered: the rooms before it withdrew or stayed silent.")

    run_virtual(scene)


def test_a_home_of_one_node_answers_at_once_and_writes_nothing():
    async def scene() -> None:
        [kitchen] = home = a_home(KITCHEN)
        assert await with_audit(home, kitchen.hears(0.0, "what time is it")) == [(True, True)]
        assert kitchen.written.rows == []

    run_virtual(scene)


def test_the_winners_answer_waits_for_nothing():
    async def scene() -> None:
        waited = []
        for nodes in ([KITCHEN], [KITCHEN, HALL, BEDROOM]):
            kitchen, *others = home = a_home(*nodes)
            background = [asyncio.create_task(one.hears(0.1, "what time is it")) for one in others]
            bid = kitchen.claims.bid(WakeClaim(0.97, 20.0))
            bid.confirm()
            await asyncio.sleep(2.0)
            before = asyncio.get_running_loop().time()
            assert await bid.answers("what time is it")
            waited.append(asyncio.get_running_loop().time() - before)
            await asyncio.gather(*background)
            assert len(home) == len(nodes)
        assert waited == [0.0, 0.0]

    run_virtual(scene)


def test_no_text_of_a_private_room_is_sent():
    async def scene() -> None:
        kitchen, hall = home = a_home(KITCHEN, HALL)
        kitchen.is_private = True
        outcomes = await with_audit(
            home, kitchen.hears(0.0, "my secret plan"), hall.hears(0.1, "my secret plan", speaks_s=2.0)
        )
        assert outcomes == [(True, True), (False, False)]
        kitchen.claims.saying("the secret plan is cake", 2_000)
        assert kitchen.sent and not any(b"secret" in body for body in kitchen.sent)
        assert any(b"secret" in body for body in hall.sent)  # it asked the private one

    run_virtual(scene)


def test_words_that_ask_for_privacy_stay_here():
    async def scene() -> None:
        kitchen, hall = home = a_home(KITCHEN, HALL)
        words = "keep this private"
        assert await with_audit(home, kitchen.hears(0.0, words), hall.hears(0.1, words)) == [
            (True, True),
            (False, False),
        ]
        assert not any(b"private" in body for body in (*kitchen.sent, *hall.sent))

    run_virtual(scene)


@pytest.mark.parametrize(
    "value",
    [None, [], [0], [0, b"short", False, True, False, True, 3], [0, b"x" * 8, 1, True, False, True, 3],
     [0, b"x" * 8, False, True, False, True, 31], [0, b"x" * 8, False, True, False, True, True], [9, b"x" * 8],
     [2, b"x" * 8, 5], [2, b"x" * 8, "a" * 1_001], [True, b"x" * 8], {"a": 1}],
)  # fmt: skip
def test_nonsense_from_a_peer_is_refused_and_changes_nothing(value: Value):
    async def scene() -> None:
        kitchen, _ = a_home(KITCHEN, HALL)
        with pytest.raises(InvalidBytes):
            kitchen.claims.delivered(HALL, value)
        kitchen.topics.deliver(HALL, Ephemeral(TOPIC, pack(value)))
        assert not kitchen.claims._machine._rivals

    run_virtual(scene)


def test_random_bytes_harm_nothing():
    async def scene() -> None:
        kitchen, _ = a_home(KITCHEN, HALL)
        for _ in range(300):
            for topic in (TOPIC, "speaking"):
                kitchen.topics.deliver(HALL, Ephemeral(topic, os.urandom(40)))
        assert (await kitchen.hears(0.0, "what time is it")) == (True, True)

    run_virtual(scene)


def test_an_entry_that_makes_no_sense_has_no_sentence():
    claim = Claim(b"w" * 8, True, True, False, True, 5)
    good = detail_of(Settled(b"w" * 8, "answered", "first", claim, (Other(HALL, claim, 20.0, False),)), [BEDROOM])
    node = to_text(KITCHEN)
    assert sentence("answered", node, good, lambda one: NAMES[one]) == (
        "kitchen answered: it had claimed the wake word before hall heard it. "
        "bedroom could not be reached, so another room may have answered as well."
    )
    for detail in (None, {}, good | {"claims": 5}, good | {"why": "x"}, good | {"claims": [{"node": "!"}]}):
        assert sentence("answered", node, detail, lambda one: NAMES[one]) == ""
    assert sentence("else", node, good, lambda one: NAMES[one]) == ""


# --- the echo of other rooms ------------------------------------------------------------------------------------


def test_wakes_are_ignored_only_while_a_peer_says_the_wake_phrase():
    async def scene() -> None:
        kitchen, hall = a_home(KITCHEN, HALL)
        hall.claims.saying("The kettle is on.", 1_000)
        await asyncio.sleep(0.1)
        assert not kitchen.claims.deaf()
        hall.claims.saying("Say hey Jarvis to wake me.", 2_000)
        await asyncio.sleep(0.1)
        assert kitchen.claims.deaf()
        assert not hall.claims.deaf()
        await asyncio.sleep(2.8)
        assert kitchen.claims.deaf()
        await asyncio.sleep(0.2)
        assert not kitchen.claims.deaf()

    run_virtual(scene)


def test_text_that_a_peer_has_just_said_is_an_echo():
    async def scene() -> None:
        kitchen, hall = a_home(KITCHEN, HALL)
        hall.claims.saying("Your pasta timer is done.", 1_500)
        hall.claims.saying("Shall I set another one?", 1_500)
        await asyncio.sleep(2.0)
        assert kitchen.claims.echo("pasta timer is done, shall I set another")
        assert not kitchen.claims.echo("set a pasta timer for ten minutes")
        assert not kitchen.claims.echo("")
        hall.claims.saying("It's six fourteen PM.", 1_500)
        await asyncio.sleep(0.1)
        assert all(kitchen.claims.echo(text) for text in ("It's 6.14 p.m.", "It's 6:14 PM", "it's 614 pm"))
        await asyncio.sleep(10.0)
        assert not kitchen.claims.echo("your pasta timer is done")

    run_virtual(scene)


def test_a_private_room_tells_only_how_long_it_speaks():
    async def scene() -> None:
        kitchen, hall = a_home(KITCHEN, HALL)
        hall.is_private = True
        hall.claims.saying("Jarvis says the secret is cake.", 2_000)
        await asyncio.sleep(0.1)
        assert kitchen.claims.deaf()
        assert not kitchen.claims.echo("the secret is cake")
        assert not any(b"cake" in body for body in hall.sent)

    run_virtual(scene)


@pytest.mark.parametrize(
    "value",
    [None, [1, True], [-1, True, ""], [60_001, True, None], [5, True, "x" * 1_001], [True, True, ""], [5, 1, ""]],
)
def test_what_is_nothing_that_a_room_says_is_refused(value: Value):
    echo = Echo(Topics(lambda *_: None, lambda *_: None), LoopClock(), lambda: False)
    with pytest.raises(InvalidBytes):
        echo.delivered(HALL, value)


def test_a_peer_that_speaks_without_end_is_bounded():
    async def scene() -> None:
        echo = Echo(Topics(lambda *_: None, lambda *_: None), LoopClock(), lambda: False)
        for number in range(1_000):
            echo.delivered(HALL, to_value(Saying(60_000, False, f"sentence {number}")))
        assert sum(map(len, echo._said.values())) == 16

    run_virtual(scene)
