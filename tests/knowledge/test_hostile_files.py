"""Files made to do harm are refused by name, within bounds, and only the process that reads them suffers."""

from __future__ import annotations

import asyncio
import hashlib
import os
import warnings
import zipfile
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import EngineFailed, InvalidInput, Missing, PluginFailed
from jarvis.engines.worker import Worker
from jarvis.knowledge.files import packed
from jarvis.knowledge.files.builtin import PROCESSORS
from jarvis.knowledge.files.image import _facts as image_facts
from jarvis.knowledge.files.projects import summary
from jarvis.knowledge.files.reader import processor_for
from jarvis.knowledge.files.reading import Reading
from jarvis.knowledge.files.tags import too_costly
from jarvis.knowledge.files.walking import Refused, files_in, given, inside
from jarvis.plugins.kinds import FileLimits, FileText, Part
from tests.knowledge import documents

LIMITS = FileLimits(
    max_bytes=2**20, max_unpacked_bytes=4 * 2**20, max_chars=10_000, max_parts=100, max_pages=3, max_depth=20
)


def bounded(work: Awaitable[Any]) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(run())


def refused(path: Path, why: str, limits: FileLimits = LIMITS) -> None:
    with pytest.raises(InvalidInput, match=why) as error:
        processor_for(path, PROCESSORS).read(path, limits)
    assert path.name in str(error.value)


def make(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_what_is_too_large(tmp_path: Path) -> None:
    refused(make(tmp_path / "a.txt", b"x" * (2**20 + 1)), "larger than 1 MiB")
    refused(make(tmp_path / "b.txt", b"x" * 10_001), "more than 10000 characters")
    refused(make(tmp_path / "c.txt", b"x\n\n" * 101), "more than 100 paragraphs")
    refused(documents.pdf(tmp_path / "d.pdf", ["a"] * 4), "more than 3 pages")
    refused(make(tmp_path / "e.txt", b""), "is empty")


def test_what_is_deep(tmp_path: Path) -> None:
    refused(make(tmp_path / "a.html", b"<div>" * 1_900 + b"x"), "20 deep")
    runs = "<w:x>" * 50 + "</w:x>" * 50
    refused(documents.docx(tmp_path / "b.docx", runs), "20 deep")


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ("<div>" * 100_000, "open at a time"),
        ("<div></b>" * 100_000, "open at a time"),
        ("<rt>" * 100_000, "open at a time"),
        ("<p " + "".join(f"a{number}=1 " for number in range(100_000)) + ">x", "more than 500 attributes"),
        ("<p " + "/".join(f"a{number}" for number in range(100_000)) + ">x", "more than 500 attributes"),
        ("".join(f"<body a{number}=1>" for number in range(60_000)), "begins more than 50 times"),
        ("<!--><div>" + "<div>" * 100_000 + "-->", "open at a time"),
        ("<title><script></title>" + "<div>" * 100_000, "open at a time"),
    ],
)
def test_html_that_would_hold_its_parser_for_hours(tmp_path: Path, page: str, why: str) -> None:
    refused(make(tmp_path / "a.html", page.encode()), why, FileLimits())


def test_html_of_honest_authors_is_not_taken_for_that() -> None:
    script = "<script>" + "if (a<b && c>d) { e = '<div>' }\n" * 5_000 + "</script>"
    listed = "<li><p>one<br>" * 10_000
    assert not too_costly(
        f"<!DOCTYPE html><html><body>{script}<ul>{listed}</ul><!-- {'<div>' * 5_000} --></body></html>"
    )
    assert not too_costly('<img alt="' + "a long description " * 1_000 + '">')


def test_text_that_would_hold_its_reader_is_read_at_once(tmp_path: Path) -> None:
    """Each took time with the square of its length."""
    hashes = make(tmp_path / "a.md", b"# x" + b" #" * 500_000 + b"y")
    assert processor_for(hashes, PROCESSORS).read(hashes, FileLimits()).parts[0].kind == "heading"
    long_tag = documents.docx(tmp_path / "a.docx", f"<w:p x='{os.urandom(2**22).hex()}'/>")
    refused(long_tag, "holds no text", FileLimits())


