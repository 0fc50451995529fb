"""Pipelines and their executions: what the API, a template or a push does to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.codepipeline.definition import check
from localcloud.codepipeline.definition_errors import DefinitionError
from localcloud.codepipeline.model import Execution, Pipeline
from localcloud.codepipeline.roles import check_roles
from localcloud.codepipeline.runner import Runner
from localcloud.core.restoring import restored_on_error

if TYPE_CHECKING:
    from localcloud.codepipeline.collaborators import Collaborators
    from localcloud.core.quotas import Quotas


class Pipelines:
    """Creates and changes pipelines; starts, stops, retries and rolls back executions."""

    def __init__(self, collaborators: Collaborators, quotas: Quotas) -> None:
        self.core = collaborators.core
        self.store = collaborators.store
        self.decisions = collaborators.decisions
        self.runner = Runner(collaborators)
        self._access = collaborators.access
        self._repositories = collaborators.repositories
        self._quotas = quotas

    @property
    def pipelines(self) -> dict[str, Pipeline]:
        """Pipelines by key (`account/region/name`)."""
        return self.store.pipelines

    @property
    def executions(self) -> dict[str, Execution]:
        """Executions by id."""
        return self.store.executions

    def put(
        self, account: str, region: str, definition: dict[str, Any], owner: str = ""
    ) -> Pipeline:
        """Create a pipeline, or update it and cancel executions of its old version.

        Raises:
            DefinitionError: AWS rejects the definition, or the local cloud does not support it.
        """
        check(definition, region)
        check_roles(self.core, self._access, account, region, definition)
        for action in definition["stages"][0]["actions"]:
            configuration = action["configuration"]
            arn, repository = configuration["ConnectionArn"], configuration["FullRepositoryId"]
            try:
                self._repositories.ensure_repository(arn, repository)
            except Exception as error:
                raise DefinitionError(f"Action {action['name']}: {error}") from error
        now = self.core.clock.timestamp()
        with self.store.lock:
            key = f"{account}/{region}/{definition['name']}"
            pipeline = self.pipelines.get(key)
            if pipeline is None:
                self._check_number(account, region)
                pipeline = Pipeline(definition["name"], account, region, 1, definition, now, now)
                pipeline.owner = owner
                self.store.save_pipeline(pipeline)
            else:
                with restored_on_error(pipeline):
                    pipeline.version += 1
                    pipeline.definition, pipeline.updated = definition, now
                    self.store.save_pipeline(pipeline)
            self.pipelines[key] = pipeline
        self.runner.updated(pipeline)
        return pipeline

    def _check_number(self, account: str, region: str) -> None:
        """Raise if the region has its maximum of pipelines.

        The text is the documented one of `LimitExceededException`.
        """
        held = [each for each in self.pipelines if each.startswith(f"{account}/{region}/")]
        if len(held) >= self._quotas.pipelines:
            raise DefinitionError(
                "The number of pipelines associated with the AWS account has exceeded the limit "
                "allowed for the account.",
                "LimitExceededException",
            )

    def delete(self, account: str, region: str, name: str) -> None:
        """Delete a pipeline and abandon its running executions."""
        pipeline = self.store.remove_pipeline(f"{account}/{region}/{name}")
        if pipeline is not None:
            for execution in self.store.history(pipeline):
                if execution.running:
                    self.stop_execution(execution, "The pipeline was deleted", abandon=True)

    def set_transition(self, pipeline: Pipeline, stage: str, reason: str | None) -> None:
        """Disable the transition into a stage for a reason, or enable it."""
        others = {name: why for name, why in pipeline.disabled.items() if name != stage}
        with restored_on_error(pipeline):
            pipeline.disabled = others if reason is None else others | {stage: reason}
            self.store.save_pipeline(pipeline)
        self.runner.queues.set_open((pipeline.key, stage), is_open=reason is None)

    def start_execution(self, account: str, region: str, pipeline: str, trigger: str) -> bool:
        """See `PipelineStarter.start_execution`."""
        found = self.pipelines.get(f"{account}/{region}/{pipeline}")
        if found is not None:
            self.begin(found, trigger)
        return found is not None

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

        `variables` override the defaults of the pipeline's variables. `pins` are branch and
        commit by source action. A `token` that was used before returns the earlier execution.
        """
        if token:
            for each in self.store.history(pipeline):
                if each.token == token:
                    return each
        defaults = {
            each["name"]: each.get("defaultValue") or ""
            for each in pipeline.definition.get("variables") or []
        }
        execution = self.store.new(pipeline, trigger, detail)
        execution.namespaces = {"variables": defaults | (variables or {})}
        execution.pins, execution.token = pins or {}, token
        self.store.record(execution, "STARTED")
        self.runner.begin(pipeline, execution)
        return execution

    def retry(self, pipeline: Pipeline, execution: Execution, stage: str, mode: str) -> None:
        """Retry a failed stage and continue with the stages after it."""
        with self.store.changing(execution):
            retries = execution.stages[stage].retries
            retries["ManualStageRetry"] = retries.get("ManualStageRetry", 0) + 1
            execution.stages[stage].status = "InProgress"
            execution.status, execution.summary = "InProgress", ""
        self.store.record(execution, "RESUMED")
        self.runner.begin(pipeline, execution, pipeline.index(stage) or 0, again=mode)

    def stop_execution(self, execution: Execution, reason: str, *, abandon: bool) -> None:
        """Stop an execution; the request is durable before this returns."""
        with self.store.changing(execution):
            if not execution.running:
                return
            execution.status, execution.stop_reason = "Stopping", reason
        self.store.publish(execution, "Pipeline", {}, "STOPPING")
        self.runner.stop(execution, abandon=abandon)
