"""How a service of AWS takes on the role that a resource gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.iam.stored import NoSuchRoleError

if TYPE_CHECKING:
    from localcloud.core.credentials import Session
    from localcloud.iam.access import Access


class RoleError(Exception):
    """The role is not there, or does not trust the service."""


def assume_service_role(
    access: Access, role_arn: str, service: str, name: str, source_arn: str = ""
) -> Session:
    """Credentials of a role for a service principal such as `codebuild.amazonaws.com`.

    `source_arn` is the resource for which the service works (`aws:SourceArn`); without it, a trust
    policy that asks for one trusts nobody.

    Raises:
        RoleError: the role's account has no such role, or its trust policy does not allow the
            service.
    """
    check_service_role(access, role_arn, service, source_arn)
    return access.core.credentials.assume(role_arn, name)


def check_service_role(access: Access, role_arn: str, service: str, source_arn: str = "") -> None:
    """Check that a service principal may assume a role.

    Raises:
        RoleError: as `assume_service_role`.
    """
    try:
        trusted = access.trusts_service(role_arn, service, source_arn)
    except NoSuchRoleError as error:
        raise RoleError(f"{role_arn} does not exist") from error
    if not trusted:
        raise RoleError(f"the trust policy of {role_arn} does not allow {service} to assume it")
