"""Evaluate the release in progress once: judge it, write the record, publish the metrics.

The decision record is the only state between evaluations. The counts of a judged minute never
change, so that repeated evaluations see one growing sequence and the error rate of the test holds.
A minute without requests adds nothing and is read again. A late evaluation, or the first one after
failed ones, judges every minute that has closed since.

A minute is judged when the metrics of all sources have arrived (`pipeline.judge.arrival`), or when
`ARRIVAL_BOUND` has passed since its end. From then on, missing counts of the service are a
discrepancy (`pipeline.judge.discrepancies`). A minute for which Lambda's counts are lost is not
judged unless they arrive after all; until then the judge is blind, which has an alarm of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pipeline.judge.arrival import ARRIVAL_BOUND
from pipeline.judge.comparison import discrepancies_of, has_differences
from pipeline.judge.minutes import new_minutes
from pipeline.judge.port import EvaluationError, Metric
from pipeline.judge.shift import MINUTE, comparable
from pipeline.judge.statistics.condemnation import Condemnation
from pipeline.judge.statistics.judging import judge, must_stop, outcome
from pipeline.judge.statistics.record import Record, code, read
from pipeline.judge.statistics.wording import rule, sentence

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.judge.arrival import Source
    from pipeline.judge.port import Deployment, Port
    from pipeline.judge.settings import Settings
    from pipeline.judge.statistics.judging import Judged
    from pipeline.judge.statistics.periods import Discrepancy, Period

DECISION_LEAD = timedelta(minutes=3)
"""Time before a shift's end at which a stop must be published: the next evaluation comes within a
minute, the alarm changes within another, and CodeDeploy reads the alarm within the third."""
_FINAL_WINDOW = timedelta(minutes=10)
"""Time after a deployment's end in which its last minutes are still evaluated."""
_MAX_HOOK_TIME = timedelta(hours=3)
"""The most that a deployment may take besides its shift: each of its two hooks has an hour."""
_HEARTBEAT = Metric("Heartbeat", 1.0)
"""The judge ran, and judged every minute that could be judged."""


@dataclass(frozen=True)
class Evaluation:
    """The result of one evaluation."""

    at: datetime
    record: Record | None
    """The record of the deployment in progress; None if there is none."""
    stops: bool
    """Whether the canary must not be promoted by what is known now."""
    waiting: tuple[datetime, ...] = ()
    """Minutes of the shift whose judgement or comparison may still change; before the shift's end,
    only settled minutes with incomplete counts."""
    late: tuple[Source, ...] = ()
    """The sources whose counts of these minutes are incomplete."""


def evaluate(port: Port, settings: Settings) -> Evaluation:
    """Evaluate the release in progress, if there is one.

    Raises:
        EvaluationError: a minute had to be judged and could not be; no heartbeat was published.
    """
    serving = port.serving()
    now = serving.now
    found = port.newest_deployment(now - settings.shift.length - _MAX_HOOK_TIME)
    if found is None or found.began is None or _is_closed(found, now):
        if len(serving.versions) > 1:
            raise EvaluationError(
                f"the alias serves versions {' and '.join(serving.versions)}, but deployment "
                f"group {settings.deployment_group} has no deployment that shifts between them"
            )
        port.publish([_HEARTBEAT])
        return Evaluation(now, None, stops=False)
    return _evaluate(port, settings, found, found.began, now)


def _is_closed(deployment: Deployment, now: datetime) -> bool:
    return deployment.completed is not None and now > deployment.completed + _FINAL_WINDOW


