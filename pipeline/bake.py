"""The bake: an environment is watched for a while after all traffic is on the new version.

The high-level pipeline has no stage conditions, so they are set on the template ("How do stage
conditions work?" of the CodePipeline user guide). A bake that fails rolls the stage back to the
last execution that succeeded. CodePipeline does that only within one pipeline structure; after
a release that changed the pipeline itself the stage is marked failed and a person decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam
from aws_cdk.aws_codepipeline import CfnPipeline

from environments.schema import AllAtOnce
from pipeline.names import BAKE, alarm_name, lookup_role

if TYPE_CHECKING:
    from aws_cdk import aws_codepipeline as codepipeline

    from environments.schema import Environment


def bake(pipeline: codepipeline.Pipeline, name: str, environment: Environment) -> None:
    """Let a stage succeed only when no alarm of the bake goes off for the bake's minutes."""
    if isinstance(environment.shift, AllAtOnce):
        return
    # The one role of CDK's bootstrap that may read there and trusts the pipeline's account.
    reader = lookup_role(environment.account, environment.region)
    pipeline.add_to_role_policy(iam.PolicyStatement(actions=["sts:AssumeRole"], resources=[reader]))
    rules = [
        {
            "Name": rail,
            "RuleTypeId": {
                "Category": "Rule",
                "Owner": "AWS",
                "Provider": "CloudWatchAlarm",
                "Version": "1",
            },
            "Configuration": {
                "AlarmName": alarm_name(name, rail),
                "AlarmStates": "ALARM",
                "WaitTime": str(environment.shift.bake_minutes),
            },
            "Region": environment.region,
            "RoleArn": reader,
        }
        for rail in BAKE
    ]
    template = pipeline.node.default_child
    assert isinstance(template, CfnPipeline)  # noqa: S101  # so it is with every L2 pipeline
    index = [stage.stage_name for stage in pipeline.stages].index(name)
    template.add_property_override(
        f"Stages.{index}.OnSuccess", {"Conditions": [{"Result": "ROLLBACK", "Rules": rules}]}
    )
