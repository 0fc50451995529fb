"""The role by which API Gateway writes the logs of an account and region.

Sources: "Set up CloudWatch logging for REST APIs" of the API Gateway guide; aws-cloudformation/
rain#163, tmobile/jazz-installer#597.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.apigateway.checks import RejectedError
from localcloud.iam.acting import role_session
from localcloud.iam.actions.call import Needed
from localcloud.iam.service_roles import RoleError, check_service_role

if TYPE_CHECKING:
    from localcloud.iam.access import Access

_ROLE = re.compile(r"arn:aws:iam::(\d{12}):role/.+")
_WELCOME_GROUP = "/aws/apigateway/welcome"
"""The log group that API Gateway creates when an account's log role is set."""
_OPERATIONS = ("CreateLogGroup", "CreateLogStream", "PutLogEvents")
_REJECTION = (
    "The role ARN does not have required permissions configured. Please grant trust permission "
    "for API Gateway and add the required role policy."
)


def check_log_role(access: Access, account: str, region: str, role: str) -> None:
    """Check a log role before it is set for an account and region.

    API Gateway must be able to assume it, and it must be allowed to write the log that API Gateway
    writes as a test.

    Raises:
        RejectedError: the role is not of this account, not trusted or not allowed.
    """
    found = _ROLE.fullmatch(role)
    if found is None:
        raise RejectedError("Role ARN is not well formed")
    if found[1] != account:
        raise RejectedError("Cross-account pass role is not allowed.")
    try:
        check_service_role(access, role, "apigateway.amazonaws.com")
    except RoleError as error:
        raise RejectedError(_REJECTION) from error
    session = role_session(role, "BackplaneAssumeRoleSession")
    group = f"arn:aws:logs:{region}:{account}:log-group:{_WELCOME_GROUP}:log-stream:"
    wanted = [Needed(f"logs:{each}", group) for each in _OPERATIONS]
    if access.own_call(session, region, *wanted) is not None:
        raise RejectedError(_REJECTION)
