"""The condition keys of a request that do not depend on its parameters.

Source: "AWS global condition context keys" (IAM User Guide).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.iam.acting import ServicePrincipal
    from localcloud.iam.principals import Principal

Keys = dict[str, "Sequence[str]"]


def of_principal(principal: Principal, role: Any) -> Keys:
    """The keys of a role's session or an account; `role` is moto's role of a session."""
    arn, is_role = principal.role_arn or principal.arn, principal.kind == "session"
    name = arn.rsplit("/", 1)[-1].upper()[:16]
    user = f"AROA{name}:{principal.arn.rsplit('/', 1)[-1]}" if is_role else principal.account
    tags = {f"aws:principaltag/{key}".lower(): [each] for key, each in tags_of(role).items()}
    return {
        "aws:principalarn": [arn],
        "aws:principalaccount": [principal.account],
        "aws:principaltype": ["AssumedRole" if is_role else "Account"],
        "aws:principalisawsservice": ["false"],
        "aws:userid": [user],
        **tags,
    }


def of_service(service: ServicePrincipal) -> Keys:
    """The keys of a service that calls by its own principal."""
    keys: Keys = {
        "aws:principalisawsservice": ["true"],
        "aws:principalservicename": [service.name],
    }
    if service.source_arn:
        keys["aws:sourcearn"] = [service.source_arn]
        keys["aws:sourceaccount"] = [service.source_arn.split(":")[4]]
    return keys | dict(service.context)


def called_via(service: str) -> Keys:
    """The keys of a call that a service makes with its caller's session, not with a service role.

    Source: "aws:CalledVia", "aws:ViaAWSService" of the IAM User Guide.
    """
    return {
        "aws:calledvia": [service],
        "aws:calledviafirst": [service],
        "aws:calledvialast": [service],
        "aws:viaawsservice": ["true"],
    }


def of_request(now: float, region: str, resource_account: str) -> Keys:
    """The keys of every request; `now` is cloud time.

    A request over loopback counts as one over TLS, which every AWS endpoint speaks.
    """
    return {
        "aws:viaawsservice": ["false"],
        "aws:securetransport": ["true"],
        "aws:sourceip": ["127.0.0.1"],
        "aws:requestedregion": [region],
        "aws:resourceaccount": [resource_account],
        "s3:resourceaccount": [resource_account],
        "aws:currenttime": [datetime.fromtimestamp(now, UTC).isoformat()],
        "aws:epochtime": [str(int(now))],
    }


def tags_of(role: Any) -> dict[str, str]:
    """The tags of moto's role."""
    tags = role.tags if role else None
    if not tags:
        return {}
    values = tags.values() if isinstance(tags, dict) else tags
    return {each["Key"]: each["Value"] for each in values}
