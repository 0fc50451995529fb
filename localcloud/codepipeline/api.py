"""The CodePipeline API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult

from localcloud.api import ApiError, ServiceApi

if TYPE_CHECKING:
    from localcloud.codepipeline.model import ActionExecution, Execution, Pipeline
    from localcloud.codepipeline.service import CodePipeline


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class CodePipelineApi(ServiceApi):
    """Pipelines, executions, and the levers on them."""

    service: ClassVar[str] = "codepipeline"

    @property
    def _service(self) -> CodePipeline:
        return self.cloud.codepipeline

    def create_pipeline(self) -> ActionResult:
        """Create a pipeline; its first execution starts."""
        definition = self.params["pipeline"]
        if self._find(definition["name"]):
            raise ApiError(
                "PipelineNameInUseException",
                f"A pipeline with the name {definition['name']} already exists",
            )
        pipeline = self._put(definition)
        self._service.begin(pipeline, "CreatePipeline")
        return ActionResult({"pipeline": _declared(pipeline)})

    def update_pipeline(self) -> ActionResult:
        """Give a pipeline a new structure; running executions end where they are."""
        self._pipeline(self.params["pipeline"]["name"])
        return ActionResult({"pipeline": _declared(self._put(self.params["pipeline"]))})

    def delete_pipeline(self) -> ActionResult:
        """Delete a pipeline."""
        self._service.delete(self.account, self.region, self.params["name"])
        return EmptyResult()

    def get_pipeline(self) -> ActionResult:
        """A pipeline's structure."""
        pipeline = self._pipeline(self.params["name"])
        return ActionResult(
            {
                "pipeline": _declared(pipeline),
                "metadata": {
                    "pipelineArn": pipeline.arn,
                    "created": _time(pipeline.created),
                    "updated": _time(pipeline.updated),
                },
            }
        )

    def list_pipelines(self) -> ActionResult:
        """All pipelines of the account's region."""
        found = [
            {
                "name": each.name,
                "version": each.version,
                "pipelineType": each.definition.get("pipelineType", "V1"),
                "executionMode": each.mode,
                "created": _time(each.created),
                "updated": _time(each.updated),
            }
            for each in self._service.pipelines.values()
            if (each.account, each.region) == (self.account, self.region)
        ]
        return ActionResult({"pipelines": found})

    def get_pipeline_state(self) -> ActionResult:
        """Every stage with the newest execution in it."""
        pipeline = self._pipeline(self.params["name"])
        history = self._service.history(pipeline)
        return ActionResult(
            {
                "pipelineName": pipeline.name,
                "pipelineVersion": pipeline.version,
                "stageStates": [
                    _stage_state(pipeline, stage, history) for stage in pipeline.stages
                ],
                "created": _time(pipeline.created),
                "updated": _time(pipeline.updated),
            }
        )

    def list_pipeline_executions(self) -> ActionResult:
        """Executions, newest first."""
        pipeline = self._pipeline(self.params["pipelineName"])
        most = int(self.params.get("maxResults") or 100)
        found = [_summary(each) for each in self._service.history(pipeline)[:most]]
        return ActionResult({"pipelineExecutionSummaries": found})

    def get_pipeline_execution(self) -> ActionResult:
        """One execution."""
        execution = self._execution(self.params["pipelineExecutionId"])
        return ActionResult(
            {
                "pipelineExecution": {
                    "pipelineName": execution.pipeline,
                    "pipelineVersion": execution.version,
                    "pipelineExecutionId": execution.id,
                    "status": execution.status,
                    "statusSummary": execution.summary or None,
                    "executionType": execution.type,
                    "artifactRevisions": [
                        {"name": each["actionName"], "revisionId": each["revisionId"]}
                        for each in execution.revisions
                    ],
                    "trigger": _trigger(execution),
                }
            }
        )

    def list_action_executions(self) -> ActionResult:
        """What the actions of an execution, or of all, did; newest first."""
        pipeline = self._pipeline(self.params["pipelineName"])
        wanted = (self.params.get("filter") or {}).get("pipelineExecutionId")
        found = [
            _action_detail(execution, action)
            for execution in self._service.history(pipeline)
            if wanted in {None, execution.id}
            for action in reversed(execution.actions)
        ]
        return ActionResult({"actionExecutionDetails": found})

    def start_pipeline_execution(self) -> ActionResult:
        """Start an execution by hand."""
        pipeline = self._pipeline(self.params["name"])
        given = {each["name"]: each["value"] for each in self.params.get("variables") or []}
        execution = self._service.begin(pipeline, "StartPipelineExecution", given)
        return ActionResult({"pipelineExecutionId": execution.id})

    def stop_pipeline_execution(self) -> ActionResult:
        """Stop an execution."""
        execution = self._execution(self.params["pipelineExecutionId"])
        if execution.status != "InProgress":
            raise ApiError(
                "PipelineExecutionNotStoppableException",
                f"Execution {execution.id} has status {execution.status} and cannot be stopped",
            )
        execution.summary = self.params.get("reason") or "Stopped by request"
        self._service.runner.stop(execution.id)
        return ActionResult({"pipelineExecutionId": execution.id})

    def retry_stage_execution(self) -> ActionResult:
        """Run a failed stage again, as it was."""
        pipeline = self._pipeline(self.params["pipelineName"])
        execution = self._execution(self.params["pipelineExecutionId"])
        stage = self.params["stageName"]
        held = execution.stages.get(stage)
        if held is None or held.status != "Failed" or execution.version != pipeline.version:
            raise ApiError(
                "StageNotRetryableException",
                f"Stage {stage} of execution {execution.id} cannot be retried: it has not failed, "
                "or the pipeline has changed since",
            )
        self._service.retry(pipeline, execution, stage)
        return ActionResult({"pipelineExecutionId": execution.id})

    def put_approval_result(self) -> ActionResult:
        """Answer a manual approval."""
        token, result = self.params["token"], self.params["result"]
        waiting = self._service.runner.approvals.get(token)
        if waiting is None:
            raise ApiError("InvalidApprovalTokenException", "The approval token is not valid")
        waiting.status, waiting.summary = result["status"], result.get("summary", "")
        waiting.event.set()
        return ActionResult({"approvedAt": self.cloud.clock.now()})

    def disable_stage_transition(self) -> ActionResult:
        """Let no execution into a stage."""
        pipeline = self._pipeline(self.params["pipelineName"])
        pipeline.disabled[self.params["stageName"]] = self.params["reason"]
        self._service.save_pipeline(pipeline)
        return EmptyResult()

    def enable_stage_transition(self) -> ActionResult:
        """Let executions into a stage again."""
        pipeline = self._pipeline(self.params["pipelineName"])
        pipeline.disabled.pop(self.params["stageName"], None)
        self._service.save_pipeline(pipeline)
        self._service.runner.poke()
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        """Tags are the stack's; none are kept here."""
        return ActionResult({"tags": []})

    def _put(self, definition: dict[str, Any]) -> Pipeline:
        from localcloud.codepipeline.service import DefinitionError  # noqa: PLC0415  # a circle

        try:
            return self._service.put(self.account, self.region, dict(definition))
        except DefinitionError as error:
            raise ApiError("InvalidActionDeclarationException", str(error)) from error

    def _find(self, name: str) -> Pipeline | None:
        return self._service.pipelines.get(f"{self.account}/{self.region}/{name}")

    def _pipeline(self, name: str) -> Pipeline:
        found = self._find(name)
        if found is None:
            raise ApiError(
                "PipelineNotFoundException",
                f"Account '{self.account}' does not have a pipeline with name '{name}'",
            )
        return found

    def _execution(self, execution_id: str) -> Execution:
        found = self._service.executions.get(execution_id)
        if found is None or found.account != self.account:
            raise ApiError(
                "PipelineExecutionNotFoundException", f"Execution {execution_id} does not exist"
            )
        return found


