"""Quotas of a pipeline's declaration, each at its edge and one beyond."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from localcloud.codepipeline.definition import check
from localcloud.codepipeline.refusals import DefinitionError
from tests.localcloud.codepipeline.test_definition import good

INPUTS = [{"name": "App"}]


def _changed(**changes: Any) -> dict[str, Any]:
    """The declaration whose second stage's action has other keys."""
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


@pytest.mark.parametrize(
    "definition",
    [
        _configured(1000),
        _stages(50),
        _actions(50, at_once=True),
        _actions(50, at_once=False),
        _changed(name="a" * 100),
        _changed(outputArtifacts=[{"name": f"o{n}"} for n in range(5)]),
    ],
)
def test_what_aws_allows_is_accepted(definition: dict[str, Any]) -> None:
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
    ],
)
def test_what_exceeds_a_quota_is_rejected(
    definition: dict[str, Any], message: str, code: str
) -> None:
    with pytest.raises(DefinitionError, match=message) as raised:
        check(definition)
    assert raised.value.code == code
