"""ZIP archives that documents come in, and the XML inside, for whoever distrusts both: every byte that is unpacked is
counted, whatever the archive says of itself; XML is read as a stream, no deeper than allowed and without entities."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

# Expat itself, not one of the parsers built on it: what makes XML dangerous is refused below, where it is declared.
from xml.parsers import expat  # nosec B407

from jarvis.core.errors import InvalidInput
from jarvis.knowledge.files.opening import opened, refused
from jarvis.plugins.kinds import FileLimits

MAX_ENTRIES = 10_000
"""Files in one archive. A document with a thousand pictures has a thousand and twenty."""
MAX_DIRECTORY_BYTES = 4 * 1024 * 1024
"""Of an archive's directory, which is read in one go: 400 for each file. What may be listed in it is looked through in
half a second; in the largest file there may be, in half a minute."""
MAX_ELEMENTS = 2_000_000
"""Of one XML file, at a microsecond and a half: a book of a thousand pages has half a million."""
MAX_RATIO = 200
"""Unpacked to packed, from `RATIO_FROM_BYTES` on: XML packs 10 to 50 times, a bomb a thousand times."""
RATIO_FROM_BYTES = 8 * 1024 * 1024
BLOCK_BYTES = 1024 * 1024
"""Expat looks at an unfinished tag from its beginning with each block: with small ones a long tag takes for ever."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""That documents use. The others unpack as much as they like at once."""
Attributes = dict[str, str]


class _Measured:
    """A file as `zipfile` reads it, and no more at once than the longest directory: only it is asked for in one go."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(MAX_DIRECTORY_BYTES + 1 if size < 0 else min(size, MAX_DIRECTORY_BYTES + 1))
        if len(data) > MAX_DIRECTORY_BYTES:
            raise _too_many(self._path)
        return data


class Packed:
    """An open archive."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, limits: FileLimits) -> None:
        self._path, self._archive, self._limits = path, archive, limits
        self._left = limits.max_unpacked_bytes
        if len(archive.infolist()) > MAX_ENTRIES:
            raise _too_many(path)

    def __contains__(self, name: str) -> bool:
        return name in self._archive.NameToInfo

    def blocks(self, name: str) -> Iterator[bytes]:
        """One of its files. Raises InvalidInput when it unpacks to more than allowed."""
        entry = self._archive.getinfo(name)
        if entry.flag_bits & 1:
            raise refused(self._path, "is locked with a password", "Save it without one.")
        if entry.compress_type not in _METHODS:
            raise refused(self._path, "is packed as no document is")
        read = 0
        with self._archive.open(entry) as file:
            while block := file.read(BLOCK_BYTES):
                read += len(block)
                self._left -= len(block)
                if self._left < 0 or read > max(RATIO_FROM_BYTES, MAX_RATIO * entry.compress_size):
                    raise refused(self._path, "unpacks to far more than it should: it may be a zip bomb")
                yield block

    def parse(
        self,
        name: str,
        *,
        start: Callable[[str, Attributes], None],
        end: Callable[[str], None],
        words: Callable[[str], None],
    ) -> None:
        """Tell one of its files, XML, as it goes by; names are `namespace name`, with a space."""
        depth = elements = 0

        def opens(tag: str, attributes: Attributes) -> None:
            nonlocal depth, elements
            depth, elements = depth + 1, elements + 1
            if elements > MAX_ELEMENTS:
                raise refused(self._path, f"has more than {MAX_ELEMENTS} elements", "Cut it into pieces.")
            if depth > self._limits.max_depth:
                raise refused(self._path, f"has elements more than {self._limits.max_depth} deep in one another")
            start(tag, attributes)

        def closes(tag: str) -> None:
            nonlocal depth
            depth -= 1
            end(tag)

        def declares(*_: object) -> None:
            raise refused(self._path, "declares a document type, which no such document needs")

        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = declares  # entities are declared in there: none can be, none is expanded
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = opens, closes, words
        try:
            for block in self.blocks(name):
                parser.Parse(block, False)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise refused(self._path, f"is damaged: {expat.ErrorString(error.code)}") from None


@contextmanager
def unpacked(path: Path, limits: FileLimits) -> Iterator[Packed]:
    """Raises InvalidInput when it is no archive, or a damaged one."""
    with opened(path, limits) as file:
        try:
            with zipfile.ZipFile(_Measured(path, file)) as archive:
                yield Packed(path, archive, limits)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
            raise refused(path, f"is damaged or no document ({type(error).__name__})") from None


def _too_many(path: Path) -> InvalidInput:
    return refused(path, f"holds more than {MAX_ENTRIES} files")
