"""Files in, chunks out, for whoever runs an event loop. The built-in processors run in a worker process that lasts as
long as it is used; a plugin's run in a thread, by their own guard; sound is told to whoever can transcribe it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from jarvis.core.codec import Value
from jarvis.core.errors import DeadlineExceeded, EngineFailed, InvalidInput, Missing, PluginFailed, Temporary
from jarvis.engines.worker import Worker
from jarvis.knowledge.chunks import MAX_TOKENS, Chunk, split
from jarvis.knowledge.files.builtin import PROCESSORS
from jarvis.knowledge.files.image import Image
from jarvis.knowledge.files.opening import opened, refused
from jarvis.knowledge.files.outline import Outline
from jarvis.knowledge.files.projects import is_project
from jarvis.knowledge.files.reader import bounded, processor_for
from jarvis.plugins.guard import apart
from jarvis.plugins.kinds import FileLimits, FileProcessor, FileText

TARGET = "jarvis.knowledge.files.reader:Reader"
IMAGE = Image().name
SOUND = frozenset({".wav", ".flac", ".ogg", ".mp3"})
BLOCK_BYTES = 1024 * 1024
GRACE_S = 15.0
"""Beyond the limit of a file's reading, which the worker holds itself: this is for one that hangs in native code."""
Transcribe = Callable[[Path], AsyncIterator[tuple[float, str]]]
"""What is said in a sound file, piece by piece: the second at which each begins, and its words."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    title: str
    processor: str
    """By whose name it was read, such as `pdf`."""
    chunks: tuple[Chunk, ...]
    note: str = ""
    """What a person should know of it, in a sentence."""
    undescribed: bool = False
    """A picture that might have got a caption, and did not."""


class Asked(Protocol):
    """What is used of `engines.Worker`."""

    async def call(self, method: str, *args: Value, deadline_s: float) -> Value: ...
    async def close(self) -> None: ...


class Describes(Protocol):
    """Says what is to be seen in a picture (`jarvis.assistant.language.captions`)."""

    async def hindrance(self) -> str:
        """Why nobody can now; "" when it is worth asking."""

    async def describe(self, picture: bytes) -> tuple[str, str] | None:
        """Words, and whose they are."""


class Reading:
    """`async with Reading() as reading: await reading.read(path)`. Within, a worker process stands by; it is started by
    the first file that needs it. `others` are processors of plugins, asked before the built-in ones."""

    def __init__(
        self,
        *,
        others: Sequence[FileProcessor] = (),
        transcribe: Transcribe | None = None,
        describes: Describes | None = None,
        limits: FileLimits | None = None,
        worker: Asked | None = None,
    ) -> None:
        self._others, self._transcribe, self._describes = tuple(others), transcribe, describes
        self._limits = limits or FileLimits()
        self._worker: Asked = worker or Worker("files", TARGET, {"limits": list(astuple(self._limits))}, repeats=False)

    @property
    def suffixes(self) -> frozenset[str]:
        """Of the files that can be read here."""
        sound = SOUND if self._transcribe is not None else frozenset()
        return sound.union(*(one.suffixes for one in (*self._others, *PROCESSORS)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._worker.close()

    def measure(self, path: Path) -> tuple[int, bytes]:
        """A file's size and SHA-256, by which it is known again; blocks. Raises InvalidInput as `read` does for what is
        no file, or too large."""
        digest, size = hashlib.sha256(), 0
        with opened(path, self._limits) as file:
            while size <= self._limits.max_bytes and (data := file.read(BLOCK_BYTES)):
                digest.update(data)
                size += len(data)
        return size, digest.digest()

    async def read(self, path: Path, max_tokens: int = MAX_TOKENS) -> ReadFile:
        """`path` is absolute, and no link. Raises InvalidInput, which names the file and what is wrong with it; Missing
        for a library that is absent; what transcribing raises."""
        suffix = path.suffix.lower()
        for one in self._others:
            if suffix in one.suffixes:
                try:
                    text = await apart(lambda: one.read(path, self._limits), self._limits.max_seconds)  # noqa: B023
                except (PluginFailed, DeadlineExceeded) as error:
                    raise refused(path, f"was not read: {str(error).rstrip('.')}", error.fix) from None
                return _cut(path, self._held(path, text, one.name), one.name, max_tokens)
        if suffix in SOUND:
            return _cut(path, await self._heard(path), "sound", max_tokens)
        processor = processor_for(path)  # no process need be started to say that nobody reads it
        found = await self._asked("read", path, str(path), max_tokens)
        return await self._described(path, found) if processor.name == IMAGE else found

    async def hindrance(self) -> str:
        """Why no picture gets a caption now; "" when it is worth trying."""
        return await self._describes.hindrance() if self._describes is not None else "Nobody here describes pictures."

    async def _described(self, path: Path, found: ReadFile) -> ReadFile:
        """With one chunk more, which says whose words it is. A picture that cannot be shown has none."""
        if self._describes is None:
            return found
        if why := await self._describes.hindrance():
            return replace(found, note=why, undescribed=True)
        try:
            picture = await self._called("picture", path, str(path))
        except InvalidInput as error:
            return replace(found, note=f"Without a caption: {error}")
        told = await self._describes.describe(picture)
        if told is None:
            return replace(found, note="Without a caption: the model that sees gave none.", undescribed=True)
        words, who = told
        caption = Chunk(f"Picture {path.stem.replace('_', ' ')}: {words}", f"described by {who}", len(found.chunks))
        return replace(found, chunks=(*found.chunks, caption))

    async def project(self, folder: Path, files: Sequence[Path], max_tokens: int = MAX_TOKENS) -> ReadFile | None:
        """What `files`, those of a folder that can be read, are together; None when it is no project of source code.
        Raises InvalidInput."""
        if not await asyncio.to_thread(is_project, folder):
            return None
        return await self._asked("project", folder, str(folder), [str(one) for one in files], max_tokens)

    async def _asked(self, method: str, path: Path, *args: Value) -> ReadFile:
        told = await self._called(method, path, *args)
        chunks = tuple(Chunk(text, place, index) for index, (text, place) in enumerate(told["chunks"]))
        return ReadFile(told["title"], told["processor"], chunks)

    async def _called(self, method: str, path: Path, *args: Value) -> Any:
        try:
            return await self._worker.call(method, *args, deadline_s=self._limits.max_seconds + GRACE_S)
        except (EngineFailed, DeadlineExceeded):
            raise refused(path, "broke the process that read it: it is damaged, or made to do that") from None

    async def _heard(self, path: Path) -> FileText:
        if self._transcribe is None:
            raise Missing(f"{path} is sound, and this node cannot transcribe it.", fix="Install the voice extra.")
        with opened(path, self._limits):
            pass  # absent, a link, too large: said as of any other file
        outline = Outline(path, self._limits)
        try:
            async for second, words in self._transcribe(path):
                outline.add(words, place=f"minute {int(second) // 60 + 1}")
        except Temporary as error:
            raise refused(path, f"was not transcribed: {str(error).rstrip('.')}", "Add it again later.") from None
        return outline.text(path.name)

    def _held(self, path: Path, text: FileText, name: str) -> FileText:
        """A plugin's text, within the limits that it may not have heeded."""
        outline = Outline(path, self._limits)
        try:
            for part in text.parts:
                outline.add(part.text, place=part.place)
        except (AttributeError, TypeError):
            raise refused(path, f"was read by {name}, which gave something else than text") from None
        return outline.text(text.title)


def _cut(path: Path, text: FileText, processor: str, max_tokens: int) -> ReadFile:
    return ReadFile(text.title, processor, tuple(bounded(path, split(text, max_tokens))))
