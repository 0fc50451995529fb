"""Service Quotas: it keeps nothing, as the quotas are the cloud's own settings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from localcloud.servicequotas.api import ServiceQuotasApi

if TYPE_CHECKING:
    from localcloud.core.providers import Provider
    from localcloud.core.quotas import Quotas
    from localcloud.core.service_api import ApiFactory


class ServiceQuotas:
    """See `localcloud.core.service_api.Service`."""

    def __init__(self, quotas: Quotas) -> None:
        self.quotas = quotas
        self.apis: dict[str, ApiFactory] = {"servicequotas": partial(ServiceQuotasApi, self)}
        self.providers: dict[str, Provider] = {}

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""
