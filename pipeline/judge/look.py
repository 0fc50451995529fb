"""One look at what goes on: what is to be judged is judged, written down and published.

A look has no memory but the decision record. A minute that was judged stays as it was seen, so
that what is looked at again and again is one growing sequence, and the promise of the test
holds; one in which nothing was seen changes nothing, and is asked for again. A look that comes
late, or after others failed, judges every minute that was closed meanwhile.

A minute whose counts are not complete is waited for, up to a bound; then either its counts are
within the tolerance, or the service cannot testify (`pipeline.judge.testimony`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pipeline.canary.condemnation import Condemnation
from pipeline.canary.counts import Counts
from pipeline.canary.judging import judge, must_stop, outcome
from pipeline.canary.periods import Pair, Period
from pipeline.canary.record import Record, code, read
from pipeline.canary.wording import rule, sentence
from pipeline.judge.port import Metric, Seen, UnjudgedError
from pipeline.judge.shift import MINUTE, comparable
from pipeline.judge.testimony import BASELINE, COMPARISON_DELAY, WINDOW, Window, contradictions

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.canary.judging import Judged
    from pipeline.canary.periods import Discrepancy, Parameters
    from pipeline.judge.port import Deployment, Minutes, Port
    from pipeline.judge.settings import Settings
    from pipeline.judge.shift import Shift

SETTLED = timedelta(seconds=60)
"""After a minute's end: by then its metrics have come, unless something is wrong."""
LEAD = timedelta(minutes=3)
"""Before a shift's end: what is to stop it is told by then. A look comes within a minute, an
alarm sees it within another, and CodeDeploy sees that within the third."""
_CLOSING = timedelta(minutes=10)
"""How long a deployment that has ended is looked at, for its last minutes to come in."""
_PENDING = timedelta(hours=3)
"""How long a deployment may take beside its shift: each of its two hooks has an hour."""
_COMPLETE, _BETWEEN = 0.9, 2
"""Of Lambda's invocations in a minute, the share that the service must have counted, but for
two: what Lambda dates before the minute's end, the service may date after it."""
_NOTHING = Seen(0, 0, 0, 0, 0, 0)
_HEARTBEAT = Metric("Heartbeat", 1.0)
"""The judge works: what there was to judge has been judged, or is waited for."""


@dataclass(frozen=True)
class Look:
    """What was seen and said at one look."""

    at: datetime
    record: Record | None
    """That of the deployment in question; None where none is."""
    stops: bool
    """Whether what is known must not be promoted."""
    waiting: tuple[datetime, ...] = ()
    """Closed minutes whose counts are not complete yet."""


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
    known = before.periods if before else ()
    until = min(now - SETTLED, ends, deployment.completed or ends)
    parameters = before.parameters if before else settings.parameters
    new, waiting = _new(port, parameters, deployment, settings.shift, began, known, now, until)
    contradicted = before.discrepancies if before else ()
    if not contradicted:
        last = min(now - COMPARISON_DELAY, deployment.completed or ends, ends)
        contradicted = _contradicted(port, settings, deployment, began, last)
    digest = (before and before.version_digest) or port.digest(deployment.canary)
    record, judged = _judged(settings, deployment, began, before, known + new, contradicted, digest)
    if judged.ends_the_shift:
        # Before the record says so: a look that fails in between tries again.
        _condemn(port, record, now)
    if record.text() != kept:
        port.keep(deployment.id, record.text())
    over = now >= ends - LEAD
    port.publish([*_metrics(record, judged, over=over), _HEARTBEAT])
    stops = must_stop(record.parameters, judged, over=over)
    return Look(now, record, stops=stops, waiting=tuple(waiting))


def _new(
    port: Port,
    parameters: Parameters,
    deployment: Deployment,
    shift: Shift,
    began: datetime,
    known: tuple[Period, ...],
    now: datetime,
    until: datetime,
) -> tuple[tuple[Period, ...], list[datetime]]:
    """The minutes that can be judged now, and those that are not complete and are waited for."""
    starts = {each.start for each in known}
    if starts and now < max(starts) + MINUTE:
        raise UnjudgedError(
            f"it is {now.isoformat()}, and the minute of {max(starts).isoformat()} was judged "
            "already: the clock went backwards"
        )
    missing = [each for each in comparable(shift, began, until) if each not in starts]
    if not missing:
        return (), []
    both = (deployment.stable, deployment.canary)
    seen = port.seen(both, missing[0], now.replace(second=0, microsecond=0))
    waiting = [
        each
        for each in missing
        if now < each + MINUTE + COMPARISON_DELAY
        and not all(_complete(seen, each, one) for one in both)
    ]
    return tuple(
        _period(each, seen[each], deployment, parameters)
        for each in missing
        if each not in waiting and _anything(seen.get(each, {}))
    ), waiting


