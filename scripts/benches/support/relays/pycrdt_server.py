"""pycrdt-websocket's own server, as its documentation runs it. Runs in the throw-away environment."""

import asyncio
import sys

import uvicorn
from pycrdt.websocket import ASGIServer, WebsocketServer


async def main() -> None:
    async with WebsocketServer(auto_clean_rooms=False) as rooms:
        config = uvicorn.Config(ASGIServer(rooms), port=int(sys.argv[1]), log_level="error", lifespan="off")
        await uvicorn.Server(config).serve()


asyncio.run(main())
