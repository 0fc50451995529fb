"""Each unused grant of the roles in the platform's own stacks has a written reason."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from console.access.roles import roles
from console.aws.account import AwsSession
from console.checkout import Checkout
from pipeline.names import BOOTSTRAP_STACK

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.rehearsal

ROOT = Path(__file__).parents[2]
REASONS = tomllib.loads(Path(__file__).with_name("unused_grants.toml").read_text())["grant"]


@pytest.fixture
def unused(
    rehearsed: dict[str, Any], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> set[tuple[str, str]]:
    """Return STACK/LOGICAL-ID and pattern of each grant that the acts did not use."""
    assert rehearsed["as_expected"]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    checkout = Checkout(ROOT)
    home = checkout.home()
    found = roles(AwsSession(home), home, checkout.environments())
    return {
        (f"{role.stack}/{role.logical_id}", grant.pattern)
        for role in found
        if role.stack != BOOTSTRAP_STACK
        for grant in role.grants
        if not grant.used
    }


def _explains(reason: dict[str, Any], role: str, pattern: str) -> bool:
    return pattern in reason["patterns"] and re.fullmatch(reason["role"], role) is not None


def test_each_unused_grant_has_a_reason(unused: set[tuple[str, str]]) -> None:
    without = {each for each in unused if not any(_explains(reason, *each) for reason in REASONS)}
    assert without == set()


def test_each_reason_is_still_needed(unused: set[tuple[str, str]]) -> None:
    for reason in REASONS:
        for pattern in reason["patterns"]:
            assert any(_explains(reason | {"patterns": [pattern]}, *each) for each in unused), (
                f"{pattern} of {reason['role']}"
            )


def test_the_command_lists_the_roles_and_reduces_a_policy(
    rehearsed: dict[str, Any], pithead: Callable[..., Any]
) -> None:
    listed = pithead("access", variables={"COLUMNS": "120"}).stdout
    assert "prod-files in 444444444444" in listed
    one = pithead("access", "ReleaseJudgeRole")
    assert "✓ codedeploy:PutLifecycleEventHookExecutionStatus" in one.stdout
    reduced = json.loads(pithead("access", "PipelineRole", "--policy").stdout)
    assert {each for part in reduced["Statement"] for each in part["Action"]} == {"sts:AssumeRole"}
    unknown = pithead("access", "NoSuchRole")
    assert (unknown.returncode, "Run pithead access" in unknown.stderr) == (1, True)
