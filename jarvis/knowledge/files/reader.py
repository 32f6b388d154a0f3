"""Reads one file after another in a worker process that can do little harm: it has a bound on its memory, may write no
file and takes no longer than it may. Whatever a library raises over a broken file becomes one sentence."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TypeVar

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidInput, JarvisError
from jarvis.engines.confined import MEMORY_BYTES, confine
from jarvis.knowledge.chunks import Chunk, split
from jarvis.knowledge.files.builtin import PROCESSORS
from jarvis.knowledge.files.image import scaled
from jarvis.knowledge.files.opening import refused
from jarvis.knowledge.files.projects import summary
from jarvis.plugins.kinds import FileLimits, FileProcessor, FileText

T = TypeVar("T")
PROJECT = "project"
MAX_CHUNKS = 50_000
"""Of one file; what the longest text allowed makes, in any language that has spaces."""


class _TooLong(BaseException):
    """No Exception: no library may take it for a fault of the file, and go on."""


class Reader:
    """`limits` are the values of a FileLimits, in order; `processors` is for tests."""

    def __init__(
        self,
        limits: list[Value],
        memory_bytes: int = MEMORY_BYTES,
        processors: tuple[FileProcessor, ...] = PROCESSORS,
    ) -> None:
        self._limits = FileLimits(*limits)
        self._processors = processors
        confine(memory_bytes)

    def read(self, path: str, max_tokens: int) -> dict[str, Value]:
        """{title, processor, chunks: [[text, place], ...]}. Raises InvalidInput for what cannot be read; Missing."""
        file = Path(path)
        processor = processor_for(file, self._processors)
        return self._told(file, processor.name, max_tokens, lambda: processor.read(file, self._limits))

    def picture(self, path: str) -> bytes:
        """A picture as a small JPEG. Raises InvalidInput, Missing."""
        file = Path(path)
        return self._bounded(file, "a picture", lambda: scaled(file, self._limits))

    def project(self, folder: str, files: list[str], max_tokens: int) -> dict[str, Value]:
        """What is in a folder of source code, in the same form."""
        root, paths = Path(folder), [Path(one) for one in files]
        return self._told(root, PROJECT, max_tokens, lambda: summary(root, paths, self._limits))

    def _told(self, file: Path, processor: str, max_tokens: int, read: Callable[[], FileText]) -> dict[str, Value]:
        def told() -> dict[str, Value]:
            text = read()
            chunks = bounded(file, split(text, max_tokens))
            return {
                "title": text.title,
                "processor": processor,
                "chunks": [[chunk.text, chunk.place] for chunk in chunks],
            }

        return self._bounded(file, processor, told)

    def _bounded(self, file: Path, processor: str, work: Callable[[], T]) -> T:
        try:
            with _no_longer_than(self._limits.max_seconds):
                return work()
        except _TooLong:
            raise refused(file, f"takes longer than {self._limits.max_seconds:g} s to read", "Cut it up.") from None
        except (MemoryError, RecursionError):
            raise refused(file, "takes more memory to read than it may", "Cut it into pieces.") from None
        except JarvisError:
            raise
        except Exception as error:  # of a library that met what its authors did not think of
            raise refused(file, f"cannot be read as {processor} ({type(error).__name__})") from None


def bounded(path: Path, chunks: list[Chunk]) -> list[Chunk]:
    if len(chunks) > MAX_CHUNKS:
        raise refused(path, f"makes more than {MAX_CHUNKS} chunks", "Cut it into pieces.")
    return chunks


def processor_for(path: Path, processors: tuple[FileProcessor, ...] = PROCESSORS) -> FileProcessor:
    """The first that reads files with this ending. Raises InvalidInput when none does."""
    for processor in processors:
        if path.suffix.lower() in processor.suffixes:
            return processor
    raise unreadable(path)


def unreadable(path: Path) -> InvalidInput:
    what = f"a {path.suffix.lower()} file, which nothing here reads" if path.suffix else "a file without an ending"
    return refused(path, f"is {what}", "`jarvis knowledge add --help` names the kinds; plugins bring more.")


@contextlib.contextmanager
def _no_longer_than(seconds: float) -> Iterator[None]:
    """By a signal: the worker's own deadline would kill the process, and try once more."""

    def over(_: int, __: FrameType | None) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
