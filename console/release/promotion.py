"""The outcome of a release and its reason: pure functions of observations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pipeline.gates.report.catalogue import with_next_step
from pipeline.planning.quotas import SMALL_BUILDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from console.release.canary import Canary
    from console.release.containment import Containment
    from console.release.executions import Action, Execution, Stage
    from pipeline.gates.report.gate_report import GateReport

Ending = Literal["promoted", "rolled_back", "refused", "error"]


@dataclass(frozen=True)
class Outcome:
    """How a release ended."""

    ending: Ending
    sentence: str
    """The reason, as a sentence."""
    commit: str
    executions: tuple[Execution, ...]
    """The executions that carried the commit, oldest first; the last one is decisive."""
    gate: str | None
    """The gate that refused, the first if several did."""
    reports: tuple[GateReport, ...]
    """The reports of the decisive execution's gates."""
    canary: Canary | None
    """The shift in the last environment that the commit reached, if there was one."""
    at: datetime
    """The cloud's time when the end was observed."""
    wall: float
    """Wall-clock seconds of waiting; 0 if the release had ended before."""
    pace: float
    """Cloud seconds per wall-clock second: 1 on AWS."""

    @property
    def self_mutated(self) -> bool:
        """Whether the pipeline updated itself during the release."""
        return any(each.status == "Cancelled" for each in self.executions[:-1])

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the decisive execution."""
        return tuple(each for each in self.executions[-1].stages if each.started)

    @property
    def seconds(self) -> float:
        """Cloud seconds from the start of the first execution to the end."""
        return (self.executions[-1].updated - self.executions[0].started).total_seconds()

    def wall_seconds(self, stage: Stage) -> float:
        """Return the wall-clock seconds of a stage."""
        return stage.seconds(self.at) / self.pace


@dataclass(frozen=True)
class Conclusion:
    """The ending and its reason."""

    ending: Ending
    sentence: str
    gate: str | None = None


def failed_stage(execution: Execution) -> Stage | None:
    """Return the stage in which an execution failed."""
    return next((each for each in execution.stages if each.status == "Failed"), None)


def failed_actions(execution: Execution) -> list[Action]:
    """Return the failed actions of an execution."""
    stage = failed_stage(execution)
    return [each for each in stage.actions if each.status == "Failed"] if stage else []


def conclude(
    executions: Sequence[Execution],
    *,
    in_service: Containment,
    reports: Sequence[GateReport] = (),
    canary: Canary | None = None,
    rollback: Execution | None = None,
    replacement: Execution | None = None,
) -> Conclusion:
    """Conclude how a release ended from its executions, of which the last has ended.

    `in_service` compares the commit with what serves prod. `reports` are those of the last
    execution's gates. `canary` is the shift in the stage in which the last execution ended.
    `rollback` is a later execution by which a person moved the stage back. `replacement` is one
    whose commit replaced this one without containing it.
    """
    last = executions[-1]
    if last.status == "Succeeded":
        return standing(in_service, rollback=rollback, replacement=replacement)
    if replacement:
        return _replaced(last, replacement)
    if last.status != "Failed":
        return _by_halt(last, canary, in_service)
    stage, actions = failed_stage(last), failed_actions(last)
    if stage is None or not actions:
        return Conclusion("error", f"the execution failed{_because(last.summary)}")
    return _by_action(stage, actions, reports, canary)


def standing(
    in_service: Containment,
    *,
    rollback: Execution | None = None,
    replacement: Execution | None = None,
) -> Conclusion:
    """Conclude how a release with a successful execution ended, from what serves prod."""
    if in_service.contains is None:
        return Conclusion("error", f"the execution succeeded, but {in_service.sentence}")
    if in_service.contains:
        return Conclusion("promoted", in_service.sentence)
    if replacement:
        return Conclusion(
            "error",
            f"the execution succeeded, but {in_service.sentence}, which does not contain this "
            f"commit: execution {replacement.id[:8]} replaced it",
        )
    who = f"by the rollback {rollback.id[:8]}" if rollback else "by hand"
    return Conclusion(
        "rolled_back",
        f"the execution succeeded, but {in_service.sentence}: traffic was moved back {who}",
    )


def _replaced(last: Execution, replacement: Execution) -> Conclusion:
    commit = (replacement.commit or "unknown")[:7]
    return Conclusion(
        "error",
        f"execution {last.id[:8]} was superseded by {replacement.id[:8]} of commit {commit}, which "
        "does not contain this commit",
    )


def _by_halt(last: Execution, canary: Canary | None, in_service: Containment) -> Conclusion:
    """Conclude for an execution that was stopped, or cancelled without a successor."""
    ended = f"the execution ended as {last.status}{_because(last.summary)}"
    if canary and canary.stopped:
        shift = _by_canary(canary.environment, canary)
        return Conclusion(shift.ending, f"{ended}; {shift.sentence}")
    if canary:
        ended += f", and the shift in {canary.environment} went on to its end"
    return Conclusion("error", f"{ended}; {in_service.sentence}")


def _by_action(
    stage: Stage, actions: Sequence[Action], reports: Sequence[GateReport], canary: Canary | None
) -> Conclusion:
    refusals = [each for each in reports if each.status == "refused"]
    not_started = [each for each in actions if each.exceeded_quota]
    if not_started:
        ran = [each for each in actions if not each.exceeded_quota]
        sentence = _not_started(stage, not_started)
        if not ran:
            return Conclusion("error", sentence)
        conclusion = _by_action(stage, ran, reports, canary)
        return replace(conclusion, sentence=f"{conclusion.sentence}; {sentence}")
    if refusals:
        return Conclusion(
            "refused",
            "; ".join(
                f"the gate {each.gate} refused: "
                f"{with_next_step(each.sentence, each.next).rstrip('.')}"
                for each in refusals
            ),
            refusals[0].gate,
        )
    action = actions[0]
    failed = f"{stage.name}/{action.name} failed{_because(action.message)}"
    if canary and canary.stopped:
        shift = _by_canary(stage.name, canary)
        return (
            replace(shift, sentence=f"{failed}; {shift.sentence}") if canary.interrupted else shift
        )
    return Conclusion("error", failed)


def _not_started(stage: Stage, actions: Sequence[Action]) -> str:
    names = " and ".join(each.name for each in actions)
    return (
        f'{stage.name}: CodeBuild did not start {names}, because the quota "{SMALL_BUILDS.name}" '
        f"of the pipeline's account is too small; this says nothing about the commit"
        f"{_because(actions[0].message)}"
    )


def _by_canary(stage: str, canary: Canary) -> Conclusion:
    if canary.refused:
        return Conclusion("rolled_back", _refused(stage, canary))
    stopped = f"{canary.stopper} stopped the {canary.phase} in {stage}{_because(canary.reason)}"
    if canary.throttles:
        stopped += (
            f"; until then Lambda throttled {canary.throttles} requests, which reached no version: "
            "the cause may be the account's quota and not the commit"
        )
    if canary.percent > 0:
        return Conclusion(
            "error",
            f"{stopped}; version {canary.target_version} still has {canary.percent:g} % of the "
            "traffic: bring the alias back by hand",
        )
    # If CodeDeploy failed for its own reasons, that says nothing about the release.
    return Conclusion("error" if canary.interrupted else "rolled_back", stopped)


def _refused(stage: str, canary: Canary) -> str:
    condemned = canary.condemned
    refused = f"the judge refused version {canary.target_version} in {stage} before it got traffic"
    if condemned is None:
        return f"{refused}{_because(canary.reason)}"
    return (
        f"{refused}, because it condemned the same code and configuration in shift "
        f"{condemned.deployment_id} at {condemned.at:%Y-%m-%d %H:%M:%S} UTC"
        f"{_because(condemned.sentence)}"
    )


def _because(reason: str) -> str:
    return f": {reason.strip().rstrip('.')}" if reason.strip() else ""