def test_bombs(tmp_path: Path) -> None:
    huge = documents.docx(tmp_path / "a.docx", documents.paragraph("0" * (5 * 2**20)))
    assert huge.stat().st_size < 2**16
    refused(huge, "unpacks to far more")
    tight = documents.docx(tmp_path / "b.docx", documents.paragraph("0" * (9 * 2**20)))
    refused(tight, "zip bomb", FileLimits())
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    refused(documents.docx(tmp_path / "c.docx", documents.paragraph("&b;"), head=laughs), "declares a document type")
    with zipfile.ZipFile(tmp_path / "f.docx", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("word/document.xml", "0" * 2**20)
    refused(tmp_path / "f.docx", "packed as no document is")
    page = documents.pdf(tmp_path / "d.pdf", ["x"]).read_bytes()
    bomb = zlib.compress(b"BT (" + b"0" * (90 * 2**20) + b") Tj ET", 9)
    start, end = page.index(b"<< /Length"), page.index(b"endstream")
    body = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\n" % (len(bomb), bomb)
    refused(make(tmp_path / "e.pdf", page[:start] + body + page[end:]), "damaged|characters", FileLimits())
    codes = b"1 beginbfrange <00000000> <7fffffff> <0041> endbfrange"
    font = b"<< /Type /Font /Subtype /Type0 /BaseFont /H /ToUnicode 6 0 R >>"
    spelled = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        b"<< /Length 29 >>\nstream\nBT /F 12 Tf <00000041> Tj ET \nendstream",
        font,
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(codes), codes),
        b"<< >>",
    ]
    refused(documents.pdf_of(tmp_path / "g.pdf", spelled), "far more than it should", FileLimits())


