"""Rules about resources with data that a change would delete or replace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.gates.template.rules import Rule, Violation
from pipeline.gates.template.schemas import create_only
from pipeline.gates.template.template import canonical, references

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.template import Resource

STATEFUL = frozenset(
    {
        "AWS::Backup::BackupVault", "AWS::Cognito::UserPool", "AWS::DocDB::DBCluster",
        "AWS::DocDB::DBInstance", "AWS::DynamoDB::GlobalTable", "AWS::DynamoDB::Table",
        "AWS::EC2::Volume", "AWS::ECR::Repository", "AWS::EFS::FileSystem",
        "AWS::ElastiCache::CacheCluster", "AWS::ElastiCache::ReplicationGroup",
        "AWS::ElastiCache::ServerlessCache", "AWS::Elasticsearch::Domain",
        "AWS::FSx::FileSystem", "AWS::KMS::Key", "AWS::Kinesis::Stream", "AWS::MSK::Cluster",
        "AWS::MemoryDB::Cluster", "AWS::Neptune::DBCluster", "AWS::Neptune::DBInstance",
        "AWS::OpenSearchService::Domain", "AWS::RDS::DBCluster", "AWS::RDS::DBInstance",
        "AWS::RDS::GlobalCluster", "AWS::Redshift::Cluster", "AWS::S3::Bucket",
        "AWS::SQS::Queue", "AWS::SecretsManager::Secret", "AWS::Timestream::Database",
        "AWS::Timestream::Table",
    }
)  # fmt: skip
"""Types of resources with data that no deployment can restore; a key protects encrypted data."""
RECORDS = frozenset({"AWS::Logs::LogGroup"})
"""Types of resources with records, whose loss is a warning."""


def _deleted(change: Change) -> Iterator[Violation]:
    for resource in change.deployed.resources.values():
        now = change.stack.template.resources.get(resource.logical_id)
        if _holds_data(resource) and (now is None or now.type != resource.type):
            # CloudFormation applies the deployed policy ("DeletionPolicy attribute").
            policy = resource.body.get("DeletionPolicy")
            yield _lost(resource, f"would be removed from the stack: it {_fate(policy)}")


def _replaced(change: Change) -> Iterator[Violation]:
    for logical_id, because in replacements(change).items():
        resource = change.stack.template.resources[logical_id]
        if _holds_data(resource):
            policy = resource.body.get("UpdateReplacePolicy")
            yield _lost(
                resource,
                f"would be replaced by an empty one, because {because} cannot be changed in "
                f"place: the old one {_fate(policy)}",
            )


def replacements(change: Change) -> dict[str, str]:
    """Return the resources that a change replaces, each with the property that forces it.

    A resource that refers to a replaced one in such a property is replaced, too.
    """
    new, old = change.stack.template.resources, change.deployed.resources
    kept = [each for each in new.values() if each.logical_id in old]
    kept = [each for each in kept if old[each.logical_id].type == each.type]
    found: dict[str, str] = {}
    while True:
        more = {
            each.logical_id: because
            for each in kept
            if each.logical_id not in found
            and (because := _forcing(each, old[each.logical_id], set(found), change.stack.region))
        }
        if not more:
            return found
        found |= more


def _forcing(new: Resource, old: Resource, replaced: set[str], region: str) -> str | None:
    if new.properties == old.properties and not replaced & set(references(new.properties)):
        return None
    for path in create_only(region, new.type):
        after, before = _at(new.properties, path), _at(old.properties, path)
        if canonical(after) != canonical(before) or replaced & set(references(after)):
            return ".".join(path)
    return None


def _at(value: Any, path: tuple[str, ...]) -> Any:
    if not path:
        return value
    key, *rest = path
    if key == "*":
        return [_at(each, tuple(rest)) for each in value] if isinstance(value, list) else None
    if isinstance(value, dict) and key in value:
        return _at(value[key], tuple(rest))
    # A function that generates a whole property stands for each of its parts.
    return value if isinstance(value, dict) and _is_function(value) else None


def _is_function(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))


def _holds_data(resource: Resource) -> bool:
    return resource.type in STATEFUL | RECORDS


def _fate(policy: Any) -> str:
    if policy in {"Retain", "RetainExceptOnCreate"}:
        return "stays behind with its data, and nothing uses it"
    if policy == "Snapshot":
        return "is deleted, and a snapshot stays"
    return "is deleted with its data"


def _lost(resource: Resource, what: str) -> Violation:
    return Violation(
        resource.logical_id,
        f"{resource.type} {resource.logical_id} {what}; keep its logical id and that property, or "
        "move the data first and waive this",
        "warning" if resource.type in RECORDS else "error",
    )


RULES = (
    Rule(
        "PH501",
        "A construct that is renamed or moved has another logical id: CloudFormation deletes the "
        'resource and creates an empty one (AWS CDK, "Identifiers and the CDK").',
        _deleted,
    ),
    Rule(
        "PH502",
        'A change of a createOnly property replaces the resource (CloudFormation, "Update '
        'behaviors of stack resources") without its data.',
        _replaced,
    ),
)
