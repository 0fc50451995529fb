"""What CloudWatch is about: metrics, and alarms with the state they are in.

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
    """What makes a metric one and the same; dimensions are sorted by name."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class State:
    """What an alarm says; `data` is AWS's `StateReasonData`, a JSON document."""

    value: StateValue
    reason: str
    data: str
    updated: float


@dataclass(frozen=True)
class Alarm:
    """A metric alarm or a composite one; `definition` is in the shape of the API's Put request."""

    account: str
    region: str
    name: str
    definition: Document
    tags: dict[str, str]
    configured: float
    state: State

    @property
    def key(self) -> str:
        """What it is known by in this cloud."""
        return f"{self.account}/{self.region}/{self.name}"

    @property
    def arn(self) -> str:
        """Its Amazon Resource Name."""
        return f"arn:aws:cloudwatch:{self.region}:{self.account}:alarm:{self.name}"

    @property
    def composite(self) -> bool:
        """Whether it watches other alarms, and no metric."""
        return "AlarmRule" in self.definition

    @property
    def type(self) -> str:
        """The API's `AlarmType`."""
        return "CompositeAlarm" if self.composite else "MetricAlarm"

    def document(self) -> Document:
        """What the ledger keeps of it."""
        return asdict(self)

    @classmethod
    def of(cls, document: Document) -> Alarm:
        """What `document` made a document of."""
        return cls(**document | {"state": State(**document["state"])})


class DefinitionError(Exception):
    """An alarm or a query that cannot be; `code` is AWS's own name of the error."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(message)
        self.code = code


def metric_of(account: str, region: str, document: Document) -> Metric:
    """The metric that a request names by `Namespace`, `MetricName` and `Dimensions`."""
    dimensions = document.get("Dimensions") or []
    return Metric(
        account,
        region,
        document["Namespace"],
        document["MetricName"],
        tuple(sorted((each["Name"], each["Value"]) for each in dimensions)),
    )


def moment(time: float) -> datetime:
    """A time as API answers have it."""
    return datetime.fromtimestamp(time, UTC)


def stamp(time: float) -> str:
    """A time as CloudWatch writes it into JSON, such as `2026-11-24T08:15:00.000+0000`."""
    return moment(time).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
