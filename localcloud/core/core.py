"""What every service of the local cloud receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.core.bus import EventBus
    from localcloud.core.clients import ClientFactory
    from localcloud.core.clock import Clock
    from localcloud.core.credentials import Credentials
    from localcloud.core.ledger import Ledger


@dataclass(frozen=True)
class Core:
    """Time, state, events and callers. It holds no service."""

    clock: Clock
    ledger: Ledger
    bus: EventBus
    credentials: Credentials
    client: ClientFactory
    endpoint: str
    """The AWS API, such as `http://127.0.0.1:4566`."""
