"""Check the execution roles of rules, targets and schedules when they are put."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.eventbridge.definitions import DefinitionError
from localcloud.iam.service_roles import RoleError, check_service_role

if TYPE_CHECKING:
    from localcloud.eventbridge.model import Rule, Schedule
    from localcloud.iam.access import Access

_EVENTS, _SCHEDULER = "events.amazonaws.com", "scheduler.amazonaws.com"
_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/.+")


def check_rule(access: Access, rule: Rule) -> None:
    """Check the role of a rule and those of its targets.

    Raises:
        DefinitionError: EventBridge cannot assume one (ansible/ansible-modules-extras#2101).
    """
    for role in [rule.role_arn, *(each.get("RoleArn") for each in rule.targets)]:
        if role and not _assumable(access, role, _EVENTS, rule.arn):
            raise DefinitionError(
                "ValidationException",
                f"Provided role '{role}' cannot be assumed by principal '{_EVENTS}'.",
            )


def check_schedule(access: Access, schedule: Schedule) -> None:
    """Check a schedule's execution role, which Scheduler assumes for the group.

    Raises:
        DefinitionError: Scheduler cannot assume it (aws/aws-sdk-js-v3#6494).
    """
    group = f"arn:aws:scheduler:{schedule.region}:{schedule.account}:schedule-group/default"
    if not _assumable(access, schedule.target["RoleArn"], _SCHEDULER, group):
        raise DefinitionError(
            "ValidationException",
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the "
            "role.",
        )


def _assumable(access: Access, role: str, principal: str, source_arn: str) -> bool:
    if not _ROLE.fullmatch(role):
        return False
    try:
        check_service_role(access, role, principal, source_arn)
    except RoleError:
        return False
    return True
