"""Fakes of the console's sources: AWS, CodePipeline's executions, git's history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore import xform_name
from botocore.errorfactory import ClientExceptionsFactory
from botocore.validate import validate_parameters

from console.errors import ConsoleError
from pipeline.gates.report.gate_report import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from console.aws.account import Aws, Place
    from console.lineage import Lineage
    from pipeline.gates.report.gate_report import GateReport

OLD, COMMIT = "0" * 40, "c0ffee" + "0" * 34
"""The commits of production's versions 2 and 3."""
START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
_SESSION = botocore.session.get_session()

TOO_MANY_BUILDS = (
    "Error calling startBuild: Cannot have more than 1 builds in queue for the account (Service: "
    "AWSCodeBuild; Status Code: 400; Error Code: AccountLimitExceededException; Request ID: r; "
    "Proxy: null)"
)
"""The error of an action whose build exceeds the account's quota (aws-cdk#27335)."""


def at(seconds: float) -> datetime:
    """Return a time of the fake cloud."""
    return START + timedelta(seconds=seconds)


class FakeLineage:
    """A fake of `console.lineage.Lineage`.

    Each commit contains itself and the earlier ones of its line.
    """

    def __init__(self, *lines: Collection[str]) -> None:
        """Each line lists commits, oldest first."""
        self._lines = [list(line) for line in lines]

    def contains(self, later: str, earlier: str) -> bool:
        """See `Lineage.contains`."""
        if later == earlier:
            return True
        return any(
            later in line and earlier in line and line.index(later) > line.index(earlier)
            for line in self._lines
        )


def builds(reports: Mapping[str, Collection[GateReport]]) -> Callable[..., dict[str, Any]]:
    """Stub `BatchGetBuilds` of builds, by id, that exported these reports."""

    def batch_get_builds(*, ids: list[str]) -> dict[str, Any]:
        found = [
            {
                "id": each,
                "exportedEnvironmentVariables": [
                    {
                        "name": VARIABLE,
                        "value": "".join(report.exported() for report in reports[each]),
                    }
                ],
            }
            for each in ids
            if each in reports
        ]
        return {"builds": found}

    return batch_get_builds


class FakeClient:
    """A client whose requests and responses are checked by botocore's model."""

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
        """Return the error as the real client raises it."""
        error_class: Any = self.exceptions.from_code(code)  # the stubs declare an instance
        error: Exception = error_class({"Error": {"Code": code, "Message": message}}, operation)
        return error


class FakeAws:
    """`console.aws.account.Aws` with answers that a test sets by service and operation."""

    def __init__(self) -> None:
        self.now = START
        self.unreadable: set[str] = set()
        """Accounts whose lookup role cannot be assumed."""
        self.answers: dict[tuple[str, str], Any] = {}
        self.asked: list[tuple[str, str, str | None, dict[str, Any]]] = []

    def client(self, service: str, place: Place | None = None, *, role: str | None = None) -> Any:
        account = place.account if place else None
        if account in self.unreadable:
            raise ConsoleError(f"account {account} cannot be read: AccessDenied")
        return FakeClient(self, service, f"{account}:{role}" if role else account)


class FakePipeline:
    """CodePipeline's responses about executions that a test adds."""

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
        """Add or update an execution."""
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
        """Add an action's result, and update the stage's state."""
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
        """Add the success of a whole stage."""
        actions = self.STAGES[stage]
        each = (ended - began) / len(actions)
        for index, (name, _) in enumerate(actions):
            self.action(execution, stage, name, began + index * each, began + (index + 1) * each)

    def in_stage(self, execution: str, stage: str, status: str) -> None:
        """Set a stage of `GetPipelineState`."""
        self.states[stage] = {
            "latestExecution": {"pipelineExecutionId": execution, "status": status}
        }


if TYPE_CHECKING:
    _AWS: type[Aws] = FakeAws
    _LINEAGE: type[Lineage] = FakeLineage
