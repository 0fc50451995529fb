"""AWS quotas of the accounts, compared with what a release needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.names import PARALLEL_BUILDS
from pipeline.planning import quotas as needs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.aws.account import Aws, Place
    from environments.schema import Environment, Home


@dataclass(frozen=True)
class Quota:
    """One quota of an account in a region."""

    place: Place
    quota: needs.Quota
    applied: int
    needed: int
    why: str
    """What needs `needed`, as a clause."""

    @property
    def suffices(self) -> bool:
        """Whether the quota is large enough."""
        return self.applied >= self.needed

    @property
    def command(self) -> str:
        """The command that requests an increase, to run with credentials of the account."""
        return self.quota.increase_command(self.needed, self.place.region)


def quotas(aws: Aws, home: Home, environments: Mapping[str, Environment]) -> list[Quota]:
    """Read the quotas of the tooling account and of each environment's account.

    Raises:
        ConsoleError: an account cannot be read.
    """
    shared: dict[tuple[str, str], list[tuple[str, Environment]]] = {}
    for name, environment in environments.items():
        shared.setdefault((environment.account, environment.region), []).append((name, environment))
    return [builds(aws, home), *(_executions(aws, group) for group in shared.values())]


def builds(aws: Aws, home: Home) -> Quota:
    """Read the tooling account's quota on concurrent builds.

    Raises:
        ConsoleError: the account cannot be read.
    """
    answer = aws.client("service-quotas").get_service_quota(
        ServiceCode=needs.SMALL_BUILDS.service, QuotaCode=needs.SMALL_BUILDS.code
    )
    return Quota(
        home,
        needs.SMALL_BUILDS,
        int(answer["Quota"]["Value"]),
        PARALLEL_BUILDS,
        "stage Verify starts its builds in parallel",
    )


def _executions(aws: Aws, group: list[tuple[str, Environment]]) -> Quota:
    """Read Lambda's quota on concurrent executions, which environments may share."""
    place = group[0][1]
    limit = aws.client("lambda", place).get_account_settings()["AccountLimit"]
    return Quota(
        place,
        needs.CONCURRENT_EXECUTIONS,
        limit["ConcurrentExecutions"],
        needs.executions_needed(each for _, each in group),
        "; ".join(
            f"{name} admits {each.api.requests_per_second:g} requests a second of up to "
            f"{each.guard.latency_objective_ms} ms"
            for name, each in group
        ),
    )
