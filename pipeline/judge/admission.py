"""Begin the decision record before a version gets traffic; refuse a condemned version."""

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
    """Refuse a version that was condemned and has not been permitted since.

    The record is written in both cases. It contains the version's digest, which Lambda cannot
    return after a rollback has deleted the version.

    Returns:
        The reason of the refusal; None if the version may get traffic.

    Raises:
        EvaluationError: AWS does not return the condemnation, or does not take the record.
        RecordError: the condemnation or the permission is damaged.
    """
    digest = port.digest(deployment.canary)
    refused = refusal(port.condemnation(digest), port.permission(digest))
    port.write_record(deployment.id, _record(port, settings, deployment, digest, refused).text())
    return refused


def _record(
    port: Port, settings: Settings, deployment: Deployment, digest: str, refused: str | None
) -> Record:
    now = port.serving().now
    parameters = settings.parameters
    judged = judge(parameters, ())
    open_outcome = outcome(parameters, judged, "in progress")
    open_sentence = sentence(parameters, (), judged, open_outcome, deployment.reason, ())
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
        outcome="refused as condemned before" if refused else open_outcome,
        sentence=refused or open_sentence,
        version_digest=digest,
    )
