"""The bake: a release is watched for a while after all traffic is on the new version.

CodeDeploy's hook AfterAllowTraffic begins it, and the judge answers the hook when it is over. A
hook has one hour for its answer ("AppSpec 'hooks' section" of the CodeDeploy user guide). Until
then the deployment is in progress: it stops when an alarm of its group goes off or the hook's
answer is `Failed`, and moves the alias back. It needs no role of another account, no evidence and
no earlier release of the pipeline.

Metrics may arrive late (`pipeline.judge.arrival`): a bake lasts until every minute of the shift is
judged and compared, be that after its time. A judge that is blind ends it by the alarm on that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.judge.port import Bake

if TYPE_CHECKING:
    from pipeline.judge.look import Look
    from pipeline.judge.port import Port
    from pipeline.judge.settings import Settings


@dataclass(frozen=True)
class Result:
    """How a bake ended."""

    bake: Bake
    alarms: tuple[str, ...]
    """Names of the alarms that are in ALARM."""
    succeeded: bool


def begin(port: Port, deployment_id: str, execution: str) -> None:
    """Record that a deployment bakes from now on.

    Raises:
        UnjudgedError: it cannot be recorded.
    """
    port.keep_bake(deployment_id, Bake(execution, port.serving().now))


def result(port: Port, settings: Settings, seen: Look) -> Result | None:
    """Return how the bake ended of the deployment that was looked at; None if it has not.

    CodeDeploy asks for the group's alarms as well. No page of AWS says that it does so while it
    waits for a hook, so the judge does not rely on it.

    Raises:
        UnjudgedError: it cannot be read whether the deployment bakes, or what its alarms say.
    """
    record = seen.record
    if record is None or record.outcome != "in progress" or seen.at < record.shift_ends:
        return None
    bake = port.bake(record.deployment_id)
    if bake is None:
        return None
    alarms = port.alarms(record.canary)
    if seen.stops or alarms:
        return Result(bake, alarms, succeeded=False)
    if seen.waiting or seen.at < bake.began + settings.bake:
        return None
    return Result(bake, alarms, succeeded=True)


def bake_text(bake: Bake) -> str:
    """As JSON."""
    return json.dumps({"execution": bake.execution, "began": bake.began.isoformat()})


def read_bake(document: str) -> Bake:
    """Back from JSON."""
    found = json.loads(document)
    return Bake(found["execution"], datetime.fromisoformat(found["began"]))
