"""Quotas of a pipeline's declaration, each at its limit and one above."""

from __future__ import annotations

import copy
import sys
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.codepipeline.definition import check
from localcloud.codepipeline.definition_errors import DefinitionError
from localcloud.core.quotas import Quotas
from tests.localcloud.codepipeline.conftest import SPEED
from tests.localcloud.codepipeline.deploy_actions import action
from tests.localcloud.codepipeline.test_definition import good
from tests.localcloud.codepipeline.world import SERVICES, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.server import LocalCloud

INPUTS = [{"name": "App"}]


def _changed(**changes: Any) -> dict[str, Any]:
    """Return the declaration with other keys in its second stage's action."""
    definition = copy.deepcopy(good())
    definition["stages"][1]["actions"][0] |= changes
    return definition


def _configured(length: int) -> dict[str, Any]:
    return _changed(configuration={"ProjectName": "t", "EnvironmentVariables": "x" * length})


def _stages(number: int) -> dict[str, Any]:
    definition = copy.deepcopy(good())
    build = definition["stages"].pop()
    definition["stages"] += [copy.deepcopy(build) | {"name": f"B{n}"} for n in range(number - 1)]
    return definition


def _actions(number: int, *, at_once: bool) -> dict[str, Any]:
    definition = copy.deepcopy(good())
    (action,) = definition["stages"][1]["actions"]
    definition["stages"][1]["actions"] = [
        action | {"name": f"A{n}", "runOrder": 1 if at_once else n + 1} for n in range(number)
    ]
    return definition


def _approval(minutes: int) -> dict[str, Any]:
    kind = {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}
    return _changed(
        actionTypeId=kind,
        timeoutInMinutes=minutes,
        configuration={},
        inputArtifacts=[],
        outputArtifacts=[],
    )


@pytest.mark.parametrize(
    "definition",
    [
        _configured(1000),
        _stages(50),
        _actions(50, at_once=True),
        _actions(50, at_once=False),
        _changed(name="a" * 100),
        _approval(5),
        _approval(86400),
        _changed(outputArtifacts=[{"name": f"o{n}"} for n in range(5)]),
    ],
)
def test_a_declaration_within_the_quotas_is_accepted(definition: dict[str, Any]) -> None:
    check(definition)


@pytest.mark.parametrize(
    ("definition", "message", "code"),
    [
        (_configured(1001), "length less than or equal to 1000", "ValidationException"),
        (_configured(0), "length greater than or equal to 1", "ValidationException"),
        (_stages(51), "51 stages; the maximum is 50", "InvalidStructureException"),
        (_actions(51, at_once=True), "51 actions of one run order", "InvalidStructureException"),
        (_actions(51, at_once=False), "51 run orders", "InvalidStructureException"),
        (_changed(name="a" * 101), "actions.1.member.name", "ValidationException"),
        (_changed(name="a b"), "actions.1.member.name", "ValidationException"),
        (_changed(runOrder=1000), "between 1 and 999", "ValidationException"),
        (_changed(inputArtifacts=[]), "0 inputArtifacts", "InvalidActionDeclarationException"),
        (
            _changed(outputArtifacts=[{"name": f"o{n}"} for n in range(6)]),
            "6 outputArtifacts; allowed are 0 to 5",
            "InvalidActionDeclarationException",
        ),
        (_changed(outputArtifacts=[{"name": "a.b"}]), "outputArtifacts", "ValidationException"),
        (_approval(4), "between 5 and 86400", "ValidationException"),
        (_approval(86401), "between 5 and 86400", "ValidationException"),
    ],
)
def test_a_declaration_above_a_quota_is_rejected(
    definition: dict[str, Any], message: str, code: str
) -> None:
    with pytest.raises(DefinitionError, match=message) as raised:
        check(definition)
    assert raised.value.code == code


@pytest.fixture
def small(start_cloud: Callable[..., LocalCloud]) -> Iterator[World]:
    """A pipeline in an account whose quota is one pipeline."""
    quotas = Quotas(concurrent_executions=1000, concurrent_builds=60, pipelines=1)
    world = World(start_cloud(services=SERVICES, speed=SPEED, quotas=quotas), "small")
    world.set_up()
    yield world
    world.close()


def test_an_account_has_a_quota_of_pipelines(small: World) -> None:
    """See `LimitExceededException` of the CodePipeline API."""
    small.create(small.stage("Verify", small.approval()))
    other = small.definition(small.stage("Verify", small.approval())) | {"name": "other"}
    with pytest.raises(ClientError, match="exceeded the limit allowed for the account") as refused:
        small.client.create_pipeline(pipeline=other)
    assert refused.value.response["Error"]["Code"] == "LimitExceededException"


@pytest.mark.parametrize(
    ("module", "constant"), [("source", "MAX_SOURCE_BYTES"), ("run", "MAX_DEPLOYED_BYTES")]
)
def test_an_artifact_is_too_large(
    small: World, monkeypatch: pytest.MonkeyPatch, module: str, constant: str
) -> None:
    """AWS's text is quoted in aws-cdk#21325 and aws-cdk#10330."""
    acting = sys.modules[f"localcloud.codepipeline.actions.{module}"]
    monkeypatch.setattr(acting, constant, 10)
    prepare = action(small, "Prepare", "CHANGE_SET_REPLACE", inputArtifacts=[{"name": "App"}])
    prepare["configuration"]["TemplatePath"] = "App::stack.json"
    execution = small.create(small.stage("Prod", prepare))
    assert small.ended(execution) == "Failed"
    assert small.errors(execution) == ["Artifact [App] exceeds max artifact size"]
