"""Deployments: snapshots of an API, which its stages serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.apigateway.checks import check_api, check_method
from localcloud.apigateway.control import backend

if TYPE_CHECKING:
    from localcloud.core.ledger import Ledger

_KIND = "gateway:deployment"


class Deployments:
    """Stores snapshots by API and deployment in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def check(self, account: str, region: str, api_id: str) -> None:
        """Check that the local cloud supports all parts of an API before its deployment.

        Raises:
            RefusedError: it does not support a part.
        """
        api = backend(account, region).apis.get(api_id)
        if api is None:
            return
        check_api(api.to_dict())
        for resource in api.resources.values():
            for method in resource.resource_methods.values():
                check_method(resource.get_path(), method.to_json())

    def capture(self, account: str, region: str, api_id: str, deployment_id: str) -> None:
        """Store a snapshot of the API for a deployment; it is durable when this returns."""
        api = backend(account, region).get_rest_api(api_id)
        methods = [
            {
                "resource": resource.id,
                "path": resource.get_path(),
                "method": name,
                "integration": method.method_integration.to_json(),
            }
            for resource in api.resources.values()
            for name, method in resource.resource_methods.items()
        ]
        snapshot = {"binaryMediaTypes": list(api.binaryMediaTypes or []), "methods": methods}
        self._ledger.put(_KIND, f"{api_id}/{deployment_id}", snapshot)

    def get(self, api_id: str, deployment_id: str) -> dict[str, Any] | None:
        """Return the snapshot of a deployment, or None."""
        return self._ledger.get(_KIND, f"{api_id}/{deployment_id}")

    def forget(self, account: str, region: str, api_id: str) -> None:
        """Delete the snapshots of deployments that moto no longer has."""
        api = backend(account, region).apis.get(api_id)
        kept = api.deployments if api else {}
        for key, _ in self._ledger.all(_KIND, f"{api_id}/"):
            if key.split("/")[1] not in kept:
                self._ledger.delete(_KIND, key)
