"""The state of the delivery: what serves in each environment, and where the pipeline is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from console.canary import CanaryWatch
from console.deployed import deployed, serving
from console.errors import ConsoleError
from console.following import answers_in, history, in_detail
from console.health import health
from console.in_service import InService, compared
from console.promotion import conclude, standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from console.aws import Aws
    from console.deployed import Deployed, Serving
    from console.executions import Execution
    from console.health import Health
    from console.lineage import Lineage
    from console.promotion import Ending
    from environments.schema import Environment
    from pipeline.canary.record import Record

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
    judged: Record | None = None
    """What the judge wrote of the newest release; None where there is no judge, or no word yet."""
    unseen: str = ""
    """Why it cannot be read, where it cannot."""


@dataclass(frozen=True)
class State:
    """Everything; `execution` is the pipeline's newest, None before its first."""

    environments: tuple[EnvironmentState, ...]
    execution: Execution | None


def look(aws: Aws, environments: Mapping[str, Environment], lineage: Lineage) -> State:
    """Read the state as it is now.

    Raises:
        ConsoleError: there is no pipeline.
    """
    newest = _Newest(aws)
    found = [_environment(aws, name, each, newest, lineage) for name, each in environments.items()]
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
    aws: Aws, name: str, environment: Environment, newest: _Newest, lineage: Lineage
) -> EnvironmentState:
    state = EnvironmentState(name, environment.account, environment.region)
    try:
        what = deployed(aws, name, environment)
        if what is not None:
            state = replace(state, url=what.url, serving=serving(aws, what))
            if what.decisions:
                state = replace(state, judged=_judged(aws, what, newest))
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
        else InService(False, f"nothing serves {state.name} yet")
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


def _judged(aws: Aws, what: Deployed, newest: _Newest) -> Record | None:
    """The judge's record of the newest shift of traffic."""
    for execution in newest:
        stage = execution.stage(what.environment)
        if stage and stage.started:
            canary = CanaryWatch(aws, what, stage.started, stage.ended).look()
            if canary:
                return canary.record
    return None


def _asked(state: EnvironmentState) -> EnvironmentState:
    """With its health, where there is a URL to ask."""
    return replace(state, health=health(state.url)) if state.url else state
