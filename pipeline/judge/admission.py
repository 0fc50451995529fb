"""Begin the record of a version before it gets traffic; refuse it if it was condemned earlier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.judge.statistics.condemnation import refusal
from pipeline.judge.statistics.judging import judge, outcome
from pipeline.judge.statistics.record import Record, code
from pipeline.judge.statistics.wording import rule, sentence

if TYPE_CHECKING:
    from pipeline.judge.port import Deployment, Port
    from pipeline.judge.settings import Settings


def admit(port: Port, settings: Settings, deployment: Deployment) -> str | None:
    """Refuse a version that was condemned and not permitted since.

    Either way the record is begun: it names the version's digest, which nobody can ask Lambda for
    once a rollback has deleted the version.

    Returns:
        Why it is refused; None where it may have traffic.

    Raises:
        UnjudgedError: it cannot be read whether it was condemned.
        RecordError: what is written about it is damaged.
    """
    digest = port.digest(deployment.canary)
    refused = refusal(port.condemnation(digest), port.permission(digest))
    port.keep(deployment.id, _record(port, settings, deployment, digest, refused).text())
    return refused


def _record(
    port: Port, settings: Settings, deployment: Deployment, digest: str, refused: str | None
) -> Record:
    now = port.serving().now
    parameters = settings.parameters
    judged = judge(parameters, ())
    came = outcome(parameters, judged, "in progress")
    said = sentence(parameters, (), judged, came, deployment.reason, ())
    return Record(
        service=settings.service,
        environment=settings.environment,
        deployment_id=deployment.id,
        stable=deployment.stable,
        canary=deployment.canary,
        percent=settings.shift.percent,
        began=now,
        shift_ends=now if refused else now + settings.shift.length,
        parameters=parameters,
        code=code(),
        periods=(),
        evidence=(),
        rule=rule(parameters),
        verdict=judged.verdict,
        incident=False,
        decided_at=None,
        outcome="refused as condemned before" if refused else came,
        sentence=refused or said,
        version_digest=digest,
    )
