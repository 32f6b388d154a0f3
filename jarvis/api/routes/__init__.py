"""The table of routes, a file per subject."""

from __future__ import annotations

from jarvis.api.route import Route
from jarvis.api.routes import (
    audit,
    backups,
    config,
    engines,
    health,
    home,
    knowledge,
    mute,
    nodes,
    notes,
    plugins,
    sessions,
    sync,
    talk,
    timers,
)

ROUTES: tuple[Route, ...] = (
    *health.ROUTES,
    *talk.ROUTES,
    *sessions.ROUTES,
    *nodes.ROUTES,
    *home.ROUTES,
    *config.ROUTES,
    *audit.ROUTES,
    *timers.ROUTES,
    *mute.ROUTES,
    *engines.ROUTES,
    *plugins.ROUTES,
    *notes.ROUTES,
    *knowledge.ROUTES,
    *sync.ROUTES,
    *backups.ROUTES,
)
