"""The result of each act, and the report of a rehearsal.

The report is one JSON object, `schema` 1. All its seconds are the wall's. `weights` are pairs of
the seconds since the shift began and the per cent of traffic on the new version from then on.
`reason` is why an act ended as it did: `{"gate": …, "rules": […]}` of a refusal, `{"alarm": …}` of
a rollback, `{"verdict": …}` of the judge in prod of a promotion, and of a rollback that the judge
caused before an alarm did; null is what is not known.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console.judge.replay import replay_record
from console.words import ENDINGS
from pipeline.judge.statistics.judging import CONDEMNING
from pipeline.names import version_alarm_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from console.aws.deployed import Serving
    from console.rehearsal.acts import Act
    from console.release.canary import Canary
    from console.release.promotion import Outcome
    from pipeline.judge.statistics.judging import Verdict
    from pipeline.judge.statistics.record import Record

_PROD = "prod"


@dataclass(frozen=True)
class Result:
    """The result of one act."""

    act: Act
    outcome: Outcome
    before: Serving
    after: Serving
    share: float
    """The canary's maximum share of traffic by the environment file, in per cent."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Differences from the expected end; empty if all was as expected."""
        act, outcome = self.act, self.outcome
        if outcome.ending != act.expected:
            expected, ended = ENDINGS[act.expected][0], ENDINGS[outcome.ending][0]
            return (f"expected: {expected}, found: {ended}: {outcome.sentence}",)
        found = {
            "promoted": self._promoted,
            "rolled_back": self._rolled_back,
            "refused": self._refused,
        }[act.expected]()
        return tuple(filter(None, found))

    @property
    def reason(self) -> Mapping[str, str | list[str] | None]:
        """The reason for the end; see the module."""
        outcome, canary = self.outcome, self.outcome.canary
        if outcome.ending == "refused":
            return {"gate": outcome.gate, "rules": list(self._rules)}
        if outcome.ending == "rolled_back":
            if canary and not canary.stopped_by and canary.stopped_by_verdict:
                return {"verdict": self._verdict}
            return {"alarm": canary.stopped_by if canary else None}
        if outcome.ending == "promoted":
            return {"verdict": self._verdict}
        return {}

    @property
    def _rules(self) -> tuple[str, ...]:
        """The rules of the gate that refused."""
        gate = self.outcome.gate
        return tuple(
            rule
            for each in self.outcome.reports
            if each.gate == gate and each.status == "refused"
            for rule in each.rules
        )

    @property
    def _verdict(self) -> Verdict | None:
        """The verdict of prod's judge; None if it left no record."""
        canary = self.outcome.canary
        in_prod = canary is not None and canary.environment == _PROD
        return canary.record.verdict if canary and in_prod and canary.record else None

    def _promoted(self) -> list[str]:
        outcome, wanted = self.outcome, self.act.new_action
        problems = []
        if outcome.canary and outcome.canary.stopped_by:
            problems.append(f"the alarm {outcome.canary.stopped_by} stopped it")
        if self._verdict is None:
            problems.append("the judge left no record of it")
        elif self._verdict in CONDEMNING:
            problems.append(f"the judge's verdict is {self._verdict}, which condemns it")
        if self.after.commit != outcome.commit:
            problems.append(f"prod serves commit {self.after.commit}, not the one promoted")
        if wanted and not outcome.self_mutated:
            problems.append("the pipeline did not change itself")
        if wanted and not _ran(outcome, *wanted):
            problems.append(f"the new action {wanted[0]}/{wanted[1]} did not run")
        return problems

    def _rolled_back(self) -> list[str]:
        canary = self.outcome.canary
        problems = self._unchanged()
        if canary is None or not (canary.stopped_by or canary.stopped_by_verdict):
            return [*problems, "neither an alarm nor the judge stopped it"]
        if self.act.verdict:
            wanted = version_alarm_name(canary.environment, canary.target_version, self.act.verdict)
            # The judge stops it, or the alarm on its evidence if that is sooner.
            if canary.stopped_by and canary.stopped_by != wanted:
                problems.append(f"the alarm {canary.stopped_by} stopped it, expected {wanted}")
            if canary.record is None:
                problems.append("the judge left no record of it")
            elif not replay_record(canary.record).same:
                problems.append("the replay of the judge's record has another verdict")
        most = max((percent for _, percent in canary.weights), default=0.0)
        if most > self.share and canary.phase == "shift":
            problems.append(f"it had {most:g} % of the traffic, allowed {self.share:g} %")
        if not canary.traffic.canary_failures:
            problems.append("no request to the new version failed")
        return problems

    def _refused(self) -> list[str]:
        outcome = self.outcome
        problems = self._unchanged()
        if outcome.gate != self.act.gate:
            problems.append(f"the gate {outcome.gate} refused it, expected {self.act.gate}")
        elif self.act.rule and self.act.rule not in self._rules:
            by = ", ".join(self._rules) or "no rule"
            problems.append(f"{outcome.gate} refused it by {by}, expected {self.act.rule}")
        if any(stage.name == _PROD for stage in outcome.stages):
            problems.append("it entered prod")
        return problems

    def _unchanged(self) -> list[str]:
        if self.after == self.before:
            return []
        return [f"prod went from version {self.before.version} to {self.after.version}"]

    def document(self) -> dict[str, Any]:
        """Return the act as an object of the report."""
        outcome = self.outcome
        return {
            "name": self.act.name,
            "expected": self.act.expected,
            "outcome": outcome.ending,
            "sentence": outcome.sentence,
            "reason": dict(self.reason),
            "problems": list(self.problems),
            "commit": outcome.commit,
            "pipeline_execution_ids": [each.id for each in outcome.executions],
            "self_mutated": outcome.self_mutated,
            "seconds": round(outcome.wall, 1),
            "stages": [
                {
                    "name": stage.name,
                    "status": stage.status,
                    "seconds": round(outcome.wall_seconds(stage), 1),
                }
                for stage in outcome.stages
            ],
            "production": {
                "version_before": self.before.version,
                "version_after": self.after.version,
                "commit_before": self.before.commit,
                "commit_after": self.after.commit,
            },
            "canary": _canary(outcome.canary, outcome.pace),
        }


