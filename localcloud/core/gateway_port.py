"""The port of deployed APIs: a state folder keeps its first one.

On AWS the address of an API never changes. Here it contains a port, and deployed resources contain
the address: outputs, variables of functions, and whatever a template joins from it.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

from localcloud.core.http import HttpServer, PortInUseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.core.http import Wsgi
    from localcloud.core.ledger import Ledger

DEFAULT = 4567
_ANY = range(20_000, 32_768)
"""Below the ephemeral ports, which a client may hold at a later start."""


class GatewayPortError(Exception):
    """The state folder keeps another port than the requested one."""


def gateway(
    ledger: Ledger, asked: int | None, application: Wsgi, now: Callable[[], float]
) -> HttpServer:
    """The server of deployed APIs, on the folder's port.

    `asked` applies to a folder's first start: 0 is any free port, None the default.

    Raises:
        GatewayPortError: a later start asks for another port.
        PortInUseError: the port is taken.
    """
    kept = (ledger.get("gateway", "port") or {}).get("port")
    if kept is None:
        server = _first(DEFAULT if asked is None else asked, application, now)
        ledger.put("gateway", "port", {"port": server.port})
        return server
    if asked not in {None, 0, kept}:
        message = (
            f"port {asked} cannot serve the APIs of {ledger.folder}: found port {kept} in what is "
            "deployed there; leave the gateway port out, or remove the folder to begin anew"
        )
        raise GatewayPortError(message)
    try:
        return HttpServer("gateway", kept, application, now)
    except PortInUseError as error:
        message = (
            f"port {kept} is in use, and what is deployed in {ledger.folder} names it: stop what "
            "listens there"
        )
        raise PortInUseError(message) from error


def _first(asked: int, application: Wsgi, now: Callable[[], float]) -> HttpServer:
    for port in random.sample(_ANY, 100) if asked == 0 else ():
        with suppress(PortInUseError):
            return HttpServer("gateway", port, application, now)
    return HttpServer("gateway", asked, application, now)
