from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.codedeploy.appspec import AppSpec, AppSpecError

YAML = """
version: 0.0
Resources:
  - files:
      Type: AWS::Lambda::Function
      Properties:
        Name: files
        Alias: live
        CurrentVersion: 1
        TargetVersion: "2"
Hooks:
  - BeforeAllowTraffic: check-before
  - AfterAllowTraffic: check-after
"""
names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)


def test_the_yaml_examples_of_the_user_guide_are_parsed() -> None:
    expected = AppSpec("files", "live", "1", "2", "check-before", "check-after")
    assert AppSpec.parse(YAML) == expected


@given(names, names, st.integers(1, 99), st.sampled_from(["", "check"]))
def test_an_appspec_round_trips(function: str, alias: str, version: int, hook: str) -> None:
    spec = AppSpec(function, alias, str(version), str(version + 1), hook)
    assert AppSpec.parse(spec.content()) == spec


def test_a_rollback_reverses_the_versions_without_hooks() -> None:
    assert AppSpec.parse(YAML).back() == AppSpec("files", "live", "2", "1")


@pytest.mark.parametrize(
    ("written", "instead", "named"),
    [
        ("version: 0.0", "version: 1.0", "version is 1.0"),
        ("AWS::Lambda::Function", "AWS::ECS::Service", "AWS::Lambda::Function"),
        ("        Alias: live\n", "", "no Alias"),
        ("BeforeAllowTraffic", "BeforeInstall", "BeforeInstall is not a hook"),
        ("  - files:", "  - files: {}\n  - more:", "one Lambda function"),
        ("version: 0.0", "version: [", "neither YAML nor JSON"),
        (YAML, "", "empty"),
        ("Resources:\n", "Resources: {}\nOther:\n", "list of one"),
    ],
)
def test_unsupported_parts_of_an_appspec_are_named(written: str, instead: str, named: str) -> None:
    with pytest.raises(AppSpecError, match=named):
        AppSpec.parse(YAML.replace(written, instead))
