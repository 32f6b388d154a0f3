"""Every error Jarvis raises on purpose. An error says in one sentence what is wrong, in `fix` what to do now,
and in `retry` whether trying the same thing again can help. Nothing here may hold a spoken word.

    JarvisError
    ├── Temporary              retry can help
    │   ├── Unreachable            nobody answers there (exit 69)
    │   ├── DeadlineExceeded       it took longer than it may
    │   ├── Overloaded             a bound was reached; try again later
    │   └── EngineFailed           a model's worker died, hung or answered nonsense
    └── Permanent              retry cannot help
        ├── InvalidInput           what the caller gave cannot be used (exit 1)
        │   ├── InvalidBytes           untrusted bytes that break a limit or a format
        │   └── NotFound               no such thing, or an ambiguous prefix
        ├── NotAllowed             not by you, or not here (exit 77)
        ├── BadConfiguration       settings, keys or files that do not fit together (exit 78)
        ├── Missing                a model, library or program that is not installed (exit 1)
        ├── PluginFailed           a plugin broke, or cannot be used (exit 1)
        ├── StoreFailed            the disk or the database refused (exit 1)
        └── StoreFull              the store holds as much as it may (exit 1)
"""

from __future__ import annotations

from typing import ClassVar


class JarvisError(Exception):
    """Base of all. `str(error)` is a sentence for a person; `fix` says what to do now, "" when nothing can be done."""

    retry: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class Temporary(JarvisError):
    retry = True


class Unreachable(Temporary):
    exit_code = 69


class DeadlineExceeded(Temporary):
    pass


class Overloaded(Temporary):
    pass


class EngineFailed(Temporary):
    pass


class Permanent(JarvisError):
    pass


class InvalidInput(Permanent):
    pass


class InvalidBytes(InvalidInput):
    pass


class NotFound(InvalidInput):
    pass


class NotAllowed(Permanent):
    exit_code = 77


class BadConfiguration(Permanent):
    exit_code = 78


class Missing(Permanent):
    pass


class PluginFailed(Permanent):
    pass


class StoreFailed(Permanent):
    pass


class StoreFull(Permanent):
    pass


def install_extra(extra: str) -> str:
    """The `fix` where a library of an optional part is absent."""
    return f"Install Jarvis with its {extra} extra: pip install 'jarvis-home[{extra}]'."


def not_installed(library: str, extra: str) -> Missing:
    """`library` comes with the optional part `extra`."""
    return Missing(f"{library} is not installed.", fix=install_extra(extra))
