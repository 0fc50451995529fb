"""How a service of AWS takes on the role that a resource gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.credentials import Session


class RoleError(Exception):
    """The role is not there, or does not trust the service."""


def assume_service_role(cloud: Cloud, role_arn: str, service: str, name: str) -> Session:
    """Credentials of a role for a service principal such as `codebuild.amazonaws.com`.

    Raises:
        RoleError: the role's account has no such role, or its trust policy does not name the
            service.
    """
    check_service_role(cloud, role_arn, service)
    return cloud.credentials.assume(role_arn, name)


def check_service_role(cloud: Cloud, role_arn: str, service: str) -> None:
    """Check that a service principal may assume a role.

    Raises:
        RoleError: as `assume_service_role`.
    """
    account = role_arn.split(":")[4]
    iam = cloud.client("iam", account, "us-east-1")
    try:
        role = iam.get_role(RoleName=role_arn.rsplit("/", 1)[-1])["Role"]
    except iam.exceptions.NoSuchEntityException as error:
        raise RoleError(f"{role_arn} does not exist") from error
    stated = role["AssumeRolePolicyDocument"]["Statement"]
    statements = [stated] if isinstance(stated, dict) else stated
    if role["Arn"] != role_arn:
        raise RoleError(f"{role_arn} does not exist")
    if not any(service in _services(statement) for statement in statements):
        raise RoleError(f"the trust policy of {role_arn} does not name {service}")


def _services(statement: dict[str, Any]) -> list[str]:
    principal = statement.get("Principal", {})
    if statement.get("Effect") != "Allow" or isinstance(principal, str):
        return []
    found = principal.get("Service", [])
    return [found] if isinstance(found, str) else found
