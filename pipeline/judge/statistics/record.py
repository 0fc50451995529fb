"""The decision record: one JSON document for each release, from which its verdict can be replayed.

```json
{"schema": 1, "service": "orders", "environment": "prod", "deployment_id": "d-…",
 "stable": "2", "canary": "3", "percent": 10, "began": "…Z", "shift_ends": "…Z",
 "parameters": {"false_rollback_rate": 0.01, "tolerance": 1.0, "harmful": 2.0,
   "undecided": "promote", "incident": "continue",
   "objectives": {"failures": 0.5, "slow-requests": 0.5},
   "limits": {"failures": 0.1, "slow-requests": 0.25}, "min_requests": 50},
 "code": "sha256:…",
 "periods": [{"start": "…Z", "seconds": 60,
   "counts": {"failures": {"canary": [61, 4], "stable": [540, 3]}},
   "cold_starts": {"canary": 1, "stable": 0}, "evidence": 0.82}],
 "version_digest": "sha256:…",
 "discrepancies": [{"what": "5xx responses", "version": null, "reported": 0, "platform": 45,
   "allowed": 7}],
 "rule": "…", "verdict": "rollback", "incident": false,
 "decided_at": "…Z", "outcome": "rolled back", "sentence": "…"}
```

`version_digest` identifies the canary's code and configuration, `discrepancies` lists the counts
that the platform contradicts; older records have neither. `periods` are in the order in which they
were judged, each with the `evidence` after it. Numbers are read back exactly as they were written,
so that `judging.judge` returns the same evidence for the same parameters and periods.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.judge.statistics.counts import Counts
from pipeline.judge.statistics.periods import Discrepancy, Pair, Parameters, Period

if TYPE_CHECKING:
    from pipeline.judge.statistics.judging import Outcome, Verdict

SCHEMA = 1


class RecordError(ValueError):
    """A document is no valid decision record; the message says why."""


@dataclass(frozen=True)
class Record:
    """The decision record of a release, so far or to its end."""

    service: str
    environment: str
    deployment_id: str
    stable: str
    """The stable version."""
    canary: str
    """The new version."""
    percent: float
    """The canary's share of traffic when the shift began, in per cent."""
    began: datetime
    """Time at which the canary got that share."""
    shift_ends: datetime
    """Time at which the canary gets all traffic."""
    parameters: Parameters
    code: str
    """Digest of the judge's sources."""
    periods: tuple[Period, ...]
    """In the order in which they were judged."""
    evidence: tuple[float, ...]
    """The evidence after each period."""
    rule: str
    verdict: Verdict
    incident: bool
    decided_at: datetime | None
    """End of the period that brought the verdict; None while undecided."""
    outcome: Outcome
    sentence: str
    """The reason in one sentence."""
    version_digest: str = ""
    """Digest of the canary's code and configuration; empty in older records."""
    discrepancies: tuple[Discrepancy, ...] = ()
    """The counts that the platform contradicts; once found, they stay."""

    @classmethod
    def of(cls, document: dict[str, Any]) -> Record:
        """Read a parsed document.

        Raises:
            RecordError: it has another schema, or a key is missing or wrong.
        """
        if document.get("schema") != SCHEMA:
            raise RecordError(
                f"schema: found {document.get('schema')!r}; this code reads schema {SCHEMA}"
            )
        try:
            return cls._of(document)
        except KeyError as error:
            raise RecordError(f"{error.args[0]}: nothing found; the key is required") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise RecordError(f"no decision record: {error}") from error

    @classmethod
    def _of(cls, document: dict[str, Any]) -> Record:
        decided = document["decided_at"]
        return cls(
            service=document["service"],
            environment=document["environment"],
            deployment_id=document["deployment_id"],
            stable=document["stable"],
            canary=document["canary"],
            percent=document["percent"],
            began=time_of(document["began"]),
            shift_ends=time_of(document["shift_ends"]),
            parameters=Parameters(**document["parameters"]),
            code=document["code"],
            periods=tuple(_period(each) for each in document["periods"]),
            evidence=tuple(float(each["evidence"]) for each in document["periods"]),
            rule=document["rule"],
            verdict=document["verdict"],
            incident=document["incident"],
            decided_at=time_of(decided) if decided else None,
            outcome=document["outcome"],
            sentence=document["sentence"],
            version_digest=document.get("version_digest", ""),
            discrepancies=tuple(Discrepancy(**each) for each in document.get("discrepancies", ())),
        )

    def document(self) -> dict[str, Any]:
        """Return the record as a JSON document."""
        return {
            "schema": SCHEMA,
            "service": self.service,
            "environment": self.environment,
            "deployment_id": self.deployment_id,
            "stable": self.stable,
            "canary": self.canary,
            "percent": self.percent,
            "began": text_of(self.began),
            "shift_ends": text_of(self.shift_ends),
            "parameters": vars(self.parameters),
            "code": self.code,
            "periods": [
                _document(period, evidence)
                for period, evidence in zip(self.periods, self.evidence, strict=True)
            ],
            "version_digest": self.version_digest,
            "discrepancies": [vars(each) for each in self.discrepancies],
            "rule": self.rule,
            "verdict": self.verdict,
            "incident": self.incident,
            "decided_at": text_of(self.decided_at) if self.decided_at else None,
            "outcome": self.outcome,
            "sentence": self.sentence,
        }

    def text(self) -> str:
        """Return the text of the record's file."""
        return json.dumps(self.document(), ensure_ascii=False, allow_nan=False) + "\n"


def read(text: str) -> Record:
    """Parse the text of a record's file.

    Raises:
        RecordError: it is no JSON, or see `Record.of`.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise RecordError(f"no JSON: {error}") from error
    if not isinstance(document, dict):
        raise RecordError(f"found {type(document).__name__}; a decision record is an object")
    return Record.of(document)


def code() -> str:
    """Return the digest of this package's sources, which a record contains."""
    sums = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        sums.update(f"{source.name}\0".encode())
        sums.update(source.read_bytes())
    return f"sha256:{sums.hexdigest()}"


def text_of(time: datetime) -> str:
    """Return a time in the record's form: ISO 8601 in UTC, such as `2026-01-01T12:00:00Z`."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def time_of(text: str) -> datetime:
    """Parse a time of a record.

    Raises:
        ValueError: it is no ISO 8601 time, or has no time zone.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"found the time {text!r}; it must have a time zone, such as Z")
    return time


def _period(document: dict[str, Any]) -> Period:
    cold = document["cold_starts"]
    return Period(
        start=time_of(document["start"]),
        seconds=document["seconds"],
        counts={
            name: Pair(Counts(*pair["canary"]), Counts(*pair["stable"]))
            for name, pair in document["counts"].items()
        },
        cold_starts=(cold["canary"], cold["stable"]),
    )


def _document(period: Period, evidence: float) -> dict[str, Any]:
    return {
        "start": text_of(period.start),
        "seconds": period.seconds,
        "counts": {
            name: {
                "canary": [pair.canary.requests, pair.canary.failures],
                "stable": [pair.stable.requests, pair.stable.failures],
            }
            for name, pair in period.counts.items()
        },
        "cold_starts": {"canary": period.cold_starts[0], "stable": period.cold_starts[1]},
        "evidence": evidence,
    }
