from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from environments.schema import load
from pipeline.judge.statistics import Counts, wording
from pipeline.judge.statistics.judging import judge
from pipeline.judge.statistics.periods import Pair, Period
from pipeline.judge.statistics.record import Record, code
from pipeline.planning import policy
from tests.console.fakes import FakeAws, FakePipeline, at
from tests.console.production import Prod

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent.parent
DIGEST = "sha256:" + "d" * 64
"""The digest of production's version 3."""


def decide(canary: tuple[int, int] = (80, 40), stable: tuple[int, int] = (720, 0)) -> Record:
    """Return a judge's record of one minute in prod: requests and failures of both."""
    nothing = Pair(Counts(canary[0], 0), Counts(stable[0], 0))
    failures = Pair(Counts(*canary), Counts(*stable))
    counts = {"failures": failures, "slow-requests": nothing, "error-responses": failures}
    periods = (Period(at(60), 60, counts),)
    prod = load("prod")
    assert prod.judge is not None
    parameters = policy.parameters(prod, prod.judge)
    judged = judge(parameters, periods)
    return Record(
        service="files",
        environment="prod",
        deployment_id="d-SHIFT",
        stable="2",
        canary="3",
        percent=10,
        began=at(30),
        shift_ends=at(630),
        parameters=parameters,
        code=code(),
        periods=periods,
        evidence=judged.evidence,
        rule=wording.rule(parameters),
        verdict=judged.verdict,
        incident=judged.incident,
        decided_at=judged.decided_at,
        outcome="in progress",
        sentence=wording.sentence(parameters, periods, judged, "in progress"),
        version_digest=DIGEST,
    )


@pytest.fixture
def decided() -> Callable[..., Record]:
    return decide


@pytest.fixture
def aws() -> FakeAws:
    return FakeAws()


@pytest.fixture
def prod(aws: FakeAws) -> Prod:
    return Prod(aws)


@pytest.fixture
def pipeline(aws: FakeAws) -> FakePipeline:
    return FakePipeline(aws)


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one commit as the working directory, without AWS variables."""
    root = tmp_path / "checkout"
    shutil.copytree(
        ROOT / "environments", root / "environments", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / ".gitignore").write_text(".pithead/\n.cache/\n")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "First")
    monkeypatch.chdir(root)
    for name in (
        "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
    ):  # fmt: skip
        # Set first, so that the test's end restores variables that a command sets.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return root
