"""One look at what goes on: what is to be judged is judged, written down and published.

A look has no memory but the decision record. A minute that was judged stays as it was seen, so
that what is looked at again and again is one growing sequence, and the promise of the test
holds; one in which nothing was seen changes nothing, and is asked for again. A look that comes
late, or after others failed, judges every minute that was closed meanwhile.

A minute is judged when the metrics of all sources have arrived (`pipeline.judge.arrival`), or when
`ARRIVAL_BOUND` has passed since its end. Then a service that counts too little cannot testify
(`pipeline.judge.testimony`), and a minute for which Lambda's counts are lost is not judged unless
they arrive after all: the judge is blind, which is an alarm of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pipeline.judge.arrival import ARRIVAL_BOUND, SETTLED, Arrivals
from pipeline.judge.comparison import contradicted, contradicted_so_far
from pipeline.judge.period import period_of
from pipeline.judge.port import Metric, UnjudgedError
from pipeline.judge.shift import MINUTE, comparable
from pipeline.judge.statistics.condemnation import Condemnation
from pipeline.judge.statistics.judging import judge, must_stop, outcome
from pipeline.judge.statistics.record import Record, code, read
from pipeline.judge.statistics.wording import rule, sentence

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.judge.arrival import Source
    from pipeline.judge.port import Deployment, Port, Seen
    from pipeline.judge.settings import Settings
    from pipeline.judge.statistics.judging import Judged
    from pipeline.judge.statistics.periods import Discrepancy, Parameters, Period

LEAD = timedelta(minutes=3)
"""Before a shift's end: what is to stop it is told by then. A look comes within a minute, an
alarm sees it within another, and CodeDeploy sees that within the third."""
_CLOSING = timedelta(minutes=10)
"""How long a deployment that has ended is looked at, for its last minutes to come in."""
_PENDING = timedelta(hours=3)
"""How long a deployment may take beside its shift: each of its two hooks has an hour."""
_HEARTBEAT = Metric("Heartbeat", 1.0)
"""The judge ran, and what could be judged is judged."""


@dataclass(frozen=True)
class Look:
    """What was seen and said at one look."""

    at: datetime
    record: Record | None
    """That of the deployment in question; None where none is."""
    stops: bool
    """Whether what is known must not be promoted."""
    waiting: tuple[datetime, ...] = ()
    """Minutes of the shift that may still be judged, or compared, otherwise; before the shift's
    end, only those that settled and are not complete."""
    late: tuple[Source, ...] = ()
    """The sources whose counts of these minutes are not complete."""


def look(port: Port, settings: Settings) -> Look:
    """Look once.

    Raises:
        UnjudgedError: something that had to be judged could not be, and no heartbeat was sent.
    """
    serving = port.serving()
    now = serving.now
    found = port.deployment(now - settings.shift.length - _PENDING)
    if found is None or found.began is None or _closed(found, now):
        if len(serving.versions) > 1:
            raise UnjudgedError(
                f"the alias serves versions {' and '.join(serving.versions)}, and no deployment "
                f"of group {settings.deployment_group} is known that shifts between them"
            )
        port.publish([_HEARTBEAT])
        return Look(now, None, stops=False)
    return _judge(port, settings, found, found.began, now)


def _closed(deployment: Deployment, now: datetime) -> bool:
    return deployment.completed is not None and now > deployment.completed + _CLOSING


def _judge(
    port: Port,
    settings: Settings,
    deployment: Deployment,
    began: datetime,
    now: datetime,
) -> Look:
    kept = port.record(deployment.id)
    before = read(kept) if kept is not None else None
    ends = began + settings.shift.length
    until = min(deployment.completed or ends, ends)
    known = before.periods if before else ()
    parameters = before.parameters if before else settings.parameters
    minutes = tuple(comparable(settings.shift, began, until))
    new = _new(port, parameters, deployment, known, minutes, now)
    shifted = now >= ends
    waiting = [*new.late, *new.open] if shifted else [*new.late]
    discrepancies = before.discrepancies if before else ()
    if not discrepancies:
        compared = (port, settings.count_tolerance, deployment, (began, until), now)
        discrepancies = contradicted(*compared)
        # What counts of the last minutes contradict may only be late.
        if shifted and not discrepancies and now < until + ARRIVAL_BOUND:
            waiting += minutes[-1:] * contradicted_so_far(*compared)
    digest = (before and before.version_digest) or port.digest(deployment.canary)
    record, judged = _judged(
        settings, deployment, began, before, known + new.judged, discrepancies, digest
    )
    if judged.ends_the_shift:
        # Before the record says so: a look that fails in between tries again.
        _condemn(port, record, now)
    if record.text() != kept:
        port.keep(deployment.id, record.text())
    # A minute that is waited for may still decide.
    over = not waiting and now >= ends - LEAD
    blind = (now - min(new.late) - MINUTE) / MINUTE if new.late else 0.0
    port.publish([*_metrics(record, judged, over=over, blind=blind), _HEARTBEAT])
    stops = must_stop(record.parameters, judged, over=over)
    return Look(now, record, stops=stops, waiting=tuple(sorted({*waiting})), late=new.sources)


@dataclass(frozen=True)
class _New:
    """What became of the minutes that were not judged before."""

    judged: tuple[Period, ...] = ()
    late: tuple[datetime, ...] = ()
    """Settled, and not complete."""
    open: tuple[datetime, ...] = ()
    """Not settled yet; or without a request behind minutes with some, which may be late."""
    sources: tuple[Source, ...] = ()
    """Those that the late ones wait for."""


def _new(
    port: Port,
    parameters: Parameters,
    deployment: Deployment,
    known: tuple[Period, ...],
    minutes: tuple[datetime, ...],
    now: datetime,
) -> _New:
    starts = {each.start for each in known}
    if starts and now < max(starts) + MINUTE:
        raise UnjudgedError(
            f"it is {now.isoformat()}, and the minute of {max(starts).isoformat()} was judged "
            "already: the clock went backwards"
        )
    missing = [each for each in minutes if each not in starts]
    settled = [each for each in missing if each + MINUTE + SETTLED <= now]
    if not settled:
        return _New(open=tuple(missing))
    both = (deployment.stable, deployment.canary)
    end = now.replace(second=0, microsecond=0)
    seen = port.seen(both, settled[0], end)
    arrivals = Arrivals(seen, port.gateway(settled[0], end), both)
    late = tuple(
        each
        for each in settled
        if arrivals.lost(each) or (now < each + MINUTE + ARRIVAL_BOUND and arrivals.late(each))
    )
    served = {*starts, *(each for each in settled if arrivals.anything(each))}
    empty = [
        each
        for each in settled
        if each not in served
        and now < each + MINUTE + ARRIVAL_BOUND
        and served
        and each > min(served)
    ]
    return _New(
        tuple(
            period_of(each, seen[each], deployment, parameters)
            for each in settled
            if each not in late and any(_requested(one) for one in seen.get(each, {}).values())
        ),
        late,
        (*(each for each in missing if each not in settled), *empty),
        tuple(sorted({source for each in late for source in arrivals.late(each)})),
    )


def _requested(seen: Seen) -> bool:
    return bool(seen.requests or seen.errors)


def _judged(
    settings: Settings,
    deployment: Deployment,
    began: datetime,
    before: Record | None,
    periods: tuple[Period, ...],
    discrepancies: tuple[Discrepancy, ...],
    digest: str,
) -> tuple[Record, Judged]:
    """The record as it is now, by the rule that it began with."""
    parameters = before.parameters if before else settings.parameters
    judged = judge(parameters, periods, inconsistent=bool(discrepancies))
    came = outcome(parameters, judged, deployment.ending)
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
        outcome=came,
        sentence=sentence(parameters, periods, judged, came, deployment.reason, discrepancies),
        version_digest=digest,
        discrepancies=discrepancies,
    )
    return record, judged


def _condemn(port: Port, record: Record, now: datetime) -> None:
    """Write down once for each deployment that its version is condemned."""
    known = port.condemnation(record.version_digest)
    if known is None or known.deployment_id != record.deployment_id:
        port.condemn(
            Condemnation(record.version_digest, record.deployment_id, now, record.sentence)
        )


def _metrics(record: Record, judged: Judged, *, over: bool, blind: float) -> list[Metric]:
    """What the alarms of this version look at."""
    parameters = record.parameters
    # What was over the line stays so, whatever came after.
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
