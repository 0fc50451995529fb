"""What a call needs, by service."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localcloud.iam.actions import delivery, others, stored_values
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
    "dynamodb": others.dynamodb,
    "events": others.events,
    "iam": others.iam,
    "kms": stored_values.kms,
    "lambda": others.lambda_,
    "logs": others.logs,
    "monitoring": others.cloudwatch,
    "scheduler": others.scheduler,
    "secretsmanager": stored_values.secretsmanager,
    "sns": others.sns,
    "sqs": others.sqs,
    "ssm": stored_values.ssm,
    "sts": others.sts,
}


def needed(call: Call, facts: Facts) -> list[Needed]:
    """The actions that a call needs; of a service that is not listed, its operation on `*`."""
    find = _SERVICES.get(call.service)
    if find is None:
        found = [Needed(f"{_PREFIXES.get(call.service, call.service)}:{call.operation}")]
    else:
        found = find(call, facts)
    tags = request_tags(call)
    return [
        each if each.action == "iam:PassRole" else replace(each, context={**each.context, **tags})
        for each in found
    ]


def request_tags(call: Call) -> dict[str, list[str]]:
    """`aws:RequestTag/KEY` and `aws:TagKeys` of a call that names tags."""
    given: Any = call.parameters.get("Tags") or call.parameters.get("tags") or {}
    if isinstance(given, list):
        given = dict(_pair(each) for each in given if isinstance(each, dict))
    names = call.texts("TagKeys", "tagKeys", "TagKeyList") or [str(each) for each in given]
    if not names:
        return {}
    tags = {f"aws:requesttag/{key}".lower(): [str(value)] for key, value in given.items()}
    return tags | {"aws:tagkeys": names}


def _pair(tag: dict[str, Any]) -> tuple[str, Any]:
    """A tag's key and value, whichever names its service has for them."""
    lowered = {name.lower().removeprefix("tag"): value for name, value in tag.items()}
    return str(lowered.get("key", "")), lowered.get("value", "")
