"""The CodeBuild action."""

from __future__ import annotations

import json
import threading
import uuid
from typing import TYPE_CHECKING

from localcloud.codepipeline.model import ActionError
from localcloud.core.ports import BuildNotStartedError, BuildRequest
from localcloud.iam.actions.call import Needed

if TYPE_CHECKING:
    from localcloud.codepipeline.actions.run import ActionRun


def build(run: ActionRun) -> None:
    """Run one build of the project with the action's artifacts and variables."""
    configuration = run.configuration
    inputs = run.record.inputs
    outputs = {
        each["name"]: run.place(each["name"]) for each in run.action.get("outputArtifacts") or []
    }
    try:
        environment = json.loads(configuration.get("EnvironmentVariables") or "[]")
    except ValueError as error:
        raise ActionError(f"EnvironmentVariables is not valid JSON: {error}") from error
    request = BuildRequest(
        account=run.session().account,
        region=run.region,
        project=configuration["ProjectName"],
        environment=environment,
        inputs=inputs,
        primary=configuration.get("PrimarySource") or next(iter(inputs), None),
        outputs=outputs,
        initiator=f"codepipeline/{run.pipeline.name}",
        source_version=next((each["revisionId"] for each in run.execution.revisions), None),
    )
    _permit(run, request, "StartBuild")
    try:
        started = run.collaborators.builds.start_build(request)
    except BuildNotStartedError as error:
        # AWS's text, as quoted in aws-gateway-load-balancer-suricata-ids-ips-nsm#12.
        raise ActionError(
            f"Error calling startBuild: {error} (Service: AWSCodeBuild; Status Code: 400; Error "
            f"Code: {error.code}; Request ID: {uuid.uuid4()}; Proxy: null)"
        ) from error
    run.update_record(external_id=started.id)
    _permit(run, request, "BatchGetBuilds")
    ended = threading.Event()
    started.set_when_complete(ended)
    with run.halt.waking(ended):
        ended.wait()
    run.halt.check()
    run.update_record(outputs=dict(started.exported))
    if started.status != "SUCCEEDED":
        raise ActionError(f"Build terminated with state: {started.status}. {started.reason}")
    run.add_artifacts(outputs)


def _permit(run: ActionRun, request: BuildRequest, operation: str) -> None:
    """Check that the action's role may call an operation of CodeBuild.

    Raises:
        ActionError: it may not; AWS's text is in cdk-eks-blueprints#483.
    """
    project = f"arn:aws:codebuild:{request.region}:{request.account}:project/{request.project}"
    refused = run.refusal(Needed(f"codebuild:{operation}", project))
    if refused is not None:
        raise ActionError(
            f"Error calling {operation[0].lower()}{operation[1:]}: {refused.message} (Service: "
            "AWSCodeBuild; Status Code: 400; Error Code: AccessDeniedException; Request ID: "
            f"{uuid.uuid4()}; Proxy: null)"
        )
