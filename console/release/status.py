"""The status of the delivery: all environments and the newest execution."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from console.aws import impact
from console.aws.deployed import deployed, serving
from console.aws.health import health
from console.errors import ConsoleError
from console.release.canary_watch import CanaryWatch
from console.release.containment import Containment, compare
from console.release.history import history, in_detail, reports_in
from console.release.promotion import conclude, standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from console.aws.account import Aws
    from console.aws.deployed import Deployed, Serving
    from console.aws.health import Health
    from console.aws.impact import RedAlarm, Responses
    from console.lineage import Lineage
    from console.release.canary import Canary
    from console.release.executions import Execution
    from console.release.promotion import Ending
    from environments.schema import Environment
    from pipeline.judge.statistics.record import Record

_MAX_EXECUTIONS = 10
"""The newest executions, among which each environment's last outcome is searched."""


@dataclass(frozen=True)
class LastOutcome:
    """How the last execution that passed through an environment's stage ended there."""

    ending: Ending
    """`promoted` if the stage succeeded."""
    sentence: str
    when: datetime
    """The end of the stage, by the cloud's clock."""
    execution: str


@dataclass(frozen=True)
class EnvironmentStatus:
    """One environment; a field is None if it is not deployed or cannot be read."""

    name: str
    account: str
    region: str
    url: str | None = None
    serving: Serving | None = None
    health: Health | None = None
    outcome: LastOutcome | None = None
    shift: Canary | None = None
    """The newest shift of traffic; None before the first."""
    responses: Responses | None = None
    """API Gateway's responses in the last minutes."""
    alarms: tuple[RedAlarm, ...] = ()
    max_failure_share: float = 0.0
    """The share of failed requests above which the environment is not healthy, 0 to 1."""
    unreadable: str = ""
    """Why the environment cannot be read; else empty."""

    @property
    def record(self) -> Record | None:
        """Decision record of the newest shift; None without a judge or a record."""
        return self.shift.record if self.shift else None

    @property
    def problems(self) -> tuple[str, ...]:
        """Problems that customers see, the worst first; empty if there are none."""
        found = []
        if self.health and not self.health.alive:
            found.append("does not answer")
        if self.responses and self.responses.failure_share > self.max_failure_share:
            found.append(f"{self.responses.failure_share:.0%} of requests fail")
        if self.alarms:
            found.append(f"{len(self.alarms)} red alarm{'s' if len(self.alarms) > 1 else ''}")
        if self.health and self.health.alive and not self.health.ready:
            found.append("not ready")
        return tuple(found)


@dataclass(frozen=True)
class Status:
    """The status of all environments and of the pipeline."""

    environments: tuple[EnvironmentStatus, ...]
    execution: Execution | None
    """The newest execution; None before the first."""


def read_status(
    aws: Aws, environments: Mapping[str, Environment], lineage: Lineage, now: datetime
) -> Status:
    """Read the status at `now`, by the cloud's clock.

    Raises:
        ConsoleError: there is no pipeline.
    """
    newest = _NewestExecutions(aws)
    found = [
        _environment(aws, name, each, newest, lineage, now) for name, each in environments.items()
    ]
    # In parallel, because a request to an environment that does not answer times out.
    with ThreadPoolExecutor(len(found)) as pool:
        return Status(tuple(pool.map(_with_health, found)), next(iter(newest), None))


class _NewestExecutions:
    """The pipeline's executions, newest first; stages are read when needed."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._unread = list(reversed(history(aws)))[:_MAX_EXECUTIONS]
        self._read: list[Execution] = []

    def __iter__(self) -> Iterator[Execution]:
        yield from self._read
        while self._unread:
            self._read.append(in_detail(self._aws, self._unread.pop(0)))
            yield self._read[-1]


def _environment(
    aws: Aws,
    name: str,
    environment: Environment,
    newest: _NewestExecutions,
    lineage: Lineage,
    now: datetime,
) -> EnvironmentStatus:
    status = EnvironmentStatus(
        name,
        environment.account,
        environment.region,
        max_failure_share=environment.guard.max_failure_share,
    )
    try:
        service = deployed(aws, name, environment)
        if service is not None:
            status = replace(
                status,
                url=service.url,
                serving=serving(aws, service),
                shift=_newest_shift(aws, service, newest),
                responses=impact.responses(aws, name, environment, now),
                alarms=impact.red_alarms(aws, name, environment),
            )
        outcomes = (_outcome(aws, status, service, each, lineage) for each in newest)
        return replace(status, outcome=next(filter(None, outcomes), None))
    except ConsoleError as error:
        return replace(status, unreadable=str(error))


def _outcome(
    aws: Aws,
    status: EnvironmentStatus,
    service: Deployed | None,
    execution: Execution,
    lineage: Lineage,
) -> LastOutcome | None:
    """Return how an execution ended in an environment's stage; None if it did not."""
    stage = execution.stage(status.name)
    if stage is None or stage.started is None or stage.ended is None:
        return None
    commit = execution.commit or ""
    in_service = (
        compare(lineage, status.name, status.serving.stable, commit)
        if status.serving
        else Containment(None, f"nothing serves {status.name}")
    )
    if stage.status == "Succeeded" and execution.rollback:
        sentence = f"the pipeline brought it back to commit {commit[:7] or 'unknown'}"
        return LastOutcome("rolled_back", sentence, stage.ended, execution.id)
    if stage.status == "Succeeded":
        conclusion = standing(in_service)
    else:
        until = None if stage.abandoned else stage.ended
        canary = CanaryWatch(aws, service, stage.started, until).read() if service else None
        if canary and not canary.ended:
            return None
        conclusion = conclude(
            [execution], in_service=in_service, reports=reports_in(aws, execution), canary=canary
        )
    # The table shows that a release was promoted.
    sentence = "" if conclusion.ending == "promoted" else conclusion.sentence
    return LastOutcome(conclusion.ending, sentence, stage.ended, execution.id)


def _newest_shift(aws: Aws, service: Deployed, newest: _NewestExecutions) -> Canary | None:
    """Return the newest shift of traffic; None before the first."""
    for execution in newest:
        stage = execution.stage(service.environment)
        if stage and stage.started:
            until = None if stage.abandoned else stage.ended
            canary = CanaryWatch(aws, service, stage.started, until).read()
            if canary:
                return canary
    return None


def _with_health(status: EnvironmentStatus) -> EnvironmentStatus:
    """Add the health, if the environment has a URL."""
    return replace(status, health=health(status.url)) if status.url else status
