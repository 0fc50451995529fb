"""The names by which the platform's parts find one another; nothing here needs the CDK."""

from __future__ import annotations

STACK = "Pithead"
"""The stack of the pipeline."""
PIPELINE = "pithead"
SERVICE = "files"
ALIAS = "live"
"""The alias of the service's function that takes all traffic."""
NAMESPACE = "Pithead/Service"
"""Of the metrics that the service counts itself."""
RAILS = ("failures", "slow-requests", "function-errors")
"""The guard rails of a release: limits that the new version alone is held against."""
OVERRIDE_PARAMETER = "/pithead/gates/supply-chain/override"
"""SSM parameter that lets an audit which could not run go by, until a date."""
# npm's `latest` of the CLI reads only the assemblies of its own major version: never float it.
CDK_CLI = "2.1148.1"


def service_stack(environment: str) -> str:
    """The name of the service's stack in an environment."""
    return f"{environment}-{SERVICE}"


def alarm_name(environment: str, rail: str) -> str:
    """The name of a guard rail's alarm in the bake, known before the stack exists."""
    return f"{SERVICE}-{environment}-new-version-{rail}"


def version_alarm_name(environment: str, version: str, rail: str) -> str:
    """The name of a guard rail's alarm in the traffic shift, which is the version's own."""
    return f"{SERVICE}-{environment}-version-{version}-{rail}"
