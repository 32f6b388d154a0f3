"""Looking less often still finds what refers to itself."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import weakref
from jarvis.core.garbage import YOUNG, look_less_often

class Knot:
    def __init__(self):
        self.itself = self

look_less_often()
alive, most = set(), 0
for _ in range(6 * YOUNG):
    knot = Knot()
    alive.add(weakref.ref(knot, alive.discard))
    most = max(most, len(alive))
assert 1_000 < most <= 2 * YOUNG, most
"""


def test_garbage_in_circles_is_still_found() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
