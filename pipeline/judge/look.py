"""One look at what goes on: what is to be judged is judged, written down and published.

A look has no memory but the decision record. A minute that was judged stays as it was seen, so
that what is looked at again and again is one growing sequence, and the promise of the test
holds; one in which nothing was seen changes nothing, and is asked for again. A look that comes
late, or after others failed, judges every minute that was closed meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pipeline.canary.counts import Counts
from pipeline.canary.judging import judge, must_stop, outcome
from pipeline.canary.periods import Pair, Period
from pipeline.canary.record import Record, code, read
from pipeline.canary.wording import rule, sentence
from pipeline.judge.port import Metric, Seen, UnjudgedError
from pipeline.judge.shift import MINUTE, comparable

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.canary.judging import Judged
    from pipeline.judge.port import Deployment, Minutes, Port
    from pipeline.judge.settings import Settings

SETTLED = timedelta(seconds=60)
"""After a minute's end: by then its metrics have come, unless something is wrong."""
LEAD = timedelta(minutes=3)
"""Before a shift's end: what is to stop it is told by then. A look comes within a minute, an
alarm sees it within another, and CodeDeploy sees that within the third."""
_CLOSING = timedelta(minutes=10)
"""How long a deployment that has ended is looked at, for its last minutes to come in."""
_PENDING = timedelta(hours=1)
"""How long a deployment may take beside its shift."""
_COMPLETE, _BETWEEN = 0.9, 2
"""Of Lambda's invocations in a minute, the share that the service must have counted, but for
two: what Lambda dates before the minute's end, the service may date after it."""
_NOTHING = Seen(0, 0, 0, 0, 0, 0)
_HEARTBEAT = Metric("Heartbeat", 1.0)
"""All that there was to judge has been judged."""


@dataclass(frozen=True)
class Look:
    """What was seen and said at one look."""

    at: datetime
    record: Record | None
    """That of the deployment in question; None where none is."""
    stops: bool
    """Whether what is known must not be promoted."""


def look(port: Port, settings: Settings, *, over: bool = False) -> Look:
    """Look once; `over`: the shift has had its time, and CodeDeploy asks for the verdict.

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
    return _judge(port, settings, found, found.began, now, over=over)


def _closed(deployment: Deployment, now: datetime) -> bool:
    return deployment.completed is not None and now > deployment.completed + _CLOSING


def _judge(
    port: Port,
    settings: Settings,
    deployment: Deployment,
    began: datetime,
    now: datetime,
    *,
    over: bool,
) -> Look:
    kept = port.record(deployment.id)
    before = read(kept) if kept is not None else None
    ends = began + settings.shift.length
    known = before.periods if before else ()
    until = min(now - SETTLED, ends, deployment.completed or ends)
    new, late = _new(port, settings, deployment, began, known, now, until)
    record, judged = _judged(settings, deployment, began, before, known + new)
    if record.text() != kept:
        port.keep(deployment.id, record.text())
    over = over or now >= ends - LEAD
    port.publish([*_metrics(record, judged, over=over), *([] if late else [_HEARTBEAT])])
    if late:
        raise UnjudgedError(
            f"of {len(late)} closed minute(s) from {late[0].isoformat()} on, the service's own "
            "counts lag behind Lambda's"
        )
    return Look(now, record, stops=must_stop(record.parameters, judged, over=over))


def _new(
    port: Port,
    settings: Settings,
    deployment: Deployment,
    began: datetime,
    known: tuple[Period, ...],
    now: datetime,
    until: datetime,
) -> tuple[tuple[Period, ...], list[datetime]]:
    """The minutes that can be judged now, and those that ought to be and are not complete."""
    starts = {each.start for each in known}
    if starts and now < max(starts) + MINUTE:
        raise UnjudgedError(
            f"it is {now.isoformat()}, and the minute of {max(starts).isoformat()} was judged "
            "already: the clock went backwards"
        )
    missing = [each for each in comparable(settings.shift, began, until) if each not in starts]
    if not missing:
        return (), []
    both = (deployment.stable, deployment.canary)
    seen = port.seen(both, missing[0], now.replace(second=0, microsecond=0))
    late = [each for each in missing if not all(_complete(seen, each, one) for one in both)]
    return tuple(
        _period(each, seen[each], deployment)
        for each in missing
        if each not in late and _anything(seen.get(each, {}))
    ), late


def _judged(
    settings: Settings,
    deployment: Deployment,
    began: datetime,
    before: Record | None,
    periods: tuple[Period, ...],
) -> tuple[Record, Judged]:
    """The record as it is now, by the rule that it began with."""
    parameters = before.parameters if before else settings.parameters
    judged = judge(parameters, periods)
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
        sentence=sentence(parameters, periods, judged, came, deployment.reason),
    )
    return record, judged


def _complete(seen: Minutes, minute: datetime, version: str) -> bool:
    """Whether what the service counted is all, by what Lambda counted.

    Lambda dates a request that met a cold start before it, and the service behind it.
    """
    mine = seen.get(minute, {}).get(version, _NOTHING)
    waited = sum(
        both.get(version, _NOTHING).cold_starts for later, both in seen.items() if later > minute
    )
    counted = mine.requests + mine.errors + waited
    return counted >= _COMPLETE * mine.invocations - _BETWEEN


def _anything(seen: dict[str, Seen]) -> bool:
    return any(each.requests or each.errors for each in seen.values())


def _period(start: datetime, seen: dict[str, Seen], deployment: Deployment) -> Period:
    canary = seen.get(deployment.canary, _NOTHING)
    stable = seen.get(deployment.stable, _NOTHING)
    return Period(
        start=start,
        seconds=int(MINUTE.total_seconds()),
        counts={
            "failures": Pair(_failures(canary), _failures(stable)),
            "slow-requests": Pair(_slow(canary), _slow(stable)),
        },
        cold_starts=(canary.cold_starts, stable.cold_starts),
    )


def _failures(seen: Seen) -> Counts:
    return Counts(seen.requests + seen.errors, seen.failures + seen.errors)


def _slow(seen: Seen) -> Counts:
    # A cold start is never counted as slow: then it must not be counted as fast either.
    return Counts(seen.requests - seen.cold_starts, seen.slow)


def _metrics(record: Record, judged: Judged, *, over: bool) -> list[Metric]:
    """What the alarms of this version look at."""
    parameters = record.parameters
    # What was over the line stays so, whatever came after.
    latched = judged.verdict == "rollback"
    evidence = judged.strongest if latched else (judged.evidence or (0.0,))[-1]
    undecided = over and judged.verdict == "undecided" and parameters.undecided == "rollback"
    incident = judged.incident and parameters.incident == "stop"
    return [
        Metric("Evidence", evidence, record.canary),
        Metric("Undecided", float(undecided), record.canary),
        Metric("Incident", float(incident), record.canary),
    ]
