"""What the simulations take on their command lines."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def several(text: str) -> int:
    value = int(text)
    if not 2 <= value <= 50:
        raise argparse.ArgumentTypeError("must be 2 to 50")
    return value
