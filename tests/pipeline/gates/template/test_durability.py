"""PH701: changes that make data easier to lose."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gates.template import assembly, catalogue
from pipeline.gates.template.rules import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    Changed = Callable[..., list[tuple[str, str, str]]]

ENCRYPTED = {
    "ServerSideEncryptionConfiguration": [
        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    ]
}
BUCKET: dict[str, Any] = {
    "Type": "AWS::S3::Bucket",
    "Properties": {
        "VersioningConfiguration": {"Status": "Enabled"},
        "BucketEncryption": ENCRYPTED,
        "ObjectLockEnabled": True,
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Status": "Enabled",
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                }
            ]
        },
    },
    "DeletionPolicy": "Retain",
    "UpdateReplacePolicy": "Retain",
}
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "DeletionProtectionEnabled": True,
        "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": True,
            "RecoveryPeriodInDays": 35,
        },
        "SSESpecification": {"SSEEnabled": True},
    },
    "DeletionPolicy": "RetainExceptOnCreate",
}
DATABASE = {
    "Type": "AWS::RDS::DBCluster",
    "Properties": {"BackupRetentionPeriod": 14, "DeletionProtection": True},
}
KEY = {
    "Type": "AWS::KMS::Key",
    "Properties": {"EnableKeyRotation": True, "PendingWindowInDays": 30},
    "DeletionPolicy": "Retain",
}


def _with(resource: dict[str, Any], path: str, value: Any = None) -> dict[str, Any]:
    """Return the resource with a value set at a path, or removed without a value."""
    made = copy.deepcopy(resource)
    *way, last = path.split(".")
    holder: Any = made
    for key in way:
        holder = holder[int(key) if key.isdigit() else key]
    holder.pop(last, None) if value is None else holder.update({last: value})
    return made


_RULE = "Properties.LifecycleConfiguration.Rules.0"


@pytest.mark.parametrize(
    ("resource", "path", "value", "subject"),
    [
        (BUCKET, "DeletionPolicy", "Delete", "X DeletionPolicy"),
        (BUCKET, "DeletionPolicy", None, "X DeletionPolicy"),
        (BUCKET, "UpdateReplacePolicy", "Delete", "X UpdateReplacePolicy"),
        (BUCKET, "Properties.VersioningConfiguration.Status", "Suspended",
         "X VersioningConfiguration.Status"),
        (BUCKET, "Properties.VersioningConfiguration", None, "X VersioningConfiguration.Status"),
        (BUCKET, "Properties.BucketEncryption", None, "X BucketEncryption"),
        (BUCKET, "Properties.ObjectLockEnabled", None, "X ObjectLockEnabled"),
        (BUCKET, f"{_RULE}.ExpirationInDays", 1,
         "X LifecycleConfiguration ExpirationInDays [null,null]"),
        (BUCKET, f"{_RULE}.NoncurrentVersionExpiration", {"NoncurrentDays": 1},
         "X LifecycleConfiguration NoncurrentDays [null,null]"),
        (TABLE, "DeletionPolicy", None, "X DeletionPolicy"),
        (TABLE, "Properties.DeletionProtectionEnabled", False, "X DeletionProtectionEnabled"),
        (TABLE, "Properties.SSESpecification", None, "X SSESpecification.SSEEnabled"),
        (TABLE, "Properties.PointInTimeRecoverySpecification.RecoveryPeriodInDays", 1,
         "X PointInTimeRecoverySpecification.RecoveryPeriodInDays"),
        # By default, CloudFormation keeps a snapshot of a cluster.
        (DATABASE, "DeletionPolicy", "Delete", "X DeletionPolicy"),
        (DATABASE, "Properties.BackupRetentionPeriod", 1, "X BackupRetentionPeriod"),
        (DATABASE, "Properties.DeletionProtection", None, "X DeletionProtection"),
        (KEY, "Properties.EnableKeyRotation", False, "X EnableKeyRotation"),
        (KEY, "Properties.PendingWindowInDays", 7, "X PendingWindowInDays"),
    ],
)  # fmt: skip
def test_weaker_data_protection_is_a_finding(
    resource: dict[str, Any], path: str, value: Any, subject: str, changed: Changed
) -> None:
    after = _with(resource, path, value)
    assert changed({"X": resource}, {"X": after}) == [("PH701", "error", subject)]
    if not path.endswith("BucketEncryption"):
        assert changed({"X": after}, {"X": resource}) == []


@pytest.mark.parametrize("resource", [BUCKET, TABLE, DATABASE, KEY])
def test_unchanged_data_protection_is_no_finding(
    resource: dict[str, Any], changed: Changed
) -> None:
    assert changed({"X": resource}, {"X": resource}) == []


def test_existing_resources_need_both_retention_policies(changed: Changed) -> None:
    other = _with(BUCKET, "DeletionPolicy", "RetainExceptOnCreate")
    assert changed({"X": BUCKET}, {"X": other}) == changed({"X": other}, {"X": BUCKET}) == []


def test_a_lifecycle_rule_for_other_objects_does_not_cover_all(changed: Changed) -> None:
    rules = "Properties.LifecycleConfiguration.Rules"
    kept = BUCKET["Properties"]["LifecycleConfiguration"]["Rules"]
    more = {"Status": "Enabled", "Prefix": "tmp/", "ExpirationInDays": 1}
    after = _with(BUCKET, rules, [*kept, more])
    assert [subject for _, _, subject in changed({"X": BUCKET}, {"X": after})] == [
        'X LifecycleConfiguration ExpirationInDays ["tmp/",null]'
    ]


def test_the_pipelines_stack_keeps_its_termination_protection(written: Any) -> None:
    resources = {"Pipeline": {"Type": "AWS::CodePipeline::Pipeline"}}
    for protected, subjects in ((True, []), (False, ["termination protection"])):
        folder = written.stack(resources, terminationProtection=protected).folder
        (stack,) = assembly.read(folder)
        found = catalogue.compare([Change(stack, stack.template)])
        assert [each.subject for each in found if each.rule == "PH701"] == subjects
