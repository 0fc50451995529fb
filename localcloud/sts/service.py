"""STS on the local cloud's own credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.core.core import Core
    from localcloud.core.providers import Provider
    from localcloud.iam.access import Access


class Sts:
    """See `localcloud.core.service_api.Service`."""

    def __init__(self, core: Core, access: Access) -> None:
        self.core = core
        self.access = access
        self.providers: dict[str, Provider] = {}

    def start(self) -> None:
        """Do nothing: `Credentials` stores the sessions."""

    def stop(self) -> None:
        """Do nothing: the service has no threads."""
