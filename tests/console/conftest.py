from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.errorfactory import ClientExceptionsFactory
from botocore.validate import validate_parameters

from environments.schema import load
from pipeline.judge.statistics import Counts, wording
from pipeline.judge.statistics.judging import judge
from pipeline.judge.statistics.periods import Pair, Period
from pipeline.judge.statistics.record import Record, code
from pipeline.planning import policy
from tests.console.fakes import Prod

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from console.aws.account import Place

ROOT = Path(__file__).parent.parent.parent
START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
_SESSION = botocore.session.get_session()


def at(seconds: float) -> datetime:
    """A time of the fake cloud."""
    return START + timedelta(seconds=seconds)


class FakeClient:
    """A client whose questions and answers are held against botocore's model of the service."""

    def __init__(self, cloud: FakeAws, service: str, account: str | None) -> None:
        self._cloud = cloud
        self._service = service
        self._account = account
        model = _SESSION.get_service_model(service)
        self._operations = {
            xform_name(name): model.operation_model(name) for name in model.operation_names
        }
        self.exceptions = ClientExceptionsFactory().create_client_exceptions(model)

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        operation = self._operations[name]

        def call(**parameters: Any) -> dict[str, Any]:
            if operation.input_shape:
                validate_parameters(parameters, operation.input_shape)
            answer = self._cloud.answers[(self._service, name)]
            answered: dict[str, Any] | Exception = (
                answer(**parameters) if callable(answer) else answer
            )
            if isinstance(answered, Exception):
                raise answered
            assert operation.output_shape, f"{name}: the model has no output"
            validate_parameters(answered, operation.output_shape)
            self._cloud.asked.append((self._service, name, self._account, parameters))
            date = format_datetime(self._cloud.now, usegmt=True)
            return answered | {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}

        return call

    def error(self, code: str, message: str, operation: str) -> Exception:
        """The error as the real client raises it."""
        error_class: Any = self.exceptions.from_code(code)  # the stubs declare an instance
        error: Exception = error_class({"Error": {"Code": code, "Message": message}}, operation)
        return error


class FakeAws:
    """`console.aws.account.Aws` with answers that a test sets by service and operation."""

    def __init__(self) -> None:
        self.now = START
        self.answers: dict[tuple[str, str], Any] = {}
        self.asked: list[tuple[str, str, str | None, dict[str, Any]]] = []

    def client(self, service: str, place: Place | None = None, *, role: str | None = None) -> Any:
        account = place.account if place else None
        return FakeClient(self, service, f"{account}:{role}" if role else account)


class FakePipeline:
    """CodePipeline's answers about executions that a test writes down."""

    STAGES: Mapping[str, tuple[tuple[str, str], ...]] = {
        "Source": (("acme_pithead", "CodeStarSourceConnection"),),
        "Build": (("Synth", "CodeBuild"),),
        "UpdatePipeline": (("SelfMutate", "CodeBuild"),),
        "staging": (
            ("files.Prepare", "CloudFormation"),
            ("files.Deploy", "CloudFormation"),
            ("Load", "CodeBuild"),
        ),
        "prod": (("files.Prepare", "CloudFormation"), ("files.Deploy", "CloudFormation")),
    }

    def __init__(self, aws: FakeAws) -> None:
        self.summaries: list[dict[str, Any]] = []
        self.details: dict[str, list[dict[str, Any]]] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.source = {
            "ConnectionArn": "arn:aws:codeconnections:eu-west-1:111111111111:connection/1",
            "FullRepositoryId": "acme/pithead",
            "BranchName": "main",
        }
        aws.answers |= {
            ("codepipeline", "list_pipeline_executions"): lambda **_: {
                "pipelineExecutionSummaries": list(reversed(self.summaries))
            },
            ("codepipeline", "list_action_executions"): lambda **asked: {
                "actionExecutionDetails": list(
                    reversed(self.details[asked["filter"]["pipelineExecutionId"]])
                )
            },
            ("codepipeline", "get_pipeline_state"): lambda **_: self.state(),
            ("codepipeline", "get_pipeline"): lambda **_: {"pipeline": self.declared()},
        }

    def declared(self) -> dict[str, Any]:
        stages: list[dict[str, Any]] = [
            {
                "name": stage,
                "actions": [
                    {
                        "name": name,
                        "actionTypeId": {
                            "category": "Build",
                            "owner": "AWS",
                            "provider": provider,
                            "version": "1",
                        },
                        "configuration": self.source
                        if provider == "CodeStarSourceConnection"
                        else {},
                    }
                    for name, provider in actions
                ],
            }
            for stage, actions in self.STAGES.items()
        ]
        return {"name": "pithead", "roleArn": "arn:aws:iam::111111111111:role/p", "stages": stages}

    def state(self) -> dict[str, Any]:
        return {
            "pipelineName": "pithead",
            "stageStates": [
                {"stageName": stage, "actionStates": []} | self.states.get(stage, {})
                for stage in self.STAGES
            ],
        }

    def execution(
        self,
        name: str,
        started: float,
        *,
        commit: str | None,
        status: str = "InProgress",
        kind: str = "STANDARD",
        updated: float | None = None,
        summary: str = "",
    ) -> None:
        """Write an execution down, or what became of one."""
        self.summaries = [each for each in self.summaries if each["pipelineExecutionId"] != name]
        self.details.setdefault(name, [])
        self.summaries.append(
            {
                "pipelineExecutionId": name,
                "status": status,
                "statusSummary": summary,
                "startTime": at(started),
                "lastUpdateTime": at(started if updated is None else updated),
                "sourceRevisions": [{"actionName": "acme_pithead", "revisionId": commit}]
                if commit
                else [],
                "executionType": kind,
            }
        )
        self.summaries.sort(key=lambda each: each["startTime"])

    def action(
        self,
        execution: str,
        stage: str,
        name: str,
        began: float,
        ended: float,
        *,
        status: str = "Succeeded",
        external: str = "",
        message: str = "",
    ) -> None:
        """Write down what an action did; the stage's state follows."""
        result: dict[str, Any] = {"externalExecutionId": external}
        if message:
            result["errorDetails"] = {"code": "JobFailed", "message": message}
        self.details[execution].append(
            {
                "pipelineExecutionId": execution,
                "stageName": stage,
                "actionName": name,
                "status": status,
                "startTime": at(began),
                "lastUpdateTime": at(ended),
                "output": {"executionResult": result},
            }
        )
        self.in_stage(execution, stage, status)

    def stage(self, execution: str, stage: str, began: float, ended: float) -> None:
        """Write down that a whole stage succeeded."""
        actions = self.STAGES[stage]
        each = (ended - began) / len(actions)
        for index, (name, _) in enumerate(actions):
            self.action(execution, stage, name, began + index * each, began + (index + 1) * each)

    def in_stage(self, execution: str, stage: str, status: str) -> None:
        """Write down what `GetPipelineState` tells of a stage."""
        self.states[stage] = {
            "latestExecution": {"pipelineExecutionId": execution, "status": status}
        }


DIGEST = "sha256:" + "d" * 64
"""Of production's version 3."""


def decide(canary: tuple[int, int] = (80, 40), stable: tuple[int, int] = (720, 0)) -> Record:
    """A judge's record of one minute in prod, while it goes on: requests and failures of both."""
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
    """A checkout of a platform with one commit; the working directory and no AWS variables."""
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
        # Set first, so that what a command adopts is taken back after the test.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return root
