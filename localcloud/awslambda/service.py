"""Lambda: its parts, and its interface to other services."""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.awslambda.bundles import Bundles
from localcloud.awslambda.catalogue import Catalogue
from localcloud.awslambda.code_signing import CodeSigning
from localcloud.awslambda.concurrency import Concurrency
from localcloud.awslambda.definitions import Definitions
from localcloud.awslambda.encryption import Encryption
from localcloud.awslambda.events import Event, EventQueue
from localcloud.awslambda.fleet import Fleet
from localcloud.awslambda.invocations import Invoker, Request
from localcloud.awslambda.model import LATEST, Address, address
from localcloud.awslambda.providers import providers
from localcloud.awslambda.telemetry import Observation, Telemetry, log_target
from localcloud.awslambda.updates import Updates
from localcloud.core.ports import Invocation, InvocationError
from localcloud.core.service_api import ApiError
from localcloud.iam.acting import ServicePrincipal
from localcloud.iam.actions.call import Needed

if TYPE_CHECKING:
    from localcloud.awslambda.model import Function, Version
    from localcloud.core.core import Core
    from localcloud.core.delays import Delays
    from localcloud.core.function_ports import Deployer, SignatureReader
    from localcloud.core.log_ports import LogDelivery
    from localcloud.core.ports import MetricSink, Routing
    from localcloud.core.providers import Provider
    from localcloud.core.quotas import Quotas
    from localcloud.iam.access import Access

_MAX_PAYLOAD_BYTES = {"RequestResponse": 6_291_456, "Event": 1_048_576}
"""Maximum bytes of a payload by type of invocation ("Lambda quotas")."""