def test_what_is_listed_without_end_is_not_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory is measured before it is read: of these names not one is."""
    listed = documents.listed(tmp_path / "a.docx", 1_300_000)
    assert 50 * 2**20 < listed.stat().st_size < FileLimits().max_bytes
    with monkeypatch.context() as looked:
        looked.setattr(zipfile.ZipInfo, "_decodeExtra", lambda _: pytest.fail("it was looked through"))
        refused(listed, "more than 10000 files", FileLimits())
    refused(documents.listed(tmp_path / "b.docx", 10_001), "more than 10000 files", FileLimits())
    table = b"%PDF-1.4\nxref\n0 600000\n" + b"0000000009 00000 n \n" * 600_000
    refused(make(tmp_path / "d.pdf", table), "more than 500000 objects", FileLimits())
    refused(make(tmp_path / "e.pdf", b"%PDF-1.4\n" + b"1 0 obj\n" * 600_000), "more than 500000 objects", FileLimits())
    monkeypatch.setattr(packed, "MAX_ELEMENTS", 1_000)
    refused(documents.docx(tmp_path / "c.docx", "<w:p/>" * 1_000), "more than 1000 elements", FileLimits())


def test_a_picture_is_never_unpacked(tmp_path: Path) -> None:
    """Half a gigabyte of one colour in half a megabyte."""
    pictures = pytest.importorskip("PIL.Image")
    pictures.new("1", (13_000, 13_000)).save(tmp_path / "a.png")
    text = processor_for(tmp_path / "a.png", PROCESSORS).read(tmp_path / "a.png", FileLimits())
    assert "13000 by 13000" in text.parts[0].text
    with warnings.catch_warnings(action="ignore"), pictures.open(tmp_path / "a.png") as picture:
        assert image_facts(picture) and picture._im is None, "its points were never asked for"


def test_nothing_read_can_steer_a_terminal(tmp_path: Path) -> None:
    page = make(tmp_path / "a.html", b"<title>A&#27;]0;x</title><h1>B&#x9b;31m</h1><p>red&#27;[31m &#127;text</p>")
    found = processor_for(page, PROCESSORS).read(page, FileLimits())
    assert all(one.isprintable() for one in found.title + "".join(part.text for part in found.parts))
    make(tmp_path / "package.json", b'{"name": "half \\ud800", "description": "a \\u001b[2J b"}')
    told = summary(tmp_path, [], FileLimits())
    assert told.title.encode() and told.title == "half (project)" and "\x1b" not in told.parts[0].text


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    refused(tmp_path / "pipe.txt", "is not a file")
    (tmp_path / "link.txt").symlink_to(make(tmp_path / "a.txt", b"words"))
    refused(tmp_path / "link.txt", "is a link")
    refused(tmp_path / "absent.txt", "No such file")
    (tmp_path / "folder.txt").mkdir()
    refused(tmp_path / "folder.txt", "is not a file")


def test_a_link_that_is_put_in_the_way_is_not_followed(tmp_path: Path) -> None:
    """A folder that was looked at becomes a link before its file is opened."""
    sub, outside = tmp_path / "home" / "sub", tmp_path / "outside"
    for folder in (sub, outside):
        folder.mkdir(parents=True)
        make(folder / "a.md", b"words")
    (found,) = files_in(tmp_path / "home", frozenset({".md"}))
    assert isinstance(found, Path)
    sub.rename(tmp_path / "was")
    sub.symlink_to(outside)
    refused(found, "lies behind a link")
    with pytest.raises(InvalidInput, match="lies behind a link"):
        Reading(worker=Broken(), limits=LIMITS).measure(found)


def test_a_name_is_one_line(tmp_path: Path) -> None:
    strange = make(tmp_path / "a\nadded  b.md", b"words")
    make(tmp_path / "c\x1b[2J.md", b"words")
    assert list(files_in(tmp_path, frozenset({".md"}))) == [
        Refused(tmp_path / name, "Its name holds control characters.") for name in ("a?added  b.md", "c?[2J.md")
    ]
    assert not inside(tmp_path, strange)
    with pytest.raises(InvalidInput, match=r"a\?added") as error:
        given(strange)
    assert "\n" not in str(error.value)


def test_a_folder_is_never_left(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    for folder in (home / "sub", home / ".git", home / "node_modules", outside):
        folder.mkdir(parents=True)
        make(folder / "a.md", b"words")
    make(home / "setup.exe", b"MZ")
    (home / "loop").symlink_to(home)
    (home / "out").symlink_to(outside)
    (home / "out.md").symlink_to(outside / "a.md")
    found = list(files_in(home, frozenset({".md"})))
    assert [one for one in found if isinstance(one, Path)] == [home / "sub" / "a.md"]
    assert [one for one in found if isinstance(one, Refused)] == [
        Refused(home / name, "It is a link.") for name in ("loop", "out", "out.md")
    ]
    assert inside(home, home / "sub" / "a.md")
    strange = home / "sub" / os.fsdecode(b"caf\xe9.md")
    strange.write_text("words")
    assert list(files_in(home / "sub", frozenset({".md"})))[1:] == [
        Refused(home / "sub" / "caf?.md", "Its name is not UTF-8.")
    ]
    assert not inside(home, strange)
    for path in (home / "out" / "a.md", home / "out.md", outside / "a.md", home / ".." / "outside" / "a.md"):
        assert not inside(home, path)
    assert not inside(home, home / ".git" / "a.md")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    with pytest.raises(InvalidInput, match="itself"):
        given(tmp_path / "itself")
    with pytest.raises(InvalidInput, match="is not a folder"):
        list(files_in(home / "loop", frozenset()))


EVIL = """
import os
from pathlib import Path
from jarvis.knowledge.files.builtin import PROCESSORS
from jarvis.knowledge.files.reader import Reader
from jarvis.plugins.kinds import FileText, Part

