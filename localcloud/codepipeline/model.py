"""Pipelines and their executions, as documents of the ledger."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any

_VARIABLE = re.compile(r"#\{([^}.]+)\.([^}]+)\}")


class ActionError(Exception):
    """An action failed; the message is its `errorDetails.message`."""


@dataclass
class ActionExecution:
    """One action of one execution; times are cloud time in seconds since the epoch."""

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
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass
class StageExecution:
    """One stage of one execution."""

    name: str
    status: str
    started: float
    updated: float
    condition: dict[str, Any] = field(default_factory=dict)
    """What a stage condition found: `{"type", "result", "status", "rules": [...]}`."""


@dataclass
class Execution:
    """One pass of a commit through a pipeline."""

    id: str
    pipeline: str
    account: str
    region: str
    version: int
    status: str
    started: float
    updated: float
    trigger: str
    summary: str = ""
    type: str = "STANDARD"
    rolled_back: str = ""
    """Of a rollback: the execution whose artifacts it brings back."""
    revisions: list[dict[str, str]] = field(default_factory=list)
    artifacts: dict[str, tuple[str, str]] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    stages: dict[str, StageExecution] = field(default_factory=dict)
    actions: list[ActionExecution] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Where the ledger keeps it."""
        return f"{self.account}/{self.region}/{self.pipeline}/{self.started:017.6f}/{self.id}"

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Execution:
        """Back from JSON."""
        stages = {name: StageExecution(**each) for name, each in document.pop("stages").items()}
        actions = [ActionExecution(**each) for each in document.pop("actions")]
        artifacts = {name: (each[0], each[1]) for name, each in document.pop("artifacts").items()}
        return cls(**document, stages=stages, actions=actions, artifacts=artifacts)

    def action(self, stage: str, name: str) -> ActionExecution | None:
        """The newest run of an action."""
        return next(
            (each for each in reversed(self.actions) if (each.stage, each.name) == (stage, name)),
            None,
        )

    def resolve(self, value: Any) -> Any:
        """The value with `#{Namespace.Variable}` replaced.

        Raises:
            ActionError: no action has put out such a variable.
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
                raise ActionError(
                    f"A referenced variable cannot be resolved: #{{{namespace}.{name}}}"
                ) from None

        return _VARIABLE.sub(found, value)


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
    """Stages whose inbound transition is disabled, with the reason."""

    @property
    def key(self) -> str:
        """Where the ledger keeps it."""
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

    def bucket(self, region: str) -> str:
        """The artifact bucket of a region."""
        stores = self.definition.get("artifactStores") or {}
        store = stores.get(region) or self.definition.get("artifactStore") or {}
        return str(store["location"])
