"""CodePipeline: rejected declarations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.corpus.deliveries import refusal, trust
from tests.corpus.pipelines import connected, deploy, make_role, one_pipeline
from tests.corpus.report import report
from tests.localcloud.codepipeline.world import ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.server import LocalCloud
    from tests.localcloud.codepipeline.world import World


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalCloud, str]]:
    with connected(tmp_path_factory.mktemp("declarations")) as cloud:
        yield cloud


@pytest.fixture
def world(shared: tuple[LocalCloud, str]) -> Iterator[World]:
    with one_pipeline(shared) as made:
        yield made


def refused(world: World, *actions: dict[str, Any], **more: Any) -> tuple[str, str]:
    """Return the code and the message of the error for a pipeline with these actions."""
    definition = world.definition(world.stage("Then", *actions), **more)
    return refusal(world.client.create_pipeline, pipeline=definition)


@report(
    "aws/aws-cdk#6111",
    "CodePipeline",
    situation="Two actions of a pipeline have the same namespace for their variables.",
    outcome="The pipeline is rejected: namespaces must be unique, and stage and action are named.",
)
def test_two_actions_of_one_namespace(world: World) -> None:
    second = world.build("Test", "true", namespace="Commit")
    code, message = refused(world, second)
    assert code == "InvalidActionDeclarationException"
    assert message == (
        "Namespaces must be unique across the pipeline definition. The following occur more than "
        "once in the pipeline. StageName=[Then], ActionName=[Test], Namespace=[Commit]"
    )


@report(
    "aws-cloudformation/cfn-lint#1688",
    "CodePipeline",
    situation="Two build actions have output artifacts of the same name.",
    outcome="The pipeline is rejected: an output artifact's name is unique within a pipeline.",
)
def test_two_artifacts_of_one_name(world: World) -> None:
    made = [{"name": "Built"}]
    _, message = refused(
        world,
        world.build("One", "true", outputArtifacts=made),
        world.build("Two", "true", outputArtifacts=made, runOrder=2),
    )
    assert message == (
        "Output Artifact Bundle name must be unique within the pipeline. Built has been used more "
        "than once"
    )


@report(
    "aws/aws-cdk#38843",
    "CodePipeline",
    situation="A CodeBuild action lists the files of its output artifact.",
    outcome="The pipeline is rejected with a message on a commands field, which it does not have.",
)
def test_files_of_an_artifact_of_a_build(world: World) -> None:
    made = [{"name": "Package", "files": ["debug.apk"]}]
    _, message = refused(world, world.build("Build", "true", outputArtifacts=made))
    assert message == (
        "The following action cannot contain a commands field: Build. To use the commands field, "
        "use a compute action."
    )


@report(
    "aws-quickstart/quickstart-trek10-serverless-enterprise-cicd#10",
    "CodePipeline",
    situation="The pipeline's role may not assume the role of one of its actions.",
    outcome="The pipeline is rejected: InvalidStructureException names both roles.",
)
def test_a_role_of_an_action_that_trusts_another(world: World) -> None:
    role = make_role(world, "trusts-codebuild", trust("codebuild"))
    code, message = refused(world, world.build("Test", "true", roleArn=role))
    assert code == "InvalidStructureException"
    assert message == f"{ROLE}/codepipeline is not authorized to perform AssumeRole on role {role}"


@report(
    "hashicorp/terraform#19264",
    "CodePipeline",
    situation="CodePipeline may not assume the role of the pipeline itself.",
    outcome="The pipeline is rejected with InvalidStructureException, which names the role.",
)
def test_a_role_that_codepipeline_may_not_assume(world: World) -> None:
    role = make_role(world, "trusts-another", trust("codebuild"))
    code, message = refused(world, world.build("Test", "true"), roleArn=role)
    assert code == "InvalidStructureException"
    assert message == f"CodePipeline is not authorized to perform AssumeRole on role {role}"


@report(
    "hashicorp/terraform-provider-aws#20742",
    "CodePipeline",
    situation="A CloudFormation action has DeploymentTargets, a key of the action for stack sets.",
    outcome="The pipeline is rejected: the configuration is unknown.",
)
def test_a_key_of_another_actions_configuration(world: World) -> None:
    _, message = refused(world, deploy(world, "App", DeploymentTargets="222222222222"))
    assert message.endswith("contains unknown configuration 'DeploymentTargets'")
    assert "'Deploy'" in message


@report(
    "aws-samples/aws-codepipeline-third-party-git-repositories#3",
    "CodePipeline",
    situation="A pipeline's source is a custom action type that is not registered in its region.",
    outcome="The pipeline is rejected: the action type is not available in the region.",
)
def test_a_custom_action_that_is_not_registered(world: World) -> None:
    custom = {"category": "Source", "owner": "Custom", "provider": "GitHub", "version": "1"}
    source = world.source() | {"actionTypeId": custom}
    stages = [world.stage("Source", source), world.stage("Then", world.build("Test", "true"))]
    code, message = refused(world, stages=stages)
    assert code == "InvalidActionDeclarationException"
    assert message == (
        "ActionType (Category: 'Source', Provider: 'GitHub', Owner: 'Custom', Version: '1') in "
        "action 'Git' is not available in region 'EU_WEST_1'"
    )


@report(
    "aws/aws-cdk#5749",
    "CodePipeline",
    situation="ParameterOverrides of a CloudFormation action has more than 1,000 characters.",
    outcome="The pipeline is rejected with a ValidationException on the map's values.",
)
def test_overrides_that_are_too_long(world: World) -> None:
    overrides = json.dumps({f"Asset{number}": "x" * 64 for number in range(13)})
    code, message = refused(world, deploy(world, "App", ParameterOverrides=overrides))
    assert code == "ValidationException"
    assert message == (
        "1 validation error detected: Value at 'pipeline.stages.2.member.actions.1.member."
        "configuration' failed to satisfy constraint: Map value must satisfy constraint: [Member "
        "must have length less than or equal to 1000, Member must have length greater than or "
        "equal to 1]"
    )


def trigger(action: str, **push: Any) -> list[dict[str, Any]]:
    """Return a trigger on these pushes."""
    filters = {what: {"includes": [pattern]} for what, pattern in push.items()}
    configuration = {"sourceActionName": action, "push": [filters]}
    return [{"providerType": "CodeStarSourceConnection", "gitConfiguration": configuration}]


@report(
    "aws/aws-cdk#28694",
    "CodePipeline",
    situation="A trigger names a source action that is not in the pipeline's first stage.",
    outcome="The pipeline is rejected: a trigger references an action of a connection.",
)
def test_a_trigger_of_no_action(world: World) -> None:
    triggers = trigger("BitBucket", branches="main")
    code, message = refused(world, world.build("Test", "true"), triggers=triggers)
    assert code == "InvalidStructureException"
    said = "Triggers for connection must reference a CodeStarSourceConnection action."
    assert message.startswith(said)


@report(
    "cloudposse/terraform-aws-ecs-codepipeline#145",
    "CodePipeline",
    situation="A pipeline that is declared as type V1 has a trigger on tags.",
    outcome="It is rejected: triggers on tags need a pipeline of type V2.",
)
def test_a_trigger_of_an_old_pipeline(world: World) -> None:
    triggers = trigger("Git", tags="release-*")
    code, message = refused(
        world, world.build("Test", "true"), triggers=triggers, pipelineType="V1"
    )
    assert code == "InvalidStructureException"
    assert message == "Triggers on tag can only be used with V2 pipelines"


@report(
    "hashicorp/terraform-provider-aws#43105",
    "CodePipeline",
    situation="One push filter of a trigger has both branches and tags.",
    outcome="The pipeline is rejected: the combination of filters is not valid.",
)
def test_a_trigger_on_branches_and_tags(world: World) -> None:
    triggers = trigger("Git", branches="dev", tags="*hotfix*")
    code, message = refused(world, world.build("Test", "true"), triggers=triggers)
    assert code == "InvalidStructureException"
    assert message == (
        "The trigger configuration for the source action is not valid. Make sure to choose valid "
        "filter combinations."
    )
