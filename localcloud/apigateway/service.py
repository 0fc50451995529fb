"""API Gateway: REST APIs, their deployments, and the data plane."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from localcloud.apigateway.checks import check_api, check_method, check_stage
from localcloud.apigateway.control import KIND, backend, owner, perform
from localcloud.apigateway.dataplane import DataPlane
from localcloud.apigateway.deployments import Deployments
from localcloud.apigateway.providers import providers
from localcloud.apigateway.quotas import check_number, check_stage_sizes
from localcloud.apigateway.stage import ServedStage
from localcloud.apigateway.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.core.core import Core
    from localcloud.core.function_ports import FunctionInvoker
    from localcloud.core.log_ports import LogDelivery
    from localcloud.core.ports import MetricSink
    from localcloud.core.providers import Provider
    from localcloud.core.quotas import Quotas
    from localcloud.iam.access import Access
    from localcloud.moto.journal import Journal


class Gateway:
    """See `localcloud.core.service_api.Service`."""

    def __init__(
        self,
        core: Core,
        access: Access,
        quotas: Quotas,
        journal: Journal,
        *,
        functions: FunctionInvoker,
        logs: LogDelivery,
        metrics: MetricSink,
    ) -> None:
        self.core = core
        self.access = access
        self.journal = journal
        self._quotas = quotas
        self.providers: dict[str, Provider] = providers(self.perform, access)
        journal.register(KIND, perform)
        self._deployments = Deployments(core.ledger)
        self._telemetry = Telemetry(access, logs, metrics)
        self._data_plane = DataPlane(core.clock, functions, self._stage, self._telemetry)
        self._served: dict[tuple[str, str], ServedStage] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start telemetry; APIs and deployments are restored from journal and ledger."""
        self._telemetry.start()

    def stop(self) -> None:
        """Stop the data plane, and deliver the buffered metrics and logs."""
        self._data_plane.stop()
        self._telemetry.stop()

    def application(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve deployed APIs at `/API/STAGE/…`, as a WSGI application."""
        return self._data_plane.application(environ, start_response)

    def perform(
        self, account: str, region: str, operation: str, document: dict[str, Any]
    ) -> dict[str, Any]:
        """Perform an operation of `localcloud.apigateway.control`; the change is durable.

        Raises:
            RefusedError: the document has an unsupported part, or conflicts with the API.
        """
        if "api" in document:
            check_api(document["api"])
        elif "stage" in document:
            check_stage(document["stage"])
            check_stage_sizes(document["stage"])
        elif operation == "PutMethod":
            check_method("", document["method"])
        elif operation == "CreateDeployment":
            self._deployments.check(account, region, document["id"])
        check_number(backend(account, region), operation, document, self._quotas)
        entry = document | {
            "account": account,
            "region": region,
            "operation": operation,
            "now": self.core.clock.timestamp(),
        }
        made = self.journal.perform(KIND, entry) or {}
        if operation == "CreateDeployment":
            self._deployments.capture(account, region, document["id"], made["id"])
        if "id" in document:
            self.changed(account, region, document["id"])
        return made

    def changed(self, account: str, region: str, api_id: str) -> None:
        """Discard the cached stages of an API after a change."""
        with self._lock:
            for key in [key for key in self._served if key[0] == api_id]:
                del self._served[key]
        self._deployments.forget(account, region, api_id)

    def _stage(self, api_id: str, name: str) -> ServedStage | None:
        found = self._served.get((api_id, name))
        if found is not None:
            return found
        with self._lock:
            place = owner(api_id)
            if place is None:
                return None
            api = backend(*place).apis[api_id]
            stage = api.stages.get(name)
            snapshot = self._deployments.get(api_id, stage.deployment_id) if stage else None
            if snapshot is None:
                return None
            found = ServedStage(
                *place,
                api.to_dict(),
                stage.to_json(),
                snapshot,
                self.core.clock.timestamp(),
            )
            self._served[api_id, name] = found
            return found