def _declared(pipeline: Pipeline) -> dict[str, Any]:
    return pipeline.definition | {"version": pipeline.version}


def _trigger(execution: Execution) -> dict[str, str]:
    kind, _, detail = execution.trigger.partition(": ")
    return {"triggerType": kind, "triggerDetail": detail or execution.pipeline}


def _summary(execution: Execution) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "pipelineExecutionId": execution.id,
        "status": execution.status,
        "statusSummary": execution.summary or None,
        "startTime": _time(execution.started),
        "lastUpdateTime": _time(execution.updated),
        "sourceRevisions": execution.revisions,
        "trigger": _trigger(execution),
        "executionMode": "SUPERSEDED",
        "executionType": execution.type,
    }
    if execution.rolled_back:
        summary["rollbackMetadata"] = {"rollbackTargetPipelineExecutionId": execution.rolled_back}
    return summary


def _stage_state(
    pipeline: Pipeline, stage: dict[str, Any], history: list[Execution]
) -> dict[str, Any]:
    name = stage["name"]
    inside = [each for each in history if name in each.stages]
    newest = max(inside, key=lambda each: each.stages[name].started, default=None)
    state: dict[str, Any] = {
        "stageName": name,
        "inboundTransitionState": {"enabled": name not in pipeline.disabled},
        "actionStates": [],
    }
    if name in pipeline.disabled:
        state["inboundTransitionState"]["disabledReason"] = pipeline.disabled[name]
    if newest is not None:
        state["latestExecution"] = {
            "pipelineExecutionId": newest.id,
            "status": newest.stages[name].status,
            "type": newest.type,
        }
        condition = newest.stages[name].condition
        if condition.get("type") == "ON_SUCCESS":
            state["onSuccessConditionState"] = {
                "latestExecution": {
                    "status": condition["status"],
                    "summary": condition.get("summary"),
                }
            }
    for action in stage["actions"]:
        entry: dict[str, Any] = {"actionName": action["name"]}
        ran = newest.action(name, action["name"]) if newest else None
        if ran is not None:
            entry["latestExecution"] = _latest(ran)
        state["actionStates"].append(entry)
    return state


def _latest(action: ActionExecution) -> dict[str, Any]:
    latest: dict[str, Any] = {
        "actionExecutionId": action.id,
        "status": action.status,
        "lastStatusChange": _time(action.updated),
    }
    if action.summary:
        latest["summary"] = action.summary
    if action.token:
        latest["token"] = action.token
    if action.external_id:
        latest["externalExecutionId"] = action.external_id
    if action.error:
        latest["errorDetails"] = {"code": "JobFailed", "message": action.error}
    return latest


def _action_detail(execution: Execution, action: ActionExecution) -> dict[str, Any]:
    result: dict[str, Any] = {
        "externalExecutionId": action.external_id,
        "externalExecutionSummary": action.summary,
    }
    if action.error:
        result["errorDetails"] = {"code": "JobFailed", "message": action.error}
    return {
        "pipelineExecutionId": execution.id,
        "actionExecutionId": action.id,
        "pipelineVersion": execution.version,
        "stageName": action.stage,
        "actionName": action.name,
        "startTime": _time(action.started),
        "lastUpdateTime": _time(action.updated),
        "status": action.status,
        "output": {
            "outputArtifacts": [],
            "outputVariables": action.outputs,
            "executionResult": result,
        },
    }
