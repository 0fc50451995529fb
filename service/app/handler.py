"""The entry point on Lambda: `service.app.handler.handler`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mangum import Mangum

from service.app import tracing
from service.app.main import create_default_app

if TYPE_CHECKING:
    from fastapi import FastAPI
    from mangum.types import ASGI, LambdaContext, LambdaEvent, Receive, Scope, Send


def _behind_its_stage(app: FastAPI) -> ASGI:
    """Wrap the app for Mangum: `path` includes the root path, as ASGI requires."""
    root = app.state.settings.root_path

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "root_path": root, "path": root + scope["path"]}, receive, send)

    return call


_app = create_default_app()
# Mangum runs each request on the thread's event loop and creates none itself.
asyncio.set_event_loop(asyncio.new_event_loop())
# Once per sandbox: with a lifespan, Mangum would run startup again for every request.
_asgi = Mangum(_behind_its_stage(_app), lifespan="off")


def handler(event: LambdaEvent, context: LambdaContext) -> dict[str, Any]:
    """Answer one API Gateway proxy event."""
    try:
        return _asgi(event, context)
    finally:
        tracing.flush()
