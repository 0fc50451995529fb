"""When a change of a role or a policy is seen by those who decide by it.

IAM is eventually consistent ("Changes that I make are not always immediately visible", IAM user
guide). Reports of how long it takes: 5 to 10 seconds (ansible-collections/community.aws#710), 15
(aws/aws-sdk-js#850), "15 seconds is not enough" (aws/chalice#172). IAM's own API reads what it
wrote at once.

| change | is seen |
|---|---|
| by IAM's API | 5 to 20 seconds later |
| a role that a stack creates, with the policies that the same operation gives it | at once: CloudFormation completes a role only when it has propagated ("Understand CloudFormation stack creation events"; 16 seconds in aws/aws-cdk#7964) |
| a policy, trust or tag of an older role, by a stack | 5 to 20 seconds after its `COMPLETE` event (aws/aws-cdk#37675, aws/aws-cdk#37085, aws/aws-cdk#18237) |

A restart of the local cloud makes everything seen.
"""  # noqa: E501  # a table

from __future__ import annotations

import json
import threading
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.iam.models import iam_backends

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.core.clock import Clock
    from localcloud.core.delays import Delays

_SECONDS = (5.0, 20.0)
_PARTITION = "aws"


@dataclass(frozen=True)
class Role:
    """A role as it was at some time, by the names of moto's own."""

    arn: str
    account_id: str
    assume_role_policy_document: Any
    policies: dict[str, Any]
    managed_policies: tuple[str, ...]
    permissions_boundary_arn: str | None
    tags: Any
    max_session_duration: Any


@dataclass(frozen=True)
class _Version:
    value: Role | str | None
    """A role, the text of a managed policy, or None if there was none."""
    seen: float
    """The cloud time from which on it is seen."""


class Propagation:
    """Roles and managed policies by ARN, as deciders see them."""

    def __init__(self, clock: Clock, delays: Delays) -> None:
        self._clock = clock
        self._delays = delays
        self._lock = threading.RLock()
        self._versions: dict[str, list[_Version]] = {}
        self._changes: dict[str, int] = {}
        self._operations: dict[str, str] = {}
        """By role, the stack operation that created it."""

    def start(self) -> None:
        """See everything that there is."""
        with self._lock:
            self._versions.clear()
            for account in list(iam_backends):
                for arn, value in _stored(account):
                    self._versions[arn] = [_Version(value, 0.0)]

    def changed(self, account: str, operation: str = "", created: str = "") -> None:
        """Notice what has changed in an account, by the API or by an operation of a stack.

        `created` is the ARN of the role or policy that the operation has created.
        """
        if not self._delays.enabled:
            return
        with self._lock:
            if created:
                self._operations[created] = operation
            stored = dict(_stored(account))
            known = {arn for arn in self._versions if arn.split(":")[4] == account}
            for arn in sorted(known | stored.keys()):
                versions = self._versions.setdefault(arn, [_Version(None, 0.0)])
                value = stored.get(arn)
                if operation and self._operations.get(arn) == operation:
                    self._versions[arn] = [_Version(value, 0.0)]
                elif value != versions[-1].value:
                    self._changed(arn, versions, value)

    def role(self, arn: str) -> Role | None:
        """The role of an ARN as it is seen, or None if none is."""
        found = self._seen(arn)
        return found if isinstance(found, Role) else None

    def policy(self, account: str, arn: str) -> str:
        """The text of a managed policy's default version as it is seen, or ""."""
        if arn.split(":")[4] != account:  # one of AWS's own
            return default_text(iam_backends[account][_PARTITION].managed_policies.get(arn))
        found = self._seen(arn)
        return found if isinstance(found, str) else ""

    def _changed(self, arn: str, versions: list[_Version], value: Role | str | None) -> None:
        number = self._changes[arn] = self._changes.get(arn, 0) + 1
        now = self._clock.timestamp()
        due = now + self._delays.between(_SECONDS, f"{arn}/{number}")
        while len(versions) > 1 and versions[1].seen <= now:
            versions.pop(0)  # it is not seen any more
        # What came first is seen first.
        versions.append(_Version(value, max(due, versions[-1].seen)))

    def _seen(self, arn: str) -> Role | str | None:
        if not self._delays.enabled:
            stored = _stored(arn.split(":")[4])
            return next((value for each, value in stored if each == arn), None)
        now = self._clock.timestamp()
        with self._lock:
            versions = self._versions.get(arn) or []
            return next((each.value for each in reversed(versions) if each.seen <= now), None)


def _stored(account: str) -> Iterator[tuple[str, Role | str]]:
    """What moto holds of an account."""
    backend = iam_backends[account][_PARTITION]
    for role in list(backend.roles.values()):
        yield (
            role.arn,
            Role(
                role.arn,
                role.account_id,
                role.assume_role_policy_document,
                dict(role.policies),
                tuple(role.managed_policies),
                role.permissions_boundary_arn,
                copy(role.tags),
                role.max_session_duration,
            ),
        )
    for arn, policy in list(backend.managed_policies.items()):
        if arn.split(":")[4] == account:
            yield arn, default_text(policy)


def default_text(policy: Any) -> str:
    """The document of the default version of moto's managed policy, or "" of none."""
    if policy is None:
        return ""
    document = next(each for each in policy.versions if each.is_default).document
    if isinstance(document, bytes):
        return document.decode()
    return document if isinstance(document, str) else json.dumps(document)
