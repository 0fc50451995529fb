"""The read-only operations of the CodePipeline API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult

from localcloud.codepipeline import shapes
from localcloud.core.service_api import ApiError, ServiceApi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.codepipeline.model import Execution, Pipeline
    from localcloud.codepipeline.pipelines import Pipelines

_DEFAULT_PAGE_ITEMS = 100


class ReadOnlyApi(ServiceApi):
    """The operations that change nothing, and the lookups that all operations share."""

    model: ClassVar[str] = "codepipeline"
    service: Pipelines

    def get_pipeline(self) -> ActionResult:
        """Return a pipeline's structure."""
        pipeline = self._pipeline(self.params["name"])
        if self.params.get("version") not in {None, pipeline.version}:
            raise ApiError(
                "PipelineVersionNotFoundException",
                f"Only version {pipeline.version} of {pipeline.name} is kept",
            )
        return ActionResult(
            {
                "pipeline": shapes.declared(pipeline),
                "metadata": {
                    "pipelineArn": pipeline.arn,
                    "created": shapes.time(pipeline.created),
                    "updated": shapes.time(pipeline.updated),
                },
            }
        )

    def list_pipelines(self) -> ActionResult:
        """List the pipelines of the account in the region."""
        found = [
            {
                "name": each.name,
                "version": each.version,
                "pipelineType": each.definition.get("pipelineType", "V1"),
                "executionMode": each.mode,
                "created": shapes.time(each.created),
                "updated": shapes.time(each.updated),
            }
            for each in self.service.pipelines.values()
            if (each.account, each.region) == (self.account, self.region)
        ]
        return self._page("pipelines", sorted(found, key=lambda each: str(each["name"])))

    def get_pipeline_state(self) -> ActionResult:
        """Return every stage with its newest execution."""
        pipeline = self._pipeline(self.params["name"])
        history = self.service.store.history(pipeline)
        queues = self.service.runner.queues
        return ActionResult(
            {
                "pipelineName": pipeline.name,
                "pipelineVersion": pipeline.version,
                "stageStates": [
                    shapes.stage_state(pipeline, stage, history, queues)
                    for stage in pipeline.stages
                ],
                "created": shapes.time(pipeline.created),
                "updated": shapes.time(pipeline.updated),
            }
        )

    def list_pipeline_executions(self) -> ActionResult:
        """List executions, newest first."""
        pipeline = self._pipeline(self.params["pipelineName"])
        wanted = (self.params.get("filter") or {}).get("succeededInStage") or {}
        stage = wanted.get("stageName")
        found = [
            shapes.summary(each)
            for each in self.service.store.history(pipeline)
            if stage is None or (stage in each.stages and each.stages[stage].status == "Succeeded")
        ]
        return self._page("pipelineExecutionSummaries", found)

    def get_pipeline_execution(self) -> ActionResult:
        """Return one execution."""
        execution = self._execution(self.params["pipelineExecutionId"])
        return ActionResult({"pipelineExecution": shapes.detail(execution)})

    def list_action_executions(self) -> ActionResult:
        """List the action runs of one or all executions, newest first."""
        pipeline = self._pipeline(self.params["pipelineName"])
        declared = {
            (stage["name"], action["name"]): action
            for stage in pipeline.stages
            for action in stage["actions"]
        }
        found = [
            shapes.action_detail(execution, action, declared.get((action.stage, action.name)))
            for execution in self._filtered(pipeline)
            for action in reversed(execution.actions)
            if not self._latest_only or execution.action(action.stage, action.name) is action
        ]
        return self._page("actionExecutionDetails", found)

    def list_rule_executions(self) -> ActionResult:
        """List the rule runs of one or all executions, newest first."""
        pipeline = self._pipeline(self.params["pipelineName"])
        declared = {
            (stage["name"], kind, rule["name"]): rule
            for stage in pipeline.stages
            for kind in ("BEFORE_ENTRY", "ON_SUCCESS")
            for rule in shapes.rules_of(stage, kind)
        }
        found = [
            shapes.rule_detail(execution, rule, declared.get((rule.stage, rule.kind, rule.name)))
            for execution in self._filtered(pipeline)
            for rule in reversed(execution.rules)
        ]
        return self._page("ruleExecutionDetails", found)

    def list_tags_for_resource(self) -> ActionResult:
        """List a pipeline's tags."""
        tags = self._of_arn().tags
        return self._page("tags", [{"key": k, "value": v} for k, v in tags.items()])

    @property
    def _latest_only(self) -> bool:
        latest = (self.params.get("filter") or {}).get("latestInPipelineExecution") or {}
        return latest.get("startTimeRange") == "Latest"

    def _filtered(self, pipeline: Pipeline) -> list[Execution]:
        given = self.params.get("filter") or {}
        latest = given.get("latestInPipelineExecution") or {}
        wanted = given.get("pipelineExecutionId") or latest.get("pipelineExecutionId")
        history = self.service.store.history(pipeline)
        if wanted is None:
            return history
        found = [each for each in history if each.id == wanted]
        if not found:
            raise _no_execution(wanted)
        return found

    def _page(self, name: str, entries: Sequence[Any]) -> ActionResult:
        token = self.params.get("nextToken") or "0"
        if not token.isdecimal():
            raise ApiError("InvalidNextTokenException", "The next token is not valid")
        begin, most = int(token), int(self.params.get("maxResults") or _DEFAULT_PAGE_ITEMS)
        answer: dict[str, Any] = {name: list(entries[begin : begin + most])}
        if begin + most < len(entries):
            answer["nextToken"] = str(begin + most)
        return ActionResult(answer)

    def _find(self, name: str) -> Pipeline | None:
        return self.service.pipelines.get(f"{self.account}/{self.region}/{name}")

    def _pipeline(self, name: str) -> Pipeline:
        found = self._find(name)
        if found is None:
            raise ApiError(
                "PipelineNotFoundException",
                f"Account '{self.account}' does not have a pipeline with name '{name}'",
            )
        return found

    def _of_arn(self) -> Pipeline:
        arn = self.params["resourceArn"]
        found = self._find(arn.rsplit(":", 1)[-1])
        if found is None:
            raise ApiError("ResourceNotFoundException", f"{arn} does not exist")
        return found

    def _stage(self, pipeline: Pipeline, name: str) -> dict[str, Any]:
        for stage in pipeline.stages:
            if stage["name"] == name:
                return stage
        raise ApiError(
            "StageNotFoundException", f"Pipeline {pipeline.name} does not have a stage {name}"
        )

    def _execution(self, execution_id: str) -> Execution:
        found = self.service.store.executions.get(execution_id)
        name = self.params["pipelineName"]
        if found is None or (found.account, found.region, found.pipeline) != (
            self.account,
            self.region,
            name,
        ):
            raise _no_execution(execution_id)
        return found


def _no_execution(execution_id: str) -> ApiError:
    return ApiError(
        "PipelineExecutionNotFoundException",
        f"Cannot find a pipeline execution with id {execution_id}",
    )
