"""Which room answers one "hey Jarvis" that several rooms hear 0 to 250 ms apart: one room's part of the agreement,
without leader, shared clock or I/O. Events and the time in milliseconds go in, effects come out. It must never delay
the answer of the room that wins, let a text out of a private room, or leave a person without an answer while a room
can give one.

Each room gives its claim an id and tells it to all; `answering` is the same message said again with that flag.

    state      what happens                               then
    ---------  -----------------------------------------  ----------------------------------------------------------
    -          the wake word is detected                  claim. `first` unless another's claim was heard within the
                                                          700 ms before (concede); a room in a dialogue concedes to
                                                          none, an able room to no unable one. Everybody captures.
    claiming   no peer is linked, and it is confirmed     answering, at once
    claiming   its turn has come, and it is confirmed     answering: chime, tell all (takeover, if better ones stayed
                                                          silent)
    claiming   a peer is answering                        yield to it
    answering  a peer of higher rank is answering too,    stop silently and yield to it: nothing was replied yet
               or one that is replying already
    answering  one of lower rank claims or answers        tell it again, it alone
    answering  its text is known                          reply, and tell the text to those who claimed; or, if one
                                                          of another phrase within 2 s has told the same, stop
    yielding   the one it yielded to withdraws, is cut    claiming again
               off or silent for 2.5 s, and has told
               no text
    yielding   its text is known, and the winner's too    silent, if 30 % of its words are in the winner's; else a
                                                          second person spoke: reply too, when its turn has come
    any        nothing was said, or it was no wake word   withdraw

Rank: able, first, engaged, steps of SNR, lower node id. All of it is in the claims, so any two rooms order any two
claims alike. Turn: a round of 240 ms after the own claim, for the best claim that is known; a room with n better ones
before it waits 1 + n rounds from the last of these that it heard of; an unable one two rounds more.

Why somebody always answers: to concede one must have received a claim, and that was made earlier; so conceding has no
cycles, and whoever detected first concedes to nobody. Every other state ends: each waits for one of higher rank that
shows life twice a second, and ranks have no cycles either.

Why only one chimes: let no message take longer than half a round and none be lost. Two claims of rooms that did not
concede crossed, hence were made within half a round of each other, hence each is known to the other a round after its
own: only the better one answers. Whoever conceded waits at least two rounds from when the claim of a better one came,
and the `answering` is there before. With longer delays or loss two may chime; then the lower rank stops before
replying.

Two persons: rooms that lost and heard another text ask each other in the same way (`second`): who hears of an equal
text before it told its own stays silent, those that crossed go by rank, a round later. What cannot be compared counts
as equal.

Private rooms: no text leaves them. A winner there says only that it is private; a loser whose own room shares sends
its text to it, and it answers with one bit. Between two private rooms the loser yields.

Every message is said three times, 40 ms apart: losing one of a hundred then costs nothing, and a link that lost a
packet notices.

A room that slept, because its machine was busy, knows it from a tick that came too late: it takes in what came
meanwhile before it decides anything, and calls nobody silent for the time of its own sleep.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from jarvis.voice.arbitration.messages import MAX_TEXT_CHARS, Claim, Compare, Message, Second, Text, Verdict, Withdraw
from jarvis.voice.arbitration.state import (
    COPIES,
    COPY_MS,
    LATE_MS,
    LIFE_MS,
    MAX_BIDS,
    MAX_PEER_CLAIMS,
    PHRASE_MS,
    PULSE_MS,
    ROUND_MS,
    SILENT_MS,
    UNABLE_ROUNDS,
    WAIT_MS,
    Answers,
    Bid,
    Chimes,
    Effect,
    Other,
    Rival,
    Send,
    Settled,
    State,
    equal,
)


@dataclass(slots=True)
class _Copy:
    due_ms: float
    send: Send


@dataclass
class Claims:
    """One room's part. Every method takes the time and gives effects in the order in which to carry them out; `due_ms`
    says when `tick` is wanted next. Ids of claims are the caller's, 8 random bytes each."""

    me: bytes
    peers: set[bytes] = field(default_factory=set)
    """Linked now."""
    _bids: dict[bytes, Bid] = field(default_factory=dict)
    _rivals: dict[bytes, dict[bytes, Rival]] = field(default_factory=dict)
    """Peer -> claim's id -> claim."""
    _copies: list[_Copy] = field(default_factory=list)
    _out: list[Effect] = field(default_factory=list)
    _wanted_ms: float | None = None
    """When the next tick was due."""
    _ticked_ms: float = 0.0
    _awake_ms: float = 0.0
    """Nothing is decided before: after a sleep."""

    # --- what happens here --------------------------------------------------------------------------------------

    def wake(
        self, wake: bytes, now_ms: float, *, able: bool = True, engaged: bool = False, snr_step: int = 0
    ) -> list[Effect]:
        """The wake word was detected, perhaps."""
        before = [one for one in self._all_rivals() if now_ms - PHRASE_MS <= one.heard_ms and not one.over]
        first = engaged or not any(one.claim.able or not able for one in before)
        claim = Claim(wake, False, able, engaged, first, snr_step)
        if len(self._bids) >= MAX_BIDS:
            self._end(self._bids.pop(next(iter(self._bids))), now_ms, "gave up")
        self._bids[wake] = Bid(self.me, claim, now_ms)
        self._say(claim, now_ms)
        return self.tick(now_ms)

    def confirm(self, wake: bytes, now_ms: float) -> list[Effect]:
        """It was the wake word."""
        if bid := self._bids.get(wake):
            bid.confirmed = True
        return self.tick(now_ms)

    def withdraw(self, wake: bytes, now_ms: float) -> list[Effect]:
        """It was not, or nothing was said after it."""
        bid = self._bids.get(wake)
        if bid is not None and bid.state is not State.OVER:
            self._withdraw(bid, now_ms)
        return self.tick(now_ms)

    def understood(self, wake: bytes, text: str, now_ms: float, *, private: bool = False) -> list[Effect]:
        """What was said to this room after its wake word: `Answers` follows, at once for the winner."""
        bid = self._bids.get(wake)
        if bid is None or bid.state is State.OVER:
            self._out.append(Answers(wake, False))
        elif bid.text is None:
            bid.text, bid.private, bid.text_ms, bid.confirmed = text[:MAX_TEXT_CHARS], private, now_ms, True
        return self.tick(now_ms)

    # --- what happens elsewhere ---------------------------------------------------------------------------------

    def linked(self, peer: bytes, now_ms: float) -> list[Effect]:
        self.peers.add(peer)
        return self.tick(now_ms)

    def lost(self, peer: bytes, now_ms: float) -> list[Effect]:
        """Its link is cut."""
        self.peers.discard(peer)
        for rival in self._rivals.get(peer, {}).values():
            self._out_of_it(rival, now_ms)
            rival.gone = True
        return self.tick(now_ms)

    def received(self, peer: bytes, message: Message, now_ms: float) -> list[Effect]:
        rival = self._rivals.get(peer, {}).get(message.wake)
        match message:
            case Claim():
                self._claimed(peer, message, rival, now_ms)
            case Compare():
                self._compare(peer, message, now_ms)
            case Verdict() if rival is not None:
                rival.same = message.same
            case Withdraw() if rival is not None:
                self._out_of_it(rival, now_ms)
                rival.withdrawn = True
            case Text() if rival is not None:
                rival.told, rival.text = True, message.text
                rival.claim = replace(rival.claim, answering=True)
            case Second() if rival is not None:
                rival.second, rival.told, rival.text = True, True, message.text
        for one in self._rivals.get(peer, {}).values():
            one.sign_ms, one.gone = now_ms, False
        return self.tick(now_ms)

    def _claimed(self, peer: bytes, claim: Claim, rival: Rival | None, now_ms: float) -> None:
        known, news = self._rivals.setdefault(peer, {}), rival is None
        if rival is None:
            if len(known) >= MAX_PEER_CLAIMS:
                del known[next(iter(known))]
            rival = known[claim.wake] = Rival(peer, claim, now_ms, now_ms)
        elif claim.answering and not rival.claim.answering:
            rival.claim, news = replace(rival.claim, answering=True), True
        for bid in self._bids.values():
            if news and bid.state is State.ANSWERING and bid.concerns(rival) and bid.rank > rival.rank:
                self._say(bid.claim, now_ms, peer)

    def _compare(self, peer: bytes, asked: Compare, now_ms: float) -> None:
        """Answered with one bit, and the same one however often it is asked: our text cannot be probed."""
        bid = self._bids.get(asked.wake)
        if bid is None or bid.text is None:
            return
        rival = next((one for one in self._rivals_of(bid) if one.peer == peer), None)
        if rival is not None and rival.same is None:
            rival.same = equal(asked.text, bid.text)
            self._say(Verdict(asked.wake, rival.same), now_ms, peer)

    # --- what follows -------------------------------------------------------------------------------------------

    def tick(self, now_ms: float) -> list[Effect]:
        """Everything that is due by now."""
        if self.peers and self._wanted_ms is not None and now_ms > self._wanted_ms + LATE_MS:
            self._awake_ms = now_ms + ROUND_MS
            for rival in self._all_rivals():
                rival.sign_ms = now_ms
            waiting = [one for one in self._bids.values() if one.state is State.ANSWERING and one.answers is None]
            self._out += [Send(one.claim, None) for one in waiting]
        for bid in list(self._bids.values()) if now_ms >= self._awake_ms else ():
            before = None
            while before != (bid.state, bid.winner and bid.winner.claim.wake):  # ranks only rise, so it ends
                before = (bid.state, bid.winner and bid.winner.claim.wake)
                self._advance(bid, now_ms)
            if now_ms >= bid.at_ms + LIFE_MS:
                self._end(bid, now_ms, "gave up")
                del self._bids[bid.claim.wake]
        self._forget(now_ms)
        due = [one for one in self._copies if one.due_ms <= now_ms]
        self._copies = [one for one in self._copies if one.due_ms > now_ms]
        self._out += [one.send for one in due]
        self._ticked_ms = now_ms
        self._wanted_ms = self.due_ms()
        out, self._out = self._out, []
        return out

    def due_ms(self) -> float | None:
        """When something is due by itself; None while nothing is."""
        moments = [one.due_ms for one in self._copies]
        for bid in self._bids.values():
            moments.append(bid.at_ms + LIFE_MS)
            if bid.state is State.CLAIMING and bid.confirmed:
                moments.append(self._turn_ms(bid))
            elif bid.state is State.ANSWERING and bid.answers is None:
                moments.append(bid.pulse_ms)
            elif bid.state is State.YIELDING and bid.answers is None:
                assert bid.winner is not None
                if not bid.winner.told:  # often enough to notice that it was this room that slept
                    moments.append(min(bid.winner.sign_ms + SILENT_MS, self._ticked_ms + PULSE_MS))
                if bid.text is not None:
                    moments.append(bid.text_ms + WAIT_MS if bid.second_ms is None else bid.second_ms + ROUND_MS)
        if moments and self._awake_ms > self._ticked_ms:
            return self._awake_ms
        return min(moments, default=None)

    def _advance(self, bid: Bid, now_ms: float) -> None:
        """The table above."""
        if bid.answers is not None:
            return
        answering = [one for one in self._rivals_of(bid) if one.answering]
        match bid.state:
            case State.CLAIMING:
                if answering:
                    self._yield(bid, answering)
                elif bid.confirmed and now_ms >= self._turn_ms(bid):
                    self._answer(bid, now_ms)
            case State.ANSWERING:
                if better := [one for one in answering if one.rank > bid.rank or one.told]:
                    self._yield(bid, better)
                elif bid.text is not None and self._answered_by_another(bid, bid.text):
                    self._lose(bid, now_ms)
                elif bid.text is not None:
                    self._reply(bid, now_ms)
                elif now_ms >= bid.pulse_ms:
                    bid.pulse_ms = now_ms + PULSE_MS
                    self._out.append(Send(bid.claim, None))
            case State.YIELDING:
                assert bid.winner is not None
                silent = not bid.winner.told and now_ms >= bid.winner.sign_ms + SILENT_MS
                if silent:
                    bid.winner.gone = True
                if bid.winner.over and not bid.winner.told:
                    bid.state, bid.winner, bid.since_ms = State.CLAIMING, None, now_ms
                elif max(answering, key=_rank_of, default=bid.winner).rank > bid.winner.rank:
                    self._yield(bid, answering)
                elif bid.text is not None:
                    self._second(bid, bid.winner, now_ms)

    def _turn_ms(self, bid: Bid) -> float:
        """When this one answers, as far as is known."""
        if not self.peers:
            return bid.at_ms
        ahead = [one for one in self._rivals_of(bid) if not one.over and one.rank > bid.rank]
        rounds = 1 + len(ahead) + (0 if bid.claim.able else UNABLE_ROUNDS)
        since_ms = max(bid.at_ms, bid.since_ms, *(one.heard_ms for one in ahead)) if ahead else bid.at_ms
        return since_ms + ROUND_MS * rounds

    def _answer(self, bid: Bid, now_ms: float) -> None:
        bid.why = self._why(bid)
        bid.state, bid.claim, bid.pulse_ms = State.ANSWERING, replace(bid.claim, answering=True), now_ms + PULSE_MS
        self._say(bid.claim, now_ms)
        if bid.chimes is None:
            bid.chimes = True
            self._out.append(Chimes(bid.claim.wake, True))

    def _yield(self, bid: Bid, answering: Iterable[Rival]) -> None:
        bid.state, bid.winner = State.YIELDING, max(answering, key=_rank_of)
        self._copies = [one for one in self._copies if one.send.message != bid.claim or not bid.claim.answering]
        bid.claim = replace(bid.claim, answering=False)
        if bid.chimes is None:
            bid.chimes = False
            self._out.append(Chimes(bid.claim.wake, False))

    def _reply(self, bid: Bid, now_ms: float) -> None:
        for rival in self._all_rivals():
            if bid.is_near(rival) and not rival.withdrawn:  # one that was silent may only have slept
                self._say(Text(bid.claim.wake, bid.shown), now_ms, rival.peer)
        self._close(bid, True, now_ms, "answered")

    def _second(self, bid: Bid, winner: Rival, now_ms: float) -> None:
        """A loser's text is known: was it another person's?"""
        assert bid.text is not None
        wake = bid.claim.wake
        if now_ms >= bid.text_ms + WAIT_MS and bid.second_ms is None:
            return self._lose(bid, now_ms)
        if not winner.told:
            return None
        if winner.text is not None:
            winner.same = equal(bid.text, winner.text)
        elif bid.private:
            winner.same = True
        elif not bid.asked:
            bid.asked = True
            self._say(Compare(winner.claim.wake, bid.text), now_ms, winner.peer)
        if winner.same is None:
            return None
        others = [one for one in self._rivals_of(bid) if one is not winner and not one.over]
        alike = [one for one in others if one.second and equal(bid.text, one.text)]
        if winner.same or any(bid.second_ms is None or one.rank > bid.rank for one in alike):
            return self._lose(bid, now_ms)
        if bid.second_ms is None:
            bid.second_ms = now_ms
            for rival in others:
                self._say(Second(wake, bid.shown), now_ms, rival.peer)
        if not others or now_ms >= bid.second_ms + ROUND_MS:
            bid.why = "another person"
            self._close(bid, True, now_ms, "answered too")
        return None

    # --- endings ------------------------------------------------------------------------------------------------

    def _lose(self, bid: Bid, now_ms: float) -> None:
        self._close(bid, False, now_ms, "stopped")

    def _withdraw(self, bid: Bid, now_ms: float) -> None:
        newer = list(self._bids)[-1] != bid.claim.wake
        self._copies = [one for one in self._copies if one.send.message.wake != bid.claim.wake]
        if bid.answers is None and not newer:  # the phrase was said again: this room still answers
            self._say(Withdraw(bid.claim.wake), now_ms)
        self._end(bid, now_ms, "withdrew")

    def _end(self, bid: Bid, now_ms: float, outcome: str) -> None:
        if bid.chimes is None:
            bid.chimes = False
            self._out.append(Chimes(bid.claim.wake, False))
        self._close(bid, False, now_ms, outcome)
        bid.state = State.OVER

    def _close(self, bid: Bid, answers: bool, now_ms: float, outcome: str) -> None:
        if bid.answers is not None:
            return
        bid.answers = answers
        self._out.append(Answers(bid.claim.wake, answers))
        if answers or bid.chimes:
            others = tuple(
                Other(one.peer, one.claim, one.heard_ms - bid.at_ms, one.over) for one in self._rivals_of(bid)
            )
            self._out.append(Settled(bid.claim.wake, outcome, bid.why, bid.claim, others))

    # --- who else -----------------------------------------------------------------------------------------------

    def _why(self, bid: Bid) -> str:
        """Why this room answers, by what is known at that moment."""
        rivals = [one for one in self._rivals_of(bid) if not one.over]
        if bid.since_ms or any(one.rank > bid.rank for one in rivals):
            return "took over"
        if not rivals:
            return "only one" if self.peers else "alone"
        best = max(rivals, key=_rank_of).rank
        names = ("able", "first", "dialogue", "louder", "lower id")
        return next(name for name, mine, theirs in zip(names, bid.rank, best, strict=True) if mine != theirs)

    def _all_rivals(self) -> list[Rival]:
        return [rival for known in self._rivals.values() for rival in known.values()]

    def _rivals_of(self, bid: Bid) -> list[Rival]:
        return [one for one in self._all_rivals() if bid.concerns(one)]

    def _answered_by_another(self, bid: Bid, text: str) -> bool:
        told = [one.text for one in self._all_rivals() if one.claim.answering and bid.is_near(one)]
        return any(other is not None and equal(text, other) for other in told)

    def _out_of_it(self, rival: Rival, now_ms: float) -> None:
        """It does not answer: whoever is next need not wait for it, but waits for those before it from now on."""
        for bid in self._bids.values():
            ahead = rival.rank > bid.rank and bid.concerns(rival) and not rival.over
            if bid.state is State.CLAIMING and ahead:
                bid.since_ms = now_ms

    def _forget(self, now_ms: float) -> None:
        for known in self._rivals.values():
            while known and (oldest := next(iter(known.values()))).heard_ms < now_ms - LIFE_MS:
                del known[oldest.claim.wake]

    def _say(self, message: Message, now_ms: float, to: bytes | None = None) -> None:
        send = Send(message, to)
        self._out.append(send)
        self._copies += [_Copy(now_ms + COPY_MS * number, send) for number in range(1, COPIES)]


def _rank_of(rival: Rival) -> tuple[object, ...]:
    return rival.rank
