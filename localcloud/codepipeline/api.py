"""The CodePipeline API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, EmptyResult

from localcloud.codepipeline import shapes
from localcloud.codepipeline.definition_errors import DefinitionError
from localcloud.codepipeline.read_only_api import ReadOnlyApi
from localcloud.codepipeline.rollback import is_rollback_target
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from localcloud.codepipeline.model import ActionExecution, Execution, Pipeline


class CodePipelineApi(ReadOnlyApi):
    """The operations that change pipelines and control their executions."""

    def create_pipeline(self) -> ActionResult:
        """Create a pipeline and start its first execution."""
        definition = self.params["pipeline"]
        if self._find(definition["name"]):
            raise ApiError(
                "PipelineNameInUseException",
                f"A pipeline with the name '{definition['name']}' already exists",
            )
        pipeline = self._put(definition)
        tags = self.params.get("tags") or []
        pipeline.tags = {each["key"]: each["value"] for each in tags}
        self.service.store.save_pipeline(pipeline)
        self.service.begin(pipeline, "CreatePipeline")
        return ActionResult({"pipeline": shapes.declared(pipeline), "tags": tags})

    def update_pipeline(self) -> ActionResult:
        """Update a pipeline's structure and version; cancel executions of the old version."""
        self._pipeline(self.params["pipeline"]["name"])
        return ActionResult({"pipeline": shapes.declared(self._put(self.params["pipeline"]))})

    def delete_pipeline(self) -> ActionResult:
        """Delete a pipeline."""
        self.service.delete(self.account, self.region, self.params["name"])
        return EmptyResult()

    def start_pipeline_execution(self) -> ActionResult:
        """Start an execution manually."""
        pipeline = self._pipeline(self.params["name"])
        given = {each["name"]: each["value"] for each in self.params.get("variables") or []}
        declared = {each["name"]: each for each in pipeline.definition.get("variables") or []}
        for name in given:
            if name not in declared:
                raise _invalid(f"Variable {name} is not declared by pipeline {pipeline.name}")
        for name, each in declared.items():
            if name not in given and "defaultValue" not in each:
                raise _invalid(f"Variable {name} has no default value; pass a value for it")
        sources = {action["name"] for action in pipeline.stages[0]["actions"]}
        pins = {}
        for each in self.params.get("sourceRevisions") or []:
            if each["actionName"] not in sources or each["revisionType"] != "COMMIT_ID":
                raise _invalid(
                    f"Source revision {each['revisionType']} of {each['actionName']}: allowed is "
                    f"a COMMIT_ID of one of {', '.join(sorted(sources))}"
                )
            pins[each["actionName"]] = ("", each["revisionValue"])
        execution = self.service.begin(
            pipeline,
            "StartPipelineExecution",
            f"arn:aws:iam::{self.account}:root",
            variables=given,
            pins=pins,
            token=self.params.get("clientRequestToken") or "",
        )
        return ActionResult({"pipelineExecutionId": execution.id})

    def stop_pipeline_execution(self) -> ActionResult:
        """Stop an execution, with or without waiting for its running actions."""
        execution = self._execution(self.params["pipelineExecutionId"])
        abandon = bool(self.params.get("abandon"))
        if not execution.running:
            raise ApiError(
                "PipelineExecutionNotStoppableException",
                f"Execution {execution.id} has status {execution.status} and cannot be stopped",
            )
        if execution.status == "Stopping" and not abandon:
            raise ApiError(
                "DuplicatedStopRequestException", f"Execution {execution.id} is already stopping"
            )
        reason = self.params.get("reason") or "Stopped by request"
        self.service.stop_execution(execution, reason, abandon=abandon)
        return ActionResult({"pipelineExecutionId": execution.id})

    def retry_stage_execution(self) -> ActionResult:
        """Retry the failed actions of a stage, or all of them."""
        pipeline = self._pipeline(self.params["pipelineName"])
        stage = self._stage(pipeline, self.params["stageName"])["name"]
        execution = self._execution(self.params["pipelineExecutionId"])
        held = execution.stages.get(stage)
        if held is None or held.status != "Failed" or execution.running:
            raise ApiError(
                "StageNotRetryableException",
                f"Stage {stage} of execution {execution.id} has not failed and cannot be retried",
            )
        if execution.version != pipeline.version:
            raise ApiError(
                "StageNotRetryableException",
                f"Stage {stage} cannot be retried: the pipeline was changed since execution "
                f"{execution.id} began",
            )
        newer = [
            each
            for each in self.service.store.history(pipeline)
            if stage in each.stages and each.stages[stage].started > held.started
        ]
        if newer:
            raise ApiError(
                "NotLatestPipelineExecutionException",
                f"A newer execution, {newer[0].id}, has entered stage {stage}",
            )
        self.service.retry(pipeline, execution, stage, self.params["retryMode"])
        return ActionResult({"pipelineExecutionId": execution.id})

    def rollback_stage(self) -> ActionResult:
        """Roll a stage back to an execution that succeeded in it."""
        pipeline = self._pipeline(self.params["pipelineName"])
        stage = self._stage(pipeline, self.params["stageName"])["name"]
        target = self._execution(self.params["targetPipelineExecutionId"])
        if target.version != pipeline.version:
            raise ApiError(
                "PipelineExecutionOutdatedException",
                f"The pipeline was changed since execution {target.id} began",
            )
        if pipeline.index(stage) == 0 or not is_rollback_target(pipeline, target, stage):
            raise ApiError(
                "UnableToRollbackStageException",
                f"Stage {stage} cannot be rolled back to execution {target.id}: the target must "
                "be a standard execution that succeeded in it, and it must not be a source stage",
            )
        execution = self.service.runner.roll_back(pipeline, target, stage, "ManualRollback")
        return ActionResult({"pipelineExecutionId": execution.id})

    def override_stage_condition(self) -> ActionResult:
        """Override a condition that is in progress."""
        pipeline = self._pipeline(self.params["pipelineName"])
        stage = self._stage(pipeline, self.params["stageName"])["name"]
        kind, execution = self.params["conditionType"], self.params["pipelineExecutionId"]
        override = self.service.decisions.conditions.get((execution, stage, kind))
        if override is None:
            raise ApiError(
                "ConditionNotOverridableException",
                f"No {kind} condition of stage {stage} is in progress in execution {execution}",
            )
        override()
        return EmptyResult()

    def put_approval_result(self) -> ActionResult:
        """Approve or reject a manual approval."""
        pipeline = self._pipeline(self.params["pipelineName"])
        stage = self._stage(pipeline, self.params["stageName"])
        name, token = self.params["actionName"], self.params["token"]
        if name not in {action["name"] for action in stage["actions"]}:
            raise ApiError("ActionNotFoundException", f"Stage {stage['name']} has no action {name}")
        execution, record = self._approval(pipeline, stage["name"], name, token)
        with self.service.store.changing(execution):
            if record.answer or record.status != "InProgress":
                raise ApiError(
                    "ApprovalAlreadyCompletedException",
                    "The approval action has already been approved or rejected",
                )
            record.answer = self.params["result"]["status"]
            record.summary = self.params["result"]["summary"]
        answered = self.service.decisions.approvals.get(token)
        if answered:
            answered.set()
        return ActionResult({"approvedAt": self.service.core.clock.now()})

    def disable_stage_transition(self) -> ActionResult:
        """Disable the inbound or outbound transition of a stage."""
        pipeline, stage = self._transition()
        self.service.set_transition(pipeline, stage, self.params["reason"])
        return EmptyResult()

    def enable_stage_transition(self) -> ActionResult:
        """Enable the inbound or outbound transition of a stage."""
        pipeline, stage = self._transition()
        self.service.set_transition(pipeline, stage, None)
        return EmptyResult()

    def tag_resource(self) -> ActionResult:
        """Add tags to a pipeline."""
        pipeline = self._of_arn()
        pipeline.tags |= {each["key"]: each["value"] for each in self.params["tags"]}
        self.service.store.save_pipeline(pipeline)
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        """Remove tags from a pipeline."""
        pipeline = self._of_arn()
        for key in self.params["tagKeys"]:
            pipeline.tags.pop(key, None)
        self.service.store.save_pipeline(pipeline)
        return EmptyResult()

    def _transition(self) -> tuple[Pipeline, str]:
        pipeline = self._pipeline(self.params["pipelineName"])
        stage = self._stage(pipeline, self.params["stageName"])["name"]
        if self.params["transitionType"] == "Inbound":
            return pipeline, stage
        behind = (pipeline.index(stage) or 0) + 1
        if behind == len(pipeline.stages):
            raise _invalid(f"Stage {stage} is the last stage; it has no outbound transition")
        return pipeline, pipeline.stages[behind]["name"]

    def _approval(
        self, pipeline: Pipeline, stage: str, name: str, token: str
    ) -> tuple[Execution, ActionExecution]:
        for execution in self.service.store.history(pipeline):
            for record in execution.actions:
                if (record.stage, record.name, record.token) == (stage, name, token):
                    return execution, record
        raise ApiError("InvalidApprovalTokenException", "The approval token is not valid")

    def _put(self, definition: dict[str, Any]) -> Pipeline:
        wanted = {key: value for key, value in definition.items() if key != "version"}
        try:
            return self.service.put(self.account, self.region, wanted)
        except DefinitionError as error:
            raise ApiError(error.code, str(error)) from error


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message)
