"""What others have added to this node: found, and loaded as far as somebody here has enabled it."""

from __future__ import annotations

from dataclasses import dataclass

from jarvis.assistant import builtin as intents
from jarvis.assistant.providers import builtin as providers
from jarvis.building.records import Records
from jarvis.knowledge.files import builtin as files
from jarvis.node.directory import DataDirectory
from jarvis.node.plugins import NodePlugins
from jarvis.plugins.registry import Plugins

FOLDER = "plugins"
"""In the data directory: a person's own plugins."""

BUILT_IN = (files, intents, providers)


@dataclass(frozen=True)
class Added:
    plugins: Plugins
    face: NodePlugins


async def plugins(directory: DataDirectory, kept: Records) -> Added:
    found = Plugins(directory.path / FOLDER, BUILT_IN)
    face = NodePlugins(found, kept.config, kept.journal, kept.audit)
    await face.load()
    return Added(found, face)
