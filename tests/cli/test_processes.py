"""The command as a process: how fast it starts, what it loads, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.api.double import ScriptedNode, served

HEAVY = ("numpy", "aiohttp", "pydantic", "rich", "structlog", "cryptography", "asyncio", "onnxruntime")


def jarvis(*arguments: str, **rest: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jarvis_cli", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **rest)  # type: ignore[call-overload, no-any-return]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom jarvis_cli.main import main\n"
        "main(['--help'])\nmain(['--version'])\nprint(*sys.modules, file=sys.stderr)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr.split()
    assert not set(HEAVY) & set(loaded)


def test_a_command_loads_no_event_loop_to_ask_one_question(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom jarvis_cli.main import main\nmain(['status', '--json'])\nprint(*sys.modules, file=sys.stderr)"
    )
    with served(ScriptedNode(tmp_path)):
        environment = {**os.environ, "JARVIS_DATA_DIR": str(tmp_path)}
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert ran.stdout and not set(HEAVY) & set(ran.stderr.split())


def test_ctrl_c_is_130_without_a_traceback(tmp_path: Path) -> None:
    import asyncio

    node = ScriptedNode(tmp_path)
    node.held = asyncio.Event()  # never set: the question is never answered
    with served(node):
        process = jarvis("ask", "hi", "--data-dir", str(tmp_path))
        deadline = time.monotonic() + 20
        while not node.calls and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "") and "Traceback" not in err


@pytest.mark.parametrize("options", [["--json"], []])
def test_watching_goes_on_until_ctrl_c(options: list[str], tmp_path: Path) -> None:
    with served(ScriptedNode(tmp_path)):
        process = jarvis("sync", "status", "--watch", *options, "--data-dir", str(tmp_path))
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)] if options else [process.stdout.readline()]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130 and "Traceback" not in err
    if options:
        assert [json.loads(line)["records"] for line in lines] == [7, 7], "one line a second"
    else:
        assert "lag ms" in lines[0]


def test_nobody_reading_on_costs_no_words() -> None:
    process = jarvis("completion", "bash")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    assert (process.wait(timeout=20), err) == (1, "")
    process.stderr.close()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_finds_commands(shell: str) -> None:
    out, _ = jarvis("completion", shell).communicate(timeout=20)
    assert "_JARVIS_COMPLETE" in out
    environment = {
        **os.environ,
        "_JARVIS_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "jarvis node in",
        "COMP_CWORD": "2",
    }
    out, _ = jarvis(env=environment).communicate(timeout=20)
    if shell != "fish":  # fish gives its words in another way
        assert "info" in out and "invite" in out