def _contradicted(
    port: Port, settings: Settings, deployment: Deployment, began: datetime, until: datetime
) -> tuple[Discrepancy, ...]:
    """What the platform contradicts in the minutes of the shift that ended before `until`."""
    first = began.replace(second=0, microsecond=0)
    end = until.replace(second=0, microsecond=0)
    begin = max(first, end - WINDOW)
    if begin >= end:
        return ()
    both = (deployment.stable, deployment.canary)
    window, before = (
        Window(
            port.seen(both, start - MINUTE, stop + MINUTE),
            port.gateway(start - MINUTE, stop + MINUTE),
            start,
            stop,
        )
        for start, stop in ((begin, end), (first - BASELINE, first))
    )
    return contradictions(window, before, *both, settings.count_tolerance)


def _judged(
    settings: Settings,
    deployment: Deployment,
    began: datetime,
    before: Record | None,
    periods: tuple[Period, ...],
    contradicted: tuple[Discrepancy, ...],
    digest: str,
) -> tuple[Record, Judged]:
    """The record as it is now, by the rule that it began with."""
    parameters = before.parameters if before else settings.parameters
    judged = judge(parameters, periods, inconsistent=bool(contradicted))
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
        sentence=sentence(parameters, periods, judged, came, deployment.reason, contradicted),
        version_digest=digest,
        discrepancies=contradicted,
    )
    return record, judged


def _condemn(port: Port, record: Record, now: datetime) -> None:
    """Write down once for each deployment that its version is condemned."""
    known = port.condemnation(record.version_digest)
    if known is None or known.deployment_id != record.deployment_id:
        port.condemn(
            Condemnation(record.version_digest, record.deployment_id, now, record.sentence)
        )


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


def _period(
    start: datetime, seen: dict[str, Seen], deployment: Deployment, parameters: Parameters
) -> Period:
    canary = seen.get(deployment.canary, _NOTHING)
    stable = seen.get(deployment.stable, _NOTHING)
    counts = {
        "failures": Pair(_failures(canary), _failures(stable)),
        "slow-requests": Pair(_slow(canary), _slow(stable)),
        "error-responses": _error_responses(canary, stable),
    }
    return Period(
        start=start,
        seconds=int(MINUTE.total_seconds()),
        # A release is judged to its end by the objectives that it began with.
        counts={name: counts[name] for name in parameters.objectives},
        cold_starts=(canary.cold_starts, stable.cold_starts),
    )


def _failures(seen: Seen) -> Counts:
    return _counts(seen.requests + seen.errors, seen.failures + seen.errors)


def _slow(seen: Seen) -> Counts:
    # A cold start is never counted as slow: then it must not be counted as fast either.
    return _counts(seen.requests - seen.cold_starts, seen.slow)


def _error_responses(canary: Seen, stable: Seen) -> Pair:
    """4xx and 5xx alike: a release that answers 400 where the one before crashed is no worse.

    A version that does not count its 4xx responses cannot be compared with one that does.
    """
    if canary.client_errors is None or stable.client_errors is None:
        return Pair(Counts(0, 0), Counts(0, 0))
    return Pair(_with_client_errors(canary), _with_client_errors(stable))


def _with_client_errors(seen: Seen) -> Counts:
    failures = _failures(seen)
    return _counts(failures.requests, failures.failures + (seen.client_errors or 0))


def _counts(requests: int, bad: int) -> Counts:
    """Counts of a service that may report anything; what it overstates is a discrepancy."""
    return Counts(max(0, requests), min(max(0, requests), bad))


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
        Metric("Testimony", float(bool(record.discrepancies)), record.canary),
        Metric("Undecided", float(undecided), record.canary),
        Metric("Incident", float(incident), record.canary),
    ]
