"""Logs of a command that runs a part of Jarvis in its own process: on stderr, for a terminal or as JSON lines."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO

import structlog


class Unfailing:
    """A stream whose loss nobody notices: a node whose log is on a full disk, or whose terminal went away, goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):  # ValueError: it was closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def set_up(level: str) -> None:
    """`level` is debug, info, warning or error. stdout is for data alone."""
    number = logging.getLevelNamesMapping()[level.upper()]
    terminal = sys.stderr.isatty()
    # Plain: the usual traceback shows the variables of each frame, and those may hold what somebody said.
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer = console if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if terminal else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(Unfailing(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        stream=sys.stderr, level=max(number, logging.WARNING), format="%(name)s: %(message)s", force=True
    )
    # It warns of every single write to a connection that is just ending: a peer that hangs up would fill the log.
    logging.getLogger("asyncio").setLevel(max(number, logging.ERROR))
