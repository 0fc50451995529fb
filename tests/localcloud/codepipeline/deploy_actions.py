"""Actions that deploy a stack with one parameter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.localcloud.codepipeline.world import ROLE, kind

if TYPE_CHECKING:
    from tests.localcloud.codepipeline.world import World


def template(name: str, value: str) -> dict[str, Any]:
    return {
        "Parameters": {"Value": {"Type": "String", "Default": value}},
        "Resources": {
            "It": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": f"/{name}", "Type": "String", "Value": {"Ref": "Value"}},
            }
        },
        "Outputs": {"Name": {"Value": {"Ref": "It"}}},
    }


def action(world: World, name: str, mode: str, **more: Any) -> dict[str, Any]:
    configuration = {
        "ActionMode": mode,
        "StackName": f"{world.name}-stack",
        "ChangeSetName": "PipelineChange",
        "RoleArn": f"{ROLE}/cloudformation",
        "Capabilities": "CAPABILITY_NAMED_IAM,CAPABILITY_AUTO_EXPAND",
        "TemplatePath": "Synth_Output::stack.template.json",
    }
    return {
        "name": name,
        "actionTypeId": kind("Deploy", "CloudFormation"),
        "configuration": configuration,
    } | more


def synth(world: World, made: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(made).replace("'", "'\\''")
    return world.build("Synth", f"printf '%s' '{text}' > stack.template.json", files="*.json")
