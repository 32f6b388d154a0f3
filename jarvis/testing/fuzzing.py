"""Damaged bytes for decoders: takes well-formed examples, damages them, and sees that a decoder either understands them
or says InvalidBytes (any JarvisError), in bounded memory. Half of the damage is done to the bytes, half to the value
that they encode, so that what lies behind the first check is reached too. One seed is one sequence of inputs."""

from __future__ import annotations

import gc
import os
import random
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jarvis.core.codec import Limits, Value, pack, unpack
from jarvis.core.errors import InvalidBytes, JarvisError

MAX_GROWTH_BYTES = 16 * 1024 * 1024
"""Of the process over a target's run, after its first second: allocators keep some, a leak of 100 bytes an input keeps
a hundred times this in ten million inputs."""
MAX_INPUT_BYTES = 300_000
"""A little more than the largest frame, so that the limits themselves are tried."""
MAX_CRASHES = 20
WARM_UP_S = 1.0
CHECK_EVERY = 256
"""Inputs between two looks at the clock."""
_LOOSE = Limits(size_bytes=MAX_INPUT_BYTES, depth=16, items=100_000)
_NUMBERS = (0, 1, -1, 2, 127, 128, 255, 256, 65_535, 65_536, 2**31, 2**32 - 1, 2**47, 2**48, 2**53, 2**63, 2**64 - 1)
_ODD: Sequence[Value] = (
    *(None, True, False, 0.0, 1.5, "", "\x00", "put", "ä" * 40),
    *(b"", b"\x00" * 16, b"\xff" * 32, [], {}, [[]], {"": 0}),
)

Decoder = Callable[[bytes], object]


@dataclass(frozen=True)
class Target:
    """One decoder. `decode` may raise JarvisError and nothing else; what it checks beyond that it asserts itself."""

    name: str
    decode: Decoder
    examples: Callable[[], Sequence[bytes]]
    """Well-formed inputs, or nearly."""
    damage_value: bool = True
    """Whether an input is one msgpack value."""


@dataclass
class Crash:
    data: bytes
    reason: str


@dataclass
class Result:
    target: str
    executions: int = 0
    understood: int = 0
    """Inputs that were decoded in spite of the damage."""
    seconds: float = 0.0
    growth_bytes: int = 0
    crashes: list[Crash] = field(default_factory=list)

    @property
    def grew(self) -> bool:
        return self.growth_bytes > MAX_GROWTH_BYTES


def run_one(target: Target, data: bytes) -> tuple[bool, Crash | None]:
    """Whether the input was understood, and how it went wrong if it did."""
    try:
        target.decode(data)
    except JarvisError:
        return False, None
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of a native library is no Exception
        return False, Crash(data, f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=-4)}")
    return True, None


