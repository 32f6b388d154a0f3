"""What two nodes say when one lends the other an engine: a question and its answer, each cut into pieces that fit a
request. Pure. Nothing that is read here is believed: sizes are bounded before bytes are kept, order before they are
joined, shapes before they are handed to a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from jarvis.core.codec import Limits, Value, pack, unpack
from jarvis.core.errors import EngineFailed, InvalidBytes, InvalidInput

JOB_BYTES = 16
PIECE_BYTES = 31 * 1024
"""Of a request's 32 KiB."""
MAX_ASKED_BYTES = 1024 * 1024
"""Half a minute of 16 kHz sound; an utterance ends after 15 s."""
MAX_GIVEN_BYTES = 4 * 1024 * 1024
"""A minute and a half of the voice's sound; a sentence is under 15 s."""
MAX_SENTENCE_CHARS = 300
METHODS = frozenset({("stt", "transcribe"), ("tts", "synthesize"), ("llm", "complete")})
"""All that is lent: (kind of engine, method)."""
_PIECE = Limits(size_bytes=32 * 1024, depth=1, items=5)
_ASKED = Limits(size_bytes=MAX_ASKED_BYTES, depth=5, items=512)
_GIVEN = Limits(size_bytes=MAX_GIVEN_BYTES, depth=5, items=512)
_OFFER = Limits(size_bytes=256, depth=1, items=9)


@dataclass(frozen=True, slots=True)
class Piece:
    job: bytes
    index: int
    total_bytes: int
    """Of the whole."""
    data: bytes


def pieces(job: bytes, whole: bytes) -> Iterator[bytes]:
    """The bodies of the requests that carry `whole`; at least one."""
    for index, start in enumerate(range(0, max(len(whole), 1), PIECE_BYTES)):
        yield pack([job, index, len(whole), whole[start : start + PIECE_BYTES]])


def read_piece(body: bytes) -> Piece:
    """Raises InvalidBytes."""
    value = unpack(body, _PIECE)
    if not isinstance(value, list) or [type(one) for one in value] != [bytes, int, int, bytes]:
        raise InvalidBytes("That is no piece of anything.")
    job, index, total, data = value
    if len(job) != JOB_BYTES or index < 0 or total < 0:
        raise InvalidBytes("That is no piece of anything.")
    return Piece(job, index, total, data)


@dataclass(slots=True)
class Whole:
    """Joins pieces that come in their order. `at_ms` is when it began."""

    limit_bytes: int
    at_ms: float = 0.0
    _held: list[bytes] = field(default_factory=list)
    _bytes: int = 0

    def add(self, piece: Piece) -> bytes | None:
        """The whole once it is there. Raises InvalidBytes for what is out of order or too much."""
        if piece.total_bytes > self.limit_bytes:
            raise InvalidBytes(f"{piece.total_bytes} bytes are more than the {self.limit_bytes} that are taken.")
        last = self._bytes + len(piece.data) == piece.total_bytes
        if piece.index != len(self._held) or (len(piece.data) != PIECE_BYTES and not last):
            raise InvalidBytes("A piece is missing, or comes twice.")
        if self._bytes + len(piece.data) > piece.total_bytes:
            raise InvalidBytes("There is more than was announced.")
        self._held.append(piece.data)
        self._bytes += len(piece.data)
        return b"".join(self._held) if last else None


@dataclass(frozen=True, slots=True)
class Asked:
    kind: str
    method: str
    args: tuple[Value, ...]
    deadline_ms: int
    """How long the one who asks waits."""


def write_asked(asked: Asked) -> bytes:
    """Raises InvalidInput for more than may be asked."""
    body = pack([asked.kind, asked.method, list(asked.args), asked.deadline_ms])
    if len(body) > MAX_ASKED_BYTES:
        raise InvalidInput("That is too long to be asked of another room.")
    return body


def read_asked(body: bytes) -> Asked:
    """Raises InvalidBytes for anything but a method that is lent with what it takes."""
    value = unpack(body, _ASKED)
    if not isinstance(value, list) or [type(one) for one in value] != [str, str, list, int]:
        raise InvalidBytes("That is no question to an engine.")
    kind, method, args, deadline_ms = value
    if (kind, method) not in METHODS or not _fits(kind, args) or deadline_ms <= 0:
        raise InvalidBytes("That is no question to an engine that is lent.")
    return Asked(kind, method, tuple(args), deadline_ms)


def _fits(kind: str, args: Sequence[Value]) -> bool:
    if kind == "stt":
        return len(args) == 1 and isinstance(args[0], bytes) and len(args[0]) % 2 == 0
    if kind == "tts":
        return len(args) == 1 and isinstance(args[0], str)
    return (
        len(args) == 2
        and isinstance(args[0], list)
        and all(isinstance(one, dict) and one.keys() == {"role", "content"} for one in args[0])
        and all(isinstance(text, str) for one in args[0] for text in one.values())
        and type(args[1]) is int
        and 0 < args[1] <= 512
    )


def write_given(value: Value) -> bytes:
    """Raises InvalidInput for an answer that is too long."""
    body = pack([True, value])
    if len(body) > MAX_GIVEN_BYTES:
        raise InvalidInput("The answer is too long for another room.")
    return body


def write_refused(sentence: str) -> bytes:
    return pack([False, sentence[:MAX_SENTENCE_CHARS]])


def read_given(body: bytes) -> Value:
    """What the engine answered. Raises EngineFailed with its sentence when it did not, InvalidBytes for nonsense."""
    value = unpack(body, _GIVEN)
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], bool):
        raise InvalidBytes("That is no answer of an engine.")
    if value[0]:
        return value[1]
    if not isinstance(value[1], str):
        raise InvalidBytes("That is no answer of an engine.")
    raise EngineFailed("".join(char if char.isprintable() else " " for char in value[1][:MAX_SENTENCE_CHARS]))


def write_offer(kinds: Sequence[str]) -> bytes:
    return pack(sorted(kinds))


def read_offer(body: bytes) -> frozenset[str]:
    """The kinds of engines that a peer would lend now. Raises InvalidBytes."""
    value = unpack(body, _OFFER)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidBytes("That is no offer.")
    return frozenset(value)