class Evil:
    name, suffixes = "evil", frozenset({".evil"})
    def read(self, path, limits):
        what = path.stem
        if what == "hang":
            while True:
                try:
                    while True: pass
                except Exception: pass
        if what == "eat":
            kept = []
            while True: kept.append(bytes(2**26))
        if what == "deep":
            return self.read(path, limits)
        if what == "odd":
            raise KeyError("/Secret")
        if what == "die":
            os._exit(3)
        if what == "write":
            Path(path.parent / "stolen").write_text("words")
        return FileText("t", [Part("fine", "")])

def reader():
    return Reader([2**20, 2**20, 1000, 100, 10, 20, 1.0], memory_bytes=512 * 2**20, processors=(*PROCESSORS, Evil()))
"""


class EvilReading(Reading):
    @property
    def suffixes(self) -> frozenset[str]:
        return super().suffixes | {".evil"}


def test_only_the_reading_process_suffers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil_files.py").write_text(EVIL)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    worker = Worker("files", "evil_files:reader", {})
    told = {
        "hang": "takes longer than 1 s",
        "eat": "takes more memory",
        "deep": "takes more memory",
        "odd": r"cannot be read as evil \(KeyError\)",
        "write": r"cannot be read as evil \(OSError\)",
    }

    async def main() -> None:
        try:
            for name, why in told.items():
                path = make(tmp_path / f"{name}.evil", b"x")
                with pytest.raises(InvalidInput, match=why) as error:
                    await worker.call("read", str(path), 256, deadline_s=30)
                assert path.name in str(error.value)
                assert "Secret" not in str(error.value)
            assert worker.restarts == 0
            good = await worker.call("read", str(make(tmp_path / "good.md", b"# Good\nwords")), 256, deadline_s=30)
            assert good == {"title": "Good", "processor": "markdown", "chunks": [["Good\n\nwords", "Good"]]}
        finally:
            await worker.close()

    bounded(main())
    assert not (tmp_path / "stolen").exists() or not (tmp_path / "stolen").read_bytes()


def test_a_file_that_hangs_in_native_code_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hanging_files.py").write_text(HANGING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    make(tmp_path / "a.md", b"words")

    async def main() -> None:
        worker = Worker("files", "hanging_files:Reader", {}, repeats=False)
        monkeypatch.setattr("jarvis.knowledge.files.reading.GRACE_S", 0.2)
        async with Reading(worker=worker, limits=replace(LIMITS, max_seconds=1.0)) as reading:
            with pytest.raises(InvalidInput, match=r"a\.md broke the process"):
                await reading.read(tmp_path / "a.md")
            assert len((tmp_path / "tried").read_bytes()) == 1
            with pytest.raises(InvalidInput, match=r"a\.md broke the process"):
                await reading.read(tmp_path / "a.md")
            assert len((tmp_path / "tried").read_bytes()) == 2, "the next file has a new process"

    bounded(main())


HANGING = """
import signal
from pathlib import Path