class Functions:
    """See `localcloud.core.service_api.Service`."""

    def __init__(
        self,
        core: Core,
        access: Access,
        quotas: Quotas,
        delays: Delays,
        *,
        logs: LogDelivery,
        metrics: MetricSink,
        signatures: SignatureReader,
        deploy: Deployer,
    ) -> None:
        self.core = core
        self.access = access
        self.quotas = quotas
        self.bundles = Bundles(core, access)
        self.catalogue = Catalogue(core.ledger)
        self.fleet = Fleet(core, self.bundles)
        self.code_signing = CodeSigning(core, self.catalogue, signatures)
        self.encryption = Encryption(access)
        self.updates = Updates(core.clock, delays)
        self.definitions = Definitions(
            core,
            access,
            quotas,
            self.catalogue,
            self.bundles,
            self.code_signing,
            self.encryption,
            self.fleet.retire,
        )
        self.random = random.Random()  # noqa: S311  # selects versions, not for security
        self._telemetry = Telemetry(logs, metrics)
        self._invoker = Invoker(core.clock, self.fleet, self._telemetry)
        self._concurrency = Concurrency(self.catalogue, quotas.concurrent_executions)
        self._events = EventQueue(core.clock, core.ledger, self)
        self.providers: dict[str, Provider] = providers(
            self.definitions, self.catalogue, self.code_signing, self.updates, deploy
        )
        access.tags.register("lambda", self._tags)
        access.facts.function_policy = self.policy
        access.facts.function_key = self._key

    def start(self) -> None:
        """Start the fleet and the queue of asynchronous invocations."""
        self.bundles.clear()
        self.fleet.start()
        self._telemetry.start()
        self._events.start()

    def stop(self) -> None:
        """Kill all workers and write their remaining output to the logs."""
        self._events.stop()
        self.fleet.stop()
        self._events.join()
        self._telemetry.stop()

    def invoke(
        self,
        account: str,
        region: str,
        function: str,
        qualifier: str | None,
        payload: bytes,
        *,
        trace: str = "",
        invocation_type: str = "RequestResponse",
        client_context: str = "",
    ) -> Invocation:
        """Invoke a function by name, partial ARN or ARN.

        An alias selects a version for each invocation. `payload` is JSON (empty: `{}`), `trace` an
        `X-Amzn-Trace-Id`, `client_context` JSON. `invocation_type` is Lambda's: RequestResponse;
        Event, which returns after queueing; or DryRun, which runs nothing. The last two return no
        payload.

        Raises:
            InvocationError: with Lambda's code, such as ResourceNotFoundException,
                TooManyRequestsException or RequestEntityTooLargeException.
        """
        where = _address(account, region, function, qualifier)
        found, version = self._resolve(where)
        rejection = self.updates.rejection(where)
        if rejection:
            raise InvocationError("ResourceConflictException", rejection)
        limit = _MAX_PAYLOAD_BYTES.get(invocation_type, _MAX_PAYLOAD_BYTES["RequestResponse"])
        if len(payload) > limit:
            raise InvocationError(
                "RequestEntityTooLargeException",
                f"{len(payload)} byte payload is too large for the {invocation_type} invocation "
                f"type (limit {limit} bytes)",
            )
        if invocation_type == "DryRun":
            return Invocation(b"", None, version.number)
        identifier = str(uuid.uuid4())
        if invocation_type == "Event":
            now = self.core.clock.timestamp()
            text = (payload or b"{}").decode()
            self._events.put(Event(identifier, *where, text, trace, now, now))
            return Invocation(b"", None, version.number)
        return self._run(
            Request(
                found, version, where.qualifier, payload or b"{}", identifier, trace, client_context
            )
        )

    def queue(self, arn: str, payload: bytes) -> None:
        """See `localcloud.core.function_ports.EventInvoker`."""
        region, account = arn.split(":")[3:5]
        self.invoke(account, region, arn, None, payload, invocation_type="Event")

    def routing(self, account: str, region: str, function: str, alias: str) -> Routing:
        """Return the routing of an alias.

        Raises:
            ApiError: ResourceNotFoundException.
        """
        where = address(account, region, function, alias)
        return self.catalogue.get(where).alias(alias).routing

    def route(self, account: str, region: str, function: str, alias: str, routing: Routing) -> None:
        """Set the routing of an alias and write it to the ledger.

        Raises:
            ApiError: the alias or a version does not exist, or the routing is invalid.
        """
        where = address(account, region, function, alias)
        self.definitions.change_alias(where, version=routing.version, weights=routing.weights)

    def policy(
        self, account: str, region: str, function: str, qualifier: str
    ) -> list[dict[str, Any]]:
        """Return the policy statements of a function (qualifier ""), version or alias.

        As on AWS, a function's policy does not apply to its versions and aliases.
        """
        try:
            found = self.catalogue.get(Address(account, region, function, ""))
        except ApiError:
            return []
        return found.policies.get(qualifier, [])

    def allows(
        self,
        account: str,
        region: str,
        function: str,
        qualifier: str | None,
        *,
        principal: str,
        source_arn: str,
    ) -> bool:
        """Return whether a function's policy allows a service for a source.

        The policy is enforced in every mode of IAM.

        Raises:
            InvocationError: ResourceNotFoundException.
        """
        where = _address(account, region, function, qualifier)
        self._resolve(where)
        own = where._replace(qualifier="") if where.qualifier == LATEST else where
        actor = ServicePrincipal(principal, source_arn)
        wanted = Needed("lambda:InvokeFunction", own.arn)
        return self.access.denied_own_call(actor, where.region, wanted) is None

    def attempt(self, event: Event) -> bool:
        """See `localcloud.awslambda.events.Target`."""
        where = _address(event.account, event.region, event.function, event.qualifier)
        found, version = self._resolve(where)
        payload = event.payload.encode()
        request = Request(found, version, where.qualifier, payload, event.id, event.trace)
        return self._run(request).error is None

    def retry_settings(self, event: Event) -> dict[str, int]:
        """See `localcloud.awslambda.events.Target`."""
        where = _address(event.account, event.region, event.function, event.qualifier)
        try:
            configured = self.catalogue.get(where).event_invoke
        except ApiError:
            return {}
        return configured.get(where.qualifier or LATEST, {})

    def dropped(self, event: Event, why: str) -> None:
        """See `localcloud.awslambda.events.Target`."""
        where = _address(event.account, event.region, event.function, event.qualifier)
        try:
            function, version = self._resolve(where)
        except InvocationError:
            return
        today = self.core.clock.now().strftime("%Y/%m/%d")
        text = f"Asynchronous invocation {event.id} of {where.arn} was dropped: {why}"
        stream = f"{today}/[{version.number}]dropped"
        self._telemetry.log(
            log_target(function, version, stream), [(self.core.clock.timestamp(), text)]
        )

    def _tags(self, account: str, region: str, resource: str) -> dict[str, str]:
        """Return the tags of `function:NAME`, which its versions and aliases share."""
        try:
            return self.catalogue.get(Address(account, region, resource.split(":")[1], "")).tags
        except (ApiError, IndexError):
            return {}

    def _key(self, account: str, region: str, function: str) -> str:
        try:
            found = self.catalogue.get(Address(account, region, function, ""))
        except ApiError:
            return ""
        return found.latest.configuration.kms_key

    def _run(self, request: Request) -> Invocation:
        self.encryption.check_variables(request.function, request.version)
        time = self.core.clock.timestamp()
        try:
            with self._concurrency.one(request.function) as running:
                answer, duration = self._invoker.run(request)
        except InvocationError:
            self._observe(request, time, {"Throttles": 1.0})
            raise
        self._observe(
            request,
            time,
            {
                "Invocations": 1.0,
                "Errors": float(answer.error is not None),
                "Throttles": 0.0,
                "Duration": round(duration, 2),
                "ConcurrentExecutions": float(running),
            },
        )
        return answer

    def _observe(self, request: Request, time: float, values: dict[str, float]) -> None:
        function, qualifier = request.function, request.qualifier
        executed = request.version.number if qualifier in function.aliases else ""
        self._telemetry.observe(
            Observation(
                function.account,
                function.region,
                function.name,
                qualifier,
                executed,
                time,
                values,
            )
        )

    def _resolve(self, where: Address) -> tuple[Function, Version]:
        """Return the function and the version to invoke for an address."""
        try:
            function = self.catalogue.get(where)
            alias = function.aliases.get(where.qualifier)
            number = self._choose(alias.routing) if alias else where.qualifier
            return function, function.version(number)
        except ApiError as error:
            raise InvocationError(error.code, error.message) from error

    def _choose(self, routing: Routing) -> str:
        if routing.weights:
            drawn = self.random.random()
            for version, weight in routing.weights.items():
                if drawn < weight:
                    return version
                drawn -= weight
        return routing.version


def _address(account: str, region: str, function: str, qualifier: str | None) -> Address:
    try:
        return address(account, region, function, qualifier)
    except ApiError as error:
        raise InvocationError(error.code, error.message) from error
