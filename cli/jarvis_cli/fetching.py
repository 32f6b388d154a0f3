"""Fetching models before a command needs them, with a progress bar on stderr. What is there already costs a few stat
calls and says nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jarvis_cli.output import console


def fetch_missing(*kinds: str, note: Callable[[str], None]) -> None:
    """The default models of these kinds (stt, llm, tts ...), of every kind when none is named. Raises what
    `models.pull` raises, Missing when the voice extra is not installed."""
    from jarvis.models import cache
    from jarvis.models.catalogue import MODELS

    wanted = [one for one in MODELS if one.default and (not kinds or one.kind in kinds)]
    missing = [one for one in wanted if not cache.installed(one.name)]
    if missing:
        megabytes = sum(one.size_bytes for one in missing) / 1e6
        note(f"Fetching models this needs, once for this machine ({megabytes:.0f} MB).")
        pull(one.name for one in missing)


def pull(names: Iterable[str], *, offline: bool = False) -> None:
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    from jarvis.models.pull import Progress as Moved
    from jarvis.models.pull import pull as fetch
    from jarvis_cli.logs import set_up

    set_up("error")  # a refused file is told by the bar's next source, or by the error when there is none
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bars: dict[tuple[str, str], TaskID] = {}
    progress = Progress(*columns, console=console(stderr=True))

    def tick(moved: Moved) -> None:
        name = (moved.model, moved.source)
        if name not in bars:
            progress.start()  # not before: where nothing is fetched nothing is shown
            bars[name] = progress.add_task(f"{moved.model} from {moved.source}", total=None)
        progress.update(bars[name], completed=moved.done_bytes, total=moved.total_bytes)

    try:
        fetch(list(names), offline=offline, progress=tick)
    finally:
        if bars:
            progress.stop()
