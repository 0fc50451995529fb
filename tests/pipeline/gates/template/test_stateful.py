"""PH501 and PH502: resources and data that a change loses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from pipeline.gates.template import schemas
from pipeline.gates.template.stateful import RECORDS, STATEFUL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Changed = Callable[..., list[tuple[str, str, str]]]


def _bucket(name: Any = None, **body: Any) -> dict[str, Any]:
    properties = {"BucketName": name} if name else {}
    return {"Type": "AWS::S3::Bucket", "Properties": properties, **body}


def test_a_bucket_that_is_taken_out_is_named(changed: Changed) -> None:
    topic = {"Type": "AWS::SNS::Topic"}
    assert changed({"Files": _bucket(), "T": topic}, {"T": topic}) == [("PH501", "error", "Files")]
    assert changed({"T": topic, "U": topic}, {"T": topic}) == []


def test_a_bucket_with_another_logical_id_counts_as_replaced(changed: Changed) -> None:
    kept = _bucket(DeletionPolicy="Retain")
    assert changed({"Files": kept}, {"Documents": kept}) == [("PH501", "error", "Files")]


def test_a_bucket_that_gets_another_name_is_replaced(changed: Changed) -> None:
    assert changed({"Files": _bucket("a")}, {"Files": _bucket("b")}) == [
        ("PH502", "error", "Files")
    ]
    assert changed({"Files": _bucket()}, {"Files": _bucket("b")}) == [("PH502", "error", "Files")]


def test_an_in_place_update_is_no_loss(changed: Changed) -> None:
    more = _bucket("a")
    more["Properties"]["VersioningConfiguration"] = {"Status": "Enabled"}
    assert changed({"Files": _bucket("a")}, {"Files": more}) == []
    joined = {"Fn::Join": ["-", ["a", {"Ref": "AWS::Region"}]]}
    assert changed({"Files": _bucket(joined)}, {"Files": _bucket(joined)}) == []


def test_a_resource_that_references_a_replaced_one_is_replaced(changed: Changed) -> None:
    def stack(cidr: str) -> dict[str, Any]:
        return {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": cidr}},
            "Subnet": {
                "Type": "AWS::EC2::Subnet",
                "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"},
            },
            "Cache": {
                "Type": "AWS::ElastiCache::CacheCluster",
                "Properties": {"CacheSubnetGroupName": {"Fn::Sub": "of-${Subnet}"}},
            },
        }

    assert changed(stack("10.0.0.0/16"), stack("10.1.0.0/16")) == [("PH502", "error", "Cache")]


def test_a_path_within_a_property_is_compared_alone(changed: Changed) -> None:
    def pool(**options: Any) -> dict[str, Any]:
        return {"Domain": {"Type": "AWS::OpenSearchService::Domain", "Properties": options}}

    before = pool(DomainName="a", EngineVersion="1")
    assert changed(before, pool(DomainName="a", EngineVersion="2")) == []
    assert changed(before, pool(DomainName="b", EngineVersion="1")) == [
        ("PH502", "error", "Domain")
    ]


def test_lost_records_are_a_note_and_do_not_refuse(changed: Changed) -> None:
    log = {"Type": "AWS::Logs::LogGroup"}
    assert changed({"Log": log, "B": _bucket()}, {"B": _bucket()}) == [("PH501", "warning", "Log")]


def test_another_type_under_the_same_id_is_a_loss(changed: Changed) -> None:
    assert changed({"X": _bucket()}, {"X": {"Type": "AWS::SNS::Topic"}}) == [
        ("PH501", "error", "X")
    ]


def test_a_type_without_a_schema_is_never_replaced(changed: Changed) -> None:
    def custom(value: str) -> dict[str, Any]:
        return {"C": {"Type": "Custom::Thing", "Properties": {"ServiceToken": value}}}

    assert changed(custom("a"), custom("b")) == []


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_the_schemas_match_cfn_lints(region: str) -> None:
    """They are read as files, whose location cfn-lint does not guarantee."""
    known = set(PROVIDER_SCHEMA_MANAGER.get_resource_types(region))
    for type_ in sorted((STATEFUL | RECORDS) & known):
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, type_).schema
        paths = tuple(tuple(each.split("/")[2:]) for each in schema.get("createOnlyProperties", ()))
        assert schemas.create_only(region, type_) == paths, type_
    assert schemas.create_only(region, "AWS::S3::Bucket")
    assert (STATEFUL | RECORDS) - known <= {"AWS::QLDB::Ledger"}


def test_without_schemas_the_check_could_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schemas.create_only.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(schemas, "_folder", lambda: tmp_path)
        with pytest.raises(schemas.SchemasError, match="resource schemas cannot be read"):
            schemas.create_only("eu-west-1", "AWS::S3::Bucket")
    monkeypatch.setattr(schemas, "find_spec", lambda _name: None)
    with pytest.raises(schemas.SchemasError, match="cfn-lint is missing"):
        schemas.create_only("eu-west-1", "AWS::S3::Bucket")
