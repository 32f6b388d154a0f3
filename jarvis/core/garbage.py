"""How often the interpreter looks for garbage that refers to itself. A node holds documents of many small objects for
as long as it runs; looking through all of them again and again was a fifth of its time under load, and its longest
pauses. Nearly everything here is freed by counting references; what is left are traces of errors."""

from __future__ import annotations

import gc

YOUNG = 20_000
"""Objects between two looks at the young ones, some 2 MiB; Python's own 700 are meant for small programs."""
OLDER = 50
"""Looks at the young between two at those that survived one, and of these between two at all."""


def look_less_often() -> None:
    """For the whole process; best before most of it is loaded, which took a tenth longer with Python's own numbers."""
    gc.set_threshold(YOUNG, OLDER, OLDER)


def keep_what_lives() -> None:
    """What lives by now stays, and is not looked at any more."""
    gc.collect()
    gc.freeze()
