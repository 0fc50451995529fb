"""Rules about the protection of data: policies, versions, backups and encryption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.gates.template.rules import Rule, Violation
from pipeline.gates.template.stateful import STATEFUL
from pipeline.gates.template.template import canonical, listed, mapping, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.template import Resource

_POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")
_RETENTION_RANK = {"Retain": 2, "RetainExceptOnCreate": 2, "Snapshot": 1, "Delete": 0}
"""Order of the policies by what they keep; RetainExceptOnCreate differs for new resources only."""
_SNAPSHOT_BY_DEFAULT = {"AWS::RDS::DBCluster", "AWS::RDS::DBInstance"}
"""Types whose DeletionPolicy is Snapshot unless stated (CloudFormation, "DeletionPolicy
attribute"); RDS instances only outside of a cluster, which is not distinguished here."""
_SWITCHES = (
    "AtRestEncryptionEnabled", "DeletionProtection", "DeletionProtectionEnabled",
    "EnableKeyRotation", "Encrypted", "EncryptionAtRestOptions.Enabled", "MultiAZ",
    "ObjectLockEnabled", "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
    "SSESpecification.SSEEnabled", "StorageEncrypted", "TransitEncryptionEnabled",
)  # fmt: skip
_ON_VALUES = {"true", "active", "enabled"}
_STATES = ("BackupPolicy.Status", "VersioningConfiguration.Status")
_MINIMUMS = (
    "AutomatedSnapshotRetentionPeriod", "BackupRetentionPeriod", "MessageRetentionPeriod",
    "PendingWindowInDays", "PointInTimeRecoverySpecification.RecoveryPeriodInDays",
    "RetentionPeriodHours", "SnapshotRetentionLimit",
)  # fmt: skip
"""Numbers that must not decrease."""
_UNCHANGEABLE = (
    "BucketEncryption", "EncryptionConfiguration", "FileSystemProtection", "KmsKeyId",
    "KmsMasterKeyId", "LockConfiguration", "ObjectLockConfiguration", "RedrivePolicy",
    "ReplicationConfiguration", "StreamEncryption",
)  # fmt: skip
"""Tables and keys that protect data: any removal or change is a finding."""


def _weaker(change: Change) -> Iterator[Violation]:
    # The CDK CLI deploys only the pipeline's stack, and sets its protection from the assembly.
    # CodePipeline's action has no such setting ("CloudFormation deploy action reference").
    is_pipeline = any(change.stack.template.of_type("AWS::CodePipeline::Pipeline"))
    if is_pipeline and not change.stack.termination_protection:
        yield Violation(
            "termination protection",
            f"{change.stack.name} would lose its termination protection; set "
            "termination_protection=True, or waive this and name its reviewer",
        )
    for resource in change.stack.template.resources.values():
        before = change.deployed.resources.get(resource.logical_id)
        if before is None or before.type != resource.type or resource.type not in STATEFUL:
            continue
        for what, was, now in _lost(before, resource):
            yield Violation(
                f"{resource.logical_id} {what}",
                f"{resource.type} {resource.logical_id} would be less protected: {what} is {was} "
                f"now and would be {now}; keep it, or waive this and name its reviewer",
            )


def _lost(before: Resource, after: Resource) -> Iterator[tuple[str, str, str]]:
    """Yield each property that would protect less, with its values before and after."""
    for policy in _POLICIES:
        was, now = _policy(before, policy), _policy(after, policy)
        if _RETENTION_RANK.get(now, 0) < _RETENTION_RANK.get(was, 0):
            yield policy, was, now
    for path in (*_SWITCHES, *_STATES):
        was_on, value = _at(before.properties, path), _at(after.properties, path)
        if _is_on(was_on) and not _is_on(value):
            yield path, _shown(was_on), _shown(value)
    for path in _MINIMUMS:
        much, less = number(_at(before.properties, path)), number(_at(after.properties, path))
        if much and (less or 0) < much:
            yield path, f"{much:g}", _shown(_at(after.properties, path))
    for path in _UNCHANGEABLE:
        stated, other = before.properties.get(path), after.properties.get(path)
        if stated is not None and canonical(stated) != canonical(other):
            yield path, _shown(stated), _shown(other)
    yield from _expiring(before, after)


def _policy(resource: Resource, name: str) -> str:
    default = "Snapshot" if resource.type in _SNAPSHOT_BY_DEFAULT else "Delete"
    return str(resource.body.get(name, default if name == "DeletionPolicy" else "Delete"))


def _expiring(before: Resource, after: Resource) -> Iterator[tuple[str, str, str]]:
    """Yield the expiry times of a bucket's lifecycle that are new or shorter."""
    was, now = _rules(before), _rules(after)
    for key, days in now.items():
        if days < was.get(key, float("inf")):
            old = f"{was[key]:g} days" if key in was else "nothing"
            yield f"LifecycleConfiguration {key}", old, f"{days:g} days"


def _rules(bucket: Resource) -> dict[str, float]:
    """Return the shortest expiry time in days, by the kind of expiry and its filter."""
    found: dict[str, float] = {}
    stated = mapping(bucket.properties.get("LifecycleConfiguration")).get("Rules")
    for rule in map(mapping, listed(stated)):
        if rule.get("Status") == "Disabled":
            continue
        noncurrent = mapping(rule.get("NoncurrentVersionExpiration")).get("NoncurrentDays")
        given = {
            "ExpirationInDays": 0 if "ExpirationDate" in rule else rule.get("ExpirationInDays"),
            "NoncurrentDays": noncurrent or rule.get("NoncurrentVersionExpirationInDays"),
        }
        only = canonical([rule.get("Prefix"), rule.get("TagFilters")])
        for kind, value in given.items():
            days = number(value)
            if days is not None:
                key = f"{kind} {only}"
                found[key] = min(days, found.get(key, days))
    return found


def _at(properties: dict[str, Any], path: str) -> Any:
    value: Any = properties
    for key in path.split("."):
        value = mapping(value).get(key)
    return value


def _is_on(value: Any) -> bool:
    return str(value).lower() in _ON_VALUES


def _shown(value: Any) -> str:
    return "not set" if value is None else canonical(value).strip('"')


RULES = (
    Rule(
        "PH701",
        "CloudFormation applies the deployed policies, and one mistake loses a bucket or table "
        'without versions, backups or protection (CloudFormation, "DeletionPolicy attribute"; '
        '"UpdateReplacePolicy attribute"; "Protect stacks from being deleted").',
        _weaker,
    ),
)
