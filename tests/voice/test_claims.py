"""Which room answers: the pure machines of several rooms, under every schedule of delays, losses, cuts and deaths."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.testing.claim_trials import (
    HEARD_AS,
    OTHER_REQUEST,
    Links,
    Outcome,
    Room,
    draw_rooms,
    run_trial,
    second_person,
)
from jarvis.voice.arbitration import claims
from jarvis.voice.arbitration import messages as claim_messages
from jarvis.voice.arbitration import state as claim_state
from jarvis.voice.arbitration.claims import Claims
from jarvis.voice.arbitration.messages import Claim, Compare, Second, Text, Verdict, Withdraw
from jarvis.voice.arbitration.state import Answers, Chimes, Send, Settled, rank

A, B = b"a" * 16, b"b" * 16
OURS, THEIRS = b"o" * 8, b"t" * 8


def sent(effects: list[Any], kind: type) -> list[Send]:
    return [one for one in effects if isinstance(one, Send) and isinstance(one.message, kind)]


def claim(answering: bool = False, *, first: bool = True, able: bool = True, snr_step: int = 5) -> Claim:
    return Claim(THEIRS, answering, able, False, first, snr_step)


class Punctual:
    """A room that is called whenever it wants to be, before anything else happens to it."""

    INPUTS = frozenset({"wake", "confirm", "withdraw", "understood", "linked", "lost", "received", "tick"})

    def __init__(self, machine: Claims) -> None:
        self._machine = machine

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._machine, name)
        if name not in self.INPUTS:
            return found

        def happens(*what: Any, **how: Any) -> list[Any]:
            effects: list[Any] = []
            while (due_ms := self._machine.due_ms()) is not None and due_ms < what[-1]:
                effects += self._machine.tick(due_ms)
            return effects + found(*what, **how)

        return happens


def room(*peers: bytes) -> Any:
    return Punctual(Claims(A, set(peers)))


# --- one room's table -------------------------------------------------------------------------------------------


def test_alone_it_chimes_as_soon_as_it_is_sure():
    machine = room()
    assert Chimes(OURS, True) not in machine.wake(OURS, 0.0)
    assert Chimes(OURS, True) in machine.confirm(OURS, 60.0)
    effects = machine.understood(OURS, "what time is it", 2_000.0)
    answers, settled = [one for one in effects if not isinstance(one, Send)]
    assert answers == Answers(OURS, True)
    assert isinstance(settled, Settled) and settled.why == "alone"


def test_with_a_peer_that_says_nothing_it_waits_one_round():
    machine = room(B)
    assert sent(machine.wake(OURS, 0.0, snr_step=3), Claim)[0].to is None
    assert machine.confirm(OURS, 60.0) == [Send(Claim(OURS, False, True, False, True, 3), None)]  # a copy
    machine.tick(200.0)
    assert machine.due_ms() == claims.ROUND_MS
    effects = machine.tick(claims.ROUND_MS)
    assert Chimes(OURS, True) in effects
    assert sent(effects, Claim)[0].message.answering


def test_who_is_not_sure_does_not_chime_and_lets_others_go_on():
    machine = room(B)
    machine.wake(OURS, 0.0)
    assert not [one for one in machine.tick(2_000.0) if not isinstance(one, Send)]
    effects = machine.withdraw(OURS, 2_000.0)
    assert sent(effects, Withdraw) and Chimes(OURS, False) in effects and Answers(OURS, False) in effects


def test_a_claim_heard_before_is_conceded_to():
    machine = room(B)
    machine.received(B, claim(), 0.0)
    [ours, *_] = sent(machine.wake(OURS, 100.0, snr_step=30), Claim)
    assert not ours.message.first
    machine.confirm(OURS, 100.0)
    assert not [one for one in machine.tick(100.0 + claims.ROUND_MS) if isinstance(one, Chimes)]
    assert Chimes(OURS, True) in machine.tick(100.0 + 2 * claims.ROUND_MS)  # it stayed silent: takeover


@pytest.mark.parametrize(
    ("heard", "ours"),
    [
        ({"now": 0.0}, {"engaged": True}),  # a dialogue goes on here
        ({"now": 0.0, "able": False}, {}),  # it could only apologise
        ({"now": -800.0}, {}),  # that was another phrase
    ],
)
def test_what_is_not_conceded_to(heard, ours):
    machine = room(B)
    machine.received(B, claim(able=heard.get("able", True)), heard["now"])
    assert sent(machine.wake(OURS, 10.0, **ours), Claim)[0].message.first


def test_nobody_concedes_to_what_was_withdrawn():
    machine = room(B)
    machine.received(B, claim(), 0.0)
    machine.received(B, Withdraw(THEIRS), 50.0)
    assert sent(machine.wake(OURS, 100.0), Claim)[0].message.first


def test_two_that_answer_end_with_the_better_one():
    for snr_step, stops in ((9, True), (1, False)):
        machine = room(B)
        machine.wake(OURS, 0.0, snr_step=5)
        machine.confirm(OURS, 0.0)
        assert Chimes(OURS, True) in machine.tick(claims.ROUND_MS)
        told = machine.received(B, claim(True, snr_step=snr_step), claims.ROUND_MS + 5)
        assert bool(sent(told, Claim)) is not stops  # the better one says it again, to the other alone
        machine.received(B, Text(THEIRS, "what time is it"), 1_900.0) if stops else None
        effects = machine.understood(OURS, "what time is it", 2_000.0)
        assert Answers(OURS, not stops) in effects
        assert [one.outcome for one in effects if isinstance(one, Settled)] == ["stopped" if stops else "answered"]


def test_a_winner_that_dies_is_replaced_by_the_next():
    machine = room(B)
    machine.received(B, claim(), 0.0)
    machine.wake(OURS, 50.0)
    machine.confirm(OURS, 60.0)
    assert Chimes(OURS, False) in machine.received(B, claim(True), 250.0)
    assert machine.understood(OURS, "what time is it", 2_000.0) == []
    assert Answers(OURS, True) in machine.lost(B, 2_100.0)


def test_a_winner_that_is_silent_is_replaced_too():
    machine = room(B)
    machine.received(B, claim(True), 0.0)
    machine.wake(OURS, 50.0)
    machine.understood(OURS, "what time is it", 1_000.0)
    assert not any(isinstance(one, Answers) for one in machine.tick(claim_state.SILENT_MS - 1))
    assert Answers(OURS, True) in machine.tick(claim_state.SILENT_MS)


def test_who_slept_itself_calls_nobody_silent():
    machine = Claims(A, {B})
    machine.received(B, claim(True), 0.0)
    machine.wake(OURS, 50.0)
    machine.understood(OURS, "what time is it", 60.0)
    assert not [one for one in machine.tick(4_000.0) if isinstance(one, Answers)]  # it was wanted long before
    assert machine.due_ms() == 4_000.0 + claim_state.ROUND_MS
    machine.received(B, Text(THEIRS, "what time is it"), 4_001.0)  # this waited to be read
    assert Answers(OURS, False) in machine.tick(4_000.0 + claim_state.ROUND_MS)


def test_another_person_is_answered_too():
    machine = room(B)
    machine.received(B, claim(True), 0.0)
    machine.wake(OURS, 50.0)
    machine.received(B, Text(THEIRS, "set a timer for ten minutes"), 2_000.0)
    effects = machine.understood(OURS, "what is the weather", 2_100.0)
    assert Answers(OURS, True) in effects
    assert [(one.outcome, one.why) for one in effects if isinstance(one, Settled)] == [
        ("answered too", "another person")
    ]


def test_a_loser_waits_only_so_long_for_the_winners_text():
    machine = room(B)
    machine.received(B, claim(True), 0.0)
    machine.wake(OURS, 50.0)
    machine.understood(OURS, "what is the weather", 1_000.0)
    for now_ms in range(1_000, 6_000, 500):
        assert not [one for one in machine.received(B, claim(True), now_ms) if isinstance(one, Answers)]
    assert Answers(OURS, False) in machine.received(B, claim(True), 1_000.0 + claim_state.WAIT_MS)


def test_a_private_winner_compares_and_gives_one_bit():
    winner, asks = room(B), Compare(OURS, "what time is it now")
    winner.wake(OURS, 0.0)
    winner.confirm(OURS, 0.0)
    winner.received(B, claim(first=False), 100.0)
    winner.tick(claims.ROUND_MS)
    assert not sent(winner.received(B, asks, 1_000.0), Verdict)  # not understood yet
    effects = winner.understood(OURS, "what time is it", 2_000.0, private=True)
    assert [one.message for one in sent(effects, Text)] == [Text(OURS, None)]
    assert sent(winner.received(B, asks, 2_100.0), Verdict) == [Send(Verdict(OURS, True), B)]
    probed = sent(winner.received(B, replace(asks, text="lights"), 2_200.0), Verdict)
    assert {one.message for one in probed} == {Verdict(OURS, True)}  # copies of the one bit there is


@pytest.mark.parametrize(
    ("private", "same", "answers"), [(False, True, False), (False, False, True), (True, None, False)]
)
def test_a_loser_asks_a_private_winner_unless_it_is_private_itself(private, same, answers):
    machine = room(B)
    machine.received(B, claim(True), 0.0)
    machine.wake(OURS, 50.0)
    machine.received(B, Text(THEIRS, None), 2_000.0)
    effects = machine.understood(OURS, "what is the weather", 2_100.0, private=private)
    assert [one.message for one in sent(effects, Compare)] == (
        [] if private else [Compare(THEIRS, "what is the weather")]
    )
    if not private:
        effects = machine.received(B, Verdict(THEIRS, same), 2_200.0)
    assert Answers(OURS, answers) in effects


def test_a_peer_cannot_claim_without_end():
    machine = room(B)
    for number in range(1_000):
        machine.received(B, replace(claim(), wake=number.to_bytes(8)), float(number) / 100)
    assert sum(map(len, machine._rivals.values())) == claim_state.MAX_PEER_CLAIMS
    for number in range(100):
        machine.wake(number.to_bytes(8), 20.0 + number)
    assert len(machine._bids) == claim_state.MAX_BIDS
    machine.tick(200_000.0)
    machine.tick(200_100.0)  # the last copies
    assert not machine._bids and not any(machine._rivals.values())
    assert machine.due_ms() is None


def test_ranks_are_one_order_for_all():
    better = [claim(), claim(first=False), claim(first=False, snr_step=4), claim(able=False, snr_step=30)]
    assert sorted(better, key=lambda one: rank(A, one), reverse=True) == better
    assert rank(A, claim()) > rank(B, claim())


@pytest.mark.parametrize(
    "message",
    [
        claim(),
        Withdraw(OURS),
        Text(OURS, "hi"),
        Text(OURS, None),
        Compare(OURS, "a"),
        Verdict(OURS, True),
        Second(OURS, None),
    ],
)
def test_messages_survive_being_written(message):
    assert claim_messages.from_value(claim_messages.to_value(message)) == message


# --- several rooms ----------------------------------------------------------------------------------------------

moments = st.floats(0, 250)
rooms = st.builds(
    Room,
    hears_ms=st.none() | moments,
    confirmed_after_ms=st.none() | st.floats(0, 200),
    able=st.sampled_from([True, True, True, False]),
    engaged=st.sampled_from([False, False, True]),
    snr_step=st.integers(0, 4),
    text=st.sampled_from([*HEARD_AS, None]),
    text_ms=st.floats(1_500, 3_500),
    private=st.sampled_from([False, False, True]),
)
homes = st.lists(rooms, min_size=1, max_size=6)
seeds = st.integers(0, 2**32)


def could_answer(home: list[Room]) -> bool:
    return any(
        one.hears_ms is not None and one.confirmed_after_ms is not None and one.text and one.dies_ms is None
        for one in home
    )


@settings(max_examples=300, deadline=None)
@given(homes, seeds)
def test_exactly_one_room_answers_and_at_most_one_chimes(home, seed):
    outcome = run_trial(home, Links(), seed)
    assert len(outcome.chimed) <= 1
    assert len(outcome.answered) == could_answer(home)
    winners = [one for one in outcome.answered if one in outcome.chimed]
    assert all(outcome.waited_ms[one] == 0 for one in winners)  # the winner's answer waits for nothing


@settings(max_examples=200, deadline=None)
@given(homes, seeds, st.integers(0, 5), st.floats(0, 4_000), st.floats(0, 8_000))
def test_a_room_that_sleeps_makes_nobody_answer_twice(home, seed, sleeper, begins_ms, lasts_ms):
    """A busy machine: its timers fire late, and before it has read what came meanwhile."""
    sleeper %= len(home)
    home[sleeper] = replace(home[sleeper], sleeps_ms=(begins_ms, begins_ms + lasts_ms))
    heard_late = begins_ms < 500  # then it is another phrase to it, or to the others
    outcome = run_trial(home, Links(), seed)
    assert could_answer(home) <= len(outcome.answered) <= 1 + heard_late


@settings(max_examples=200, deadline=None)
@given(homes, seeds, st.data())
def test_somebody_answers_whatever_happens(home, seed, data):
    """Losses, cuts, deaths at any moment, noticed or not."""
    pairs = [frozenset((one, other)) for one in range(len(home)) for other in range(one)]
    cuts = frozenset(data.draw(st.sets(st.sampled_from(pairs)))) if pairs else frozenset()
    death = st.none() | st.floats(0, 4_000)
    home = [replace(one, dies_ms=data.draw(death)) for one in home]
    links = Links(loss=0.01, cuts=cuts, notice_ms=data.draw(st.sampled_from([None, 50.0, 1_000.0])))
    outcome = run_trial(home, links, seed)
    assert bool(outcome.answered) >= could_answer(home)


@settings(max_examples=150, deadline=None)
@given(homes, st.integers(1, 5), seeds)
def test_a_home_in_two_halves_answers_once_in_each(home, cut, seed):
    cuts = frozenset(
        frozenset((one, other)) for one in range(len(home)) for other in range(len(home)) if one < cut <= other
    )
    outcome = run_trial(home, Links(cuts=cuts), seed)
    halves = [[one for one in range(len(home)) if (one < cut) == left] for left in (True, False)]
    for half in halves:
        there = [one for one in outcome.answered if one in half]
        assert len(there) == could_answer([home[one] for one in half])


def speaks(home: list[Room]) -> list[Room]:
    return [
        replace(one, hears_ms=one.hears_ms or 0.0, confirmed_after_ms=50.0, text=one.text or HEARD_AS[0], private=False)
        for one in home
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(rooms, min_size=2, max_size=6).map(speaks), seeds)
def test_two_persons_are_each_answered_once(home, seed):
    home = second_person(home, seed)
    outcome = run_trial(home, Links(), seed)
    assert sorted(home[one].text == OTHER_REQUEST for one in outcome.answered) == [False, True]
    assert len(outcome.chimed) == 1
    late = [outcome.waited_ms[one] for one in outcome.answered if one not in outcome.chimed]
    assert max(late) < claim_state.WAIT_MS


@settings(max_examples=200, deadline=None)
@given(homes, seeds)
def test_no_text_leaves_a_private_room(home, seed):
    home = second_person(home, seed) if len(home) > 1 else home
    for number, _, message in run_trial(home, Links(loss=0.01), seed).sent:
        assert not (home[number].private and getattr(message, "text", None))


# --- rules broken on purpose: the oracle must see it --------------------------------------------------------------


def trials(count: int, make: Any = Claims, *, loss: float = 0.0, **more: Any) -> list[Outcome]:
    homes = ([replace(one, **more) for one in draw_rooms(seed, 5)] for seed in range(count))
    return [run_trial(home, Links(loss=loss), seed, make) for seed, home in enumerate(homes)]


class NeverYields(Claims):
    """It hears no `answering`."""

    def received(self, peer, message, now_ms):
        deaf = isinstance(message, Text) or (isinstance(message, Claim) and message.answering)
        return self.tick(now_ms) if deaf else super().received(peer, message, now_ms)


class AnswersAtOnce(Claims):
    def _turn_ms(self, bid):
        return bid.at_ms


class NeverTakesOver(Claims):
    def _turn_ms(self, bid):
        better = any(one.rank > bid.rank for one in self._rivals_of(bid))
        return float("inf") if better else super()._turn_ms(bid)


class ConcedesToTheLouder(Claims):
    """Everybody who knows a louder claim steps back for good: with what is heard when, that has cycles."""

    def wake(self, wake, now_ms, **how):
        effects = super().wake(wake, now_ms, **how)
        bid = self._bids[wake]
        if any(one.claim.snr_step > bid.claim.snr_step for one in self._rivals_of(bid)) or not bid.claim.first:
            effects += self.withdraw(wake, now_ms)
        return effects

    def received(self, peer, message, now_ms):
        effects = super().received(peer, message, now_ms)
        for wake, bid in list(self._bids.items()):
            if isinstance(message, Claim) and message.snr_step > bid.claim.snr_step and bid.chimes is None:
                effects += self.withdraw(wake, now_ms)
        return effects


class AnswersEverySecondPerson(Claims):
    """The rule as one would first write it: who heard another text answers."""

    def _say(self, message, now_ms, to=None):
        if not isinstance(message, Second):
            super()._say(message, now_ms, to)


def test_the_oracle_sees_several_answers():
    assert all(len(one.answered) == 1 for one in trials(40))
    assert any(len(one.answered) > 1 for one in trials(40, NeverYields))


def test_the_oracle_sees_several_chimes():
    assert all(len(one.chimed) == 1 for one in trials(40))
    assert any(len(one.chimed) > 1 for one in trials(40, AnswersAtOnce))
    assert any(len(one.chimed) > 1 for one in trials(40, NeverYields))


@pytest.mark.parametrize(("round_ms", "chimes"), [(claim_state.ROUND_MS, 1), (200.0, 2)])
def test_a_round_is_as_long_as_two_claims_that_cross_need(monkeypatch, round_ms, chimes):
    monkeypatch.setattr(claims, "ROUND_MS", round_ms)
    home = [Room(hears_ms=0.0, snr_step=1), Room(hears_ms=110.0, snr_step=9)]
    slowest = Links(delay_ms=0.0, jitter_ms=0.0, least_ms=120.0)
    outcome = run_trial(home, slowest, 0)
    assert len(outcome.chimed) == chimes
    assert outcome.answered == [1]  # two chimes end with one answer all the same


def test_messages_that_are_said_once_are_missed(monkeypatch):
    assert all(len(one.chimed) == len(one.answered) == 1 for one in trials(150, loss=0.05))
    monkeypatch.setattr(claims, "COPIES", 1)
    assert any(len(one.chimed) > 1 for one in trials(150, loss=0.05))


@pytest.mark.parametrize(("text", "answered"), [(HEARD_AS[1], [0]), (OTHER_REQUEST, [0, 1])])
def test_who_detects_it_much_too_late_does_not_answer_the_same_again(text, answered):
    late = Room(hears_ms=1_200.0, text=text, text_ms=3_000.0)
    outcome = run_trial([Room(hears_ms=0.0, text_ms=2_000.0), late], Links(), 3)
    assert outcome.chimed == [0, 1]  # to each it was a phrase of its own
    assert outcome.answered == answered


def test_a_winner_that_hears_nothing_leaves_it_to_the_next():
    deaf = Room(hears_ms=0.0, snr_step=9, text=None, text_ms=1_500.0)
    outcome = run_trial([deaf, Room(hears_ms=10.0, snr_step=1)], Links(), 1)
    assert (outcome.chimed, outcome.answered) == ([0], [1])
    assert {(number, one.outcome) for number, one in outcome.settled} == {(0, "withdrew"), (1, "answered")}


def test_the_oracle_sees_that_nobody_answers():
    assert any(not one.answered for one in trials(60, ConcedesToTheLouder))
    dying = [
        [replace(one, dies_ms=one.hears_ms + 150) if one.snr_step > 6 else one for one in draw_rooms(s, 5)]
        for s in range(60)
    ]
    living = [(seed, home) for seed, home in enumerate(dying) if could_answer(home)]
    links = Links(notice_ms=None)
    assert all(run_trial(home, links, seed).answered for seed, home in living)
    assert any(not run_trial(home, links, seed, NeverTakesOver).answered for seed, home in living)


def test_the_oracle_sees_a_second_person_answered_twice():
    homes = [second_person([replace(one, text_ms=2_000.0) for one in draw_rooms(seed, 5)], seed) for seed in range(40)]
    assert all(len(run_trial(home, Links(), seed).answered) == 2 for seed, home in enumerate(homes))
    broken = [run_trial(home, Links(), seed, AnswersEverySecondPerson).answered for seed, home in enumerate(homes)]
    assert any(len(one) > 2 for one in broken)
