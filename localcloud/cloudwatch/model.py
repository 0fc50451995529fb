"""Metrics, and alarms with their states.

Times are cloud time in seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from localcloud.core.ports import Document

StateValue = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]


class Metric(NamedTuple):
    """The identity of a metric; dimensions are sorted by name."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class State:
    """The state of an alarm; `data` is AWS's `StateReasonData`, a JSON document."""

    value: StateValue
    reason: str
    data: str
    updated: float


@dataclass(frozen=True)
class Alarm:
    """A metric or composite alarm; `definition` has the shape of the Put request."""

    account: str
    region: str
    name: str
    definition: Document
    tags: dict[str, str]
    configured: float
    state: State

    @property
    def key(self) -> str:
        """The key in the ledger."""
        return f"{self.account}/{self.region}/{self.name}"

    @property
    def arn(self) -> str:
        """The Amazon Resource Name."""
        return f"arn:aws:cloudwatch:{self.region}:{self.account}:alarm:{self.name}"

    @property
    def composite(self) -> bool:
        """Whether this is a composite alarm."""
        return "AlarmRule" in self.definition

    @property
    def type(self) -> str:
        """The API's `AlarmType`."""
        return "CompositeAlarm" if self.composite else "MetricAlarm"

    def document(self) -> Document:
        """Return the ledger's document of the alarm."""
        return asdict(self)

    @classmethod
    def of(cls, document: Document) -> Alarm:
        """Create an alarm from the ledger's document."""
        return cls(**document | {"state": State(**document["state"])})


class DefinitionError(Exception):
    """An alarm or a query is invalid; `code` is AWS's error code."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(message)
        self.code = code


def metric_of(account: str, region: str, document: Document) -> Metric:
    """Return the metric of a request's `Namespace`, `MetricName` and `Dimensions`."""
    dimensions = document.get("Dimensions") or []
    return Metric(
        account,
        region,
        document["Namespace"],
        document["MetricName"],
        tuple(sorted((each["Name"], each["Value"]) for each in dimensions)),
    )


def moment(time: float) -> datetime:
    """Convert a time to the type of API answers."""
    return datetime.fromtimestamp(time, UTC)


def stamp(time: float) -> str:
    """Format a time as in CloudWatch's JSON: `2026-11-24T08:15:00.000+0000`."""
    return moment(time).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
