"""What the log shows of a fault, and what it must not show."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator

import pytest
import structlog
from jarvis_cli import logs

SPOKEN = "the spare key is under the third flower pot"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root, asyncio_level = logging.getLogger(), logging.getLogger("asyncio").level
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(asyncio_level)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_traceback_shows_no_variables(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(stderr, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.set_up("info")

    def understand(heard: str) -> None:
        raise RuntimeError("no such intent")

    try:
        understand(SPOKEN)
    except RuntimeError:
        structlog.get_logger().exception("it failed")
    shown = stderr.getvalue()
    assert "it failed" in shown and "RuntimeError" in shown and "in understand" in shown
    assert SPOKEN not in shown


@pytest.mark.parametrize("lost", ["full disk", "closed"])
def test_a_log_that_cannot_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    with open("/dev/full" if lost == "full disk" else "/dev/null", "w") as stderr:  # noqa: PTH123 - a device
        monkeypatch.setattr(sys, "stderr", stderr)
        logs.set_up("info")
        if lost == "closed":
            stderr.close()
        structlog.get_logger().error("nobody reads this")
        logs.Unfailing(stderr).flush()
        monkeypatch.undo()
        if lost == "full disk":
            with pytest.raises(OSError):
                stderr.flush()  # it was really tried
            os.dup2(os.open("/dev/null", os.O_WRONLY), stderr.fileno())
