"""Ports for processes that must come back on the same one. The kernel gives none of these to whoever asks for any port
or dials, and each test worker draws from a part of its own, so nobody takes one between its choice and its use."""

from __future__ import annotations

import os
import socket
from itertools import count

FIRST, PAST = 12_000, 32_000
"""Below the kernel's own range, which begins at 32,768."""
PER_WORKER = 1_000
_drawn = count(os.getpid() * 7 % PER_WORKER)
"""Two runs on one machine begin at different places."""


def free_port() -> int:
    """The next one on 127.0.0.1 that nobody listens at. Raises OSError when there is none."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    begin = FIRST + worker * PER_WORKER % (PAST - FIRST)
    for _ in range(PER_WORKER):
        port = begin + next(_drawn) % PER_WORKER
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was used a moment ago will do
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"Every port from {begin} to {begin + PER_WORKER - 1} is taken.")
