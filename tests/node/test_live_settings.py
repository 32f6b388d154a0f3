"""Settings that change while the node runs: taken as a whole or not at all, and what has to wait is named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from jarvis.core.errors import BadConfiguration
from jarvis.core.settings import Settings, load
from jarvis.node.live_settings import LiveSettings


class Follower:
    """Keeps what it is given; refuses a home called Nowhere."""

    def __init__(self, live: LiveSettings, *names: str) -> None:
        self.taken: list[Settings] = []
        live.follow(names, self.prepare)

    def prepare(self, settings: Settings) -> Callable[[], None]:
        if settings.config.get("assistant.name") == "Nobody":
            raise BadConfiguration("It cannot be called that.", fix="Call it something else.")
        return lambda: self.taken.append(settings)


def with_settings(folder: Path, test: Callable[[LiveSettings], object], **flags: object) -> None:
    async def run() -> None:
        await test(LiveSettings(load(data_dir=folder, **flags)))  # type: ignore[misc]

    asyncio.run(run())


def save(folder: Path, text: str, name: str = "jarvis.toml") -> None:
    (folder / name).write_text(text)


def test_whoever_follows_is_told_of_what_it_follows(tmp_path: Path) -> None:
    async def test(live: LiveSettings) -> None:
        models, config = Follower(live, "llm", "ollama_url"), Follower(live, "config")
        await live.reload()
        assert not models.taken and not config.taken, "nothing has changed since the start"
        save(tmp_path, 'ollama_url = ""\n')
        await live.reload()
        assert [one.ollama_url for one in models.taken] == [""] and not config.taken
        save(tmp_path, 'ollama_url = ""\n[config]\n"assistant.name" = "Friday"\n')
        await live.reload()
        assert len(models.taken) == 1 and config.taken[0].config == {"assistant.name": "Friday"}
        (tmp_path / "jarvis.toml").unlink()
        await live.reload()
        assert len(models.taken) == len(config.taken) == 2 and live.state()["files"] == []

    with_settings(tmp_path, test)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('ollama_url = ""\nlog_level = "chatty"\n', "log_level"),
        ('ollama_url = ""\n[config]\n"assistant.name" = "Nobody"\n', "cannot be called that"),
        ('ollama_url = ""\n[[', "jarvis.toml"),
    ],
)
def test_a_file_with_a_fault_changes_nothing_and_is_named_until_it_is_mended(
    tmp_path: Path, text: str, why: str
) -> None:
    async def test(live: LiveSettings) -> None:
        followers = [Follower(live, "ollama_url"), Follower(live, "config")]
        save(tmp_path, text)
        with pytest.raises(BadConfiguration, match=why):
            await live.reload()
        assert not any(one.taken for one in followers)
        assert why in live.state()["problem"] and "stay in force" in live.state()["problem"]
        assert live.component()["state"] == "degraded" and why in live.component()["detail"]
        save(tmp_path, 'ollama_url = ""\n')
        await live.reload()
        assert len(followers[0].taken) == 1 and live.state()["problem"] == ""
        assert live.component() == {"state": "ok", "detail": "jarvis.toml"}

    with_settings(tmp_path, test)


def test_what_cannot_change_while_it_runs_is_named(tmp_path: Path) -> None:
    async def test(live: LiveSettings) -> None:
        Follower(live, "log_level")
        save(tmp_path, 'api_port = 5000\npeer_port = 1\nbind = "::1"\nlog_level = "debug"\n')
        assert (await live.reload())["at_next_start"] == ["api_port", "bind"], "a flag stands above the file"
        assert "api_port, bind: from the next start on" in live.component()["detail"]
        save(tmp_path, 'bind = "::1"\n')
        assert (await live.reload())["at_next_start"] == ["bind"]

    with_settings(tmp_path, test, peer_port=4000)


def test_the_file_of_the_environment_is_followed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(live: LiveSettings) -> None:
        follower = Follower(live, "config")
        save(tmp_path, '[config]\n"assistant.name" = "Friday"\n"audio.volume" = "9"\n', "jarvis.test.toml")
        await live.reload()
        assert follower.taken[-1].config == {"assistant.name": "Friday", "audio.volume": "9"}
        assert live.component()["detail"] == "environment test; jarvis.toml, jarvis.test.toml"
        (tmp_path / "jarvis.test.toml").unlink()
        with pytest.raises(BadConfiguration, match="no environment 'test'"):
            await live.reload()
        assert len(follower.taken) == 1

    save(tmp_path, '[config]\n"assistant.name" = "Edith"\n')
    save(tmp_path, "", "jarvis.test.toml")
    monkeypatch.setenv("JARVIS_ENV", "test")
    with_settings(tmp_path, test)


def test_a_running_one_sees_what_was_saved(tmp_path: Path) -> None:
    async def test(live: LiveSettings) -> None:
        told = asyncio.Event()
        live.follow(("log_level",), lambda new: told.set)
        running = asyncio.create_task(live.run())
        save(tmp_path, 'log_level = "debug"\n')
        async with asyncio.timeout(30):
            await told.wait()
        running.cancel()

    with_settings(tmp_path, test)