def fuzz(
    target: Target,
    corpus: Sequence[bytes],
    *,
    seed: int = 0,
    seconds: float | None = None,
    executions: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Result:
    """Damage and decode for `seconds`, or `executions` times; whichever ends first, or MAX_CRASHES."""
    mutator = Mutator(random.Random(f"{seed}/{target.name}"), corpus, values=target.damage_value)  # nosec B311
    result = Result(target.name)
    began_s, base_bytes = time.monotonic(), 0
    while True:
        if result.executions % CHECK_EVERY == 0:
            result.seconds = time.monotonic() - began_s
            progress(result.executions)
            if seconds is not None and result.seconds >= seconds:
                break
            if not base_bytes and result.seconds >= WARM_UP_S:
                gc.collect()
                base_bytes = rss_bytes()
        if (executions is not None and result.executions >= executions) or len(result.crashes) >= MAX_CRASHES:
            break
        understood, crash = run_one(target, mutator.next())
        result.executions += 1
        result.understood += understood
        if crash is not None:
            result.crashes.append(crash)
    result.seconds = time.monotonic() - began_s
    if base_bytes:
        gc.collect()
        result.growth_bytes = max(0, rss_bytes() - base_bytes)
    return result


def rss_bytes() -> int:
    """Memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Mutator:
    """Damaged inputs without end, from `corpus` (not empty)."""

    def __init__(self, rng: random.Random, corpus: Sequence[bytes], *, values: bool) -> None:
        assert corpus
        self._rng = rng
        self._corpus = list(corpus)
        self._values: list[Value] = []
        for data in corpus if values else ():
            try:
                self._values.append(unpack(data, _LOOSE))
            except InvalidBytes:
                continue

    def next(self) -> bytes:
        rng = self._rng
        if self._values and rng.random() < 0.5:
            value = rng.choice(self._values)
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                value = self._damage_value(value, 0)
            try:
                data = pack(value)
            except InvalidBytes:
                data = rng.choice(self._corpus)
            if rng.random() < 0.9:
                return data[:MAX_INPUT_BYTES]
        else:
            data = rng.choice(self._corpus)
        for _ in range(rng.choice((1, 1, 2, 4, 8))):
            data = self._damage_bytes(data)
        return data[:MAX_INPUT_BYTES]

    def _damage_bytes(self, data: bytes) -> bytes:
        rng = self._rng
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 2, 4, 8, 16, 64)))
        match rng.randrange(9):
            case 0:
                return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
            case 1 if at < len(data):
                return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
            case 2:
                return data[:at] + rng.randbytes(end - at) + data[end:]
            case 3:
                return data[:at] + data[end:]
            case 4:
                return data[:at] + data[at:end] * rng.choice((2, 3, 50)) + data[end:]
            case 5:
                return data[:at]
            case 6:
                width = rng.choice((1, 2, 4, 8))
                number: int = rng.choice(_NUMBERS) % 2 ** (8 * width)
                return data[:at] + number.to_bytes(width, "big") + data[at + width :]
            case 7:
                other = rng.choice(self._corpus)
                return data[:at] + other[rng.randrange(len(other) + 1) :]
            case _:
                return (
                    data[:at]
                    + rng.choice((b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xdf\x7f\xff\xff\xff", b"\x91" * 40))
                    + data[at:]
                )

    def _damage_value(self, value: Value, depth: int) -> Value:
        """The same value but for one place in it."""
        rng = self._rng
        if isinstance(value, list) and value and rng.random() < 0.85:
            at = rng.randrange(len(value))
            match rng.randrange(8):
                case 0:
                    return value[:at] + value[at + 1 :]
                case 1:
                    return [*value[:at], value[at], *value[at:]]
                case 2:
                    return [*value[:at], self._odd(), *value[at + 1 :]]
                case _:
                    return [*value[:at], self._damage_value(value[at], depth + 1), *value[at + 1 :]]
        if isinstance(value, dict) and value and rng.random() < 0.85:
            key = rng.choice(list(value))
            rest = {one: item for one, item in value.items() if one != key}
            match rng.randrange(4):
                case 0:
                    return rest
                case 1 if not isinstance(key, bool):
                    damaged = self._damage_value(key, depth + 1)
                    return {**rest, damaged: value[key]} if isinstance(damaged, (str, bytes, int)) else rest
                case _:
                    return {**rest, key: self._damage_value(value[key], depth + 1)}
        return self._damage_leaf(value)

    def _damage_leaf(self, value: Value) -> Value:
        rng = self._rng
        if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.7:
            return rng.choice((value + 1, value - 1, -value, rng.choice(_NUMBERS)))
        if isinstance(value, bytes) and rng.random() < 0.8:
            return self._nested(value) if rng.random() < 0.6 else self._damage_bytes(value)
        if isinstance(value, str) and rng.random() < 0.6:
            return rng.choice((value * 2, value[:-1], value + "\x00", value.upper(), value + "ä"))
        return self._odd()

    def _nested(self, value: bytes) -> bytes:
        """Bytes often hold a value of their own: a header, a payload after its 16 random bytes."""
        for skip in (0, 16):
            try:
                inner = unpack(value[skip:], _LOOSE)
                if isinstance(inner, (list, dict)):
                    return bytes(value[:skip] + pack(self._damage_value(inner, 1)))
            except InvalidBytes:
                continue
        return self._damage_bytes(value)

    def _odd(self) -> Value:
        rng = self._rng
        return rng.choice(_ODD) if rng.random() < 0.7 else rng.choice(_NUMBERS)
