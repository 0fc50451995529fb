"""Quotas of AWS accounts that a release needs, and the command that raises one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from environments.schema import Environment


@dataclass(frozen=True)
class Quota:
    """A quota of AWS's Service Quotas."""

    service: str
    code: str
    name: str

    def increase_command(self, value: int, region: str) -> str:
        """Return the command that requests a value, to run with the account's credentials."""
        return (
            f"aws service-quotas request-service-quota-increase --service-code {self.service} "
            f"--quota-code {self.code} --desired-value {value} --region {region}"
        )


SMALL_BUILDS = Quota(
    "codebuild", "L-9D07B6EF", "Concurrently running builds for Linux/Small environment"
)
CONCURRENT_EXECUTIONS = Quota("lambda", "L-B99A9384", "Concurrent executions")


def concurrency(environment: Environment) -> int:
    """Return the requests in progress at the API's throttle, by Little's law.

    Each may take as long as the latency objective.
    """
    seconds = environment.guard.latency_objective_ms / 1000
    return math.ceil(environment.api.requests_per_second * seconds)


def executions_needed(environments: Iterable[Environment]) -> int:
    """Return the concurrent executions that environments of one account's region need."""
    return sum(map(concurrency, environments))
