"""What `doctor` says of the language models that the settings list."""

from __future__ import annotations

from pathlib import Path

import pytest
from jarvis_cli.checks import language_models, settings

from jarvis.core.settings import SETTINGS_FILE, load


def test_each_listed_server_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JARVIS_LLM", raising=False)
    assert list(language_models(load(data_dir=tmp_path))) == []
    (tmp_path / SETTINGS_FILE).write_text(
        '[[llm]]\nprovider = "anthropic"\nmodel = "m"\n[[llm]]\nprovider = "openai"\nurl = "http://127.0.0.1:1/v1"\n'
    )
    (first, second) = language_models(load(data_dir=tmp_path))
    assert (first.name, first.ok, first.optional) == ("llm.anthropic", False, True) and "no key" in first.detail
    assert (second.name, second.ok) == ("llm.openai", False) and "cannot be reached" in second.detail
    monkeypatch.setenv("JARVIS_LLM_ANTHROPIC_KEY", "sk-some")
    first = next(language_models(load(data_dir=tmp_path)))
    assert first.ok and "sk-some" not in repr(first)
    (tmp_path / SETTINGS_FILE).write_text('[[llm]]\nprovider = "openai"\n')
    (only,) = language_models(load(data_dir=tmp_path))
    assert not only.ok and "url" in only.detail


def test_settings_are_looked_at_as_the_next_start_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(tmp_path, "")[1].ok
    (tmp_path / SETTINGS_FILE).write_text("api_port = 0\n")
    (tmp_path / "jarvis.test.toml").write_text("")
    monkeypatch.setenv("JARVIS_ENV", "test")
    assert settings(tmp_path, "")[1].detail == "Environment test: jarvis.toml, jarvis.test.toml."
    monkeypatch.setenv("JARVIS_ENV", "elsewhere")
    held, found = settings(tmp_path, "")
    assert held is None and not found.ok and "elsewhere" in found.detail and "JARVIS_ENV" in found.fix
