"""The permissions that each type's handler needs from the stack's role."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.cloudformation import schemas
from localcloud.cloudformation.handlers import compute, delivery, foundation
from localcloud.iam.actions.call import Call, Needed, pass_role
from localcloud.iam.actions.needed import needed as needed_by_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cloudformation.handlers.handler import Verb
    from localcloud.core.providers import Resource, ResourceRequest
    from localcloud.iam.actions.call import Facts

HANDLERS = compute.HANDLERS | delivery.HANDLERS | foundation.HANDLERS
_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/.+")
_CUSTOM_TYPES = ("AWS::CloudFormation::CustomResource", "Custom::")


def needed(
    request: ResourceRequest, verb: Verb, current: Resource | None, facts: Facts
) -> list[Needed]:
    """Return the permissions that a stack's role needs for an operation on a resource.

    A type without an entry in `HANDLERS` needs every action of its own service that its schema
    lists, on all resources. AWS requires fewer: the schema does not state which actions depend on
    a property. Such a type also needs `iam:PassRole` for each role in its properties.
    """
    if request.type.startswith(_CUSTOM_TYPES):
        return _custom(request, facts)
    handler = HANDLERS.get(request.type)
    if handler is None:
        return [*(Needed(each) for each in _by_schema(request, verb)), *_passed(request, verb)]
    if handler.service == "s3":
        return _of_bucket(request, verb, current)
    return list(handler.needed(request, verb, current, facts))


def _custom(request: ResourceRequest, facts: Facts) -> list[Needed]:
    """Return the permission for a custom resource's function or topic."""
    token = str(request.properties.get("ServiceToken", ""))
    if ":lambda:" in token:
        call = Call("lambda", "Invoke", request.account, request.region, {"FunctionName": token})
        return needed_by_call(call, facts)
    return [Needed("sns:Publish", token)] if ":sns:" in token else []


def _of_bucket(request: ResourceRequest, verb: Verb, current: Resource | None) -> list[Needed]:
    """Return S3's permissions, all on the bucket; its actions differ from operations."""
    handler = HANDLERS[request.type]
    return [
        Needed(f"s3:{call.operation}", f"arn:aws:s3:::{call.text('Bucket')}", request.account)
        for call in handler.calls(request, verb, current)
    ]


def _passed(request: ResourceRequest, verb: Verb) -> list[Needed]:
    """Return `iam:PassRole` for each role in a resource's properties.

    It is empty if the type's handler passes no roles. The receiving service is that of the type.
    """
    actions = _permissions(request, verb)
    if "iam:PassRole" not in actions:
        return []
    service = next((each.partition(":")[0] for each in actions if each[:4] != "iam:"), "iam")
    roles = sorted(set(_roles(request.properties)))
    return [pass_role(each, f"{service}.amazonaws.com") for each in roles]


def _roles(value: Any) -> Iterator[str]:
    """Yield the ARNs of roles in a value."""
    if isinstance(value, str):
        if _ROLE.fullmatch(value):
            yield value
        return
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in parts:
        yield from _roles(each)


def _permissions(request: ResourceRequest, verb: Verb) -> list[str]:
    found = schemas.schema(request.region, request.type).get("handlers", {})
    actions: list[str] = found.get(verb, {}).get("permissions", [])
    return actions


def _by_schema(request: ResourceRequest, verb: Verb) -> list[str]:
    actions = _permissions(request, verb)
    prefixes = [each.partition(":")[0] for each in actions if not each.startswith("iam:")]
    own = prefixes[0] if prefixes else ""
    return sorted({each for each in actions if each.partition(":")[0] == own})
