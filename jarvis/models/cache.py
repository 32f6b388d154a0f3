"""The folder all nodes of this machine share: `<cache>/<model>/<file>`. Says what is there and whether it is whole.

A file counts only when it was hashed; the stamp beside it remembers what it looked like then, so that a start costs a
few stat calls and any later change of the file is hashed again. It fetches nothing and deletes nothing.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import platformdirs

from jarvis.core.errors import Missing, install_extra
from jarvis.models.catalogue import MODELS, Model, ModelFile, model

STAMP_FILE = ".verified.json"
STAMP_BYTES = 16 * 1024
"""A model has a handful of files at some 100 bytes each."""
_CHUNK_BYTES = 1024 * 1024


def cache_dir() -> Path:
    """`JARVIS_MODELS_DIR`, else the platform's cache."""
    chosen = os.environ.get("JARVIS_MODELS_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("jarvis")) / "models"


def folder(one: Model) -> Path | None:
    """Where the model lies or would lie; None for one whose package is not installed."""
    if one.inside is None:
        return cache_dir() / one.name
    package, path = one.inside
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent / path if spec is not None and spec.origin else None


def locate(name: str) -> Path:
    """The folder of a whole model. Raises Missing, naming the first file that is absent or damaged."""
    one = model(name)
    where = folder(one)
    if where is None:
        raise Missing(
            f"The model {name} comes with the package {one.inside[0] if one.inside else name}, which is not installed.",
            fix=install_extra("voice"),
        )
    problem = next(iter(problems(one)), None)
    if problem is not None:
        raise Missing(problem, fix=f"Run `jarvis models pull {name}`.")
    return where


def installed(name: str) -> bool:
    """Whether every file is there and whole."""
    one = model(name)
    return folder(one) is not None and not problems(one)


def verify(name: str) -> list[str]:
    """One sentence for each file that is absent or damaged, hashing all of them whatever the stamp says."""
    one = model(name)
    if folder(one) is None:
        return [f"The package of the model {name} is not installed."]
    return problems(one, trust_stamp=False)


def problems(one: Model, *, trust_stamp: bool = True) -> list[str]:
    return [sentence for file in one.files if (sentence := problem_of(one, file, trust_stamp=trust_stamp))]


def problem_of(one: Model, file: ModelFile, *, trust_stamp: bool = True) -> str:
    """What is wrong with one file, "" when it is whole."""
    path = cache_dir() / one.name / file.name
    label = f"{one.name}/{file.name}"
    try:
        size = path.stat().st_size
    except OSError:
        return f"The model file {label} is not installed."
    if size != file.size_bytes:
        return f"The model file {label} is damaged: it has {size} bytes instead of {file.size_bytes}."
    if trust_stamp and read_stamp(one).get(file.name, {}).get("seen") == seen(path):
        return ""
    if sha256_of(path) != file.sha256:
        return f"The model file {label} is damaged: its SHA-256 is not the expected one."
    return ""


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def seen(path: Path) -> list[int]:
    """What changes when somebody writes to the file or puts another in its place."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def read_stamp(one: Model) -> dict[str, Any]:
    """File name -> {seen, source}; empty when there is none, or it is not readable: then files are hashed."""
    try:
        with (cache_dir() / one.name / STAMP_FILE).open("rb") as stream:
            stamp = json.loads(stream.read(STAMP_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(stamp, dict):
        return {}
    return {name: entry for name, entry in stamp.items() if isinstance(entry, dict)}


def listing() -> list[dict[str, Any]]:
    """Every model as `jarvis models list --json` gives it."""
    return [_row(one) for one in MODELS]


def _row(one: Model) -> dict[str, Any]:
    where, whole = folder(one), installed(one.name)
    sources = [entry.get("source", "") for entry in read_stamp(one).values()] if one.inside is None else []
    return {
        "name": one.name,
        "kind": one.kind,
        "installed": whole,
        "bytes": one.size_bytes,
        "path": str(where) if whole else "",
        "source": f"package {one.inside[0]}" if one.inside else next(iter(sources), "") if whole else "",
        "licence": one.licence,
        "default": one.default,
        "about": one.about,
    }