class Reader:
    def read(self, path, max_tokens):
        with (Path(path).parent / "tried").open("ab") as tried:
            tried.write(b"x")
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        signal.pause()
"""


class Broken:
    """A worker whose process dies over every file."""

    closed = False

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        raise EngineFailed("The files engine failed.")

    async def close(self) -> None:
        self.closed = True


def test_a_file_that_kills_its_reader_is_refused_by_name(tmp_path: Path) -> None:
    worker = Broken()

    async def main() -> None:
        async with Reading(worker=worker) as reading:
            with pytest.raises(InvalidInput, match=r"a\.pdf broke the process"):
                await reading.read(tmp_path / "a.pdf")

    bounded(main())
    assert worker.closed


def test_real_files_through_the_real_worker(tmp_path: Path) -> None:
    documents.pdf(tmp_path / "m.pdf", ["Press the red button."])

    async def main() -> None:
        async with Reading() as reading:
            found = await reading.read(tmp_path / "m.pdf")
            assert (found.processor, found.title) == ("pdf", "m")
            assert [(one.text, one.place, one.index) for one in found.chunks] == [
                ("Press the red button.", "page 1", 0)
            ]
            with pytest.raises(InvalidInput, match="which nothing here reads"):
                await reading.read(tmp_path / "a.exe")
            with pytest.raises(Missing, match="cannot transcribe"):
                await reading.read(tmp_path / "a.wav")

    bounded(main())


def test_sound_is_told_by_the_minute(tmp_path: Path) -> None:
    async def transcribe(path: Path) -> AsyncIterator[tuple[float, str]]:
        for second, said in ((0.0, "Buy milk."), (28.0, "And eggs."), (61.0, "Then call Bob.")):
            yield second, said

    make(tmp_path / "memo.wav", b"RIFF")

    async def main() -> None:
        async with Reading(transcribe=transcribe, worker=Broken()) as reading:
            assert ".wav" in reading.suffixes
            found = await reading.read(tmp_path / "memo.wav")
        assert (found.title, found.processor) == ("memo.wav", "sound")
        assert [(one.text, one.place) for one in found.chunks] == [
            ("Buy milk.\n\nAnd eggs.\n\nThen call Bob.", "minutes 1-2")
        ]

    bounded(main())


def test_a_plugins_processor_goes_first_and_is_held_to_the_limits(tmp_path: Path) -> None:
    class Notes:
        name, suffixes = "notes", frozenset({".md"})
        parts: Callable[[], list[Any]]

        def read(self, path: Path, limits: FileLimits) -> FileText:
            return FileText("Mine", self.parts())

    notes = Notes()

    async def read(limits: FileLimits = LIMITS) -> Any:
        async with Reading(others=[notes], worker=Broken(), limits=limits) as reading:
            return await reading.read(tmp_path / "a.md")

    notes.parts = lambda: [Part("words", "here")]
    found = bounded(read())
    assert (found.title, found.processor, found.chunks[0].place) == ("Mine", "notes", "here")
    notes.parts = lambda: [Part("x" * 20_000, "")]
    with pytest.raises(InvalidInput, match="more than 10000 characters"):
        bounded(read())
    notes.parts = lambda: ["words"]
    with pytest.raises(InvalidInput, match="something else than text"):
        bounded(read())


def test_a_file_is_measured_before_it_is_read(tmp_path: Path) -> None:
    reading = Reading(worker=Broken(), limits=LIMITS)
    assert reading.measure(make(tmp_path / "a.md", b"words")) == (5, hashlib.sha256(b"words").digest())
    os.mkfifo(tmp_path / "pipe.md")
    for name, why in (("pipe.md", "is not a file"), ("absent.md", "No such file")):
        with pytest.raises(InvalidInput, match=why):
            reading.measure(tmp_path / name)
    with pytest.raises(InvalidInput, match="larger than 1 MiB"):
        reading.measure(make(tmp_path / "b.md", b"x" * (2**20 + 1)))


def test_what_fails_for_now_is_refused_with_its_file(tmp_path: Path) -> None:
    class Plugin:
        name, suffixes = "notes", frozenset({".md"})

        def read(self, path: Path, limits: FileLimits) -> FileText:
            raise PluginFailed("The plugin 'notes' broke.")

    async def transcribe(path: Path) -> AsyncIterator[tuple[float, str]]:
        yield 0.0, "words"
        raise EngineFailed("The stt engine failed.")

    async def main() -> None:
        async with Reading(others=[Plugin()], transcribe=transcribe, worker=Broken()) as reading:
            for name, why in (("a.md", "'notes' broke"), ("a.wav", "stt engine failed")):
                with pytest.raises(InvalidInput, match=why) as error:
                    await reading.read(make(tmp_path / name, b"RIFF"))
                assert name in str(error.value)

    bounded(main())
