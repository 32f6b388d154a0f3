"""An engine that misbehaves on request, for tests of workers and of whoever talks to one. Runs in a real child."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidInput, Missing

TARGET = "jarvis.testing.engines:Misbehaving"


class Misbehaving:
    """`once` names a file: with it, `crash_once` and `hang_once` misbehave only while the file is absent."""

    def __init__(self, once: str = "", load: str = "well") -> None:
        self._once = Path(once)
        if load == "crash":
            os._exit(3)
        if load == "hang":
            time.sleep(3600)
        if load == "missing":
            raise Missing("The model x is not installed.", fix="Run `jarvis models pull x`.")

    def echo(self, value: Value) -> Value:
        return value

    def environment(self, name: str) -> Value:
        return os.environ.get(name)

    def noise(self, value: Value) -> Value:
        """Prints to file descriptor 1 as native libraries do."""
        os.write(1, b"progress 100%\n")
        print("and from Python", flush=True)
        sys.stderr.write("x" * 300_000)
        return value

    def refuse(self) -> None:
        raise InvalidInput("That is no sound.", fix="Give another.")

    def raise_secret(self) -> None:
        raise RuntimeError("the user said swordfish")

    def crash(self) -> None:
        os._exit(3)

    def crash_once(self) -> str:
        if self._first():
            os._exit(3)
        return "survived"

    def hang(self) -> None:
        time.sleep(3600)

    def hang_once(self) -> str:
        if self._first():
            time.sleep(3600)
        return "survived"

    def nonsense(self) -> None:
        """Speaks through the moved descriptor, as a damaged library could."""
        for fd in range(3, 16):
            try:
                os.write(fd, b"\xff\xff\xff\xff")
            except OSError:
                continue
        time.sleep(3600)

    def slowly(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    def count(self, n: int) -> Iterator[int]:
        try:
            yield from range(n)
        finally:
            if self._once.name:
                self._once.write_text("closed")

    def count_then_crash(self, n: int) -> Iterator[int]:
        yield from range(n)
        os._exit(3)

    def crash_once_then_count(self, n: int) -> Iterator[int]:
        if self._first():
            os._exit(3)
        yield from range(n)

    def _first(self) -> bool:
        if self._once.exists():
            return False
        self._once.write_text("seen")
        return True
