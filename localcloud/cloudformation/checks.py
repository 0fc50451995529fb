"""Checks of templates before any resource is created."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.cloudformation import schemas
from localcloud.cloudformation.intrinsics import FUNCTIONS
from localcloud.cloudformation.limits import check_declarations, check_names
from localcloud.cloudformation.template import TemplateError, mentions, unresolved
from localcloud.cloudformation.template_rules import check_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.cloudformation.intrinsics import Resolver

_ATTRIBUTES_OF_RESOURCES = {
    "Condition", "CreationPolicy", "DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type",
    "UpdatePolicy", "UpdateReplacePolicy",
}  # fmt: skip
_POLICIES = {
    "DeletionPolicy": {"Delete", "Retain", "RetainExceptOnCreate", "Snapshot"},
    "UpdateReplacePolicy": {"Delete", "Retain", "Snapshot"},
}
_SNAPSHOT_TYPES = {
    "AWS::DocDB::DBCluster", "AWS::EC2::Volume", "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ReplicationGroup", "AWS::Neptune::DBCluster", "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance", "AWS::Redshift::Cluster",
}  # fmt: skip
"""Types that support Snapshot ("DeletionPolicy attribute").

None of them has data in the local cloud, so no snapshot is taken.
"""
_POLICY_NAMES = {
    "DeletionPolicy": "deletion policy",
    "UpdateReplacePolicy": "update replace policy",
}
_IAM_TYPES = {"AWS::IAM::Group", "AWS::IAM::InstanceProfile", "AWS::IAM::ManagedPolicy"} | {
    "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::UserToGroupAddition",
}  # fmt: skip
_NAMES = {"GroupName", "InstanceProfileName", "ManagedPolicyName", "RoleName", "UserName"}


def check(template: dict[str, Any], region: str, is_live: Callable[[str], bool]) -> None:
    """Check that a template can be deployed; `is_live` returns whether a type is live.

    Raises:
        TemplateError: a type, attribute or function is unknown, a reference is missing, or the
            local cloud does not support a part of the template.
    """
    check_declarations(template)
    check_names(template)
    check_template(template)
    resources: dict[str, Any] = template["Resources"]
    _types({each["Type"] for each in resources.values()}, region, is_live)
    for logical_id, definition in resources.items():
        _resource(logical_id, definition)
    _functions(template.get("Conditions", {}))
    for block in ("Resources", "Outputs"):
        _functions(template.get(block, {}))
        _references(template, block, region)


def missing_capability(template: dict[str, Any], given: Iterable[str]) -> str | None:
    """Return the capability that a template needs and `given` lacks, or None."""
    needed = [each for each in template["Resources"].values() if each["Type"] in _IAM_TYPES]
    if any(_NAMES & (each.get("Properties") or {}).keys() for each in needed):
        return None if "CAPABILITY_NAMED_IAM" in given else "CAPABILITY_NAMED_IAM"
    allowed = {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"} & set(given)
    return "CAPABILITY_IAM" if needed and not allowed else None


def check_rules(template: dict[str, Any], resolver: Resolver) -> None:
    """Evaluate the assertions of a template's `Rules`.

    Raises:
        TemplateError: an assertion is false.
    """
    for name, rule in template.get("Rules", {}).items():
        if not resolver.value(rule.get("RuleCondition", True)):
            continue
        for assertion in rule["Assertions"]:
            if not resolver.value(assertion["Assert"]):
                said = assertion.get("AssertDescription", "an assertion is false")
                raise TemplateError(f"Rule {name} failed: {said}")


def _types(types: set[str], region: str, is_live: Callable[[str], bool]) -> None:
    refused = {
        name
        for name in types
        if name.startswith(("AWS::CloudFormation::", "Custom::")) and not is_live(name)
    }
    if refused:
        raise TemplateError(
            f"Resource types [{', '.join(sorted(refused))}] are not part of the local cloud"
        )
    unknown = {name for name in types if not is_live(name) and not schemas.known(region, name)}
    if unknown:
        raise TemplateError(
            f"Template format error: Unrecognized resource types: [{', '.join(sorted(unknown))}]"
        )


def _resource(logical_id: str, definition: dict[str, Any]) -> None:
    unknown = definition.keys() - _ATTRIBUTES_OF_RESOURCES
    if unknown:
        raise TemplateError(
            f"Invalid template resource property '{min(unknown)}' (resource {logical_id})"
        )
    if definition.get("CreationPolicy"):
        raise TemplateError(f"CreationPolicy of {logical_id} is not part of the local cloud")
    for attribute in _POLICIES:
        _policy(logical_id, definition, attribute)


def _policy(logical_id: str, definition: dict[str, Any], attribute: str) -> None:
    """Check a resource's `DeletionPolicy` or `UpdateReplacePolicy`.

    AWS's texts are in cfn-language-discussion#139 (unrecognized policy) and aws-servicebroker#22
    (not a string).
    """
    policy = definition.get(attribute, "Delete")
    if not isinstance(policy, str):
        raise TemplateError(f"Template format error: Every {attribute} member must be a string.")
    if policy not in _POLICIES[attribute]:
        raise TemplateError(
            f"Template format error: Unrecognized {attribute} {policy} for resource {logical_id}"
        )
    if policy == "Snapshot" and definition["Type"] not in _SNAPSHOT_TYPES:
        raise TemplateError(
            f"Template error: resource type {definition['Type']} does not support "
            f"{_POLICY_NAMES[attribute]} Snapshot"
        )


def _functions(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _functions(item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if str(key).startswith("Fn::") and key not in FUNCTIONS:
                raise TemplateError(f"{key} is not part of the local cloud")
            _functions(inner)


def _references(template: dict[str, Any], block: str, region: str) -> None:
    resources = template["Resources"]
    parameters = template.get("Parameters", {})
    missing = set()
    for name, attribute in sorted(mentions(template.get(block, {}))):
        if name.startswith("AWS::") or (name in parameters and not attribute):
            continue
        if name not in resources:
            missing.add(name)
        elif attribute and not schemas.has_attribute(region, resources[name]["Type"], attribute):
            raise TemplateError(
                f"Template error: resource {name} does not support attribute type {attribute} "
                "in Fn::GetAtt"
            )
    if missing:
        raise unresolved(missing, block)
