"""What rooms say of a wake word and of their own speech, as targets for `fuzzing`: what is understood goes on into the
machine, which must bear whatever a peer says whenever it says it."""

from __future__ import annotations

from jarvis.core.codec import pack, unpack
from jarvis.node.hearing import echo
from jarvis.testing.fuzzing import Target
from jarvis.voice.arbitration import messages as words
from jarvis.voice.arbitration.claims import Claims
from jarvis.voice.arbitration.state import LIFE_MS, MAX_BIDS, MAX_PEER_CLAIMS

ME, PEER = b"m" * 16, b"p" * 16
OURS, THEIRS = b"o" * words.WAKE_ID_BYTES, b"t" * words.WAKE_ID_BYTES
BEGINS_EVERY = 50
STEP_MS = 40.0


class _Machine:
    """Every so many inputs a wake word is heard, and later a text: each message comes at another moment of a bid."""

    def __init__(self) -> None:
        self._claims = Claims(ME, {PEER})
        self._count = 0

    def __call__(self, data: bytes) -> None:
        message = words.from_value(unpack(data, words.LIMITS))
        assert words.from_value(unpack(pack(words.to_value(message)), words.LIMITS)) == message
        claims, self._count = self._claims, self._count + 1
        now_ms, step = self._count * STEP_MS, self._count % BEGINS_EVERY
        if step == 1:
            claims.wake(OURS, now_ms)
            claims.confirm(OURS, now_ms)
        elif step == BEGINS_EVERY // 2:
            claims.understood(OURS, "what time is it", now_ms, private=bool(self._count % 3))
        elif step == BEGINS_EVERY - 1:
            claims.tick(now_ms + LIFE_MS)  # this bid is over
        effects = claims.received(PEER, message, now_ms)
        assert len(effects) < 100
        assert len(claims._bids) <= MAX_BIDS and all(len(one) <= MAX_PEER_CLAIMS for one in claims._rivals.values())
        due_ms = claims.due_ms()
        assert due_ms is None or due_ms >= now_ms


def _speaking(data: bytes) -> None:
    saying = echo.from_value(unpack(data, echo.LIMITS))
    assert echo.from_value(unpack(pack(echo.to_value(saying)), echo.LIMITS)) == saying


def _claim_examples() -> list[bytes]:
    messages: list[words.Message] = [
        words.Claim(THEIRS, False, True, False, True, 7),
        words.Claim(THEIRS, True, True, True, False, 0),
        words.Withdraw(THEIRS),
        words.Text(THEIRS, "what time is it"),
        words.Text(THEIRS, None),
        words.Compare(OURS, "what is the time"),
        words.Verdict(THEIRS, False),
        words.Second(THEIRS, "turn on the lamp"),
    ]
    return [pack(words.to_value(one)) for one in messages]


def _speaking_examples() -> list[bytes]:
    said = [echo.Saying(1_500, False, "Your timer is done."), echo.Saying(0, True, None)]
    return [pack(echo.to_value(one)) for one in said]


def claim_targets() -> list[Target]:
    return [Target("claim", _Machine(), _claim_examples), Target("speaking", _speaking, _speaking_examples)]
