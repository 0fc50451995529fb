"""The entry point on Lambda."""

from __future__ import annotations

import asyncio

from mangum import Mangum

from .main import app

# Mangum runs each request on the thread's event loop and makes none itself.
asyncio.set_event_loop(asyncio.new_event_loop())
handler = Mangum(app, lifespan="off")
