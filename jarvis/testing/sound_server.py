"""A PulseAudio server of a test's own, with rooms in it: a null sink is a loudspeaker, and its monitor is a microphone
that hears nothing else. PortAudio reaches it as it reaches a desktop's, through ALSA's pulse plugin. Nothing of the
machine's own sound is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

PROGRAMS = ("pulseaudio", "pactl")
PLUGIN = "alsa-lib/libasound_module_pcm_pulse.so"
READY_S = 20.0
ALSA = Path("/usr/share/alsa/alsa.conf")


def missing() -> str:
    """Debian's packages that are not there, "" when all are."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return "pulseaudio pulseaudio-utils"
    if not any(Path("/usr/lib").glob(f"*/{PLUGIN}")) and not (Path("/usr/lib") / PLUGIN).exists():
        return "libasound2-plugins"
    return ""


class SoundServer:
    """`folder` holds all it writes. `env` is for a process that shall find its rooms as devices, named as they are."""

    def __init__(self, folder: Path, *rooms: str) -> None:
        self._folder, self._modules = folder, dict.fromkeys(rooms, "")
        socket, runtime = folder / "socket", folder / "run"
        runtime.mkdir(mode=0o700)
        (folder / "asound.conf").write_text("".join(map(_device, rooms)) + f"pcm.!default {_asym(rooms[0])}\n")
        self.env = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(runtime),
            "PULSE_RUNTIME_PATH": str(runtime),
            "PULSE_SERVER": f"unix:{socket}",
            "ALSA_CONFIG_PATH": f"{ALSA}:{folder / 'asound.conf'}",
        }
        command = (
            "pulseaudio",
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--disable-shm=yes",
        )
        protocol = f"module-native-protocol-unix socket={socket} auth-anonymous=1"
        with (folder / "pulseaudio.log").open("wb") as log_file:
            self._process = subprocess.Popen([*command, "-L", protocol], env=self.env, stdout=log_file, stderr=log_file)
        deadline_s = time.monotonic() + READY_S
        while not self._answers():
            if time.monotonic() > deadline_s or self._process.poll() is not None:
                self.close()
                raise AssertionError(f"PulseAudio did not start:\n{(folder / 'pulseaudio.log').read_text()[-2_000:]}")
            time.sleep(0.05)
        for room in rooms:
            self.restore(room)

    def remove(self, room: str) -> None:
        """As if its cable were pulled."""
        self._tell("unload-module", self._modules[room])

    def restore(self, room: str) -> None:
        settings = (f"sink_name={room}", "rate=48000", "channels=1")
        self._modules[room] = self._tell("load-module", "module-null-sink", *settings)

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            return (
                subprocess.run([_pactl(), "info"], env=self.env, capture_output=True, timeout=READY_S).returncode == 0
            )
        except subprocess.TimeoutExpired:
            return False

    def _tell(self, *arguments: str) -> str:
        done = subprocess.run(
            [_pactl(), *arguments], env=self.env, capture_output=True, check=True, text=True, timeout=10
        )
        return done.stdout.strip()


def _pactl() -> str:
    found = shutil.which("pactl")
    assert found is not None, missing()
    return found


def _device(room: str) -> str:
    return f"pcm.{room} {_asym(room)}\n"


def _asym(room: str) -> str:
    playback = f"playback.pcm {{ type pulse device {room} }}"
    return f"{{ type asym {playback} capture.pcm {{ type pulse device {room}.monitor }} }}"
