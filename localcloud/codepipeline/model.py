"""Pipelines and their executions, as documents of the ledger.

Times are cloud time in seconds since the epoch.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any

VARIABLE = re.compile(r"#\{([^}.]+)\.([^}]+)\}")

STANDARD, ROLLBACK = "STANDARD", "ROLLBACK"


class ActionError(Exception):
    """An action failed; the message becomes its `errorDetails.message`."""


class UnresolvedVariableError(ActionError):
    """No action has produced a variable; the message is the variable's reference."""


@dataclass
class ActionExecution:
    """One run of an action in an execution."""

    id: str
    stage: str
    name: str
    status: str
    started: float
    updated: float
    external_id: str = ""
    summary: str = ""
    error: str = ""
    token: str = ""
    answer: str = ""
    """The result of an approval: Approved, Rejected, or "" while it is pending."""
    outputs: dict[str, str] = field(default_factory=dict)
    configuration: dict[str, str] = field(default_factory=dict)
    """The configuration with its variables resolved."""
    inputs: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Bucket and key of each input artifact."""
    artifacts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Bucket and key of each output artifact."""


@dataclass
class RuleExecution:
    """One run of a rule of a stage's condition."""

    id: str
    stage: str
    kind: str
    """BEFORE_ENTRY or ON_SUCCESS."""
    name: str
    status: str
    started: float
    updated: float
    summary: str = ""
    configuration: dict[str, str] = field(default_factory=dict)


@dataclass
class StageExecution:
    """One run of a stage in an execution."""

    name: str
    status: str
    started: float
    updated: float
    conditions: dict[str, str] = field(default_factory=dict)
    """The status of each kind of condition that was evaluated."""
    retries: dict[str, int] = field(default_factory=dict)
    """The number of retries by trigger: AutomatedStageRetry and ManualStageRetry."""


@dataclass
class Execution:
    """One run of a pipeline."""

    id: str
    pipeline: str
    account: str
    region: str
    version: int
    mode: str
    status: str
    started: float
    updated: float
    trigger: str
    """The trigger type, as AWS names it."""
    trigger_detail: str = ""
    summary: str = ""
    type: str = STANDARD
    rolled_back: str = ""
    """For a rollback: the id of the target execution, whose artifacts it deploys."""
    stage: str = ""
    """For a rollback: the stage that it rolls back."""
    stop_reason: str = ""
    token: str = ""
    """For a manual start: the client request token, which makes it idempotent."""
    pins: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Branch and commit by source action, where a push or the caller set them."""
    revisions: list[dict[str, str]] = field(default_factory=list)
    artifacts: dict[str, tuple[str, str]] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    stages: dict[str, StageExecution] = field(default_factory=dict)
    actions: list[ActionExecution] = field(default_factory=list)
    rules: list[RuleExecution] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The execution's key in the ledger."""
        return f"{self.account}/{self.region}/{self.pipeline}/{self.started:017.6f}/{self.id}"

    @property
    def running(self) -> bool:
        """Whether the execution is in progress or stopping."""
        return self.status in {"InProgress", "Stopping"}

    def document(self) -> dict[str, Any]:
        """Return the execution as a JSON document."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Execution:
        """Create an execution from its JSON document."""
        return cls(
            **document
            | {
                "stages": {k: StageExecution(**v) for k, v in document["stages"].items()},
                "actions": [_action(each) for each in document["actions"]],
                "rules": [RuleExecution(**each) for each in document["rules"]],
                "artifacts": _places(document["artifacts"]),
                "pins": _places(document["pins"]),
            }
        )

    def action(self, stage: str, name: str) -> ActionExecution | None:
        """Return the newest run of an action, or None if it has not run."""
        return next(
            (each for each in reversed(self.actions) if (each.stage, each.name) == (stage, name)),
            None,
        )

    def resolve(self, value: Any) -> Any:
        """Replace each `#{Namespace.Variable}` in a value.

        Raises:
            UnresolvedVariableError: no action has produced the variable.
        """
        if isinstance(value, dict):
            return {key: self.resolve(inner) for key, inner in value.items()}
        if not isinstance(value, str):
            return value

        def found(match: re.Match[str]) -> str:
            namespace, name = match.groups()
            if namespace == "codepipeline" and name == "PipelineExecutionId":
                return self.id
            try:
                return self.namespaces[namespace][name]
            except KeyError:
                raise UnresolvedVariableError(f"#{{{namespace}.{name}}}") from None

        return VARIABLE.sub(found, value)


@dataclass
class Pipeline:
    """A pipeline: `definition` is the declaration in the API's own shape."""

    name: str
    account: str
    region: str
    version: int
    definition: dict[str, Any]
    created: float
    updated: float
    disabled: dict[str, str] = field(default_factory=dict)
    """The reason by stage, for stages whose inbound transition is disabled."""
    tags: dict[str, str] = field(default_factory=dict)
    owner: str = ""
    """`STACK_ID/LOGICAL_ID` of the stack resource that created it, or ""."""

    @property
    def key(self) -> str:
        """The pipeline's key in the ledger."""
        return f"{self.account}/{self.region}/{self.name}"

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:codepipeline:{self.region}:{self.account}:{self.name}"

    @property
    def stages(self) -> list[dict[str, Any]]:
        """The declared stages."""
        stages: list[dict[str, Any]] = self.definition["stages"]
        return stages

    @property
    def mode(self) -> str:
        """SUPERSEDED, QUEUED or PARALLEL."""
        return str(self.definition.get("executionMode") or "SUPERSEDED")

    def index(self, stage: str) -> int | None:
        """Return the position of a stage, or None if the pipeline has no such stage."""
        names = [each["name"] for each in self.stages]
        return names.index(stage) if stage in names else None

    def bucket(self, region: str) -> str:
        """Return the artifact bucket of a region."""
        return str(self._store(region)["location"])

    def encryption_key(self, region: str) -> str:
        """Return the KMS key that encrypts a region's artifacts.

        It is the artifact store's key, or else the AWS managed key for S3. The bucket's default
        key is not used (aws-cdk#10079).
        """
        own = f"arn:aws:kms:{region}:{self.account}:alias/aws/s3"
        return str((self._store(region).get("encryptionKey") or {}).get("id") or own)

    def _store(self, region: str) -> dict[str, Any]:
        stores = self.definition.get("artifactStores") or {}
        found: dict[str, Any] = stores.get(region) or self.definition.get("artifactStore") or {}
        return found


def _action(document: dict[str, Any]) -> ActionExecution:
    places = {name: _places(document[name]) for name in ("inputs", "artifacts")}
    return ActionExecution(**document | places)


def _places(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {name: (each[0], each[1]) for name, each in document.items()}
