"""One process on a data directory, held by a real second process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jarvis.core.errors import BadConfiguration
from jarvis.store.lock import DirectoryLock

HOLDER = """
import sys
from pathlib import Path
from jarvis.store.lock import DirectoryLock
with DirectoryLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_who_holds_it(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    command = [sys.executable, "-c", HOLDER, str(data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BadConfiguration) as caught:
            DirectoryLock(data_dir).acquire()
        assert str(caught.value) == f"Another Jarvis (pid {holder.pid}) runs on this data directory."
        assert caught.value.exit_code == 78 and caught.value.fix
        holder.kill()  # however it ends, the lock ends with it
    with DirectoryLock(data_dir):
        assert (data_dir / "lock").read_text().strip().isdigit()


def test_it_is_held_once_and_can_be_given_back(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path), DirectoryLock(tmp_path)
    with first, pytest.raises(BadConfiguration):
        second.acquire()
    with second:
        pass
    first.release()


def test_a_child_process_does_not_keep_it(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        lock.release()
        with DirectoryLock(tmp_path):
            pass
        assert child.stdin is not None
        child.stdin.close()
