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
    """Return the permissions that a stack's role needs for one operation on a resource.

    A type that is not listed needs every action of its own service that its schema names, on all
    resources: more than AWS asks for, as the schema does not say which of them depend on a
    property. It also passes each role that its properties name.
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
    """Return S3's permissions: its actions differ from operations, and are on the bucket."""
    handler = HANDLERS[request.type]
    return [
        Needed(f"s3:{call.operation}", f"arn:aws:s3:::{call.text('Bucket')}", request.account)
        for call in handler.calls(request, verb, current)
    ]


def _passed(request: ResourceRequest, verb: Verb) -> list[Needed]:
    """`iam:PassRole` for each role in a resource's properties, if its handler passes roles.

    Each is taken to be passed to the service of the type.
    """
    actions = _permissions(request, verb)
    if "iam:PassRole" not in actions:
        return []
    service = next((each.partition(":")[0] for each in actions if each[:4] != "iam:"), "iam")
    roles = sorted(set(_roles(request.properties)))
    return [pass_role(each, f"{service}.amazonaws.com") for each in roles]


def _roles(value: Any) -> Iterator[str]:
    """The ARNs of roles in properties."""
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
