"""The unit that keeps a node there: what systemd thinks of it, a real start and a real crash, and no systemd at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jarvis_cli import units

from jarvis.testing.processes import jarvis, run

HERE = Path(__file__).parent


def absent(reason: str) -> None:
    """Skips on a desk, fails in CI, where nothing may be left untested unseen."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def verified(unit: Path, folder: Path) -> str:
    """What systemd-analyze finds wrong."""
    if shutil.which("systemd-analyze") is None:
        absent("There is no systemd-analyze here: run `apt install systemd`.")
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "HOME": str(folder)}
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(unit)], capture_output=True, text=True, env=environment, timeout=60
    )
    return done.stderr.strip() or ("" if done.returncode == 0 else f"exit code {done.returncode}")


@pytest.mark.parametrize("name", ["jarvis", 'living room 100% $HOME "it\'s" back\\slash'])
@pytest.mark.parametrize("key", [None, "/media/stick/store.key", "/etc/50% key.cred"])
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, name: str, key: str | None) -> None:
    data_dir = tmp_path / name
    unit = units.Unit("jarvis.service", tmp_path / "jarvis.service")
    command = [sys.executable, "-m", "jarvis_cli", "--data-dir", str(data_dir), "run", "--audio", "device:Jabra 410"]
    content = units.text(unit, command, data_dir, Path(key) if key else None, "test" if key else "")
    units.write(unit, content)
    assert verified(unit.path, tmp_path) == ""
    assert ("LoadCredential" in content) == ("Environment=JARVIS_ENV=test\n" in content) == (key is not None)
    unit.path.write_text(content.replace("RestartSec=", "RestartSecs="))
    assert "RestartSecs" in verified(unit.path, tmp_path)


def test_every_data_directory_has_a_unit_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    usual = Path("/home/ada/.local/share/jarvis")
    assert units.unit_of(usual, usual).path == tmp_path / "systemd" / "user" / "jarvis.service"
    others = {units.unit_of(Path(one), usual).name for one in ("/a/Küche 1", "/b/Küche 1", "/c/hall")}
    assert len(others) == 3 and all(name.startswith("jarvis-") and " " not in name for name in others)


def test_without_systemd_the_unit_is_written_and_that_is_said(tmp_path: Path) -> None:
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/nowhere"}
    data_dir = tmp_path / "node"
    refused = jarvis("service", "install", data_dir=data_dir, env=env)
    assert refused.code == 78 and not (tmp_path / "config").exists()  # there is no node to start
    jarvis("init", "--name", "kitchen", data_dir=data_dir, env=env).json()
    made = jarvis("service", "install", "--audio", "none", data_dir=data_dir, env=env).json()
    assert made["installed"] and made["enabled"] and made["problem"] == "There is no systemd on this machine."
    assert f'"{data_dir}" "run" "--audio" "none"' in Path(made["path"]).read_text()
    assert jarvis("service", "status", data_dir=data_dir, env=env).json() == made
    assert jarvis("service", "install", "--audio", "gramophone", data_dir=data_dir, env=env).code == 78
    assert jarvis("service", "uninstall", data_dir=data_dir, env=env).json()["removed"]
    assert not jarvis("service", "uninstall", data_dir=data_dir, env=env).json()["removed"]
    assert not list((tmp_path / "config").rglob("*.service"))


def test_systemd_starts_the_node_and_starts_it_again(tmp_path: Path) -> None:
    """A user's systemd of the test's own, in a mount namespace where the machine seems to have been started by one."""
    manager = shutil.which("systemd", path="/lib/systemd:/usr/lib/systemd")
    if os.geteuid() != 0 or manager is None or shutil.which("unshare") is None:
        absent("Starting a systemd needs root, unshare and systemd.")
    data_dir = tmp_path / "node"
    jarvis("init", "--name", "kitchen", data_dir=data_dir).json()
    done = run(
        *("unshare", "-m", "--propagation", "private", "bash", str(HERE / "with_systemd.sh"), str(manager)),
        env={**os.environ, "FOLDER": str(tmp_path), "DATA_DIR": str(data_dir), "PYTHON": sys.executable},
        within_s=300,
    )
    assert done.code == 0, done.out + done.err
    first, crashed, killed, apart, gone = map(json.loads, done.out.splitlines())
    assert first["state"] == "active" and first["pid"] and first["problem"] == "" and first["restarts"] == 0
    assert crashed["state"] == "active" and crashed["restarts"] == 1 and crashed["pid"] != first["pid"]
    assert killed["muted"] is False  # it answers
    assert apart["state"] == "active"  # its store's key came from elsewhere
    assert gone["removed"]
