"""The state of the delivery: what serves in each environment, and where the pipeline is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from console.aws import customers
from console.aws.deployed import deployed, serving
from console.aws.health import health
from console.aws.in_service import InService, compared
from console.errors import ConsoleError
from console.release.canary import CanaryWatch
from console.release.following import answers_in, history, in_detail
from console.release.promotion import conclude, standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from console.aws.account import Aws
    from console.aws.customers import RedAlarm, Responses
    from console.aws.deployed import Deployed, Serving
    from console.aws.health import Health
    from console.lineage import Lineage
    from console.release.canary import Canary
    from console.release.executions import Execution
    from console.release.promotion import Ending
    from environments.schema import Environment
    from pipeline.judge.statistics.record import Record

_FAR = 10  # executions; what an environment's last one was is not looked for beyond


@dataclass(frozen=True)
class LastOutcome:
    """How the last execution that passed through an environment's stage ended there."""

    ending: Ending
    """`promoted` when the stage succeeded."""
    sentence: str
    when: datetime
    execution: str


@dataclass(frozen=True)
class EnvironmentState:
    """One environment; what is not deployed, or cannot be read, is None."""

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
    """What customers got in the last minutes."""
    alarms: tuple[RedAlarm, ...] = ()
    """Red alarms."""
    max_failure_share: float = 0.0
    """The share of failed requests above which the environment is not healthy, 0 to 1."""
    unseen: str = ""
    """Why it cannot be read, where it cannot."""

    @property
    def judged(self) -> Record | None:
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
class State:
    """Everything; `execution` is the pipeline's newest, None before its first."""

    environments: tuple[EnvironmentState, ...]
    execution: Execution | None


def look(
    aws: Aws, environments: Mapping[str, Environment], lineage: Lineage, now: datetime
) -> State:
    """Read the state as it is `now`, by the cloud's clock.

    Raises:
        ConsoleError: there is no pipeline.
    """
    newest = _Newest(aws)
    found = [
        _environment(aws, name, each, newest, lineage, now) for name, each in environments.items()
    ]
    # An environment that does not answer takes its time to say so.
    with ThreadPoolExecutor(len(found)) as pool:
        return State(tuple(pool.map(_asked, found)), next(iter(newest), None))


class _Newest:
    """The pipeline's executions, newest first, each asked for when it is looked at."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._left = list(reversed(history(aws)))[:_FAR]
        self._known: list[Execution] = []

    def __iter__(self) -> Iterator[Execution]:
        yield from self._known
        while self._left:
            self._known.append(in_detail(self._aws, self._left.pop(0)))
            yield self._known[-1]


def _environment(
    aws: Aws,
    name: str,
    environment: Environment,
    newest: _Newest,
    lineage: Lineage,
    now: datetime,
) -> EnvironmentState:
    state = EnvironmentState(
        name,
        environment.account,
        environment.region,
        max_failure_share=environment.guard.max_failure_share,
    )
    try:
        what = deployed(aws, name, environment)
        if what is not None:
            state = replace(
                state,
                url=what.url,
                serving=serving(aws, what),
                shift=_shift(aws, what, newest),
                responses=customers.responses(aws, name, environment, now),
                alarms=customers.red_alarms(aws, name, environment),
            )
        outcomes = (_outcome(aws, state, what, each, lineage) for each in newest)
        return replace(state, outcome=next(filter(None, outcomes), None))
    except ConsoleError as error:
        return replace(state, unseen=str(error))


def _outcome(
    aws: Aws, state: EnvironmentState, what: Deployed | None, execution: Execution, lineage: Lineage
) -> LastOutcome | None:
    """How an execution ended in an environment's stage; None if it is not, or was never, there."""
    stage = execution.stage(state.name)
    if stage is None or stage.started is None or stage.ended is None:
        return None
    commit = execution.commit or ""
    in_service = (
        compared(lineage, state.name, state.serving.stable, commit)
        if state.serving
        else InService(None, f"nothing serves {state.name}")
    )
    if stage.status == "Succeeded" and execution.rollback:
        sentence = f"the pipeline brought it back to commit {commit[:7] or 'unknown'}"
        return LastOutcome("rolled_back", sentence, stage.ended, execution.id)
    if stage.status == "Succeeded":
        conclusion = standing(in_service)
    else:
        until = None if stage.abandoned else stage.ended
        canary = CanaryWatch(aws, what, stage.started, until).look() if what else None
        if canary and not canary.ended:
            return None
        conclusion = conclude(
            [execution], in_service=in_service, answers=answers_in(aws, execution), canary=canary
        )
    # That it is promoted, the table says.
    sentence = "" if conclusion.ending == "promoted" else conclusion.sentence
    return LastOutcome(conclusion.ending, sentence, stage.ended, execution.id)


def _shift(aws: Aws, what: Deployed, newest: _Newest) -> Canary | None:
    """Return the newest shift of traffic."""
    for execution in newest:
        stage = execution.stage(what.environment)
        if stage and stage.started:
            until = None if stage.abandoned else stage.ended
            canary = CanaryWatch(aws, what, stage.started, until).look()
            if canary:
                return canary
    return None


def _asked(state: EnvironmentState) -> EnvironmentState:
    """With its health, where there is a URL to ask."""
    return replace(state, health=health(state.url)) if state.url else state
