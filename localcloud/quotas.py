"""Quotas of an account in a region, as Service Quotas names them."""

from __future__ import annotations

from dataclasses import dataclass

_UNRESERVED = 100


@dataclass(frozen=True)
class Quotas:
    """Applied quotas."""

    concurrent_executions: int
    """Lambda's "Concurrent executions"."""
    concurrent_builds: int
    """CodeBuild's "Concurrently running builds", for each compute type."""

    @property
    def unreserved_executions(self) -> int:
        """The concurrency that reservations must leave to functions without one.

        100, or all of a smaller quota: "below its minimum value of [10]"
        (aws-samples/one-observability-demo#278).
        """
        return min(_UNRESERVED, self.concurrent_executions)


ESTABLISHED_ACCOUNT = Quotas(concurrent_executions=1000, concurrent_builds=60)
"""Of an account with a history of use ("Lambda quotas", "Quotas for AWS CodeBuild")."""
NEW_ACCOUNT = Quotas(concurrent_executions=10, concurrent_builds=1)
"""What new accounts are reported to have (aws-samples/sample-one-click-generative-ai-solutions#3,
awslabs/landing-zone-accelerator-on-aws#249)."""
