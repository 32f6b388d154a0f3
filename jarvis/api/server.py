"""The node's HTTP API, on loopback only. It joins the table of routes to aiohttp and owns the runtime file by which
commands find it. It holds no knowledge of its own: every answer is the node's."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from jarvis.api import guard, openapi, runtime
from jarvis.api.events import EventSockets
from jarvis.api.face import NodeFace
from jarvis.api.incoming import AUDIO_BYTES, call_of
from jarvis.api.route import Route
from jarvis.api.routes import ROUTES
from jarvis.api.streams import Streams
from jarvis.api.voice import VoiceSockets
from jarvis.core.errors import BadConfiguration, JarvisError, Overloaded, StoreFailed
from jarvis.core.time import Clock, SystemClock

LOOPBACK = "127.0.0.1"
SHUTDOWN_S = 2.0
"""For answers under way when the node stops; all of it must end in 5 s."""
MAX_SOUNDS = 4
"""Held in memory at once, 32 MiB each at most; the node hears one at a time anyway."""
_VOICE_PATH = "/api/v2/voice"
_READY_PATH, _OPENAPI_PATH, _EVENTS_PATH, _METRICS_PATH = "/readyz", "/openapi.json", "/api/v2/events", "/metrics"


class ApiServer:
    """One per node. `start` listens and writes the runtime file, `close` undoes both."""

    def __init__(self, node: NodeFace, *, token: str, port: int = 0, clock: Clock | None = None) -> None:
        self._node = node
        self._token = token
        self._port = port
        self._sockets = EventSockets(node, clock or SystemClock())
        self._voices = VoiceSockets(node)
        self._streams = Streams()
        self._sounds = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """The API's address. Raises BadConfiguration when the port is taken."""
        # A caller who hangs up is not answered any more: its handler is cancelled, and with it a file half heard.
        runner = web.AppRunner(
            self._application(), access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise _cannot_listen(self._port, error) from None
        self._runner = runner
        url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
        try:
            runtime.write(self._data_dir(), runtime.Runtime(url, self._token, os.getpid()))
        except OSError as error:
            await self.close()
            if error.errno == errno.ENOSPC:
                raise StoreFailed(
                    f"The disk of {self._data_dir()} is full.", fix="Make room there, then start Jarvis again."
                ) from None
            raise BadConfiguration(
                f"{self._data_dir() / runtime.RUNTIME_FILE} cannot be written: {error.strerror}.",
                fix="Give the node a data directory it may write.",
            ) from None
        return url

    async def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runtime.remove(self._data_dir(), os.getpid())
            await self._sockets.close()
            await self._voices.close()
            await self._streams.close()
            await runner.cleanup()

    def _data_dir(self) -> Path:
        return Path(self._node.info()["data_dir"])

    def _application(self) -> web.Application:
        open_paths = {route.path for route in ROUTES if route.open} | {_READY_PATH, _OPENAPI_PATH}
        application = web.Application(
            client_max_size=AUDIO_BYTES,
            middlewares=[
                guard.errors_become_problems,
                guard.only_this_machine,
                guard.only_with_token(self._token, open_paths),
            ],
        )
        for route in ROUTES:
            application.router.add_route(route.method, route.path, self._handler(route))
        application.router.add_get(_READY_PATH, self._ready)
        application.router.add_get(_OPENAPI_PATH, self._openapi)
        application.router.add_get(_EVENTS_PATH, self._sockets.handle)
        application.router.add_get(_VOICE_PATH, self._voices.handle)
        application.router.add_get(_METRICS_PATH, self._metrics)
        return application

    def _handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            return web.json_response(await route.handler(self._node, await call_of(route, request)))

        async def handle_sound(request: web.Request) -> web.StreamResponse:
            if self._sounds >= MAX_SOUNDS:
                raise Overloaded(f"{MAX_SOUNDS} sound files are being heard already.", fix="Wait for one to end.")
            self._sounds += 1
            try:
                return await handle(request)
            finally:
                self._sounds -= 1

        async def handle_stream(request: web.Request) -> web.StreamResponse:
            return await self._streams.answer(request, await route.handler(self._node, await call_of(route, request)))

        if route.streams:
            return handle_stream
        return handle_sound if route.audio else handle

    async def _ready(self, request: web.Request) -> web.Response:
        """Whether every part works; parts are named, their details kept for who has the token."""
        try:
            parts = (await self._node.status())["components"]
        except JarvisError:
            parts = {"node": {"state": "failed"}}
        states = {name: part["state"] for name, part in parts.items()}
        ready = "failed" not in states.values()
        return web.json_response({"ready": ready, "components": states}, status=200 if ready else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        """For Prometheus. It needs the token: who talks to whom, and when, is nobody else's business."""
        return web.Response(text=await self._node.peering.metrics(), content_type="text/plain")

    async def _openapi(self, request: web.Request) -> web.Response:
        return web.json_response(openapi.document(ROUTES))


def _cannot_listen(port: int, error: OSError) -> BadConfiguration:
    taken = error.errno == errno.EADDRINUSE
    reason = "another program has it" if taken else error.strerror or type(error).__name__
    return BadConfiguration(
        f"The API cannot listen on port {port}: {reason}.", fix="Give another --api-port, or 0 for any free one."
    )
