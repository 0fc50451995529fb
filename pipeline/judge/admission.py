"""Refuse a version that the judge condemned earlier, before it gets traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.canary.condemnation import refusal
from pipeline.canary.judging import judge
from pipeline.canary.record import Record, code
from pipeline.canary.wording import rule

if TYPE_CHECKING:
    from pipeline.judge.port import Deployment, Port
    from pipeline.judge.settings import Settings


def admit(port: Port, settings: Settings, deployment: Deployment) -> str | None:
    """Refuse a version that was condemned and not permitted since, and write that down.

    Returns:
        Why it is refused; None where it may have traffic.

    Raises:
        UnjudgedError: it cannot be read whether it was condemned.
        RecordError: what is written about it is damaged.
    """
    digest = port.digest(deployment.canary)
    refused = refusal(port.condemnation(digest), port.permission(digest))
    if refused is not None:
        port.keep(deployment.id, _record(port, settings, deployment, digest, refused).text())
    return refused


def _record(
    port: Port, settings: Settings, deployment: Deployment, digest: str, sentence: str
) -> Record:
    now = port.serving().now
    judged = judge(settings.parameters, ())
    return Record(
        service=settings.service,
        environment=settings.environment,
        deployment_id=deployment.id,
        stable=deployment.stable,
        canary=deployment.canary,
        percent=settings.shift.percent,
        began=now,
        shift_ends=now,
        parameters=settings.parameters,
        code=code(),
        periods=(),
        evidence=(),
        rule=rule(settings.parameters),
        verdict=judged.verdict,
        incident=False,
        decided_at=None,
        outcome="refused as condemned before",
        sentence=sentence,
        version_digest=digest,
    )
