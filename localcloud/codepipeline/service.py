"""CodePipeline: pipelines, what starts them, and what became of each execution."""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from localcloud.codepipeline.api import CodePipelineApi
from localcloud.codepipeline.definition import check
from localcloud.codepipeline.model import ROLLBACK, STANDARD, Execution, Pipeline
from localcloud.codepipeline.provider import PipelineProvider
from localcloud.codepipeline.recovery import take_up
from localcloud.codepipeline.refusals import DefinitionError
from localcloud.codepipeline.roles import check_roles
from localcloud.codepipeline.runner import Runner
from localcloud.codepipeline.triggers import started_by
from localcloud.core.restoring import restored_on_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.cloud import Cloud
    from localcloud.codepipeline.model import ActionExecution, StageExecution
    from localcloud.core.providers import Provider
    from localcloud.core.service_api import ServiceApi

_PIPELINE = "codepipeline:pipeline"
_EXECUTION = "codepipeline:execution"


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
        self.closed = False
        self._lock = threading.RLock()
        self._unsubscribe: Callable[[], None] = lambda: None
        cloud.access.tags.register("codepipeline", self._tags)

    def start(self) -> None:
        """Read everything back, and go on with what waited."""
        for key, document in self.cloud.ledger.all(_PIPELINE):
            pipeline = self.pipelines[key] = Pipeline(**document)
            for stage in pipeline.disabled:
                self.runner.gates.set_open((pipeline.key, stage), is_open=False)
        for _, document in self.cloud.ledger.all(_EXECUTION):
            execution = Execution.of(document)
            self.executions[execution.id] = execution
        for execution in sorted(self.executions.values(), key=lambda each: each.started):
            if execution.running:
                take_up(self, execution)
        self._unsubscribe = self.cloud.codeconnections.subscribe(self._pushed)

    def stop(self) -> None:
        """Let nothing begin any more; the next start tells what was interrupted."""
        self._unsubscribe()
        with self._lock:
            self.closed = True
        self.runner.stop_all()

    def _tags(self, account: str, region: str, resource: str) -> dict[str, str]:
        """The tags of a pipeline, which its stages and actions (`NAME/STAGE/ACTION`) have too."""
        found = self.pipelines.get(f"{account}/{region}/{resource.partition('/')[0]}")
        return found.tags if found else {}

    def put(
        self, account: str, region: str, definition: dict[str, Any], owner: str = ""
    ) -> Pipeline:
        """Create a pipeline or bring it to a new version; executions of the old one are cancelled.

        Raises:
            DefinitionError: it has a part that cannot be honoured.
        """
        check(definition, region)
        check_roles(self.cloud, account, region, definition)
        for action in definition["stages"][0]["actions"]:
            configuration = action["configuration"]
            arn, repository = configuration["ConnectionArn"], configuration["FullRepositoryId"]
            try:
                self.cloud.codeconnections.recognise(arn, repository)
            except Exception as error:
                raise DefinitionError(f"Action {action['name']}: {error}") from error
        now = self.cloud.clock.timestamp()
        with self._lock:
            key = f"{account}/{region}/{definition['name']}"
            pipeline = self.pipelines.get(key)
            if pipeline is None:
                self._check_number(account, region)
                pipeline = Pipeline(definition["name"], account, region, 1, definition, now, now)
                pipeline.owner = owner
                self.save_pipeline(pipeline)
            else:
                with restored_on_error(pipeline):
                    pipeline.version += 1
                    pipeline.definition, pipeline.updated = definition, now
                    self.save_pipeline(pipeline)
            self.pipelines[key] = pipeline
        self.runner.updated(pipeline)
        return pipeline

    def _check_number(self, account: str, region: str) -> None:
        """Raise if the account has no room for a pipeline, as the exception is documented."""
        held = [each for each in self.pipelines if each.startswith(f"{account}/{region}/")]
        if len(held) >= self.cloud.quotas.pipelines:
            raise DefinitionError(
                "The number of pipelines associated with the AWS account has exceeded the limit "
                "allowed for the account.",
                "LimitExceededException",
            )

    def delete(self, account: str, region: str, name: str) -> None:
        """Delete a pipeline; its executions end."""
        self.cloud.ledger.delete(_PIPELINE, f"{account}/{region}/{name}")
        pipeline = self.pipelines.pop(f"{account}/{region}/{name}", None)
        if pipeline is not None:
            for execution in self.history(pipeline):
                if execution.running:
                    self.stop_execution(execution, "The pipeline was deleted", abandon=True)

    def save_pipeline(self, pipeline: Pipeline) -> None:
        """Make a pipeline durable."""
        self.cloud.ledger.put(_PIPELINE, pipeline.key, asdict(pipeline))

    def set_transition(self, pipeline: Pipeline, stage: str, reason: str | None) -> None:
        """Disable the transition into a stage for a reason, or enable it."""
        others = {name: why for name, why in pipeline.disabled.items() if name != stage}
        with restored_on_error(pipeline):
            pipeline.disabled = others if reason is None else others | {stage: reason}
            self.save_pipeline(pipeline)
        self.runner.gates.set_open((pipeline.key, stage), is_open=reason is None)

    def history(self, pipeline: Pipeline) -> list[Execution]:
        """The pipeline's executions, newest first; not those of an earlier one of its name."""
        mine = (pipeline.account, pipeline.region, pipeline.name)
        found = [
            each
            for each in list(self.executions.values())
            if (each.account, each.region, each.pipeline) == mine
            and each.started >= pipeline.created
        ]
        return sorted(found, key=lambda each: -each.started)

    def begin(
        self,
        pipeline: Pipeline,
        trigger: str,
        detail: str = "",
        *,
        variables: dict[str, str] | None = None,
        pins: dict[str, tuple[str, str]] | None = None,
        token: str = "",
    ) -> Execution:
        """Start an execution; it is durable before this returns.

        `variables` are the pipeline's, for those whose default does not do; `pins` are branch and
        commit by source action; a `token` that was given before starts nothing more.
        """
        if token:
            for each in self.history(pipeline):
                if each.token == token:
                    return each
        defaults = {
            each["name"]: each.get("defaultValue") or ""
            for each in pipeline.definition.get("variables") or []
        }
        execution = self._new(pipeline, trigger, detail)
        execution.namespaces = {"variables": defaults | (variables or {})}
        execution.pins, execution.token = pins or {}, token
        self._tell(execution, "STARTED")
        self.runner.begin(pipeline, execution)
        return execution

    def retry(self, pipeline: Pipeline, execution: Execution, stage: str, mode: str) -> None:
        """Run a failed stage, and what comes behind it, again."""
        with self.changing(execution):
            retries = execution.stages[stage].retries
            retries["ManualStageRetry"] = retries.get("ManualStageRetry", 0) + 1
            execution.stages[stage].status = "InProgress"
            execution.status, execution.summary = "InProgress", ""
        self._tell(execution, "RESUMED")
        self.runner.begin(pipeline, execution, pipeline.index(stage) or 0, again=mode)

    def stop_execution(self, execution: Execution, reason: str, *, abandon: bool) -> None:
        """Stop an execution; durable before this returns."""
        with self.changing(execution):
            if not execution.running:
                return
            execution.status, execution.stop_reason = "Stopping", reason
        self._publish(execution, "Pipeline", {}, "STOPPING")
        self.runner.stop(execution, abandon=abandon)

    def roll_back(
        self, pipeline: Pipeline, target: Execution, stage: str, trigger: str, failed: str = ""
    ) -> Execution:
        """Bring a stage back to an execution that succeeded in it; the new execution.

        `failed` is in the stage still and makes room for it.
        """
        execution = self._new(pipeline, trigger, failed or target.id)
        execution.type, execution.rolled_back, execution.stage = ROLLBACK, target.id, stage
        execution.revisions = list(target.revisions)
        execution.artifacts = dict(target.artifacts)
        execution.namespaces = {name: dict(each) for name, each in target.namespaces.items()}
        if failed:
            self.runner.gates.hand_over((pipeline.key, stage), failed, execution.id)
        self._tell(execution, "STARTED")
        first = pipeline.index(stage) or 0
        self.runner.begin(pipeline, execution, first, inside=bool(failed))
        return execution

    def roll_back_automatically(self, pipeline: Pipeline, failed: Execution, stage: str) -> None:
        """Bring a stage back to the last execution that succeeded in it.

        AWS does so only within one version of the pipeline's structure, and not to a rollback.
        """
        targets = [
            each
            for each in self.history(pipeline)
            if each.id != failed.id and self.may_be_target(pipeline, each, stage)
        ]
        if failed.type == STANDARD and targets and not self.closed:
            newest = max(targets, key=lambda each: each.stages[stage].updated)
            self.roll_back(pipeline, newest, stage, "AutomatedRollback", failed.id)
            return
        with self.changing(failed):
            failed.summary = (f"{failed.summary}; " if failed.summary else "") + (
                f"stage {stage} could not be rolled back: no other execution has succeeded in it "
                "since the pipeline was last changed"
            )

    def may_be_target(self, pipeline: Pipeline, execution: Execution, stage: str) -> bool:
        """Whether a stage may be brought back to an execution."""
        held = execution.stages.get(stage)
        return (
            execution.version == pipeline.version
            and execution.type == STANDARD
            and held is not None
            and held.status == "Succeeded"
        )

    def finish(self, execution: Execution, status: str) -> None:
        """Record how an execution ended."""
        with self.changing(execution):
            execution.status = status
        self._publish(execution, "Pipeline", {}, _past(status))

    @contextmanager
    def changing(self, execution: Execution) -> Iterator[None]:
        """Change an execution; durable at the end. After `stop` nothing is recorded."""
        with self._lock:
            yield
            execution.updated = self.cloud.clock.timestamp()
            if not self.closed:
                self.cloud.ledger.put(_EXECUTION, execution.key, execution.document())

    def mark_stage(self, execution: Execution, stage: StageExecution, status: str) -> None:
        """Record a stage's status, and tell of it."""
        with self.changing(execution):
            stage.status, stage.updated = status, self.cloud.clock.timestamp()
        self._publish(execution, "Stage", {"stage": stage.name}, _past(status))

    def mark_action(
        self, execution: Execution, action: dict[str, Any], record: ActionExecution, status: str
    ) -> None:
        """Record an action's status, and tell of it."""
        with self.changing(execution):
            record.status, record.updated = status, self.cloud.clock.timestamp()
        where = {"stage": record.stage, "action": record.name, "type": action["actionTypeId"]}
        self._publish(execution, "Action", where, _past(status))

    def _new(self, pipeline: Pipeline, trigger: str, detail: str) -> Execution:
        now = self.cloud.clock.timestamp()
        execution = Execution(
            id=str(uuid.uuid4()),
            pipeline=pipeline.name,
            account=pipeline.account,
            region=pipeline.region,
            version=pipeline.version,
            mode=pipeline.mode,
            status="InProgress",
            started=now,
            updated=now,
            trigger=trigger,
            trigger_detail=detail,
        )
        with self._lock:
            if self.closed:
                raise RuntimeError("the local cloud is stopping: start the execution again later")
        return execution

    def _tell(self, execution: Execution, state: str) -> None:
        with self.changing(execution):
            pass
        self.executions[execution.id] = execution
        self._publish(execution, "Pipeline", {}, state)

    def _publish(self, execution: Execution, what: str, where: dict[str, Any], state: str) -> None:
        if self.closed:
            return
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
            (f"arn:aws:codepipeline:{execution.region}:{execution.account}:{execution.pipeline}",),
        )

    def _pushed(self, connection: str, repository: str, branch: str, commit: str) -> None:
        for pipeline in list(self.pipelines.values()):
            action = started_by(pipeline, connection, repository, branch)
            if action is None:
                continue
            # A push may be told of twice, when the process ended between its start and its record.
            last = next(
                (each for each in self.history(pipeline) if each.trigger == "WebhookV2"), None
            )
            if last is None or last.pins.get(action) != (branch, commit):
                self.begin(pipeline, "WebhookV2", commit, pins={action: (branch, commit)})


def _past(status: str) -> str:
    names = {"InProgress": "STARTED", "Cancelled": "CANCELED", "Abandoned": "ABANDONED"}
    return names.get(status, status.upper())
