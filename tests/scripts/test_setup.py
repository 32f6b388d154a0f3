"""The set-up behind `scripts/jarvis`, with an interpreter that only pretends: what it does once, what it does again,
and the one line it says when something is missing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 20.0
TOOLS = "awk basename bash cat chmod cut df dirname flock grep mkdir readlink rm sed sha256sum sleep tail tr"

PYTHON = """#!/bin/bash
# A pretended interpreter: notes what it is asked, makes a .venv that holds itself, "installs" a `jarvis`.
case "$*" in
  "-c import sys; sys.exit"*) exit 0 ;;
  "-c import ensurepip"*) [ ! -e "$PRETEND/no-venv" ] ;;
  "-m venv "*) echo venv >>"$PRETEND/calls"; mkdir -p "$3/bin"; cat "$0" >"$3/bin/python"; chmod +x "$3/bin/python" ;;
  "-m pip --version") exit 0 ;;
  "-m pip install "*)
    echo "pip $5" >>"$PRETEND/calls"
    [ -e "$PRETEND/pip-says" ] && { cat "$PRETEND/pip-says"; exit 1; }
    [ -p "$PRETEND/wait" ] && read -r _ <"$PRETEND/wait"
    printf '#!/bin/bash\\necho "ran $*"\\n' >"${0%/*}/jarvis"; chmod +x "${0%/*}/jarvis" ;;
esac
"""


class Checkout:
    """A copy of the scripts in a folder of its own, and a PATH with nothing but what they may use."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "with a space"
        self.pretend = folder / "pretend"
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.pretend.mkdir()
        shutil.copytree(
            ROOT / "scripts", self.root / "scripts", ignore=shutil.ignore_patterns("benches", "__pycache__")
        )
        (self.root / "pyproject.toml").write_text("[project]\n")
        for tool in TOOLS.split():
            found = shutil.which(tool)
            assert found, f"{tool} is not installed"
            (self.bin / tool).symlink_to(found)
        self.add_python("python3.11")
        self.env = {"PATH": str(self.bin), "PRETEND": str(self.pretend), "HOME": str(folder)}

    def add_python(self, name: str) -> None:
        python = self.bin / name
        python.write_text(PYTHON)
        python.chmod(0o755)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [str(self.root / "scripts" / "jarvis"), *arguments]
        return subprocess.Popen(
            command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=DEADLINE_S)
            return process.returncode, out, err

    def calls(self) -> list[str]:
        noted = self.pretend / "calls"
        return noted.read_text().splitlines() if noted.exists() else []

    def until_called(self, count: int) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while len(self.calls()) < count:
            assert time.monotonic() < deadline, self.calls()
            time.sleep(0.01)  # polls for a condition with a deadline


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_time_it_installs_then_never_again(checkout: Checkout) -> None:
    code, out, err = checkout.run("ask", "two words")
    assert (code, out) == (0, "ran ask two words\n")
    assert len(err.splitlines()) == 1 and "Setting up .venv" in err
    assert checkout.calls() == ["venv", f"pip {checkout.root}[voice,llm,knowledge]"]
    started = time.monotonic()
    assert checkout.run("again") == (0, "ran again\n", "")
    assert time.monotonic() - started < 1
    assert len(checkout.calls()) == 2


def test_a_changed_pyproject_installs_again(checkout: Checkout) -> None:
    checkout.run()
    (checkout.root / "pyproject.toml").write_text("[project]\nname = 'changed'\n")
    code, _, err = checkout.run()
    assert code == 0 and "up to date" in err
    assert [call.split()[0] for call in checkout.calls()] == ["venv", "pip", "pip"]


def test_an_interpreter_that_vanished_is_replaced(checkout: Checkout) -> None:
    checkout.run()
    python = checkout.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3.11")
    (checkout.root / ".venv" / "stale").touch()
    assert checkout.run("x")[:2] == (0, "ran x\n")
    assert not (checkout.root / ".venv" / "stale").exists()


def test_two_first_uses_at_once_install_once(checkout: Checkout) -> None:
    os.mkfifo(checkout.pretend / "wait")
    with checkout.start("one") as one:
        checkout.until_called(2)
        with checkout.start("two") as two:
            assert two.stderr is not None
            assert "waiting" in two.stderr.readline()
            (checkout.pretend / "wait").write_text("go\n")
            assert one.communicate(timeout=DEADLINE_S)[0] == "ran one\n"
            assert two.communicate(timeout=DEADLINE_S)[0] == "ran two\n"
    assert len(checkout.calls()) == 2


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_set_up_is_done_again(checkout: Checkout, how: signal.Signals) -> None:
    os.mkfifo(checkout.pretend / "wait")
    with checkout.start() as process:
        checkout.until_called(2)
        os.killpg(process.pid, how)  # the group, as a terminal's Ctrl-C would
        _, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == (130 if how is signal.SIGINT else -how)
        assert len(err.splitlines()) == 1
    (checkout.pretend / "wait").unlink()
    assert checkout.run("x")[:2] == (0, "ran x\n")
    assert len([call for call in checkout.calls() if call.startswith("pip")]) == 2


def refused(checkout: Checkout) -> str:
    code, out, err = checkout.run("x")
    assert (code, out) == (1, "")
    return err.splitlines()[-1]


def test_no_python_is_said(checkout: Checkout) -> None:
    old = checkout.bin / "python3.11"
    old.write_text("#!/bin/bash\nexit 1\n")
    assert refused(checkout).startswith("jarvis: No Python 3.11 or newer was found.")
    assert not (checkout.root / ".venv").exists()


@pytest.mark.parametrize("name", ["python3.12", "python3.13", "python3", "elsewhere"])
def test_another_python_does_as_well(checkout: Checkout, name: str) -> None:
    (checkout.bin / "python3.11").unlink()
    checkout.add_python(name)
    if name == "elsewhere":
        checkout.env["PYTHON"] = str(checkout.bin / name)
    assert checkout.run("x")[0] == 0


def test_no_venv_module_is_said(checkout: Checkout) -> None:
    (checkout.pretend / "no-venv").touch()
    assert "has no venv module. Install it (Debian: apt-get install python3-venv)" in refused(checkout)


@pytest.mark.parametrize(
    ("pip_says", "line"),
    [
        (
            "  WARNING: Retrying ... NewConnectionError('x')\nERROR: No matching distribution found for a",
            "No network: ",
        ),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "No disk space "),
        ("      ERROR: Could not find a version of b (from versions: none)\nerror: subprocess", "No network, or "),
        ("something odd", "pip could not install the packages. something odd"),
    ],
)
def test_why_pip_failed_is_said_in_one_line(checkout: Checkout, pip_says: str, line: str) -> None:
    (checkout.pretend / "pip-says").write_text(pip_says + "\n")
    said = refused(checkout)
    assert said.startswith(f"jarvis: {line}")
    assert pip_says.splitlines()[0 if "Could not" in pip_says else -1].strip() in said
    (checkout.pretend / "pip-says").unlink()
    assert checkout.run("x")[0] == 0


def test_no_disk_space_is_said_before_anything_is_made(checkout: Checkout) -> None:
    fake = checkout.bin / "df"
    fake.unlink()
    fake.write_text("#!/bin/bash\necho head\necho disk 9 9 204800 1% /\n")
    fake.chmod(0o755)
    assert "No disk space: " in refused(checkout)
    assert not (checkout.root / ".venv").exists()