@dataclass(frozen=True)
class Rehearsal:
    """The results of all acts, at `speed`, in `seconds` of wall-clock time."""

    speed: float
    seconds: float
    results: tuple[Result, ...]
    audit_not_run: str | None
    """Why pip-audit did not run under an override; None if it ran."""

    @property
    def as_expected(self) -> bool:
        """Whether every act ended as expected."""
        return bool(self.results) and not any(each.problems for each in self.results)

    def write(self, file: Path) -> None:
        """Write the report."""
        file.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "schema": 1,
            "speed": self.speed,
            "seconds": round(self.seconds, 1),
            "as_expected": self.as_expected,
            "not_run": {"supply_chain": self.audit_not_run} if self.audit_not_run else {},
            "acts": [each.document() for each in self.results],
        }
        file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _ran(outcome: Outcome, stage: str, action: str) -> bool:
    return any(
        ran.name == action and ran.status == "Succeeded"
        for each in outcome.stages
        if each.name == stage
        for ran in each.actions
    )


def _canary(canary: Canary | None, pace: float) -> dict[str, Any] | None:
    if canary is None:
        return None
    return {
        "deployment_id": canary.deployment_id,
        "phase": canary.phase,
        "stopped_by": canary.stopped_by,
        "weights": [[round(seconds / pace, 1), percent] for seconds, percent in canary.weights],
        "requests": canary.traffic.requests,
        "canary_requests": canary.traffic.canary_requests,
        "canary_failures": canary.traffic.canary_failures,
        "judge": _judge(canary.record) if canary.record else None,
    }


def _judge(record: Record) -> dict[str, Any]:
    return {
        "verdict": record.verdict,
        "evidence": list(record.evidence),
        "outcome": record.outcome,
        "sentence": record.sentence,
    }
