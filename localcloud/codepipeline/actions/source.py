"""The CodeStarSourceConnection action."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from localcloud.codepipeline.model import ActionError
from localcloud.codepipeline.quotas import MAX_SOURCE_BYTES
from localcloud.iam.actions.delivery import use_connection

if TYPE_CHECKING:
    from localcloud.codepipeline.actions.run import ActionRun


def source(run: ActionRun) -> None:
    """Store the branch's commit as the output artifact and set the action's variables.

    The commit is the one that the push or `StartPipelineExecution` named, or else the newest.
    The action's role needs `UseConnection` with the service prefix of the connection's ARN
    ("Connections rename"), and writes the artifact.
    `OutputArtifactFormat` selects a zip of the commit's files, or a reference by which CodeBuild
    clones the repository itself ("full clone").

    Raises:
        ActionError: the role may not use the connection or write the artifact, the branch or
            commit does not exist, or the artifact is too large.
    """
    arn, repository, branch = (
        run.configuration[key] for key in ("ConnectionArn", "FullRepositoryId", "BranchName")
    )
    connections = run.collaborators.repositories
    name, output = run.action["name"], run.action["outputArtifacts"][0]["name"]
    branch, pinned = run.execution.pins.get(name, (branch, ""))
    branch = branch or run.configuration["BranchName"]
    if run.refusal(use_connection(arn, repository, branch)) is not None:
        # AWS's text: terraform-provider-aws#11389, landing-zone-accelerator-on-aws#828.
        raise ActionError(
            f"Unable to use Connection: {arn}. The provided role does not have sufficient "
            "permissions."
        )
    commit = pinned or connections.resolve(arn, repository, branch)
    if commit is None:
        raise ActionError(
            f"[GitHub] No Branch [{branch}] found for FullRepositoryName [{repository}]"
        )
    try:
        told = connections.commit(arn, repository, commit)
        if run.configuration.get("OutputArtifactFormat") == "CODEBUILD_CLONE_REF":
            content = _reference(run, told.id, branch)
        else:
            content = connections.archive(arn, repository, told.id)
    except Exception as error:
        raise ActionError(f"[GitHub] {repository} at {commit}: {error}") from error
    if len(content) > MAX_SOURCE_BYTES:
        raise ActionError(f"Artifact [{output}] exceeds max artifact size")
    try:
        run.upload(output, content)
    except ClientError as error:
        # AWS's text, as quoted in aws-cdk#13733 and aws-cdk#30360.
        raise ActionError(
            f"[GitHub] Upload to S3 failed with the following error: "
            f"{error.response['Error']['Message']}"
        ) from error
    summary = json.dumps({"ProviderType": "GitHub", "CommitMessage": told.message})
    with run.store.changing(run.execution):
        run.record.outputs = {
            "AuthorDate": told.date,
            "AuthorDisplayName": told.author,
            "BranchName": branch,
            "CommitId": told.id,
            "CommitMessage": told.message,
            "ConnectionArn": arn,
            "FullRepositoryName": repository,
        }
        run.record.external_id, run.record.summary = told.id, summary
        run.execution.revisions = [
            *(each for each in run.execution.revisions if each["actionName"] != name),
            {"actionName": name, "revisionId": told.id, "revisionSummary": summary},
        ]


def _reference(run: ActionRun, commit: str, branch: str) -> bytes:
    arn, repository = (run.configuration[key] for key in ("ConnectionArn", "FullRepositoryId"))
    reference = {
        "ProviderType": "GitHub",
        "ConnectionArn": arn,
        "FullRepositoryName": repository,
        "CloneUrl": run.collaborators.repositories.clone_url(arn, repository),
        "BranchName": branch,
        "CommitId": commit,
    }
    return json.dumps(reference).encode()
