"""cdk-nag, cfn-lint and tags over the whole synthesised app."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from environments.schema import load_all, load_home
from pipeline.builds.bundle import ROOT
from pipeline.delivery import nag, reviews
from pipeline.gates.template import validation

if TYPE_CHECKING:
    from pathlib import Path


def test_each_cdk_nag_finding_has_a_review_and_each_review_a_finding(
    assembly: Any,
) -> None:
    reviewed = reviews.applicable(load_home(), load_all(), signed=False)
    judgement = nag.check(assembly.app, reviewed)
    assert judgement.unreviewed == ()
    assert judgement.unused == ()
    assert all(len(review.reason) > 20 for review in reviewed)


def test_unreviewed_findings_and_unused_reviews_are_reported() -> None:
    app = cdk.App()
    s3.Bucket(cdk.Stack(app, "Careless"), "Bucket")
    logs = reviews.Review("AwsSolutions-S1", "Careless/*", "Nobody reads this bucket")
    nothing = reviews.Review("AwsSolutions-S1", "Elsewhere/*", "There is no such bucket")
    judgement = nag.check(app, [logs, nothing])
    assert judgement.unused == (nothing,)
    (line,) = judgement.unreviewed
    assert line.startswith("AwsSolutions-S10 at Careless/Bucket/Resource: ")


def test_a_review_of_a_wildcard_covers_no_other_resource() -> None:
    review = reviews.Review(
        "AwsSolutions-IAM5[Resource::*]", "Pithead/*", "AWS knows no resource here"
    )
    assert review.covers("AwsSolutions-IAM5[Resource::*]", "Pithead/Role")
    assert not review.covers("AwsSolutions-IAM5[Resource::arn:aws:s3:::all/*]", "Pithead/Role")


def test_an_assembly_records_that_cdk_nag_checked_it(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"version": "54.0.0"}')
    nag.record(tmp_path)
    assert [each["pluginName"] for each in validation.plugins(tmp_path)] == ["AwsSolutions"]
    assert validation.findings(tmp_path) == []
    nag.record(tmp_path)  # besides findings of other plugins
    assert len(validation.plugins(tmp_path)) == 2


def test_a_creation_that_fails_leaves_nothing_behind(assembly: Any) -> None:
    """Retain keeps what a failed creation made, and the next one creates it again.

    Only API Gateway's log role stays, and the account's setting: other stacks' APIs may use them.
    """
    templates = [assembly.delivery.path, *(each.path for each in assembly.services.values())]
    kept = {
        f"{path.name}: {logical_id}": resource.get("UpdateReplacePolicy")
        for path in templates
        for logical_id, resource in json.loads(path.read_text())["Resources"].items()
        if resource.get("DeletionPolicy") == "RetainExceptOnCreate"
    }
    retained = [
        f"{path.name}: {logical_id}"
        for path in templates
        for logical_id, resource in json.loads(path.read_text())["Resources"].items()
        if resource.get("DeletionPolicy") == "Retain"
        and resource["Type"] != "AWS::ApiGateway::Account"
        and "ApiCloudWatchRole" not in logical_id
    ]
    assert retained == []
    assert set(kept.values()) == {"Retain"}


def test_cfn_lint_finds_nothing(assembly: Any) -> None:
    templates = [assembly.delivery.path, *(each.path for each in assembly.services.values())]
    done = subprocess.run(
        ["cfn-lint", *map(str, templates)],
        cwd=ROOT,  # the folder of .cfnlintrc.yaml
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def _tags(properties: dict[str, Any], name: str) -> dict[str, str]:
    tags = properties.get(name, {})
    return tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}


@pytest.mark.parametrize("name", ["tooling", "dev", "staging", "prod"])
def test_each_resource_that_can_be_tagged_has_the_tags_of_the_file(
    assembly: Any, name: str
) -> None:
    environment = load_all()["prod" if name == "tooling" else name]
    template = assembly.delivery if name == "tooling" else assembly.services[name]
    wanted = environment.every_tag(name)
    tagged = 0
    for logical_id, resource in template.resources.items():
        if resource["Type"].startswith("AWS::CDK::"):
            continue
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-west-1", resource["Type"]).schema
        tagging = schema.get("tagging", {"taggable": "Tags" in schema["properties"]})
        if tagging.get("taggable"):
            at = tagging.get("tagProperty", "/properties/Tags").rsplit("/", 1)[-1]
            assert _tags(resource.get("Properties", {}), at) == wanted, logical_id
            tagged += 1
    assert tagged > 5
