"""What a person may set for one node, outside what the home agrees on. Order: flag, `JARVIS_*` environment, the file of
the environment that `JARVIS_ENV` names, `jarvis.toml`, default. Home-wide settings are the replicated `config` document
instead. Imported only where a node is built, since pydantic takes 150 ms to load.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from jarvis.core.errors import BadConfiguration
from jarvis.core.layers import SETTINGS_FILE, layered, settings_files
from jarvis.core.paths import default_data_dir
from jarvis.core.secrets import INSTEAD, names_a_secret


def _open_url(value: str) -> str:
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError("it is no address") from None
    if parts.username or parts.password or parts.query:
        raise ValueError("an address holds no user, no password and no query, since it is shown")
    return value


Url = Annotated[str, AfterValidator(_open_url)]


class LlmSettings(BaseModel):
    """One server of language models. Its key is never here: see docs/assistant.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    """`openai` for any server with OpenAI's protocol, `anthropic`, `ollama`, or one that a plugin brings."""
    name: str = Field("", pattern=r"^[a-z0-9-]{0,32}$")
    """What people see it called; empty for the provider's name."""
    url: Url = ""
    """Where it answers; empty for the provider's own address, if it has one."""
    model: str = ""
    """Which to ask; empty for the first that the server has, where it can be asked for that."""
    key_file: Path | None = None
    """A file with its key, and nothing else in it."""
    context_tokens: int = Field(8192, ge=512, le=1_000_000)
    """Window for prompt and answer together."""
    max_tokens: int = Field(256, ge=16, le=4096)
    """Length of an answer."""
    at_once: int = Field(2, ge=1, le=16)
    """Answers under way at a time."""
    first_words_s: float = Field(20.0, gt=0, le=60)
    """How long to wait for the beginning of an answer before the next model is asked."""
    vision: bool = False
    """Can be shown pictures."""
    trusted: bool = True
    """May be asked for sums and facts. Not for a model of less than about three billion parameters."""

    @property
    def called(self) -> str:
        return self.name or self.provider


class Settings(BaseSettings):
    """One node's settings, frozen and checked where they are built."""

    model_config = SettingsConfigDict(env_prefix="JARVIS_", frozen=True, extra="forbid", env_nested_delimiter="__")

    data_dir: Path = Field(default_factory=default_data_dir)
    """The directory that is the node: keys, encrypted store, lock, API token."""
    env: str = ""
    """The environment, such as `test`: `jarvis.test.toml` lies over `jarvis.toml` then."""
    api_port: int = Field(0, ge=0, le=65535)
    """Port of the local HTTP API on loopback; 0 takes any free one."""
    peer_port: int = Field(0, ge=0, le=65535)
    """Port for links from other nodes; 0 takes any free one."""
    # Links are for the home's network and need both certificates.
    bind: str = "0.0.0.0"  # nosec B104
    """Address the peer port listens on."""
    audio: str = "none"
    """`none`, `device`, `device:NAME` or `wav:FILE`."""
    mdns: bool = True
    """Announce this node and look for others with mDNS."""
    peer: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses (HOST:PORT) to try besides those that mDNS finds; in the environment with commas between them."""
    ollama_url: Url = "http://127.0.0.1:11434"
    """Where an Ollama server may answer; empty turns it off."""
    ollama_model: str = ""
    """The model to ask Ollama for; empty takes the first it has."""
    llm: tuple[LlmSettings, ...] = Field((), max_length=8)
    """Servers of language models in the order of preference, before Ollama at `ollama_url`; as JSON in the
    environment."""
    config: dict[str, str] = Field(default_factory=dict)
    """Values for config keys that this device insists on, such as `"assistant.name" = "Friday"`."""
    log_level: str = "info"
    """debug, info, warning or error."""

    @field_validator("peer", mode="before")
    @classmethod
    def _peer(cls, value: Any) -> Any:
        return [one.strip() for one in value.split(",") if one.strip()] if isinstance(value, str) else value

    @field_validator("audio")
    @classmethod
    def _audio(cls, value: str) -> str:
        if value in ("none", "device") or (value.partition(":")[0] in ("wav", "device") and value.partition(":")[2]):
            return value
        raise ValueError("use none, device, device:NAME or wav:FILE")

    @field_validator("llm")
    @classmethod
    def _llm(cls, value: tuple[LlmSettings, ...]) -> tuple[LlmSettings, ...]:
        if len({one.called for one in value}) < len(value):
            raise ValueError("give each server another name")
        return value

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        if value in ("debug", "info", "warning", "error"):
            return value
        raise ValueError("use debug, info, warning or error")

    _given: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        above = {**env_settings(), **init_settings()}
        files = layered(Path(above.get("data_dir") or default_data_dir()), str(above.get("env", "")))
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=files)

    def files(self) -> list[Path]:
        """Where it may be written; not all need be there."""
        return settings_files(self.data_dir, self.env)

    def again(self) -> Settings:
        """As files and environment have it now, below the same flags. Raises as `load` does."""
        return load(**self._given)


def load(**flags: Any) -> Settings:
    """Settings with `flags` on top; None means "not given". Raises BadConfiguration naming the field; what it holds is
    never repeated."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise _named(error.errors()[0]) from None
    except SettingsError as error:  # a variable that should be JSON
        raise BadConfiguration(f"The environment cannot be read: {error}.", fix="Correct the variable.") from None
    settings._given = given
    return settings


def _named(error: ErrorDetails) -> BadConfiguration:
    name = ".".join(str(part) for part in error["loc"])
    fix = f"Correct the flag, the JARVIS_{name.upper()} variable or {SETTINGS_FILE}."
    if error["type"] != "extra_forbidden":
        wrong = error["msg"].removeprefix("Value error, ")
        return BadConfiguration(f"The setting {name!r} is not valid: {wrong[0].lower()}{wrong[1:]}.", fix=fix)
    if names_a_secret(name):
        return BadConfiguration(f"A secret such as {name!r} has no place in the settings.", fix=INSTEAD)
    return BadConfiguration(f"There is no setting {name!r}.", fix=fix)
