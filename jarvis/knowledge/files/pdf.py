"""PDF, page by page. What is locked, damaged or only pictures of text is refused, and says which."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from jarvis.core.errors import not_installed
from jarvis.knowledge.files.opening import opened, refused
from jarvis.knowledge.files.outline import Outline
from jarvis.plugins.kinds import FileLimits, FileText

HEAD_BYTES = 1024
"""Within which readers look for the mark."""
MAX_LISTED = 500_000
"""Objects and places in the table of all objects: a book of five thousand pages has a fifth. Of millions the library
makes a table of its own before anybody can tell it to stop."""
_LISTED = re.compile(rb"\d obj\b|\d{10} \d{5} [nf]")
_HYPHEN = re.compile(r"(?<=[a-z])[-\u00ad]\n(?=[a-z])")


@dataclass(frozen=True, slots=True)
class Pdf:
    name: str = "pdf"
    suffixes: frozenset[str] = frozenset({".pdf"})

    def read(self, path: Path, limits: FileLimits) -> FileText:
        try:
            from pypdf import PdfReader
            from pypdf.errors import PyPdfError
        except ImportError:
            raise not_installed("pypdf", "knowledge") from None
        logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it quotes what it reads
        outline = Outline(path, limits)
        with opened(path, limits) as file:
            if b"%PDF-" not in file.read(HEAD_BYTES):
                raise refused(path, "is not a PDF")
            file.seek(0)
            if sum(1 for _ in islice(_LISTED.finditer(file.read(limits.max_bytes)), MAX_LISTED + 1)) > MAX_LISTED:
                raise refused(path, f"lists more than {MAX_LISTED} objects", "Cut it into pieces.")
            file.seek(0)
            try:
                reader = PdfReader(file)
                if reader.is_encrypted and not reader.decrypt(""):
                    raise refused(path, "is locked with a password", "Save it without one.")
                if len(reader.pages) > limits.max_pages:
                    raise refused(path, f"has more than {limits.max_pages} pages", "Cut it into pieces.")
                title = reader.metadata.title if reader.metadata is not None else None
                for number, page in enumerate(reader.pages, 1):
                    for block in _paragraphs(page.extract_text()):
                        outline.add(block, place=f"page {number}")
            except PyPdfError as error:
                # The library has bounds of its own, on what unpacks and on what lies in one another.
                bomb = ", or made to unpack to far more than it should" if "Limit" in type(error).__name__ else ""
                raise refused(path, f"is damaged{bomb} ({type(error).__name__})") from None
        return outline.text(str(title) if title else path.stem)


def _paragraphs(text: str) -> list[str]:
    """Words that a line's end halved are whole again."""
    return [" ".join(block.split()) for block in re.split(r"\n\s*\n", _HYPHEN.sub("", text))]
