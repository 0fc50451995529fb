"""The operations of CloudWatch Logs on log groups, their retention, tags and KMS keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, EmptyResult

from localcloud.core.service_api import ApiError
from localcloud.logs.events import group_arn
from localcloud.logs.resource_policy_operations import ResourcePolicyOperations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.logs.events import Events

_MAX_LISTED_ITEMS = 50  # groups or streams
_NO_GROUP = "The specified log group does not exist."


class GroupOperations(ResourcePolicyOperations):
    """The operations on log groups."""

    @property
    def _events(self) -> Events:
        return self.service.events

    def create_log_group(self) -> ActionResult:
        """Create a log group."""
        name = self.params["logGroupName"]
        if self._events.group(self._key(name)):
            raise ApiError(
                "ResourceAlreadyExistsException", "The specified log group already exists"
            )
        key = self.params.get("kmsKeyId") or ""
        self.service.encryption.check_key(group_arn(self.account, self.region, name), key)
        group = self._events.create_group(self.account, self.region, name)
        given = {"tags": self.params.get("tags"), "kmsKeyId": key}
        if any(given.values()):
            made = {each: value for each, value in given.items() if value}
            self._events.put_group(self._key(name), group | made)
        return EmptyResult()

    def delete_log_group(self) -> ActionResult:
        """Delete a log group with all its events."""
        key, _ = self._group()
        self._events.delete_group(key)
        return EmptyResult()

    def put_retention_policy(self) -> ActionResult:
        """Set the retention of events, in days of cloud time."""
        key, group = self._group()
        self._events.put_group(key, group | {"retentionInDays": self.params["retentionInDays"]})
        return EmptyResult()

    def delete_retention_policy(self) -> ActionResult:
        """Remove the retention: keep events without limit."""
        key, group = self._group()
        kept = {name: value for name, value in group.items() if name != "retentionInDays"}
        self._events.put_group(key, kept)
        return EmptyResult()

    def associate_kms_key(self) -> ActionResult:
        """Encrypt the events of a log group with a customer's key."""
        key, group = self._group_of_key()
        self.service.encryption.check_key(group["logGroupArn"], self.params["kmsKeyId"])
        self._events.put_group(key, group | {"kmsKeyId": self.params["kmsKeyId"]})
        return EmptyResult()

    def disassociate_kms_key(self) -> ActionResult:
        """Encrypt the events of a log group with the default method again."""
        key, group = self._group_of_key()
        kept = {name: value for name, value in group.items() if name != "kmsKeyId"}
        self._events.put_group(key, kept)
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        """Return a log group's tags."""
        _, group = self._group_of_arn()
        return ActionResult({"tags": group.get("tags") or {}})

    def tag_resource(self) -> ActionResult:
        """Add tags to a group."""
        key, group = self._group_of_arn()
        tags = (group.get("tags") or {}) | self.params["tags"]
        self._events.put_group(key, group | {"tags": tags})
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        """Remove tags from a log group."""
        key, group = self._group_of_arn()
        gone = set(self.params["tagKeys"])
        tags = {name: text for name, text in (group.get("tags") or {}).items() if name not in gone}
        self._events.put_group(key, group | {"tags": tags})
        return EmptyResult()

    def describe_log_groups(self) -> ActionResult:
        """Return log groups by a prefix or a part of their names."""
        prefix = self.params.get("logGroupNamePrefix") or ""
        part = self.params.get("logGroupNamePattern") or ""
        found = [
            {name: value for name, value in group.items() if name not in {"tags", "owner"}}
            for group in self._events.groups(self._key(prefix))
            if part.lower() in group["logGroupName"].lower()
        ]
        return self._page("logGroups", found)

    def _page(self, name: str, entries: Sequence[Any]) -> ActionResult:
        token = self.params.get("nextToken") or "0"
        if not token.isdecimal():
            raise ApiError("InvalidParameterException", "The specified nextToken is invalid.")
        begin, most = (
            int(token),
            min(int(self.params.get("limit") or _MAX_LISTED_ITEMS), _MAX_LISTED_ITEMS),
        )
        answer: dict[str, Any] = {name: list(entries[begin : begin + most])}
        if begin + most < len(entries):
            answer["nextToken"] = str(begin + most)
        return ActionResult(answer)

    def _group(self) -> tuple[str, dict[str, Any]]:
        name = self.params.get("logGroupName") or self.params.get("logGroupIdentifier") or ""
        return self._named(_name(name))

    def _group_of_key(self) -> tuple[str, dict[str, Any]]:
        """Return the log group whose key changes; it is named in one of two ways."""
        name = self.params.get("logGroupName") or ""
        identifier = self.params.get("resourceIdentifier") or ""
        if bool(name) == bool(identifier):
            raise ApiError(
                "InvalidParameterException",
                "You must specify either logGroupName or resourceIdentifier, and not both.",
            )
        if identifier and ":log-group:" not in identifier:
            raise ApiError(
                "InvalidParameterException",
                f"Keys of {identifier} are not part of the local cloud; name a log group",
            )
        return self._named(_name(name or identifier))

    def _group_of_arn(self) -> tuple[str, dict[str, Any]]:
        arn: str = self.params["resourceArn"]
        return self._named(_name(arn))

    def _named(self, name: str) -> tuple[str, dict[str, Any]]:
        group = self._events.group(self._key(name))
        if group is None:
            raise ApiError("ResourceNotFoundException", _NO_GROUP)
        return self._key(name), group

    def _key(self, name: str) -> str:
        return f"{self.account}/{self.region}/{name}"


def _name(identifier: str) -> str:
    return identifier.rsplit(":log-group:", maxsplit=1)[-1].removesuffix(":*")
