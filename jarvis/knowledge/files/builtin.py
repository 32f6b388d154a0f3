"""The file processors that come with Jarvis, given by the hook that plugins use too."""

from __future__ import annotations

from jarvis.knowledge.files.code import Python, SourceCode
from jarvis.knowledge.files.image import Image
from jarvis.knowledge.files.pdf import Pdf
from jarvis.knowledge.files.prose import Markdown, PlainText, ReStructuredText
from jarvis.knowledge.files.web import Html
from jarvis.knowledge.files.word import Docx
from jarvis.plugins.hooks import hookimpl
from jarvis.plugins.kinds import FileProcessor, Metadata

PLUGIN = Metadata(
    "files", "1", "Reads text, Markdown, HTML, PDF, Word, source code and what pictures say of themselves."
)
PROCESSORS: tuple[FileProcessor, ...] = (
    PlainText(),
    Markdown(),
    ReStructuredText(),
    Html(),
    Pdf(),
    Docx(),
    Python(),
    SourceCode(),
    Image(),
)


@hookimpl
def jarvis_file_processors() -> list[FileProcessor]:
    return list(PROCESSORS)
