"""CodePipeline: pipelines, what starts them, and what became of each execution."""

from __future__ import annotations

import threading
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from localcloud.codepipeline.actions import PROVIDERS
from localcloud.codepipeline.api import CodePipelineApi
from localcloud.codepipeline.conditions import RULES
from localcloud.codepipeline.model import Execution, Pipeline
from localcloud.codepipeline.provider import PipelineProvider
from localcloud.codepipeline.runner import Runner

if TYPE_CHECKING:
    from localcloud.api import ServiceApi
    from localcloud.cloud import Cloud
    from localcloud.codepipeline.model import ActionExecution, StageExecution
    from localcloud.resources import Provider

_PIPELINE = "codepipeline:pipeline"
_EXECUTION = "codepipeline:execution"
_INTERRUPTED = "Interrupted: the local cloud stopped during this execution"


class DefinitionError(Exception):
    """A declaration that cannot be honoured; the message names what."""


class CodePipeline:
    """See `localcloud.cloud.Service`."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.apis: dict[str, type[ServiceApi]] = {"codepipeline": CodePipelineApi}
        self.providers: dict[str, Provider] = {
            "AWS::CodePipeline::Pipeline": PipelineProvider(cloud)
        }
        self.pipelines: dict[str, Pipeline] = {}
        self.executions: dict[str, Execution] = {}
        self.runner = Runner(self)
        self._lock = threading.RLock()

    def start(self) -> None:
        """Read everything back; what was under way is marked as interrupted."""
        for key, document in self.cloud.ledger.all(_PIPELINE):
            self.pipelines[key] = Pipeline(**document)
        for _, document in self.cloud.ledger.all(_EXECUTION):
            execution = Execution.of(document)
            self.executions[execution.id] = execution
            if execution.status == "InProgress":
                self._interrupt(execution)
        self.cloud.codeconnections.subscribe(self._pushed)

    def stop(self) -> None:
        """Let nothing begin any more; the next start tells what was interrupted."""
        self.runner.stop_all()

    def put(self, account: str, region: str, definition: dict[str, Any]) -> Pipeline:
        """Create a pipeline or bring it to a new version.

        Raises:
            DefinitionError: it has a part that cannot be honoured.
        """
        _check(definition)
        now = self.cloud.clock.timestamp()
        with self._lock:
            key = f"{account}/{region}/{definition['name']}"
            pipeline = self.pipelines.get(key)
            if pipeline is None:
                pipeline = Pipeline(definition["name"], account, region, 1, definition, now, now)
            else:
                pipeline.version += 1
                pipeline.definition, pipeline.updated = definition, now
            self.pipelines[key] = pipeline
            self.save_pipeline(pipeline)
        for stage in pipeline.stages:
            for action in stage["actions"]:
                configuration = action.get("configuration") or {}
                if "FullRepositoryId" in configuration:
                    self.cloud.codeconnections.recognise(
                        configuration["ConnectionArn"], configuration["FullRepositoryId"]
                    )
        return pipeline

    def delete(self, account: str, region: str, name: str) -> None:
        """Delete a pipeline; its history stays."""
        self.pipelines.pop(f"{account}/{region}/{name}", None)
        self.cloud.ledger.delete(_PIPELINE, f"{account}/{region}/{name}")

    def save_pipeline(self, pipeline: Pipeline) -> None:
        """Make a pipeline durable."""
        self.cloud.ledger.put(_PIPELINE, pipeline.key, asdict(pipeline))

    def history(self, pipeline: Pipeline) -> list[Execution]:
        """The pipeline's executions, newest first."""
        mine = [
            each
            for each in self.executions.values()
            if (each.account, each.region, each.pipeline)
            == (pipeline.account, pipeline.region, pipeline.name)
        ]
        return sorted(mine, key=lambda each: -each.started)

    def begin(
        self, pipeline: Pipeline, trigger: str, variables: dict[str, str] | None = None
    ) -> Execution:
        """Start an execution; it is durable before this returns."""
        now = self.cloud.clock.timestamp()
        execution = Execution(
            id=str(uuid.uuid4()),
            pipeline=pipeline.name,
            account=pipeline.account,
            region=pipeline.region,
            version=pipeline.version,
            status="InProgress",
            started=now,
            updated=now,
            trigger=trigger,
            namespaces={"variables": variables or {}},
        )
        self.executions[execution.id] = execution
        self._tell(execution, "STARTED")
        self.runner.begin(pipeline, execution)
        return execution

    def retry(self, pipeline: Pipeline, execution: Execution, stage: str) -> None:
        """Run a failed stage, and what comes behind it, again."""
        index = [each["name"] for each in pipeline.stages].index(stage)
        execution.status = "InProgress"
        self._tell(execution, "RESUMED")
        self.runner.begin(pipeline, execution, index)

    def roll_back(self, pipeline: Pipeline, failed: Execution, stage: str) -> None:
        """Bring a stage back to the last execution that succeeded in it.

        AWS does so only within one version of the pipeline's structure.
        """
        good = next(
            (
                each
                for each in self.history(pipeline)
                if each.id != failed.id
                and each.version == pipeline.version
                and each.stages.get(stage) is not None
                and each.stages[stage].status == "Succeeded"
            ),
            None,
        )
        if good is None:
            failed.summary = (
                f"Stage {stage} could not be rolled back: no execution succeeded in it since "
                "the pipeline was last changed"
            )
            self.save(failed)
            return
        now = self.cloud.clock.timestamp()
        execution = Execution(
            id=str(uuid.uuid4()),
            pipeline=pipeline.name,
            account=pipeline.account,
            region=pipeline.region,
            version=pipeline.version,
            status="InProgress",
            started=now,
            updated=now,
            trigger="AutomatedRollback",
            type="ROLLBACK",
            rolled_back=good.id,
            revisions=good.revisions,
            artifacts=good.artifacts,
            namespaces=good.namespaces,
        )
        self.executions[execution.id] = execution
        self._tell(execution, "STARTED")
        index = [each["name"] for each in pipeline.stages].index(stage)
        self.runner.begin(pipeline, execution, index)

    def finish(self, execution: Execution, status: str) -> None:
        """Record how an execution ended."""
        execution.status = status
        self._tell(execution, status.upper())

    def save(self, execution: Execution) -> None:
        """Make an execution durable."""
        execution.updated = self.cloud.clock.timestamp()
        with self._lock:
            self.cloud.ledger.put(_EXECUTION, execution.key, execution.document())

    def mark_stage(self, execution: Execution, stage: StageExecution, status: str) -> None:
        """Record a stage's status, and tell of it."""
        stage.status, stage.updated = status, self.cloud.clock.timestamp()
        self.save(execution)
        self._publish(execution, "Stage", {"stage": stage.name}, _past(status))

    def mark_action(self, execution: Execution, action: ActionExecution, status: str) -> None:
        """Record an action's status, and tell of it."""
        action.status, action.updated = status, self.cloud.clock.timestamp()
        self.save(execution)
        where = {"stage": action.stage, "action": action.name}
        self._publish(execution, "Action", where, _past(status))

    def _tell(self, execution: Execution, state: str) -> None:
        self.save(execution)
        self._publish(execution, "Pipeline", {}, state)

    def _publish(self, execution: Execution, what: str, where: dict[str, Any], state: str) -> None:
        self.cloud.bus.publish(
            execution.account,
            execution.region,
            "aws.codepipeline",
            f"CodePipeline {what} Execution State Change",
            {
                "pipeline": execution.pipeline,
                "execution-id": execution.id,
                "version": float(execution.version),
                "state": state,
                **where,
            },
        )

    def _interrupt(self, execution: Execution) -> None:
        for action in execution.actions:
            if action.status == "InProgress":
                action.status, action.error = "Failed", _INTERRUPTED
        for stage in execution.stages.values():
            if stage.status == "InProgress":
                stage.status = "Failed"
        execution.status, execution.summary = "Failed", _INTERRUPTED
        self.save(execution)

    def _pushed(self, connection: str, repository: str, branch: str, commit: str) -> None:
        for pipeline in list(self.pipelines.values()):
            for action in pipeline.stages[0]["actions"]:
                configuration = action.get("configuration") or {}
                watched = str(configuration.get("DetectChanges", "true")).lower() != "false"
                if (
                    watched
                    and configuration.get("ConnectionArn", "").endswith(f"/{connection}")
                    and configuration.get("FullRepositoryId") == repository
                    and configuration.get("BranchName") == branch
                ):
                    self.begin(pipeline, f"Webhook: {commit}")


def _past(status: str) -> str:
    return "STARTED" if status == "InProgress" else status.upper()


def _check(definition: dict[str, Any]) -> None:
    stages = definition.get("stages") or []
    if len(stages) < 2:  # noqa: PLR2004  # AWS's own minimum
        raise DefinitionError("Pipeline should have at least 2 stages")
    for stage in stages:
        for action in stage["actions"]:
            kind = action["actionTypeId"]
            if (kind["category"], kind["owner"], kind["provider"]) not in PROVIDERS:
                raise DefinitionError(
                    f"Action {stage['name']}/{action['name']}: {kind['category']} by "
                    f"{kind['owner']} {kind['provider']} is not part of the local cloud"
                )
        for when in ("beforeEntry", "onSuccess", "onFailure"):
            for condition in (stage.get(when) or {}).get("conditions") or []:
                for rule in condition["rules"]:
                    provider = rule["ruleTypeId"]["provider"]
                    if provider not in RULES:
                        raise DefinitionError(
                            f"Rule {stage['name']}/{rule['name']}: {provider} is not part of "
                            "the local cloud"
                        )
