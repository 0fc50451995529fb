"""A release's shift of traffic: its progress, its requests, and what stopped it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.aws.request_counts import RequestCounts
from pipeline.judge.statistics.judging import CONDEMNING

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.judge.statistics.condemnation import Condemnation
    from pipeline.judge.statistics.record import Record

_ENDED = frozenset({"Succeeded", "Failed", "Stopped"})
HOOK_FAILED = "HOOK_EXECUTION_FAILURE"
"""CodeDeploy's error code if the judge, a hook, refused a shift or ended a bake."""
STOPPED_BY_REQUEST = "MANUAL_STOP"
"""CodeDeploy's error code if the judge or a person stopped a shift."""
_BAD_VERSION_CODES = frozenset({"ALARM_ACTIVE", HOOK_FAILED, STOPPED_BY_REQUEST})
"""CodeDeploy's error codes for a bad version; others, such as INTERNAL_ERROR and THROTTLED, are for
faults of CodeDeploy itself ("ErrorInformation")."""


@dataclass(frozen=True)
class Canary:
    """One shift of an alias's traffic, which is one deployment of CodeDeploy."""

    environment: str
    deployment_id: str
    status: str
    """CodeDeploy's: Created, InProgress, Succeeded, Failed, Stopped and others."""
    began: datetime
    current_version: str
    target_version: str
    stopped_by: str | None = None
    """The name of the alarm that stopped it; None if no alarm did."""
    completed: datetime | None = None
    """When it ended; None if it has not."""
    reason: str = ""
    """The alarm's own reason, else CodeDeploy's; empty if it was not stopped."""
    code: str = ""
    """CodeDeploy's error code, such as ALARM_ACTIVE or INTERNAL_ERROR."""
    weights: tuple[tuple[float, float], ...] = ()
    """For each change: seconds of the cloud's clock since `began`, per cent on the new version."""
    traffic: RequestCounts = field(default_factory=RequestCounts)
    bake_began: datetime | None = None
    """When the new version had all traffic and the bake began; None before."""
    record: Record | None = None
    """The judge's decision record; None without a judge, or if there is none yet."""
    throttles: int = 0
    """Requests to both versions that Lambda throttled before the canary was stopped."""
    condemned: Condemnation | None = None
    """Why the judge refused the version before it got traffic; None if it did not."""

    @property
    def refused(self) -> bool:
        """Whether the judge refused the version before it got traffic."""
        return self.record is not None and self.record.outcome == "refused as condemned before"

    @property
    def stopper(self) -> str:
        """What stopped the shift, in words."""
        if self.stopped_by:
            return f"the alarm {self.stopped_by}"
        by_judge = self.stopped_by_judge or (self.code == HOOK_FAILED and self.record)
        return "the judge" if by_judge else "CodeDeploy"

    @property
    def ended(self) -> bool:
        """Whether the deployment has ended."""
        return self.status in _ENDED

    @property
    def stopped(self) -> bool:
        """Whether it was rolled back, during the shift or the bake."""
        return self.status in {"Failed", "Stopped"}

    @property
    def baking(self) -> bool:
        """Whether the bake is in progress."""
        return self.bake_began is not None and not self.ended

    @property
    def phase(self) -> str:
        """The current or last phase: `shift` or `bake`."""
        return "bake" if self.bake_began else "shift"

    @property
    def stopped_by_judge(self) -> bool:
        """Whether the judge stopped the deployment: by its verdict, or by a policy.

        The record's outcome says so as well, but only up to a minute after the stop.
        """
        record = self.record
        return (
            self.code == STOPPED_BY_REQUEST
            and record is not None
            and (
                record.verdict in CONDEMNING
                or (record.incident and record.parameters.incident == "stop")
                or (record.verdict == "undecided" and record.parameters.undecided == "rollback")
            )
        )

    @property
    def stopped_by_verdict(self) -> bool:
        """Whether the judge ended shift or bake by its verdict that the new version is worse."""
        ended_the_bake = self.code == HOOK_FAILED and self.bake_began is not None
        return (
            (self.stopped_by_judge or ended_the_bake)
            and self.record is not None
            and self.record.verdict == "rollback"
        )

    @property
    def stopped_for_an_alarm(self) -> bool:
        """Whether the judge ended the bake because of an alarm, not by its own verdict."""
        return (
            self.code == HOOK_FAILED
            and self.bake_began is not None
            and self.record is not None
            and self.record.verdict not in {"rollback", "inconsistent"}
        )

    @property
    def interrupted(self) -> bool:
        """Whether CodeDeploy itself failed, which says nothing about the new version."""
        return self.stopped and bool(self.code) and self.code not in _BAD_VERSION_CODES

    @property
    def percent(self) -> float:
        """The new version's newest known share of traffic, in per cent."""
        return self.weights[-1][1] if self.weights else 0.0
