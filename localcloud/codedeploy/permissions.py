"""Permissions of CodeDeploy's service role ("AWSCodeDeployRoleForLambda")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.iam.access import Refusal
from localcloud.iam.acting import role_session
from localcloud.iam.actions import messages
from localcloud.iam.actions.call import Call, Needed
from localcloud.iam.service_roles import RoleError, check_service_role

if TYPE_CHECKING:
    from localcloud.codedeploy.model import Deployment
    from localcloud.iam.access import Access

_LAMBDA, _CLOUDWATCH = "AWSLambda", "AmazonCloudWatch"
_PRINCIPAL = "codedeploy.amazonaws.com"
_FUNCTION_PARTS = 7
"""The parts of a function's ARN without its qualifier."""


class RolePermissionsError(Exception):
    """The service role may not make a call: `IAM_ROLE_PERMISSIONS`.

    The message is from terraform-aws-lambda#77 and serverless-application-model#219.
    """

    def __init__(self, role: str, service: str) -> None:
        super().__init__(
            f"The IAM role {role} does not give you permission to perform operations in the "
            f"following AWS service: {service}. Contact your AWS administrator if you need help. "
            "If you are an AWS administrator, you can grant permissions to your users or groups "
            "by creating IAM policies."
        )


class RolePermissions:
    """Authorizes the calls that a deployment makes with its service role."""

    def __init__(self, access: Access, deployment: Deployment) -> None:
        self._access = access
        self._deployment = deployment

    def check_alias(self, operation: str) -> None:
        """Authorize `GetAlias` or `UpdateAlias` of the deployed function.

        Raises:
            RolePermissionsError: the role may not do it.
        """
        arn = self._function(self._deployment.spec.function)
        arn = ":".join(arn.split(":")[:_FUNCTION_PARTS])
        self._check(Needed(f"lambda:{operation}", arn), _LAMBDA)

    def check_hook(self, function: str) -> None:
        """Authorize the invocation of a hook: managed policies allow `CodeDeployHook_*`.

        Raises:
            RolePermissionsError: the role may not do it.
        """
        self._check(Needed("lambda:InvokeFunction", self._function(function)), _LAMBDA)

    def check_alarms(self) -> None:
        """Authorize `DescribeAlarms`.

        Raises:
            RolePermissionsError: the role may not do it.
        """
        region, account = self._deployment.region, self._deployment.account
        alarms = f"arn:aws:cloudwatch:{region}:{account}:alarm:*"
        self._check(Needed("cloudwatch:DescribeAlarms", alarms), _CLOUDWATCH)

    def refused_topic(self, topic: str) -> Refusal | None:
        """Return the refusal if the role may not publish to a topic, else None."""
        key = self._access.stored.topic_key(topic)
        return self._refused(*messages.publish(topic, key))

    def _check(self, wanted: Needed, service: str) -> None:
        if self._refused(wanted) is not None:
            raise RolePermissionsError(self._deployment.role, service)

    def _refused(self, *wanted: Needed) -> Refusal | None:
        """Return the refusal of these calls, or None; a role must trust CodeDeploy."""
        try:
            check_service_role(self._access, self._deployment.role, _PRINCIPAL)
        except RoleError as error:
            return Refusal(str(error))
        session = role_session(self._deployment.role, self._deployment.id)
        return self._access.own_call(session, self._deployment.region, *wanted)

    def _function(self, name: str) -> str:
        place = Call("lambda", "", self._deployment.account, self._deployment.region)
        return place.arn("lambda", f"function:{name}" if not name.startswith("arn:") else name)
