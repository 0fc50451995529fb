"""The bake: the watch after all traffic has moved to the new version.

CodeDeploy's hook AfterAllowTraffic starts the bake, and the judge answers the hook at its end. A
hook has one hour for its answer ("AppSpec 'hooks' section" of the CodeDeploy user guide). Until
then the deployment is in progress: if an alarm of its group changes to ALARM, or the hook's answer
is `Failed`, CodeDeploy stops the deployment and moves the alias back.

A bake lasts until every minute of the shift is judged and compared, and longer than configured if
metrics are late (`pipeline.judge.arrival`). If the judge is blind, the alarm on that ends the bake.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.judge.port import Bake

if TYPE_CHECKING:
    from pipeline.judge.evaluation import Evaluation
    from pipeline.judge.port import Port
    from pipeline.judge.settings import Settings


@dataclass(frozen=True)
class BakeResult:
    """The end of a bake."""

    bake: Bake
    alarms: tuple[str, ...]
    """Names of the alarms that are in ALARM."""
    succeeded: bool


def begin(port: Port, deployment_id: str, execution: str) -> None:
    """Write down that the bake of a deployment has begun.

    Raises:
        EvaluationError: AWS does not take it.
    """
    port.write_bake(deployment_id, Bake(execution, port.serving().now))


def result(port: Port, settings: Settings, evaluation: Evaluation) -> BakeResult | None:
    """Return the end of the bake of the evaluated deployment; None if there is no bake or no end.

    The judge reads the alarms itself: AWS does not document whether CodeDeploy reads them while it
    waits for a hook.

    Raises:
        EvaluationError: AWS does not return the bake or the alarms.
    """
    record = evaluation.record
    if record is None or record.outcome != "in progress" or evaluation.at < record.shift_ends:
        return None
    bake = port.read_bake(record.deployment_id)
    if bake is None:
        return None
    alarms = port.alarms(record.canary)
    if evaluation.stops or alarms:
        return BakeResult(bake, alarms, succeeded=False)
    if evaluation.waiting or evaluation.at < bake.began + settings.bake:
        return None
    return BakeResult(bake, alarms, succeeded=True)


def bake_text(bake: Bake) -> str:
    """Return a bake as JSON."""
    return json.dumps({"execution": bake.execution, "began": bake.began.isoformat()})


def read_bake(document: str) -> Bake:
    """Return the bake that `bake_text` wrote."""
    found = json.loads(document)
    return Bake(found["execution"], datetime.fromisoformat(found["began"]))
