"""Service Quotas: stateless, as the quotas are settings of the local cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.core.providers import Provider
    from localcloud.core.quotas import Quotas


class ServiceQuotas:
    """See `localcloud.core.service_api.Service`."""

    def __init__(self, quotas: Quotas) -> None:
        self.quotas = quotas
        self.providers: dict[str, Provider] = {}

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""