def _evaluate(
    port: Port,
    settings: Settings,
    deployment: Deployment,
    began: datetime,
    now: datetime,
) -> Evaluation:
    written = port.read_record(deployment.id)
    before = read(written) if written is not None else None
    ends = began + settings.shift.length
    until = min(deployment.completed or ends, ends)
    known = before.periods if before else ()
    parameters = before.parameters if before else settings.parameters
    minutes = tuple(comparable(settings.shift, began, until))
    new = new_minutes(port, parameters, deployment, known, minutes, now)
    shifted = now >= ends
    waiting = [*new.late, *new.open] if shifted else [*new.late]
    discrepancies = before.discrepancies if before else ()
    if not discrepancies:
        compared = (port, settings.count_tolerance, deployment, (began, until), now)
        discrepancies = discrepancies_of(*compared)
        # A difference in the last minutes may only mean that counts are late.
        if shifted and not discrepancies and now < until + ARRIVAL_BOUND:
            waiting += minutes[-1:] * has_differences(*compared)
    digest = (before and before.version_digest) or port.digest(deployment.canary)
    record, judged = _judged(
        settings, deployment, began, before, known + new.complete, discrepancies, digest
    )
    if judged.ends_the_shift:
        # Written before the record: if the function fails in between, the next evaluation retries.
        _condemn(port, record, now)
    if record.text() != written:
        port.write_record(deployment.id, record.text())
    # A minute that is waited for may still bring a verdict.
    over = not waiting and now >= ends - DECISION_LEAD
    blind = (now - min(new.late) - MINUTE) / MINUTE if new.late else 0.0
    port.publish([*_metrics(record, judged, over=over, blind=blind), _HEARTBEAT])
    stops = must_stop(record.parameters, judged, over=over)
    return Evaluation(now, record, stops=stops, waiting=tuple(sorted({*waiting})), late=new.sources)


def _judged(
    settings: Settings,
    deployment: Deployment,
    began: datetime,
    before: Record | None,
    periods: tuple[Period, ...],
    discrepancies: tuple[Discrepancy, ...],
    digest: str,
) -> tuple[Record, Judged]:
    """Judge the periods by the rule that the record began with, and return the new record."""
    parameters = before.parameters if before else settings.parameters
    judged = _with_latch(before, judge(parameters, periods, inconsistent=bool(discrepancies)))
    outcome_ = outcome(parameters, judged, deployment.ending)
    record = Record(
        service=settings.service,
        environment=settings.environment,
        deployment_id=deployment.id,
        stable=deployment.stable,
        canary=deployment.canary,
        percent=settings.shift.percent,
        began=began,
        shift_ends=began + settings.shift.length,
        parameters=parameters,
        code=code(),
        periods=periods,
        evidence=judged.evidence,
        rule=rule(parameters),
        verdict=judged.verdict,
        incident=judged.incident,
        decided_at=judged.decided_at,
        outcome=outcome_,
        sentence=sentence(parameters, periods, judged, outcome_, deployment.reason, discrepancies),
        version_digest=digest,
        discrepancies=discrepancies,
    )
    return record, judged


def _with_latch(before: Record | None, judged: Judged) -> Judged:
    """Keep a rollback, with its evidence, that other code of the judge would not repeat.

    The judge's function may be updated during a release; within one version of its code a rollback
    is final anyway.
    """
    if before is None or before.verdict != "rollback" or judged.verdict == "rollback":
        return judged
    return replace(
        judged,
        verdict="rollback",
        decided_at=before.decided_at,
        evidence=before.evidence + judged.evidence[len(before.evidence) :],
        incident=False,
    )


def _condemn(port: Port, record: Record, now: datetime) -> None:
    """Write the condemnation of the version, once for each deployment."""
    known = port.condemnation(record.version_digest)
    if known is None or known.deployment_id != record.deployment_id:
        port.condemn(
            Condemnation(record.version_digest, record.deployment_id, now, record.sentence)
        )


def _metrics(record: Record, judged: Judged, *, over: bool, blind: float) -> list[Metric]:
    """Return the metrics that the alarms of this version read."""
    parameters = record.parameters
    # Evidence that has reached the threshold stays published, whatever later periods say.
    latched = judged.verdict == "rollback"
    evidence = judged.strongest if latched else (judged.evidence or (0.0,))[-1]
    undecided = over and judged.verdict == "undecided" and parameters.undecided == "rollback"
    incident = judged.incident and parameters.incident == "stop"
    return [
        Metric("Evidence", evidence, record.canary),
        Metric("Testimony", float(bool(record.discrepancies)), record.canary),
        Metric("Undecided", float(undecided), record.canary),
        Metric("Incident", float(incident), record.canary),
        Metric("Blind", blind, record.canary),
    ]
