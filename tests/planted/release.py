"""An execution of the pipeline, as the API describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.planted.policies import TARGET, TOOLING
from tests.planted.stages import PIPELINE

if TYPE_CHECKING:
    from collections.abc import Callable

    Client = Callable[[str, str], Any]
    """A factory of clients for an account's administrator."""


class Release:
    """An execution of the pipeline that has ended, as the API describes it."""

    def __init__(self, client: Client, execution: str) -> None:
        self._client = client
        self.execution = execution

    @property
    def status(self) -> str:
        """Return the execution's status."""
        return str(self._found["status"])

    @property
    def summary(self) -> str:
        """Return the execution's final summary."""
        return str(self._found["statusSummary"])

    @property
    def _found(self) -> dict[str, Any]:
        found = self._client("codepipeline", TOOLING).get_pipeline_execution(
            pipelineName=PIPELINE, pipelineExecutionId=self.execution
        )
        return dict(found["pipelineExecution"])

    @property
    def actions(self) -> dict[str, dict[str, Any]]:
        """Return the actions that ran, by name."""
        listed = self._client("codepipeline", TOOLING).list_action_executions(
            pipelineName=PIPELINE, filter={"pipelineExecutionId": self.execution}
        )["actionExecutionDetails"]
        return {each["actionName"]: each for each in listed}

    @property
    def failed(self) -> tuple[str, str]:
        """Return the failed action and its message."""
        (found,) = (each for each in self.actions.values() if each["status"] == "Failed")
        details = found["output"]["executionResult"]["errorDetails"]
        return found["actionName"], details["message"]

    @property
    def build_log(self) -> str:
        """Return the build's log."""
        build = self._build()["logs"]
        events = self._client("logs", TOOLING).get_log_events(
            logGroupName=build["groupName"], logStreamName=build["streamName"], startFromHead=True
        )["events"]
        return "\n".join(each["message"] for each in events)

    @property
    def build_failure(self) -> tuple[str, str]:
        """Return the phase in which the build failed, and the messages of its contexts."""
        phase = next(each for each in self._build()["phases"] if each["phaseStatus"] == "FAILED")
        return phase["phaseType"], " ".join(each["message"] for each in phase["contexts"])

    def stack_failure(self) -> tuple[str, str]:
        """Return the first failed resource of the service's stack, and why.

        Of the newest operation.
        """
        events = self._client("cloudformation", TARGET).describe_stack_events(StackName="service")[
            "StackEvents"
        ]
        found = ("", "")
        for each in events:
            if each["ResourceStatus"] in {"UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS"} and (
                each["LogicalResourceId"] == "service"
            ):
                break
            if each["ResourceStatus"].endswith("_FAILED"):
                found = each["LogicalResourceId"], each["ResourceStatusReason"]
        return found

    def deployment(self) -> dict[str, Any]:
        """Return the newest deployment that is no rollback."""
        client = self._client("codedeploy", TARGET)
        listed = client.list_deployments(applicationName="service", deploymentGroupName="prod")
        found = [
            client.get_deployment(deploymentId=each)["deploymentInfo"]
            for each in listed["deployments"]
        ]
        newest = next(each for each in found if each["creator"] != "codeDeployRollback")
        shifted = client.get_deployment_target(
            deploymentId=newest["deploymentId"], targetId="delivery-service:live"
        )["deploymentTarget"]["lambdaTarget"]["lambdaFunctionInfo"]
        return {**newest, "version": shifted["targetVersion"]}

    def _build(self) -> dict[str, Any]:
        build = self.actions["Synth"]["output"]["executionResult"]["externalExecutionId"]
        (found,) = self._client("codebuild", TOOLING).batch_get_builds(ids=[build])["builds"]
        return dict(found)
