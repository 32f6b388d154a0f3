"""How answers look to a person. Text that came from elsewhere - a title, a transcript, a peer's name - is printed as
text: it can neither colour the terminal nor send it escape codes."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


_TIMES = frozenset({"at", "updated_at", "last_seen", "rings_at"})
_IDS = frozenset({"node_id", "session_id"})
SHORT_ID = 8
"""Enough to be told apart, and accepted wherever an id is."""
_PIPE_COLUMNS = 1_000
"""Nobody folds lines in a pipe."""


@functools.cache
def console(stderr: bool = False) -> Console:
    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(
        stderr=stderr, highlight=False, markup=False, soft_wrap=True, width=None if terminal else _PIPE_COLUMNS
    )


def plain(value: Any) -> str:
    """Any value as one harmless line or more."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(one) for one in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{plain(name)}: {plain(one)}" for name, one in value.items())
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in str(value))


def say(text: str = "", *, style: str | None = None) -> None:
    console().print(plain(text), style=style)


def note(text: str) -> None:
    """For a person watching, never data: on stderr."""
    console(stderr=True).print(plain(text))


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, empty: str) -> None:
    """One line a row; `empty` is said when there is none."""
    if not rows:
        say(empty)
        return
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(_cell(column, row.get(column))) for column in columns))
    console().print(drawn)


def _cell(column: str, value: Any) -> str:
    if column in _TIMES and value:
        return when(str(value))
    return plain(value)[:SHORT_ID] if column in _IDS else plain(value)


def when(text: str) -> str:
    """An ISO 8601 time as this machine's clock shows it; any other text as it is."""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return plain(text)


def fields(pairs: Mapping[str, Any], names: Iterable[str] | None = None) -> None:
    """A record, a field a line."""
    wanted = list(names or pairs)
    width = max(len(name) for name in wanted)
    for name in wanted:
        say(f"{name.replace('_', ' '):<{width}}  {plain(pairs.get(name))}")
