"""Service Quotas: it keeps nothing, as the quotas are the cloud's own settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.servicequotas.api import ServiceQuotasApi

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.core.providers import Provider
    from localcloud.core.service_api import ServiceApi


class ServiceQuotas:
    """See `localcloud.cloud.Service`."""

    def __init__(self, _cloud: Cloud) -> None:
        self.apis: dict[str, type[ServiceApi]] = {"servicequotas": ServiceQuotasApi}
        self.providers: dict[str, Provider] = {}

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""
