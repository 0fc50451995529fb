"""Executions of a pipeline, from CodePipeline's answers.

The functions are pure: their arguments are answers of `ListPipelineExecutions`,
`ListActionExecutions`, `GetPipelineState` and `GetPipeline`. Times are by the cloud's clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

ENDED = frozenset({"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"})
"""Final statuses of an execution."""
_BUILD_QUOTA_CODE = "AccountLimitExceededException"
_REPLACED = frozenset({"Superseded", "Cancelled"})


@dataclass(frozen=True)
class Action:
    """The newest run of an action in an execution."""

    name: str
    provider: str
    """Such as CodeBuild or CloudFormation; empty if the pipeline no longer has the action."""
    status: str
    started: datetime
    updated: datetime
    external_id: str
    message: str
    """CodePipeline's error message; empty if the action did not fail."""

    @property
    def exceeded_quota(self) -> bool:
        """Whether CodeBuild rejected the build because of the account's quota.

        The error code is only in the message (aws-cdk#27335).
        """
        return _BUILD_QUOTA_CODE in self.message


@dataclass(frozen=True)
class Stage:
    """One stage of one execution."""

    name: str
    status: str
    """NotStarted, InProgress, Succeeded, Failed, Stopped or another of CodePipeline's."""
    actions: tuple[Action, ...] = ()
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def abandoned(self) -> bool:
        """Whether an action continues after its execution ended."""
        return any(each.status == "Abandoned" for each in self.actions)

    def seconds(self, now: datetime) -> float:
        """Return its duration so far or in all, in seconds of the cloud's clock."""
        if self.started is None:
            return 0.0
        return max(0.0, ((self.ended or now) - self.started).total_seconds())


@dataclass(frozen=True)
class Execution:
    """One run of the pipeline."""

    id: str
    status: str
    summary: str
    commit: str | None
    """None until the source action has ended."""
    rollback: bool
    started: datetime
    updated: datetime
    stages: tuple[Stage, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether its status is final."""
        return self.status in ENDED

    def stage(self, name: str) -> Stage | None:
        """Return a stage by name; None if there is none."""
        return next((each for each in self.stages if each.name == name), None)


def executions(summaries: Iterable[dict[str, Any]]) -> list[Execution]:
    """Return the executions in `ListPipelineExecutions`' summaries, oldest first.

    They have no stages; see `with_stages`.
    """
    found = [
        Execution(
            id=each["pipelineExecutionId"],
            status=each["status"],
            summary=each.get("statusSummary") or "",
            commit=next((one["revisionId"] for one in each.get("sourceRevisions") or []), None),
            rollback=each.get("executionType") == "ROLLBACK",
            started=each["startTime"],
            updated=each["lastUpdateTime"],
        )
        for each in summaries
    ]
    return sorted(found, key=lambda each: each.started)


def carrying(
    history: Sequence[Execution], commit: str, contains: Callable[[str], bool]
) -> list[Execution]:
    """Return the executions that carry a commit, oldest first; the last one decides.

    A pipeline that updates itself cancels its execution and starts another with the same commit.
    A superseded execution is followed by the later one, if `contains` returns true for the later
    one's commit. An execution that failed before its source action ended has no commit; it counts
    if no other execution does.
    """
    chain: list[Execution] = []
    for each in history:
        if each.rollback:
            continue
        takes_over = (
            bool(chain)
            and chain[-1].status in _REPLACED
            and (each.commit is None or contains(each.commit))
        )
        sourceless = each.commit is None and each.status == "Failed" and not chain
        if each.commit == commit or takes_over or sourceless:
            chain.append(each)
    return chain


def last_run(
    history: Sequence[Execution], commit: str, contains: Callable[[str], bool]
) -> list[Execution]:
    """Return the executions of a commit's last release."""
    run: list[Execution] = []
    for each in reversed(carrying(history, commit, contains)):
        if run and each.status not in _REPLACED:
            break
        run.insert(0, each)
    return run


def replacement(
    history: Sequence[Execution], last: Execution, contains: Callable[[str], bool]
) -> Execution | None:
    """Return the first execution that superseded `last` without containing its commit."""
    if last.status != "Superseded":
        return None
    later = (each for each in history if each.started >= last.started and not each.rollback)
    return next((each for each in later if each.commit and not contains(each.commit)), None)


def with_stages(
    execution: Execution,
    details: Iterable[dict[str, Any]],
    state: dict[str, Any],
    declared: dict[str, Any],
) -> Execution:
    """Return an execution with its stages.

    `details` are its `actionExecutionDetails`, newest first; `state` is GetPipelineState's answer
    and `declared` GetPipeline's `pipeline`.
    """
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for detail in details:
        newest.setdefault((detail["stageName"], detail["actionName"]), detail)
    # An earlier structure of the pipeline may have had other stages.
    earlier = [stage for stage, _ in reversed(newest)]
    structure = {each["name"]: each for each in declared["stages"]}
    states = {each["stageName"]: each.get("latestExecution") for each in state["stageStates"]}
    return replace(
        execution,
        stages=tuple(
            _stage(
                execution,
                structure.get(name, {"name": name, "actions": []}),
                [each for (stage, _), each in newest.items() if stage == name],
                states.get(name) or {},
            )
            for name in dict.fromkeys([*structure, *earlier])
        ),
    )


def _stage(
    execution: Execution,
    structure: dict[str, Any],
    details: list[dict[str, Any]],
    latest: dict[str, Any],
) -> Stage:
    name = structure["name"]
    is_latest = latest.get("pipelineExecutionId") == execution.id
    if not details:
        return Stage(name, latest["status"] if is_latest else "NotStarted")
    providers = {each["name"]: each["actionTypeId"]["provider"] for each in structure["actions"]}
    actions = tuple(
        sorted((_action(each, providers) for each in details), key=lambda each: each.started)
    )
    # GetPipelineState returns only the newest execution of a stage.
    status = latest["status"] if is_latest else _status(actions, len(providers))
    return Stage(
        name=name,
        status=status,
        actions=actions,
        started=actions[0].started,
        ended=None
        if status in {"InProgress", "Stopping"}
        else max(each.updated for each in actions),
    )


def _action(detail: dict[str, Any], providers: dict[str, str]) -> Action:
    result = (detail.get("output") or {}).get("executionResult") or {}
    return Action(
        name=detail["actionName"],
        provider=providers.get(detail["actionName"], ""),
        status=detail["status"],
        started=detail["startTime"],
        updated=detail["lastUpdateTime"],
        external_id=result.get("externalExecutionId") or "",
        message=(result.get("errorDetails") or {}).get("message") or "",
    )


def _status(actions: tuple[Action, ...], declared: int) -> str:
    """Return a stage's status by its actions, of which `declared` are expected."""
    statuses = {each.status for each in actions}
    for status in ("Failed", "Abandoned", "InProgress"):
        if status in statuses:
            return "Stopped" if status == "Abandoned" else status
    return "Succeeded" if len(actions) >= declared else "InProgress"
