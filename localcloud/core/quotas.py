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
    code_storage_bytes: int = 75 * 2**30
    """Lambda's "Function and layer storage": the code of all functions and versions."""
    stacks: int = 2000
    """CloudFormation's "Stack count"."""
    change_sets: int = 1000
    """Of a stack: not in CloudFormation's list, but met by users (awslabs/seed-farmer#441)."""
    pipelines: int = 1000
    """CodePipeline's "Total number of pipelines"."""
    build_projects: int = 5000
    """CodeBuild's "Build projects"."""
    regional_apis: int = 600
    """API Gateway's "Regional APIs per Region"."""
    edge_apis: int = 120
    """API Gateway's "Edge-optimized APIs per Region"."""
    api_resources: int = 300
    """API Gateway's "Resources per API"."""
    api_stages: int = 10
    """API Gateway's "Stages per API"."""

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
