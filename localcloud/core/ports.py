"""Types and protocols between the services of the local cloud.

A service receives another one as a protocol (here, and in `log_ports`, `function_ports` and
`delivery_ports`) and imports none. Times are cloud time in seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class BuildRequest:
    """One build to start; artifacts are (bucket, key) of zips in S3."""

    account: str
    region: str
    project: str
    environment: list[dict[str, str]] = field(default_factory=list)
    """`name`, `value` and `type` (PLAINTEXT, PARAMETER_STORE, SECRETS_MANAGER)."""
    inputs: dict[str, tuple[str, str]] = field(default_factory=dict)
    primary: str | None = None
    outputs: dict[str, tuple[str, str]] = field(default_factory=dict)
    initiator: str = "user"
    source_version: str | None = None
    buildspec: str | None = None


class RunningBuild(Protocol):
    """A build as its starter sees it."""

    id: str
    status: str
    reason: str
    exported: dict[str, str]

    def set_when_complete(self, ended: threading.Event) -> None:
        """Set the event when the build ends; at once if it has ended."""
        ...


class BuildNotStartedError(Exception):
    """The build was not started; `code` is CodeBuild's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Invocation:
    """The result of an invocation; `error` is Lambda's `X-Amz-Function-Error`, if any."""

    payload: bytes
    error: str | None
    version: str
    log: bytes = b""
    """The last 4 KB of its log."""


class InvocationError(Exception):
    """The function was not invoked; `code` is Lambda's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Routing:
    """Where an alias sends its traffic: `weights` are shares (0 to 1) of other versions."""

    version: str
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CodeSignature:
    """The signer of a function's code."""

    profile_version: str
    """The ARN of the signing profile's version."""
    job: str
    """The ARN of the signing job."""
    expires: float


class BrokenSignatureError(Exception):
    """The code has the signature of other code; the message says how they differ."""


@dataclass(frozen=True)
class AliasDeployment:
    """A shift of an alias from one version to another, by a deployment group."""

    account: str
    region: str
    application: str
    deployment_group: str
    function: str
    alias: str
    current_version: str
    target_version: str
    before_hook: str = ""
    """Name or ARN of the function that runs before the shift, or ""."""
    after_hook: str = ""
    creator: str = "CloudFormation"


class DeploymentFailedError(Exception):
    """A deployment did not succeed; the message says who stopped it and why."""


@dataclass(frozen=True)
class AlarmState:
    """The state of an alarm."""

    value: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
    reason: str
    updated: float


@dataclass(frozen=True)
class Datum:
    """Observations of one metric at one time; `counts` are the values' frequencies."""

    name: str
    dimensions: dict[str, str]
    values: tuple[float, ...]
    time: float
    unit: str = "None"
    counts: tuple[float, ...] = ()
    """As long as `values`; empty means once each."""


class MetricSink(Protocol):
    """Takes the metrics of services."""

    def put(self, account: str, region: str, namespace: str, data: Sequence[Datum]) -> None:
        """Take data; they are durable within a second."""
        ...


class AlarmStates(Protocol):
    """The states of alarms."""

    def alarm_states(
        self, account: str, region: str, names: Iterable[str]
    ) -> dict[str, AlarmState]:
        """Return the states of those of the named alarms that exist."""
        ...


Document = dict[str, Any]
"""A JSON object in an AWS API's own shape."""
