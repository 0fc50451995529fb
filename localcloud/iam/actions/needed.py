"""What a call needs, by service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.iam.actions import delivery, others
from localcloud.iam.actions.call import Call, Facts, Needed

if TYPE_CHECKING:
    from collections.abc import Callable

_PREFIXES = {"monitoring": "cloudwatch"}
"""Of actions, where it is not the signing name."""
_SERVICES: dict[str, Callable[[Call, Facts], list[Needed]]] = {
    "cloudformation": delivery.cloudformation,
    "codebuild": delivery.codebuild,
    "codeconnections": delivery.codeconnections,
    "codedeploy": delivery.codedeploy,
    "codepipeline": delivery.codepipeline,
    "codestar-connections": delivery.codeconnections,
    "signer": delivery.signer,
    "apigateway": others.apigateway,
    "dynamodb": others.named_by_arn,
    "events": others.events,
    "iam": others.iam,
    "kms": others.kms,
    "lambda": others.lambda_,
    "logs": others.logs,
    "monitoring": others.cloudwatch,
    "secretsmanager": others.secretsmanager,
    "sns": others.named_by_arn,
    "sqs": others.named_by_arn,
    "ssm": others.ssm,
    "sts": others.sts,
}


def needed(call: Call, facts: Facts) -> list[Needed]:
    """The actions that a call needs; of a service that is not listed, its operation on `*`."""
    find = _SERVICES.get(call.service)
    if find is None:
        return [Needed(f"{_PREFIXES.get(call.service, call.service)}:{call.operation}")]
    return find(call, facts)
