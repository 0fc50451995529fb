"""The service on a real server, until a test degrades it."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from service.app.main import create_app
from service.app.settings import Settings
from tests.service.app.conftest import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from fastapi import Request, Response

    Service = Callable[[Request], Awaitable[Response]]
    Behaviour = Callable[[Request, Service], Awaitable[Response]]


async def _as_it_is(request: Request, service: Service) -> Response:
    return await service(request)


class Served:
    """A service at `url`, as `behave` makes it; `asked` are methods and paths."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.storage = MemoryStorage()
        self.behave: Behaviour = _as_it_is
        self.asked: list[str] = []
        self.over = threading.Event()

    def restore(self) -> None:
        """Serve as the service itself does."""
        self.behave = _as_it_is

    def files(self) -> list[str]:
        """Return the paths of all files."""
        return [each.path for each in self.storage.list("", None, 1000).files]


@contextmanager
def serve() -> Iterator[Served]:
    """Serve on a free port of loopback; `over` is set at the end."""
    listening = socket.create_server(("127.0.0.1", 0))
    served = Served(f"http://127.0.0.1:{listening.getsockname()[1]}/")
    app = create_app(Settings(bucket="files"), served.storage)

    @app.middleware("http")
    async def observed(request: Request, service: Service) -> Response:
        served.asked.append(f"{request.method} {request.url.path}")
        return await served.behave(request, service)

    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield served
    finally:
        served.over.set()
        server.should_exit = True
        thread.join()
        listening.close()
