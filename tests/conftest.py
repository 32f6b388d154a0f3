"""What holds for every test, and what a run says before it is over."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
import structlog

# A shell that starts this in the background makes it ignore Ctrl-C, and so would every program that tests start and
# interrupt. A handler of our own is back to the default after exec.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Campaigns take as long as they are asked to: the deadline of a test (pyproject.toml) is for the suite.
if any(name.startswith("JARVIS_TEST_") for name in os.environ):
    os.environ.setdefault("PYTEST_TIMEOUT", "0")

LONG = ("node", "cli", "voice", "assistant", "models", "sim", "sync")
"""Rooms that start real programs, up to a minute and a half for a single test, or count for half a minute in a file."""

_running: dict[str, None] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that in the end no worker waits for one file of another's."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)


def pytest_runtest_logstart(nodeid: str) -> None:
    _running[nodeid] = None


def pytest_runtest_logfinish(nodeid: str) -> None:
    _running.pop(nodeid, None)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Say at once what failed and why, in a line: a run that is ended from outside has no summary."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        why = getattr(getattr(report.longrepr, "reprcrash", None), "message", str(report.longrepr)).strip()
        print(f"\n{report.nodeid} ({report.when}) failed: {' '.join(why.split())[:400]}", flush=True)


def pytest_keyboard_interrupt() -> None:
    """Name what was running when Ctrl-C, or the deadline of scripts/test, ended the run."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        print("\nEnded while running:", *_running or ["no test"], sep="\n  ", flush=True)


@pytest.fixture(autouse=True)
def fresh_logs() -> Iterator[None]:
    """A command that a test runs in this process sets up the process's logs, on a stream that ends with the test."""
    yield
    structlog.reset_defaults()
