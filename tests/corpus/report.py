"""Public reports of what AWS did in a delivery, each replayed by a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

Service = Literal[
    "API Gateway",
    "CloudFormation",
    "CloudWatch",
    "CodeBuild",
    "CodeDeploy",
    "CodePipeline",
    "EventBridge",
    "IAM",
    "KMS",
    "Lambda",
    "S3",
]
SERVICES: tuple[Service, ...] = get_args(Service)
Test = TypeVar("Test", bound="Callable[..., object]")


@dataclass(frozen=True)
class Report:
    """One report.

    Attributes:
        source: repository and number, such as `aws/aws-cdk#35540`.
        service: the AWS service whose behaviour was reported.
        situation: what was tried.
        outcome: what AWS did.
        differs: what the local cloud does instead; empty if it agrees. The test then asserts
            this, and docs/fidelity.md lists it.
        test: name of the test that replays it.
    """

    source: str
    service: Service
    situation: str
    outcome: str
    differs: str
    test: str


REPORTS: list[Report] = []
"""The reports of all imported modules of the corpus."""


def report(
    source: str, service: Service, *, situation: str, outcome: str, differs: str = ""
) -> Callable[[Test], Test]:
    """Register a test as the replay of a report; see `Report`."""

    def register(test: Test) -> Test:
        name = f"{test.__module__.rsplit('.', 1)[-1]}.py::{test.__name__}"
        REPORTS.append(Report(source, service, situation, outcome, differs, name))
        return test

    return register
