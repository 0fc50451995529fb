"""Quotas of AWS that the pipeline and the service need, compared with those of the accounts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.names import PARALLEL_BUILDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.aws import Aws, Place
    from environments.schema import Environment, Home

_SMALL_BUILDS = "L-9D07B6EF"
_CONCURRENT_EXECUTIONS = "L-B99A9384"


@dataclass(frozen=True)
class Quota:
    """One quota of an account in a region."""

    place: Place
    service: str
    code: str
    name: str
    applied: int
    needed: int
    why: str
    """What needs as much."""

    @property
    def suffices(self) -> bool:
        """Whether it is large enough."""
        return self.applied >= self.needed

    @property
    def command(self) -> str:
        """The command that asks AWS to raise it, with credentials of the account."""
        return (
            f"aws service-quotas request-service-quota-increase --service-code {self.service} "
            f"--quota-code {self.code} --desired-value {self.needed} --region {self.place.region}"
        )


def quotas(aws: Aws, home: Home, environments: Mapping[str, Environment]) -> list[Quota]:
    """Read the quotas of the tooling account and of each environment's account.

    Raises:
        ConsoleError: an account cannot be read.
    """
    answer = aws.client("service-quotas").get_service_quota(
        ServiceCode="codebuild", QuotaCode=_SMALL_BUILDS
    )
    builds = Quota(
        home,
        "codebuild",
        _SMALL_BUILDS,
        answer["Quota"]["QuotaName"],
        int(answer["Quota"]["Value"]),
        PARALLEL_BUILDS,
        "stage Verify starts its builds side by side",
    )
    shared: dict[tuple[str, str], list[tuple[str, Environment]]] = {}
    for name, environment in environments.items():
        shared.setdefault((environment.account, environment.region), []).append((name, environment))
    return [builds, *(_executions(aws, those) for those in shared.values())]


def _executions(aws: Aws, those: list[tuple[str, Environment]]) -> Quota:
    """Return the quota of Lambda that environments of one account and region share."""
    place = those[0][1]
    limit = aws.client("lambda", place).get_account_settings()["AccountLimit"]
    return Quota(
        place,
        "lambda",
        _CONCURRENT_EXECUTIONS,
        "Concurrent executions",
        limit["ConcurrentExecutions"],
        sum(concurrency(each) for _, each in those),
        "; ".join(
            f"{name} admits {each.api.requests_per_second:g} requests a second of up to "
            f"{each.guard.latency_objective_ms} ms"
            for name, each in those
        ),
    )


def concurrency(environment: Environment) -> int:
    """Return how many requests are in progress at the API's throttle, by Little's law.

    Each may take as long as the latency objective.
    """
    seconds = environment.guard.latency_objective_ms / 1000
    return math.ceil(environment.api.requests_per_second * seconds)
