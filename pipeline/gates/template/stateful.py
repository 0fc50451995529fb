"""Rules about what holds data and would be lost, deleted or replaced, by a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.gates.template.rules import Fault, Rule
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
"""Types whose resources hold what no deployment makes again; a key holds all that it encrypted."""
RECORDS = frozenset({"AWS::Logs::LogGroup"})
"""Types whose resources hold records: their loss is told, and does not refuse."""


def _deleted(change: Change) -> Iterator[Fault]:
    for resource in change.deployed.resources.values():
        now = change.stack.template.resources.get(resource.logical_id)
        if _holds_data(resource) and (now is None or now.type != resource.type):
            # CloudFormation goes by the policy that is deployed ("DeletionPolicy attribute").
            policy = resource.body.get("DeletionPolicy")
            yield _lost(resource, f"is taken out of the stack: {_fate(policy)}")


def _replaced(change: Change) -> Iterator[Fault]:
    for logical_id, because in replacements(change).items():
        resource = change.stack.template.resources[logical_id]
        if _holds_data(resource):
            policy = resource.body.get("UpdateReplacePolicy")
            yield _lost(
                resource,
                f"is replaced by an empty one, for {because} cannot be changed in place: the old "
                f"one {_fate(policy)}",
            )


def replacements(change: Change) -> dict[str, str]:
    """The resources that a change replaces, each with the property that forces it.

    Whoever names a replaced one in a property that cannot be changed is replaced, too.
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
    # A property that a function makes as a whole may be any of its parts.
    return value if isinstance(value, dict) and _is_function(value) else None


def _is_function(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))


def _holds_data(resource: Resource) -> bool:
    return resource.type in STATEFUL | RECORDS


def _fate(policy: Any) -> str:
    if policy in {"Retain", "RetainExceptOnCreate"}:
        return "stays behind with its data, and nothing uses it any more"
    if policy == "Snapshot":
        return "is deleted, and a snapshot stays"
    return "is deleted with its data"


def _lost(resource: Resource, what: str) -> Fault:
    return Fault(
        resource.logical_id,
        f"{resource.type} {resource.logical_id} {what}; keep its logical id and what cannot be "
        "changed, or move the data first and waive this",
        "warning" if resource.type in RECORDS else "error",
    )


RULES = (
    Rule(
        "PH501",
        "A construct that is renamed or moved has another logical id: CloudFormation takes the "
        'resource away and makes an empty one (AWS CDK, "Identifiers and the CDK").',
        _deleted,
    ),
    Rule(
        "PH502",
        'A change of a createOnly property replaces the resource (CloudFormation, "Update '
        'behaviors of stack resources"), and no data goes with it.',
        _replaced,
    ),
)
